"""Keeping what a process prints, up to a limit, and showing it line by line."""

from __future__ import annotations

from collections.abc import Callable

MAX_LINE_BYTES = 2_000
"""A longer line is shown in part; it is kept whole."""

MAX_LINES_PER_CHUNK = 50
"""Of what comes at once, the last lines are shown: nobody reads faster."""


class LineReader:
    """One output stream.

    Attributes:
        kept: its first bytes, at most the limit.
        is_over: whether there were more.
    """

    def __init__(self, max_bytes: int, on_line: Callable[[str], None]) -> None:
        self.kept = bytearray()
        self.is_over = False
        self._max_bytes = max_bytes
        self._on_line = on_line
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take what was printed next."""
        room = self._max_bytes - len(self.kept)
        self.kept += chunk[:room]
        self.is_over = self.is_over or len(chunk) > room
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[:MAX_LINE_BYTES]
        for line in lines[-MAX_LINES_PER_CHUNK:]:
            self._show(line)

    def flush(self) -> None:
        """Show a last line that has no end."""
        if self._rest:
            self._show(self._rest)
            self._rest = b""

    def _show(self, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
        if text.strip():
            self._on_line(text)
