"""What a plan does next: the one function its workflow calls.

    (state, events, shape, now) -> (new state, directives)

Every rule is in a file of its own: :mod:`.readiness` (what may start, and what an end means for
others), :mod:`.dispatch` (what is handed out), :mod:`.work` (what came back), :mod:`.retries`,
:mod:`.control` (what a person asks for), :mod:`.revival` (what gets another chance) and
:mod:`.compensation` (what is taken back). Here is only their order:

1. take note of the events, in the order they came,
2. when no task is left, undo what must be undone, or finish,
3. hand out what there is room for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from mainstay.decisions.compensation import begin_undo, undo_next
from mainstay.decisions.control import (
    answer,
    cancel,
    end_grace,
    expire,
    pause,
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
    Ticked,
    WorkEnded,
)
from mainstay.schemas.outline import PlanOutline
from mainstay.schemas.run import PLAN_ENDS, PlanState, PlanStatus, TaskState, TaskStatus


def begin(outline: PlanOutline, now: datetime) -> PlanState:
    """Return the state of a plan that has not started."""
    return PlanState(
        tasks=tuple(TaskState() for _ in outline.tasks),
        remaining=len(outline.tasks),
        started_at=now,
        deadline=now + outline.timeout if outline.timeout else None,
    )


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
        _NOTED[type(event)](draft, event)
    _turn(draft)
    if not hold:
        dispatch(draft)
        undo_next(draft)
    return draft.freeze(), draft.directives


def next_alarm(state: PlanState) -> datetime | None:
    """Return the next moment at which something is due although nothing happens; None if none."""
    moments = [state.grace_until]
    if state.timed:
        moments.append(state.tasks[state.timed[0]].due_at)
    if state.status is PlanStatus.RUNNING:
        moments.append(state.deadline)
    return min((moment for moment in moments if moment is not None), default=None)


def _tick(draft: Draft) -> None:
    """See to everything whose time has come."""
    state, now = draft.state, draft.now
    if state.status is PlanStatus.RUNNING and state.deadline and state.deadline <= now:
        run_out_of_time(draft)
    end_grace(draft)
    while draft.timed:
        position = draft.timed[0]
        moment = draft.tasks[position].due_at
        if moment is None or moment > now:
            return
        if draft.tasks[position].status is TaskStatus.ASKING:
            expire(draft, position)
        else:
            _back_off_is_over(draft, position)


def _back_off_is_over(draft: Draft, position: int) -> None:
    units = tuple(
        unit.model_copy(update={"not_before": None})
        if unit.not_before and unit.not_before <= draft.now
        else unit
        for unit in draft.tasks[position].backing_off
    )
    draft.change(position, backing_off=units)
    if draft.state.status is PlanStatus.RUNNING:
        draft.enqueue(position)


def _turn(draft: Draft) -> None:
    """Take the plan's own next turn when none of its tasks is left: undo, or finish."""
    status = draft.state.status
    if status in PLAN_ENDS or draft.remaining:
        return
    if status is PlanStatus.RUNNING and draft.state.failure is None:
        _finish(draft, PlanStatus.SUCCEEDED)
    elif draft.state.is_paused:
        return  # what failed can still be retried
    elif not draft.undoable:
        cancelled = draft.state.is_cancelled
        _finish(draft, PlanStatus.CANCELLED if cancelled else PlanStatus.FAILED)
    elif status is not PlanStatus.UNDOING:
        begin_undo(draft)


def _finish(draft: Draft, status: PlanStatus) -> None:
    draft.change_plan(status=status, grace_until=None)
    draft.do(Finish(status))


# Any: each of these takes the one kind of event it stands for.
_NOTED: dict[type[Event], Callable[[Draft, Any], None]] = {
    Started: lambda draft, event: release_all(draft),
    WorkEnded: work_ended,
    Ticked: lambda draft, event: _tick(draft),
    Paused: lambda draft, event: pause(draft),
    Resumed: lambda draft, event: resume(draft),
    CancelAsked: cancel,
    Answered: answer,
    RetryAsked: retry,
    SkipAsked: skip,
}
