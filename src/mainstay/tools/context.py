"""What a tool can know about the call it is in, and how it tells a watcher of its progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta

from mainstay.schemas.tools import ToolSpec


@dataclass(frozen=True)
class ToolContext:
    """One call of a tool.

    Attributes:
        key: the idempotency key; the same for every attempt of this call, empty outside of a run.
        attempt: which attempt this is, from 1.
        env: environment variables that the plan gives, on top of the process's own.
        timeout: longest the call may take; whoever makes the call enforces it.
        watch: is given each line that the tool logs. It may be called from any thread.
        tools: every tool that there is beside this one, by name.
        cancelled: set when the call is to end.
    """

    key: str = ""
    attempt: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: timedelta = timedelta(minutes=1)
    watch: Callable[[str], None] | None = None
    tools: Mapping[str, ToolSpec] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def log(self, line: str) -> None:
        """Show a line to whoever watches the run; it is not part of the result."""
        if self.watch is not None:
            self.watch(line)

    @property
    def is_cancelled(self) -> bool:
        """True once the call is to end; a long loop in a sync tool should look at it."""
        return self.cancelled.is_set()


_CURRENT: ContextVar[ToolContext] = ContextVar("mainstay_tool_context")


def context() -> ToolContext:
    """Return the call that the running code belongs to, or a harmless one outside of any."""
    return _CURRENT.get(None) or ToolContext()


@contextmanager
def entered(call: ToolContext) -> Iterator[None]:
    """Make a call the current one for as long as the block lasts."""
    token = _CURRENT.set(call)
    try:
        yield
    finally:
        _CURRENT.reset(token)
