"""Doing one thing to many: a few at a time, and a report of each, whoever of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mainstay.schemas.errors import MainstayError

AT_ONCE = 8
"""Requests in flight. Each costs the server some milliseconds, and agents have work to do."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it for one of them. ``said`` is its answer; ``error`` is why there is none."""

    name: str
    said: str = ""
    error: MainstayError | None = None


Progress = Callable[[int, int], None]
"""Is told how many are done, and of how many."""


async def do_to_each(
    items: Sequence[T],
    act: Callable[[T], Awaitable[str]],
    name: Callable[[T], str],
    *,
    at_once: int = AT_ONCE,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Do something to each of many, and say what came of it, in their order.

    One that fails keeps none of the others from being done.

    Args:
        items: whom it is done to.
        act: does it to one; whatever it raises is kept for the report.
        name: how one is called in the report.
        at_once: how many are in the works together.
        progress: is told after each.
    """
    places, done = asyncio.Semaphore(at_once), 0

    async def one(item: T) -> Outcome:
        nonlocal done
        async with places:
            try:
                outcome = Outcome(name(item), await act(item))
            except MainstayError as error:
                outcome = Outcome(name(item), error=error)
            except Exception as error:  # the report of the others must not be lost for it
                unexpected = MainstayError(f"unexpected {type(error).__name__}: {error}")
                outcome = Outcome(name(item), error=unexpected)
        done += 1
        if progress is not None:
            progress(done, len(items))
        return outcome

    return await asyncio.gather(*map(one, items))
