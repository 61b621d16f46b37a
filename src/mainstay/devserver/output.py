"""What the embedded server writes: kept in a log file, quoted when the server fails."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from mainstay.schemas.errors import Unavailable

MAX_LOG_BYTES = 10 * 1024 * 1024
"""A longer log is put aside, once, when a server starts."""
MAX_QUOTED_BYTES = 64 * 1024
TAIL_LINES = 5


class ServerLog:
    """A file that a server writes to: a named one, or one that is gone when closed."""

    def __init__(self, path: Path | None) -> None:
        self.file = _open(path)
        self._start = self.file.seek(0, 2)

    def read(self) -> str:
        """What was written since this was opened; the last 64 KiB of it."""
        if self.file.closed:
            return ""
        end = self.file.seek(0, 2)
        self.file.seek(max(self._start, end - MAX_QUOTED_BYTES))
        text = self.file.read().decode(errors="replace")
        self.file.seek(0, 2)
        return text

    def quote_tail(self) -> str:
        """The last lines, to be put after a message; empty when there are none."""
        lines = [line for line in self.read().splitlines() if line.strip()]
        return "; its last words:\n  " + "\n  ".join(lines[-TAIL_LINES:]) if lines else ""

    def close(self) -> None:
        """Close it; a nameless one vanishes."""
        self.file.close()


def _open(path: Path | None) -> IO[bytes]:
    if path is None:
        return tempfile.TemporaryFile(buffering=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_name(path.name + ".1"))
        # Unbuffered, and for appending: the child writes to the same open file.
        return path.open("ab+", buffering=0)
    except OSError as error:
        raise Unavailable(
            f"cannot write the server's log {str(path)!r}: {error.strerror}",
            hint="set MAINSTAY_DATA_DIR to a folder that you may write to",
        ) from error
