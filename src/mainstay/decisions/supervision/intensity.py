"""How many restarts are too many.

Rules:
    1. A restart is counted at the moment at which it is decided, together with the earlier ones
       of the last ``window``; one exactly ``window`` ago still counts.
    2. *More than* ``max_restarts`` of them are too many: the restart is not made.
    3. A failed start that belongs to a restart counts as another restart. What people ask for,
       and what stopped because of a sibling, never counts.
    4. After the one restart of all children (``Escalation.RESTART``) the count begins anew. The
       next time escalates, unless a whole window has passed in which nothing was restarted.

Source: OTP, Supervisor Behaviour, Maximum Restart Intensity.
"""

from __future__ import annotations

from datetime import datetime

from mainstay.schemas.supervision import SupervisorState, SupervisorView
from mainstay.schemas.team import IntensitySpec


def recent(
    restarts: tuple[datetime, ...], now: datetime, intensity: IntensitySpec
) -> tuple[datetime, ...]:
    """Return the restarts that still count, the oldest first."""
    return tuple(moment for moment in restarts if moment >= now - intensity.window)


def add_restart(
    restarts: tuple[datetime, ...], now: datetime, intensity: IntensitySpec
) -> tuple[datetime, ...]:
    """Return the restarts that count together with one that is made now."""
    return (*recent(restarts, now, intensity), now)


def is_too_many(restarts: tuple[datetime, ...], intensity: IntensitySpec) -> bool:
    """Tell whether the supervisor has to give up.

    Example:
        With ``max_restarts`` 3 within 5 s, the fourth restart within 5 s is one too many.
    """
    return len(restarts) > intensity.max_restarts


def restarts_left(state: SupervisorState, now: datetime) -> int:
    """Return how many restarts are still borne at this moment."""
    intensity = state.policy.intensity
    return max(0, intensity.max_restarts - len(recent(state.restarts, now, intensity)))


def seen_at(view: SupervisorView, now: datetime) -> SupervisorView:
    """Return a view of a while ago with the restarts that are left by now."""
    counted = tuple(moment for moment in view.counted if moment >= now - view.window)
    return view.model_copy(
        update={"counted": counted, "restarts_left": max(0, view.max_restarts - len(counted))}
    )


def has_been_quiet(state: SupervisorState, now: datetime) -> bool:
    """Tell whether a whole window has passed since all children, or one of them, restarted."""
    last = state.restarted_at
    return last is None or now - last > state.policy.intensity.window
