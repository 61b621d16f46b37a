"""Regular expressions that cannot run away.

The standard library's engine holds the interpreter's lock while it matches, so one catastrophic
pattern would stop a whole worker. The regex package understands the same patterns, lets other
threads run meanwhile, and gives up after a set time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mainstay.schemas.errors import InvalidInput, LimitReached

if TYPE_CHECKING:
    from regex import Match
    from regex import Pattern as CompiledPattern

Flag = Literal["ignorecase", "multiline", "dotall"]

MAX_PATTERN_CHARS = 10_000

MAX_SEARCH_SECONDS = 5.0
"""Longest one search may take: a call that was cancelled burns a processor no longer than this."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern, and the time it may take.

    Attributes:
        text: the pattern as it was written.
        compiled: the same, compiled.
        deadline: the moment of the monotonic clock, in seconds, after which no match is tried.
    """

    text: str
    compiled: CompiledPattern[str]
    deadline: float

    def search(self, subject: str) -> Match[str] | None:
        """Return the first match.

        Raises:
            LimitReached: the pattern's time is up.
        """
        return self._bounded(
            lambda left: self.compiled.search(
                subject, timeout=min(left, MAX_SEARCH_SECONDS), concurrent=True
            )
        )

    def find_all(self, subject: str) -> Iterator[Match[str]]:
        """Yield every match, from left to right, none overlapping.

        Raises:
            LimitReached: the pattern's time is up.
        """
        matches = self.compiled.finditer(subject, timeout=self._left(), concurrent=True)
        while (match := self._bounded(lambda _: next(matches, None))) is not None:
            yield match

    def _bounded(self, attempt: Callable[[float], Match[str] | None]) -> Match[str] | None:
        try:
            return attempt(self._left())
        except TimeoutError:
            raise self._too_slow() from None

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        return left

    def _too_slow(self) -> LimitReached:
        return LimitReached(
            f"the pattern {shorten(self.text)!r} took too long",
            hint="avoid a repetition within a repetition, such as (a+)+, or raise the time limit",
        )


def compile_pattern(
    text: str, *, seconds: float, literal: bool = False, flags: list[Flag] | None = None
) -> Pattern:
    """Compile a regular expression (or a literal text) whose matches together have a time limit.

    Raises:
        InvalidInput: it is no regular expression, or longer than :data:`MAX_PATTERN_CHARS`.
    """
    import regex

    if len(text) > MAX_PATTERN_CHARS:
        raise InvalidInput(
            f"the pattern has {len(text)} characters; at most {MAX_PATTERN_CHARS} are allowed"
        )
    chosen = 0
    for flag in flags or ():
        chosen |= regex.RegexFlag[flag.upper()]
    try:
        compiled = regex.compile(regex.escape(text) if literal else text, chosen)
    except (regex.error, ValueError, RecursionError, OverflowError) as error:
        raise InvalidInput(
            f"{shorten(text)!r} is no regular expression: {error}",
            hint="set literal to look for the text itself" if not literal else "",
        ) from None
    return Pattern(text, compiled, time.monotonic() + seconds)


def shorten(text: str, most: int = 80) -> str:
    """Cut a text for a message."""
    return text if len(text) <= most else text[:most] + "..."
