"""Which states an agent's life goes through, and how long it may stay in each.

Rules:
    1. A life begins INITIALIZING and changes only as ``TRANSITIONS`` allows; any other wish is
       refused, and the refusal names what is allowed. TERMINATED is the end.
    2. Four states end by themselves when they last too long (``OVERDUE``): getting ready or
       restarting too slowly is an ERROR, a forgotten pause resumes, a stop that hangs is forced.
       RUNNING, ERROR and TERMINATED may last for ever.
    3. A grace that was asked for takes the place of the state's own time, where it has one.
    4. Every change is counted; the latest ``KEPT_TRANSITIONS`` stay in the state, each with its
       trigger and with how long the state it left had lasted.
    5. RESTARTING counts a restart, whatever comes of it.
    6. A pause has a reason until it is over; the reason of a stop is kept to the end.
    7. A run that its supervisor ends for the next one to go on leaves: it becomes RESTARTING from
       two more states (``LEAVING``). The next run begins with the restarts so far.

Source: specification 003, 1.3.2.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mainstay.schemas.agent import LimitsSpec
from mainstay.schemas.agent_run import AgentRequest, AgentState
from mainstay.schemas.errors import Refused
from mainstay.schemas.lifecycle import (
    KEPT_TRANSITIONS,
    EndReason,
    Lifecycle,
    LifeState,
    PauseReason,
    Transition,
)

TRANSITIONS: dict[LifeState, tuple[LifeState, ...]] = {
    LifeState.INITIALIZING: (LifeState.RUNNING, LifeState.ERROR, LifeState.TERMINATED),
    LifeState.RUNNING: (
        LifeState.PAUSED,
        LifeState.STOPPING,
        LifeState.ERROR,
        LifeState.RESTARTING,
    ),
    LifeState.PAUSED: (LifeState.RUNNING, LifeState.STOPPING, LifeState.ERROR),
    LifeState.STOPPING: (LifeState.TERMINATED, LifeState.ERROR),
    LifeState.ERROR: (LifeState.RESTARTING, LifeState.TERMINATED),
    LifeState.RESTARTING: (LifeState.INITIALIZING, LifeState.ERROR, LifeState.TERMINATED),
    LifeState.TERMINATED: (),
}
"""Where each state may lead."""

LEAVING = frozenset({LifeState.INITIALIZING, LifeState.PAUSED})
"""States from which only a run that leaves becomes RESTARTING."""

OVERDUE: dict[LifeState, tuple[LifeState, str]] = {
    LifeState.INITIALIZING: (LifeState.ERROR, "initialize_timeout"),
    LifeState.PAUSED: (LifeState.RUNNING, "auto_resume"),
    LifeState.STOPPING: (LifeState.TERMINATED, "force_stop"),
    LifeState.RESTARTING: (LifeState.ERROR, "restart_timeout"),
}
"""What a state that lasts too long becomes, and the trigger that is put on record."""


def begin(now: datetime, limits: LimitsSpec, restarts: int = 0) -> Lifecycle:
    """Return the life of an agent that is spawned now, or again after so many restarts."""
    return Lifecycle(
        previous=LifeState.RESTARTING if restarts else None,
        since=now,
        until=_until(LifeState.INITIALIZING, now, limits, None),
        restarts=restarts,
    )


def begin_state(now: datetime, request: AgentRequest) -> AgentState:
    """Return the state in which a run of an agent begins that no other handed over to."""
    supervised = request.supervised
    restarts = supervised.incarnation - 1 if supervised else 0
    life = begin(now, LimitsSpec(), restarts)
    return AgentState(life=life, is_once=request.options.is_once, supervised=supervised)


def move(
    life: Lifecycle,
    to: LifeState,
    now: datetime,
    limits: LimitsSpec,
    *,
    trigger: str,
    detail: str = "",
    pause_reason: PauseReason | None = None,
    end_reason: EndReason | None = None,
    grace: timedelta | None = None,
    leaves: bool = False,
) -> Lifecycle:
    """Change the state of an agent's life.

    Args:
        life: the life so far.
        to: the state wished for.
        now: the moment of the change.
        limits: how long each state may last.
        trigger: what brought it about, a word for machines: ``stop``, ``force_stop``.
        detail: why, for people; it takes the place of the detail before.
        pause_reason: kept for as long as the agent is PAUSED.
        end_reason: why it ends; given on STOPPING, it is kept for TERMINATED.
        grace: how long the new state may last, in place of its own limit.
        leaves: the run ends for another one to go on.

    Raises:
        Refused: the present state does not lead there.
    """
    may_leave = leaves and to is LifeState.RESTARTING and life.state in LEAVING
    if to not in TRANSITIONS[life.state] and not may_leave:
        raise _refusal(life.state, to)
    transition = Transition(
        number=life.count + 1,
        from_state=life.state,
        to_state=to,
        at=now,
        trigger=trigger,
        duration_ms=max(0, (now - life.since) // timedelta(milliseconds=1)),
    )
    kept_reason = life.end_reason if to is LifeState.TERMINATED else None
    return Lifecycle(
        state=to,
        previous=life.state,
        since=now,
        until=_until(to, now, limits, grace),
        transitions=(*life.transitions, transition)[-KEPT_TRANSITIONS:],
        count=transition.number,
        pause_reason=pause_reason if to is LifeState.PAUSED else None,
        end_reason=end_reason or kept_reason,
        restarts=life.restarts + (to is LifeState.RESTARTING),
        detail=detail,
    )


def is_overdue(life: Lifecycle, now: datetime) -> bool:
    """Tell whether the present state has lasted too long; at its very end it has."""
    return life.until is not None and now >= life.until


def overdue_move(life: Lifecycle) -> tuple[LifeState, str]:
    """Return what a state that lasted too long becomes, and with which trigger.

    Only states with an ``until`` can be asked for: INITIALIZING, PAUSED, STOPPING, RESTARTING.
    """
    return OVERDUE[life.state]


def _until(
    state: LifeState, now: datetime, limits: LimitsSpec, grace: timedelta | None
) -> datetime | None:
    longest = {
        LifeState.INITIALIZING: limits.initialize,
        LifeState.PAUSED: limits.pause,
        LifeState.STOPPING: limits.stop,
        LifeState.RESTARTING: limits.restart,
    }.get(state)
    if longest is None:
        return None
    return now + (longest if grace is None else grace)


def _refusal(state: LifeState, wish: LifeState) -> Refused:
    allowed = " or ".join(TRANSITIONS[state])
    if not allowed:
        return Refused(
            f"an agent that is {state} cannot become {wish}: nothing follows {state}",
            hint="spawn it anew, or restore a snapshot of it",
        )
    return Refused(
        f"an agent that is {state} cannot become {wish}: from {state} it may become {allowed}",
        hint="see where it stands with `mainstay agent info`, and ask again from a state that "
        "leads there",
    )
