"""How children are stopped, and in which order.

Rules:
    1. A child is told to end, with its ``shutdown`` as grace. When that is over it is cancelled,
       and ``CANCEL_GRACE`` later killed. Zero grace kills at once; no ``shutdown`` waits for ever.
       A supervisor in a hurry kills at once, and whatever it is stopping already.
    2. Several children are stopped by groups, in the reverse order of their plans: the next group
       is told when every later one has ended. A dynamic supervisor stops all at once.
    3. A child keeps its mailbox if it may be started again; what is forgotten does not.

Source: OTP, supervisor, child specification.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.decisions.supervision.draft import SupervisorDraft
from mainstay.decisions.supervision.strategies import is_forgotten
from mainstay.schemas.supervision import AfterStop, ChildPhase, ChildState, StopStep
from mainstay.schemas.supervision_directives import CancelChild, KillChild, TellToStop
from mainstay.schemas.team import Restart, Strategy

CANCEL_GRACE = timedelta(seconds=2)
"""How long a cancelled child has until it is killed."""

NEXT_STEP: dict[StopStep, StopStep] = {
    StopStep.TOLD: StopStep.CANCELLED,
    StopStep.CANCELLED: StopStep.KILLED,
}
"""What follows when a step of a stop has lasted too long."""


def stop(draft: SupervisorDraft, child: ChildState, after: AfterStop) -> None:
    """Begin to stop one child."""
    grace = draft.plan_of(child).shutdown
    is_brutal = draft.state.is_hurried or grace == timedelta(0)
    step = StopStep.KILLED if is_brutal else StopStep.TOLD
    until = None if is_brutal or grace is None else draft.now + grace
    stopping = draft.move(child.name, ChildPhase.STOPPING, after=after, stop_step=step, until=until)
    if is_brutal:
        draft.do(KillChild(child.name, child.incarnation, _keeps(draft, stopping)))
    else:
        draft.do(TellToStop(child.name, child.incarnation, grace, _keeps(draft, stopping)))


def kill(draft: SupervisorDraft, child: ChildState) -> None:
    """Kill a child that is being stopped."""
    draft.change_child(child.name, stop_step=StopStep.KILLED, until=None)
    draft.do(KillChild(child.name, child.incarnation, _keeps(draft, child)))


def go_on(draft: SupervisorDraft) -> None:
    """Take the next step with children that did not stop in time, and stop the next group."""
    for child in draft.children:
        if child.phase is ChildPhase.STOPPING and _is_due(draft, child):
            _next_step(draft, child)
    for child in _next_group(draft):
        stop(draft, child, child.after)


def _is_due(draft: SupervisorDraft, child: ChildState) -> bool:
    return child.until is not None and child.until <= draft.now


def _next_step(draft: SupervisorDraft, child: ChildState) -> None:
    assert child.stop_step is not None
    if NEXT_STEP[child.stop_step] is StopStep.KILLED:
        kill(draft, child)
        return
    until = draft.now + CANCEL_GRACE
    draft.change_child(child.name, stop_step=StopStep.CANCELLED, until=until)
    draft.do(CancelChild(child.name, child.incarnation))


def _next_group(draft: SupervisorDraft) -> list[ChildState]:
    """Return the children that are to be told now, out of those that must stop."""
    doomed = [child for child in draft.children if child.must_stop]
    if not doomed or draft.strategy is Strategy.DYNAMIC:
        return doomed
    last = max(child.place for child in doomed)
    going = [child for child in draft.children if child.phase is ChildPhase.STOPPING]
    if any(child.place > last for child in going):
        return []
    return [child for child in doomed if child.place == last]


def _keeps(draft: SupervisorDraft, child: ChildState) -> bool:
    if draft.is_ending:
        return draft.state.keeps
    plan = draft.plan_of(child)
    match child.after:
        case AfterStop.START:
            return True
        case AfterStop.FAIL:
            return plan.restart is not Restart.TEMPORARY
        case AfterStop.KEEP:
            return not is_forgotten(plan, draft.strategy)
        case _:  # REMOVE
            return False
