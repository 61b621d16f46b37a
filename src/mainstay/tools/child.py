"""What a child process does between its birth and its program: nothing that could take a lock."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # Source: prctl(2)


def prepare_child(memory_bytes: int | None) -> Callable[[], None]:
    """Return what the child calls first.

    On Linux it has itself killed when its parent dies, even by ``kill -9``. Its address space,
    and that of everything it starts, is bounded by ``memory_bytes`` each.
    """
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    parent = os.getpid()

    def prepare() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)  # the parent died before it could be watched
        if memory_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))

    return prepare
