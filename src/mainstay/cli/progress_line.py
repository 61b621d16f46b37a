"""One line on stderr that says how far something is, written over where that can be done."""

from __future__ import annotations

import sys
import time

SECONDS = 1.0
"""Where lines cannot be written over, so long lies between two of them."""


class ProgressLine:
    """Says how far something is. Used in a ``with`` block, which ends the line."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._width = 0
        self._said = ""
        self._pending = ""
        self._at = float("-inf")

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal and self._width:
            print(file=sys.stderr, flush=True)
        elif self._pending:
            self._print(self._pending)

    def show(self, text: str) -> None:
        """Say how far it is now."""
        if text == self._said:
            return
        self._said = text
        if self._is_terminal:
            print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        elif time.monotonic() - self._at >= SECONDS:
            self._print(text)
        else:
            self._pending = text

    def _print(self, text: str) -> None:
        self._at, self._pending = time.monotonic(), ""
        print(text, file=sys.stderr, flush=True)
