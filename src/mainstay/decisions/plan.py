"""What a plan does next: the one function its workflow calls.

    (state, events, shape, now) -> (new state, directives)

Every rule is in a file of its own: :mod:`.readiness` (what may start), :mod:`.dispatch` (what is
handed out), :mod:`.work` (what came back), :mod:`.retries`, :mod:`.control` (what a person asks
for) and :mod:`.compensation` (what is taken back). Here is only their order:

1. take note of the events, in the order they came,
2. hand out what there is room for,
3. see whether anything is left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mainstay.decisions.compensation import begin_undo, resume_undo
from mainstay.decisions.control import (
    answer,
    cancel,
    expire,
    pause,
    reset,
    resume,
    retry,
    run_out_of_time,
    skip,
)
from mainstay.decisions.dispatch import dispatch
from mainstay.decisions.draft import Draft, Shape
from mainstay.decisions.readiness import release_all
from mainstay.decisions.work import work_ended
from mainstay.schemas.directives import (
    Answered,
    CancelAsked,
    Directive,
    Event,
    Finish,
    Paused,
    Resumed,
    RetryAsked,
    SkipAsked,
    Started,
    StopWork,
    Ticked,
    WorkEnded,
)
from mainstay.schemas.outline import PlanOutline
from mainstay.schemas.run import PLAN_ENDS, PlanState, PlanStatus, SkipCause, TaskState, TaskStatus


def begin(outline: PlanOutline, now: datetime) -> PlanState:
    """Return the state of a plan that has not started."""
    return PlanState(
        tasks=tuple(TaskState() for _ in outline.tasks),
        remaining=len(outline.tasks),
        started_at=now,
        deadline=now + outline.timeout if outline.timeout else None,
    )


def take_up(ended: PlanState, shape: Shape, now: datetime) -> PlanState:
    """Return the state in which a plan that failed or was cancelled goes on.

    What succeeded stays done. What failed, was stopped, was undone, or was skipped because of
    such a task, waits for its turn again.
    """
    draft = Draft(ended, shape, now)
    again = (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.UNDONE, TaskStatus.UNDO_FAILED)
    for position, task in enumerate(ended.tasks):
        if task.status in again or task.skipped_by is SkipCause.NEED:
            reset(draft, position)
    draft.undoable = []
    timeout = shape.outline.timeout
    draft.change_plan(
        status=PlanStatus.RUNNING,
        deadline=now + timeout if timeout else None,
        grace_until=None,
        failure=None,
        cancel_reason="",
        is_paused=False,
        is_out_of_time=False,
    )
    return draft.freeze()


def decide(
    state: PlanState, events: Sequence[Event], shape: Shape, now: datetime, *, hold: bool = False
) -> tuple[PlanState, list[Directive]]:
    """Decide what becomes of a plan after some events.

    Args:
        state: where the plan stands.
        events: what happened since, in order.
        shape: the plan's shape.
        now: the time, from the workflow's own clock.
        hold: hand out nothing, because the run is about to continue as new.

    Returns:
        Where the plan stands now, and what is to be done about it, in order.
    """
    draft = Draft(state, shape, now)
    for event in events:
        _note(draft, event)
    dispatch(draft, hold)
    _settle(draft)
    return draft.freeze(), draft.directives


def next_alarm(state: PlanState) -> datetime | None:
    """Return the next moment at which something is due although nothing happens; None if none."""
    moments = []
    for position in state.timed:
        task = state.tasks[position]
        moments += [unit.not_before for unit in task.backing_off]
        moments.append(task.deadline)
    if state.status is PlanStatus.RUNNING:
        moments.append(state.deadline)
    if state.status is PlanStatus.CANCELLING:
        moments.append(state.grace_until)
    return min((moment for moment in moments if moment is not None), default=None)


def _note(draft: Draft, event: Event) -> None:
    match event:
        case Started():
            release_all(draft)
        case WorkEnded():
            work_ended(draft, event)
        case Ticked():
            _tick(draft)
        case Paused():
            pause(draft)
        case Resumed():
            resume(draft)
        case CancelAsked():
            cancel(draft, event)
        case Answered():
            answer(draft, event)
        case RetryAsked():
            retry(draft, event)
        case SkipAsked():
            skip(draft, event)


def _tick(draft: Draft) -> None:
    """See to everything whose time has come."""
    state, now = draft.state, draft.now
    if state.status is PlanStatus.RUNNING and state.deadline and state.deadline <= now:
        run_out_of_time(draft)
    if state.status is PlanStatus.CANCELLING and state.grace_until and state.grace_until <= now:
        draft.change_plan(grace_until=None)
        draft.do(StopWork())
    for position in list(draft.timed):
        task = draft.tasks[position]
        if task.status is TaskStatus.ASKING and task.deadline and task.deadline <= now:
            expire(draft, position)
        elif any(unit.not_before and unit.not_before <= now for unit in task.backing_off):
            _back_off_is_over(draft, position)


def _back_off_is_over(draft: Draft, position: int) -> None:
    later = [unit for unit in draft.tasks[position].backing_off if unit.not_before]
    if all(unit.not_before and unit.not_before <= draft.now for unit in later):
        draft.untime(position)
    if draft.state.status is PlanStatus.UNDOING:
        resume_undo(draft, position)
    else:
        draft.enqueue(position)


def _settle(draft: Draft) -> None:
    """See whether anything is left to do; if not, undo what must be, and then finish."""
    state = draft.state
    if state.status in PLAN_ENDS or draft.in_flight or draft.remaining:
        return
    if state.status is PlanStatus.RUNNING and state.failure is None:
        _finish(draft, PlanStatus.SUCCEEDED)
    elif state.status is PlanStatus.UNDOING:
        if not draft.undoable:
            _finish(draft, _end_status(state))
    elif not begin_undo(draft):
        _finish(draft, _end_status(state))


def _end_status(state: PlanState) -> PlanStatus:
    cancelled = state.grace_until is not None or state.cancel_reason
    return PlanStatus.CANCELLED if cancelled and not state.is_out_of_time else PlanStatus.FAILED


def _finish(draft: Draft, status: PlanStatus) -> None:
    draft.change_plan(status=status)
    draft.do(Finish(status))
