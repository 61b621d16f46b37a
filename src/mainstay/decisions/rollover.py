"""When a run continues as new, so that its history stays short.

Rules:
    1. A history that has grown long, or that Temporal calls long, is left at the next moment at
       which nothing is being done; to get there, nothing new is handed out.
    2. If something takes so long that this moment does not come within ``PATIENCE``, work goes on
       until the history is twice as long; from then on it waits for as long as it takes.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

PATIENCE = timedelta(seconds=30)
"""How long free places may stay empty because of one long piece of work."""


class Rollover(StrEnum):
    """What to do about the length of the history."""

    GO_ON = "go on"
    HOLD = "hold"
    CONTINUE_AS_NEW = "continue as new"


def rollover(
    events: int, threshold: int, suggested: bool, in_flight: int, held_for: timedelta
) -> Rollover:
    """Decide whether a run goes on, holds back, or continues as new.

    Args:
        events: length of the history so far, in events.
        threshold: length at which it is left.
        suggested: whether the server suggests to leave it.
        in_flight: pieces of work that are being done.
        held_for: how long nothing has been handed out for this reason.
    """
    if events < threshold and not suggested:
        return Rollover.GO_ON
    if in_flight == 0:
        return Rollover.CONTINUE_AS_NEW
    if held_for >= PATIENCE and events < 2 * threshold:
        return Rollover.GO_ON
    return Rollover.HOLD
