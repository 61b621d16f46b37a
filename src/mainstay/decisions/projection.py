"""What an event changes in the rows that people read: a plan's row and a task's row.

Rules:

1. Rows follow events in the order storage numbered them; a row is a fold of its events.
2. A row that has ended is not moved by a status event of an earlier time: that event was late.
   A later one moves it, an end included: somebody tried the task again.
3. While a row has not ended, the order of arrival counts and not the times, because the clocks
   of workers differ and an end must never be lost.
4. ``started_at`` is the first time that work began, and survives another attempt.
5. Work that succeeded is not begun again: an activity whose answer was lost is asked again after
   its end is on record, and then tells of a beginning. Whoever wants the task done again first
   makes it pending, or undoes it.
6. Counts add up whatever the status is, and whenever they arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.records import EventKind, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PLAN_ENDS, PlanStatus, TaskStatus


class RecordedStatus(StrEnum):
    """A task's status as the specification names it. Source: specification 003, section 14.1.2."""

    PENDING = "PENDING"
    ASSIGNED = "ASSIGNED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


RECORDED: dict[TaskStatus, RecordedStatus] = {
    TaskStatus.PENDING: RecordedStatus.PENDING,
    TaskStatus.PREPARING: RecordedStatus.ASSIGNED,
    TaskStatus.ASKING: RecordedStatus.ASSIGNED,
    TaskStatus.WAITING: RecordedStatus.ASSIGNED,
    TaskStatus.UNKNOWN: RecordedStatus.ASSIGNED,
    TaskStatus.RUNNING: RecordedStatus.IN_PROGRESS,
    TaskStatus.GATHERING: RecordedStatus.IN_PROGRESS,
    TaskStatus.SUCCEEDED: RecordedStatus.COMPLETED,
    TaskStatus.FAILED: RecordedStatus.FAILED,
    TaskStatus.UNDO_FAILED: RecordedStatus.FAILED,
    TaskStatus.SKIPPED: RecordedStatus.CANCELLED,
    TaskStatus.CANCELLED: RecordedStatus.CANCELLED,
    TaskStatus.UNDOING: RecordedStatus.CANCELLED,
    TaskStatus.UNDONE: RecordedStatus.CANCELLED,
}

TASK_ENDS = frozenset(
    {
        TaskStatus.SUCCEEDED,
        TaskStatus.FAILED,
        TaskStatus.SKIPPED,
        TaskStatus.CANCELLED,
        TaskStatus.UNDOING,
        TaskStatus.UNDONE,
        TaskStatus.UNDO_FAILED,
    }
)
"""A task that is in one of these counts as done: what follows is taking it back."""

STARTS = frozenset({TaskStatus.PREPARING, TaskStatus.RUNNING})


def recorded_status(status: TaskStatus) -> RecordedStatus:
    """Translate a task's status into the specification's coarser one."""
    return RECORDED[status]


def percentage(task: TaskRow) -> int:
    """Tell how much of a task is done, 0 to 100, both inclusive; 100 only when it succeeded."""
    if task.status is TaskStatus.SUCCEEDED:
        return 100
    if not task.items_total:
        return 0
    return max(0, min(99, 100 * task.items_done // task.items_total))


def apply(task: TaskRow, event: PlanEvent) -> TaskRow:
    """Bring a task's row up to date with one event of that task.

    Raises:
        InvalidInput: the event gives the task a status that only plans have.
    """
    if event.kind is EventKind.TASK_OUTPUT:
        return task.model_copy(update={"last_line": event.message})
    changes: dict[str, Any] = {}  # Any: fields of TaskRow, each of its own type
    if event.count:
        changes["items_done"] = task.items_done + event.count
    if event.total is not None:
        changes["items_total"] = event.total
    if not _is_late(task, event):
        changes |= _task_moves(task, event)
    return task.model_copy(update=changes) if changes else task


def _is_late(task: TaskRow, event: PlanEvent) -> bool:
    if task.ended_at is not None and event.at < task.ended_at:
        return True
    return task.status is TaskStatus.SUCCEEDED and _task_status(event) in STARTS


def _task_moves(task: TaskRow, event: PlanEvent) -> dict[str, Any]:  # Any: as above
    status = _task_status(event)
    changes: dict[str, Any] = {}  # Any: as above
    if event.attempt is not None:
        changes["attempt"] = event.attempt
    if event.message or status is not None:
        changes["message"] = event.message
    if status is None:
        return changes
    changes["status"] = status
    if status in STARTS and task.started_at is None:
        changes["started_at"] = event.at
    changes["ended_at"] = event.at if status in TASK_ENDS else None
    return changes


def apply_to_plan(plan: PlanRow, event: PlanEvent) -> PlanRow:
    """Bring a plan's row up to date with one event of the plan itself (``event.task`` is empty).

    Raises:
        InvalidInput: the event gives the plan a status that only tasks have.
    """
    status = _plan_status(event)
    if plan.ended_at is not None and event.at < plan.ended_at:
        return plan
    changes: dict[str, Any] = {}  # Any: fields of PlanRow, each of its own type
    if event.message or status is not None:
        changes["message"] = event.message
    if event.ref:
        changes["outputs_ref"] = event.ref
    if event.kind is EventKind.PLAN_STARTED and plan.started_at is None:
        changes["started_at"] = event.at
    if status is not None:
        changes["status"] = status
        changes["ended_at"] = event.at if status in PLAN_ENDS else None
    return plan.model_copy(update=changes) if changes else plan


def done_change(before: TaskStatus, after: TaskStatus) -> int:
    """Tell what a task's change of status adds to its plan's count of done tasks: -1, 0 or 1."""
    return int(after in TASK_ENDS) - int(before in TASK_ENDS)


def fold(
    plan: PlanRow, tasks: Sequence[TaskRow], events: Iterable[PlanEvent]
) -> tuple[PlanRow, list[TaskRow]]:
    """Apply events, in their order, to a plan's row and its tasks' rows (whose order is kept).

    Events of tasks that are not among ``tasks`` change nothing.
    """
    rows = {task.name: task for task in tasks}
    done = plan.tasks_done
    for event in events:
        if not event.task:
            plan = apply_to_plan(plan, event)
        elif (before := rows.get(event.task)) is not None:
            after = rows[event.task] = apply(before, event)
            done += done_change(before.status, after.status)
    return plan.model_copy(update={"tasks_done": done}), list(rows.values())


def _task_status(event: PlanEvent) -> TaskStatus | None:
    if event.status is None:
        return TaskStatus.RUNNING if event.kind is EventKind.TASK_STARTED else None
    # Several words are both a plan's and a task's, so a decoded event may carry the other enum.
    try:
        return TaskStatus(event.status.value)
    except ValueError:
        raise _wrong_status(event, f"task {event.task!r}") from None


def _plan_status(event: PlanEvent) -> PlanStatus | None:
    if event.status is None:
        return PlanStatus.RUNNING if event.kind is EventKind.PLAN_STARTED else None
    try:
        return PlanStatus(event.status.value)
    except ValueError:
        raise _wrong_status(event, f"plan {event.plan_id!r}") from None


def _wrong_status(event: PlanEvent, whose: str) -> InvalidInput:
    return InvalidInput(f"event {event.key!r} gives {whose} the status {event.status!r}")
