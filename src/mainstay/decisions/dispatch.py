"""Which work is handed out next.

Rules:
    1. Never more pieces of work at once than the plan's ``max_parallel``, and never more of one
       task than its own.
    2. The most urgent task first, then the first in the plan's file.
    3. Nothing is handed out while the plan is paused, ending, or about to continue as new.
    4. A task is prepared first if it must be, then asks a person if it must, then works.
    5. The items of a ``for_each`` are handed out in order, ``batch`` at a time. After an item
       failed for good, no further ones are.
"""

from __future__ import annotations

from mainstay.decisions.draft import Draft
from mainstay.decisions.readiness import end
from mainstay.schemas.directives import DoWork
from mainstay.schemas.outline import TaskKind, TaskOutline
from mainstay.schemas.run import PlanStatus, Step, TaskState, TaskStatus, Unit


def dispatch(draft: Draft, hold: bool = False) -> None:
    """Hand out as much work as there are free places for, unless told to ``hold`` back."""
    while draft.ready and not hold and _is_open(draft):
        _, position = draft.ready[0]
        if draft.in_flight >= draft.shape.outline.max_parallel:
            break
        draft.dequeue(position)
        if not _takes_no_place(draft, position):
            _hand_out_next(draft, position)


def wants_more(task: TaskState, outline: TaskOutline) -> bool:
    """Tell whether a running task has items to hand out and room for them."""
    room = outline.max_parallel is None or len(task.flying) < outline.max_parallel
    left = task.next_item < (task.items or 0) and not task.failed_units
    return room and left


def _is_open(draft: Draft) -> bool:
    return draft.state.status is PlanStatus.RUNNING and not draft.state.is_paused


def _takes_no_place(draft: Draft, position: int) -> bool:
    """Take the steps that need no activity; True when the task then waits or has ended."""
    task, outline = draft.tasks[position], draft.outline(position)
    prepared = task.items is not None or not outline.prepares
    if task.status is not TaskStatus.PENDING or not prepared:
        return False
    if outline.asks and task.answer is None:
        deadline = draft.now + outline.deadline if outline.deadline else None
        draft.change(position, status=TaskStatus.ASKING, deadline=deadline)
        if deadline:
            draft.time(position)
        draft.tell(position, task.reason)
        return True
    if outline.kind is TaskKind.APPROVAL:
        end(draft, position, TaskStatus.SUCCEEDED)
        return True
    if task.items == 0:
        _start_empty(draft, position)
        return True
    return False


def _start_empty(draft: Draft, position: int) -> None:
    if draft.outline(position).gathers:
        hand_out(draft, position, Unit(step=Step.GATHER, stop=0))
    else:
        end(draft, position, TaskStatus.SUCCEEDED)


STATUS_OF_STEP = {
    Step.PREPARE: TaskStatus.PREPARING,
    Step.UNIT: TaskStatus.RUNNING,
    Step.GATHER: TaskStatus.GATHERING,
    Step.UNDO: TaskStatus.UNDOING,
}


def hand_out(draft: Draft, position: int, unit: Unit) -> None:
    """Have one piece of a task's work done."""
    flying = (*draft.tasks[position].flying, unit)
    draft.change(position, status=STATUS_OF_STEP[unit.step], flying=flying)
    draft.in_flight += 1
    draft.do(DoWork(position, unit))


def _hand_out_next(draft: Draft, position: int) -> None:
    outline = draft.outline(position)
    hand_out(draft, position, _next_unit(draft, position))
    task = draft.tasks[position]
    if task.status is TaskStatus.RUNNING and (_due(draft, task) or wants_more(task, outline)):
        draft.enqueue(position)


def _next_unit(draft: Draft, position: int) -> Unit:
    """Take the next piece of a task out of its state: one that backed off long enough, first."""
    task, outline = draft.tasks[position], draft.outline(position)
    due = _due(draft, task)
    if due is not None:
        waiting = tuple(unit for unit in task.backing_off if unit is not due)
        draft.change(position, backing_off=waiting)
        return due.model_copy(update={"not_before": None})
    if outline.prepares and task.items is None:
        return Unit(step=Step.PREPARE, stop=0)
    items = task.items if task.items is not None else 1
    stop = min(task.next_item + outline.batch, items)
    draft.change(position, next_item=stop, items=items)
    return Unit(start=task.next_item, stop=stop)


def _due(draft: Draft, task: TaskState) -> Unit | None:
    return next(
        (u for u in task.backing_off if u.not_before is None or u.not_before <= draft.now), None
    )
