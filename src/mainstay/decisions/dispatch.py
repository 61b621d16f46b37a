"""Which work is handed out next.

Rules:
    1. Never more pieces of work at once than the plan's ``max_parallel``, and never more of one
       task than its own.
    2. The most urgent task first, then the first in the plan's file.
    3. Nothing is handed out while the plan is paused, ending, or about to continue as new.
    4. A task is prepared first if it must be, then asks a person if it must, then does its
       items, then looks at its whole output if it must. Asking takes no place.
    5. The items of a ``for_each`` are handed out in order, ``batch`` at a time. Units that backed
       off long enough come before new ones.
    6. After a unit failed for good, no further ones of its task are handed out.
    7. The place of a unit that backs off stays empty until another one of its task comes back well
       or the back-off is over, so that a service that is down is not asked for all the rest.
       While a thousand units back off, no new ones are begun at all.
"""

from __future__ import annotations

from mainstay.decisions.draft import Draft
from mainstay.decisions.readiness import end
from mainstay.schemas.directives import DoWork
from mainstay.schemas.outline import TaskKind, TaskOutline
from mainstay.schemas.run import PlanStatus, Step, TaskState, TaskStatus, Unit

MAX_BACKING_OFF = 1_000
"""Units of one task that may wait for another attempt: each costs about 30 bytes of state."""

STATUS_OF_STEP = {
    Step.PREPARE: TaskStatus.PREPARING,
    Step.UNIT: TaskStatus.RUNNING,
    Step.GATHER: TaskStatus.GATHERING,
    Step.UNDO: TaskStatus.UNDOING,
}


def dispatch(draft: Draft) -> None:
    """Hand out as much work as there are free places for."""
    if draft.state.status is not PlanStatus.RUNNING or draft.state.is_paused:
        return
    while draft.ready and draft.in_flight < draft.shape.outline.max_parallel:
        position = draft.ready.pop(0)
        unit = next_unit(draft.tasks[position], draft.outline(position))
        if unit is None:
            continue
        _take(draft, position, unit)
        hand_out(draft, position, unit)
        if next_unit(draft.tasks[position], draft.outline(position)) is not None:
            draft.enqueue(position)


def next_unit(task: TaskState, outline: TaskOutline) -> Unit | None:
    """Return the piece of a task that can be handed out now, if there is any."""
    is_full = outline.max_parallel is not None and len(task.flying) >= outline.max_parallel
    if is_full or task.failed_units or task.skipped_by:
        return None
    due = next((unit for unit in task.backing_off if unit.not_before is None), None)
    if due is not None:
        return due
    is_begun = bool(task.flying or task.backing_off)
    if task.items is None:
        first = Unit(step=Step.PREPARE, stop=0) if outline.prepares else Unit()
        return None if is_begun else first
    if task.next_item < task.items:
        stop = min(task.next_item + outline.batch, task.items)
        has_room = len(task.backing_off) < MAX_BACKING_OFF
        return Unit(start=task.next_item, stop=stop) if has_room else None
    gathers = outline.gathers and not is_begun
    return Unit(step=Step.GATHER, stop=task.items) if gathers else None


def hand_out(draft: Draft, position: int, unit: Unit) -> None:
    """Have one piece of a task's work done."""
    flying = (*draft.tasks[position].flying, unit)
    draft.change(position, status=STATUS_OF_STEP[unit.step], flying=flying)
    draft.in_flight += 1
    draft.do(DoWork(position, unit))


def proceed(draft: Draft, position: int, message: str = "") -> None:
    """Let a prepared task go on: ask a person, end at once, or wait for a place."""
    task, outline = draft.tasks[position], draft.outline(position)
    if outline.asks and task.answer is None:
        deadline = draft.now + outline.deadline if outline.deadline else None
        draft.change(position, status=TaskStatus.ASKING, deadline=deadline)
        draft.tell(position, task.reason)
    elif outline.kind is TaskKind.APPROVAL or (task.items == 0 and not outline.gathers):
        end(draft, position, TaskStatus.SUCCEEDED, message=message)
    else:
        if message:
            draft.tell(position, message)
        draft.enqueue(position)


def _take(draft: Draft, position: int, unit: Unit) -> None:
    """Take a piece of work out of its task's state."""
    task = draft.tasks[position]
    if unit in task.backing_off:
        waiting = tuple(other for other in task.backing_off if other != unit)
        draft.change(position, backing_off=waiting)
    elif unit.step is Step.UNIT:
        draft.change(position, next_item=unit.stop, items=task.items or 1)
