"""How a plan takes back what it did.

Rules:
    1. When a plan fails or is cancelled, every task with ``undo`` that did something is undone:
       one after another, the last to end first.
    2. An undo that fails for a passing reason is tried again; one that fails for good is put on
       record, and the others go on.
    3. What was undone is not done any more: taken up again, it runs in a new round, under new
       idempotency keys.
"""

from __future__ import annotations

from mainstay.decisions.dispatch import hand_out
from mainstay.decisions.draft import Draft
from mainstay.decisions.retries import backoff, may_retry
from mainstay.schemas.directives import Tell, WorkEnded
from mainstay.schemas.records import EventKind
from mainstay.schemas.run import PlanStatus, Step, TaskStatus, Unit


def begin_undo(draft: Draft) -> None:
    """Begin to take back what was done."""
    draft.change_plan(status=PlanStatus.UNDOING)
    draft.do(Tell(EventKind.PLAN_STATUS, status=PlanStatus.UNDOING, message="undoing"))


def undo_next(draft: Draft) -> None:
    """Hand out the next undo, unless one is being done or backs off."""
    if draft.state.status is not PlanStatus.UNDOING or draft.in_flight or not draft.undoable:
        return
    position = draft.undoable[-1]
    task = draft.tasks[position]
    unit = Unit(step=Step.UNDO, stop=1 if task.items is None else task.items)
    if task.status is TaskStatus.UNDOING:
        unit = task.backing_off[0]
        if unit.not_before is not None:
            return
    draft.change(position, backing_off=())
    hand_out(draft, position, unit)
    draft.tell(position, "undoing" if unit.attempt == 1 else f"undo attempt {unit.attempt}")


def undo_ended(draft: Draft, event: WorkEnded) -> None:
    """Take note of an undo that came back."""
    failure, outline = event.failure, draft.outline(event.task)
    attempt = event.unit.attempt
    if failure is not None and may_retry(failure, attempt, outline.retry, repeatable=True):
        later = draft.now + backoff(attempt, outline.retry, failure.retry_after)
        unit = event.unit.model_copy(update={"attempt": attempt + 1, "not_before": later})
        draft.change(event.task, backing_off=(unit,))
        draft.tell(event.task, f"undo attempt {attempt} failed: {failure.message}")
        return
    draft.undoable.pop()
    if failure is None:
        draft.change(event.task, status=TaskStatus.UNDONE)
        draft.tell(event.task, "undone")
    else:
        draft.change(event.task, status=TaskStatus.UNDO_FAILED, failure=failure)
        draft.tell(event.task, failure.message)
