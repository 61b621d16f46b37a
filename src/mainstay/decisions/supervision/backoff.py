"""How long a child waits before it is started again.

Rules:
    1. The first restart comes after ``initial``, each further one after ``factor`` times as long,
       never after more than ``maximum``.
    2. Up to ``jitter`` of the wait is added at random, so that children that failed together do
       not come back together.
    3. A child that was RUNNING for longer than ``maximum``, and for at least the window of the
       supervisor's intensity, begins anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mainstay.schemas.supervision import ChildPhase, ChildState
from mainstay.schemas.team import BackoffSpec


def wait(backoff: BackoffSpec, failures: int, dice: float) -> timedelta:
    """Return the wait after a number of failures in a row.

    Args:
        backoff: how long to wait.
        failures: how many there were in a row, from 1.
        dice: a random number from 0 (inclusive) to 1 (exclusive).

    Example:
        initial 1 s, factor 2, maximum 60 s, no jitter: 1 s, 2 s, 4 s, ... 60 s.
    """
    longest, seconds = backoff.maximum.total_seconds(), backoff.initial.total_seconds()
    for _ in range(failures - 1):
        if seconds == 0 or seconds >= longest:
            break  # further steps change nothing, and powers grow beyond every float
        seconds *= backoff.factor
    return timedelta(seconds=min(seconds, longest) * (1 + backoff.jitter * dice))


def failures_so_far(
    child: ChildState, backoff: BackoffSpec, window: timedelta, now: datetime
) -> int:
    """Return how often a child that ends now has failed in a row before."""
    ran = now - child.since if child.phase is ChildPhase.RUNNING else timedelta(0)
    return 0 if ran > backoff.maximum and ran >= window else child.failures
