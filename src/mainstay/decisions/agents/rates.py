"""How callers of a provider wait their turn, so that it is not asked more often than it allows.

Rules:
    1. A provider has two meters, of requests and of tokens a minute. Either may be without limit.
    2. A call takes its place on both at once, and both before it is made: whoever comes later is
       placed behind it. So calls are made in the order in which their places were taken.
    3. Who comes after a rest may use ``BURST`` of a minute's allowance at once; after that, calls
       are spread evenly. A call that needs more tokens than that is still made, and those behind
       it wait for as long as its tokens take.
    4. In any minute there are at most a minute's allowance, ``BURST`` of it and one call more. A
       provider whose bucket holds a minute's allowance, as is usual, therefore never refuses.

Source: the generic cell rate algorithm, ITU-T I.371, in its form of virtual scheduling.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mainstay.schemas.errors import InvalidInput

MINUTE = timedelta(minutes=1)

BURST = MINUTE / 10
"""How far ahead of an even spread calls may be made."""

LONGEST = timedelta(days=365)
"""More than one call can use up: a mistaken number of tokens must not stop a provider for ever."""


@dataclass(frozen=True, slots=True)
class Meters:
    """When an even spread of the calls so far ends, for each meter; None before the first."""

    requests_until: datetime | None = None
    tokens_until: datetime | None = None


def take_place(
    meters: Meters, requests_per_minute: int, tokens_per_minute: int, tokens: int, now: datetime
) -> tuple[Meters, timedelta]:
    """Take the next free place for one call.

    Args:
        meters: where they stand.
        requests_per_minute: most calls in a minute; 0 sets no limit.
        tokens_per_minute: most tokens in a minute; 0 sets no limit.
        tokens: how many the call is expected to use.
        now: the present moment.

    Returns:
        The meters from now on, and how long to wait before the call is made.

    Raises:
        InvalidInput: a number is negative.

    Example:
        At 60 requests a minute seven calls may be made at once; the eighth waits for a second.
    """
    if min(requests_per_minute, tokens_per_minute, tokens) < 0:
        raise InvalidInput(
            f"a rate cannot be negative: {requests_per_minute} requests and {tokens_per_minute}"
            f" tokens a minute, {tokens} tokens"
        )
    limits = (
        (meters.requests_until, requests_per_minute, 1),
        (meters.tokens_until, tokens_per_minute, tokens),
    )
    turn = max([now, *(until - BURST for until, limit, _ in limits if limit and until)])
    requests_until, tokens_until = (
        _after(until, turn, limit, amount) for until, limit, amount in limits
    )
    return Meters(requests_until, tokens_until), turn - now


def _after(until: datetime | None, turn: datetime, limit: int, amount: int) -> datetime | None:
    if not limit:
        return until
    # Divided last, so that it is exact to the microsecond.
    return max(until or turn, turn) + min(MINUTE * amount / limit, LONGEST)
