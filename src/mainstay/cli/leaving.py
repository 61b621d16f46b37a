"""The one way out of a process that may have used the Temporal SDK."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with an exit code.

    A process that used the Temporal SDK can crash while Python takes itself apart
    (temporalio/sdk-python issue 300), which would turn a good run into a bad one. Everything is
    closed by now, so only what is in the buffers is written, and then the process ends.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # whoever read it has gone: `mainstay list | head`
            code = code or 1
    os._exit(code)
