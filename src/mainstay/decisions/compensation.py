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
from mainstay.schemas.directives import WorkEnded
from mainstay.schemas.run import PlanStatus, Step, TaskStatus, Unit


def begin_undo(draft: Draft) -> bool:
    """Start to undo if there is anything to undo; False when there is not."""
    if not draft.undoable:
        return False
    draft.change_plan(status=PlanStatus.UNDOING)
    _undo_last(draft)
    return True


def undo_ended(draft: Draft, event: WorkEnded) -> None:
    """Take note of an undo that came back, and go on to the one before it."""
    failure, outline = event.failure, draft.outline(event.task)
    if failure is not None and may_retry(failure, event.unit.attempt, outline.retry, True):
        attempt = event.unit.attempt
        later = draft.now + backoff(attempt, outline.retry, failure.retry_after)
        unit = event.unit.model_copy(update={"attempt": attempt + 1, "not_before": later})
        draft.change(event.task, backing_off=(unit,))
        draft.time(event.task)
        draft.tell(event.task, f"undo attempt {attempt} failed: {failure.message}")
        return
    status = TaskStatus.UNDONE if failure is None else TaskStatus.UNDO_FAILED
    draft.change(event.task, status=status, failure=failure)
    draft.tell(event.task, failure.message if failure else "undone")
    draft.undoable.pop()
    if draft.undoable:
        _undo_last(draft)


def resume_undo(draft: Draft, position: int) -> None:
    """Make the next attempt of an undo whose back-off is over."""
    unit = draft.tasks[position].backing_off[0]
    draft.change(position, backing_off=())
    hand_out(draft, position, unit.model_copy(update={"not_before": None}))


def _undo_last(draft: Draft) -> None:
    position = draft.undoable[-1]
    items = draft.tasks[position].items
    hand_out(draft, position, Unit(step=Step.UNDO, stop=1 if items is None else items))
    draft.tell(position, "undoing")
