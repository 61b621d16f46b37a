"""How a task that ended gets another chance, alone or with its whole plan.

Rules:
    1. What a task did stays done. Units that failed or were stopped are due at once, under the
       same idempotency keys and with all their attempts.
    2. What was undone, or did not pass its check, is done again in a new round, under new keys.
    3. A question that was not answered with yes is asked again.
    4. The tasks that were skipped because of it, or whose ``if`` was false, are looked at again;
       those that wait for it, and have not begun, wait again.
    5. Somebody who retries a task, having seen that it failed or that its outcome is unknown,
       allows it to be begun again. What was merely stopped by a cancel is not allowed that: if it
       had begun and must not be done twice, its outcome is unknown.
    6. A plan that is taken up again does so for each task that did not succeed.
"""

from __future__ import annotations

from datetime import datetime

from mainstay.decisions.draft import Draft, Shape
from mainstay.schemas.directives import Directive
from mainstay.schemas.run import (
    TASK_ENDS,
    Failure,
    PlanState,
    PlanStatus,
    SkipCause,
    TaskState,
    TaskStatus,
    Unit,
)

_NOT_DONE = (
    TaskStatus.FAILED,
    TaskStatus.CANCELLED,
    TaskStatus.UNDONE,
    TaskStatus.UNDO_FAILED,
)
_NOT_DONE_ANY_MORE = (TaskStatus.UNDONE, TaskStatus.UNDO_FAILED)
_SEEN_TO_FAIL = (TaskStatus.FAILED, TaskStatus.UNKNOWN)
_LOOKED_AT_AGAIN = (SkipCause.NEED, SkipCause.CONDITION)


def take_up(ended: PlanState, shape: Shape, now: datetime) -> tuple[PlanState, list[Directive]]:
    """Return the state in which a plan that failed or was cancelled goes on, and what to tell."""
    draft = Draft(ended, shape, now)
    for position, task in enumerate(ended.tasks):
        if task.status in _NOT_DONE:
            revive(draft, position)
            draft.tell(position, "taken up again")
    timeout = shape.outline.timeout
    draft.change_plan(
        status=PlanStatus.RUNNING,
        deadline=now + timeout if timeout else None,
        grace_until=None,
        failure=None,
        cancel_reason="",
        is_paused=False,
        is_cancelled=False,
    )
    return draft.freeze(), draft.directives


def revive(draft: Draft, position: int) -> None:
    """Let a task, and those that were skipped because of it, wait for their turn again."""
    _reset(draft, position)
    worklist = [*draft.shape.dependents[position]]
    while worklist:
        dependent = worklist.pop()
        task = draft.tasks[dependent]
        if task.status is TaskStatus.PENDING:
            draft.change(dependent, watch=0)
            draft.dequeue(dependent)
        elif task.skipped_by in _LOOKED_AT_AGAIN:
            _reset(draft, dependent)
            draft.tell(dependent)
            worklist += draft.shape.dependents[dependent]


def first_failure(draft: Draft) -> Failure | None:
    """Return why the plan fails if nothing else is retried; None when nothing failed."""
    for position, task in enumerate(draft.tasks):
        outline = draft.outline(position)
        if task.status is TaskStatus.FAILED and not outline.continue_on_error:
            return task.failure or Failure(message=f"task {outline.name!r} failed")
    return None


def _reset(draft: Draft, position: int) -> None:
    before, outline = draft.tasks[position], draft.outline(position)
    draft.remaining += before.status in TASK_ENDS
    if outline.undoes and position in draft.undoable:
        draft.undoable.remove(position)
    draft.replace(position, _fresh_round(before) if _is_to_be_redone(before) else _kept(before))
    if outline.asks and draft.tasks[position].answer is None:
        draft.change(position, items=None)  # its question is made again


def _is_to_be_redone(task: TaskState) -> bool:
    """Tell whether a task begins a new round: it was undone, or its output was not good."""
    all_out = task.items is not None and 0 < task.items <= task.next_item
    bad_output = task.status is TaskStatus.FAILED and all_out and not task.failed_units
    return bad_output or task.status in _NOT_DONE_ANY_MORE


def _fresh_round(before: TaskState) -> TaskState:
    return TaskState(round=before.round + 1)


def _kept(before: TaskState) -> TaskState:
    units = (*before.failed_units, *before.backing_off)
    return TaskState(
        status=TaskStatus.RUNNING if before.flying else TaskStatus.PENDING,
        round=before.round,
        items=before.items,
        next_item=before.next_item,
        done=before.done,
        errors=before.errors,
        flying=before.flying,
        backing_off=tuple(_due_now(unit) for unit in units),
        feedback=before.feedback,
        confirmed=before.status in _SEEN_TO_FAIL,
        answer=before.answer if before.answer and before.answer.approved else None,
    )


def _due_now(unit: Unit) -> Unit:
    return unit.model_copy(update={"not_before": None, "attempt": 1})
