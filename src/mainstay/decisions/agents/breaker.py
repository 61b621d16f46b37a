"""When a provider or a tool that keeps failing is left alone for a while.

Rules:
    1. ``THRESHOLD`` passing failures in a row open the breaker; a success between them starts the
       count anew. A refusal and an invalid input say nothing about the other side's health: they
       change no count.
    2. Open, it lets nothing through for ``OPEN_FOR``. Then one call goes through to see: the probe.
    3. While the probe is under way nobody else gets through. Its success closes the breaker, its
       failure opens it for another ``OPEN_FOR``, and one that neither succeeded nor failed
       (a refusal) leaves its place to the next call.
    4. A probe that does not report within ``PROBE_FOR`` is given up: its worker may have died.
    5. What calls that began earlier report while the breaker is open changes nothing.

Source: specification 003, 8.2, for the threshold, the time and the states.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mainstay.schemas.budgets import Breaker, BreakerState
from mainstay.schemas.run import FailureKind

THRESHOLD = 5
"""Passing failures in a row that open a breaker."""

OPEN_FOR = timedelta(seconds=60)
PROBE_FOR = timedelta(seconds=60)

RECHECK = timedelta(seconds=2)
"""After how long those who wait for a probe ask again; most calls have ended by then."""


def admit(breaker: Breaker, now: datetime) -> tuple[Breaker, timedelta | None]:
    """Ask whether a call may be made now.

    Returns:
        The breaker from now on, and None when the call may be made, or else how long to wait
        before asking again (more than zero).
    """
    if breaker.state is BreakerState.CLOSED:
        return breaker, None
    if breaker.state is BreakerState.OPEN:
        remaining = _remaining(breaker.opened_at, OPEN_FOR, now)
    else:
        remaining = min(_remaining(breaker.probe_at, PROBE_FOR, now), RECHECK)
    if remaining > timedelta(0):
        return breaker, remaining
    probing = {"state": BreakerState.HALF_OPEN, "probe_at": now}
    return breaker.model_copy(update=probing), None


def succeeded(breaker: Breaker) -> Breaker:
    """Note that a call went well."""
    if breaker.state is BreakerState.OPEN:
        return breaker
    return Breaker(name=breaker.name)


def failed(breaker: Breaker, now: datetime, kind: FailureKind = FailureKind.TRANSIENT) -> Breaker:
    """Note that a call went wrong; only a TRANSIENT failure counts."""
    if breaker.state is BreakerState.OPEN:
        return breaker
    if kind is not FailureKind.TRANSIENT:
        return _without_probe(breaker)
    failures = breaker.failures + 1
    if breaker.state is BreakerState.CLOSED and failures < THRESHOLD:
        return breaker.model_copy(update={"failures": failures})
    return Breaker(name=breaker.name, state=BreakerState.OPEN, failures=failures, opened_at=now)


def _without_probe(breaker: Breaker) -> Breaker:
    """Let the next call be the probe: it is open again, and its time is up already."""
    if breaker.state is BreakerState.CLOSED:
        return breaker
    return breaker.model_copy(update={"state": BreakerState.OPEN, "probe_at": None})


def _remaining(began: datetime | None, lasts: timedelta, now: datetime) -> timedelta:
    return began + lasts - now if began is not None else timedelta(0)
