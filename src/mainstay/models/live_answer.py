"""An answer while it is being written: shown from time to time, and cut off when too large."""

from __future__ import annotations

import time
from collections.abc import Callable

from mainstay.schemas.errors import LimitReached

WATCH_SECONDS = 0.1
"""Shortest time between two showings."""


class LiveAnswer:
    """Collects what a model says, and shows it.

    Args:
        model: names the model, for the error.
        max_bytes: largest answer, tool arguments and thoughts included.
        watch: is given the whole text so far.
    """

    def __init__(self, model: str, max_bytes: int, watch: Callable[[str], None] | None) -> None:
        self._model = model
        self._max_bytes = max_bytes
        self._watch = watch
        self._parts: list[str] = []
        self._bytes = 0
        self._shown_at = 0.0
        self._has_news = False

    def say(self, text: str) -> None:
        """Take a piece of the text, and show it if the last showing is long enough ago.

        Raises:
            LimitReached: the answer is too large.
        """
        if not text:
            return
        self.count(text)
        self._parts.append(text)
        self._has_news = True
        if self._watch is not None and time.monotonic() - self._shown_at >= WATCH_SECONDS:
            self.show()

    def count(self, text: str) -> None:
        """Count something that is part of the answer, but not shown.

        Raises:
            LimitReached: the answer is too large.
        """
        self._bytes += len(text.encode(errors="surrogatepass"))
        if self._bytes > self._max_bytes:
            raise LimitReached(
                f"the answer of model {self._model!r} has more than {self._max_bytes:,} bytes",
                hint="ask for less, set settings.max_tokens, or raise limits.answer_bytes",
            )

    def show(self) -> None:
        """Show all there is now, unless it has been shown."""
        if self._watch is None or not self._has_news:
            return
        self._has_news = False
        self._shown_at = time.monotonic()
        self._watch("".join(self._parts))
