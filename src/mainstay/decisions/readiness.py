"""When a task may start, and what happens to those that wait for it.

Rules:
    1. A task waits until every task it needs has ended.
    2. A need is met when it succeeded, when it failed under ``continue_on_error``, or when a
       person skipped it.
    3. A task with a need that is not met is skipped, unless its ``if`` judges its needs itself.
    4. Skipping is an end: it is passed on to those that need the skipped task.
"""

from __future__ import annotations

from collections.abc import Sequence

from mainstay.decisions.draft import Draft, Shape
from mainstay.schemas.calls import NeedState
from mainstay.schemas.run import (
    TASK_ENDS,
    Failure,
    PlanState,
    SkipCause,
    TaskState,
    TaskStatus,
)

MAX_FAILURES_KEPT = 100
"""Failed tasks whose reason stays in the state; with more, those are on record only."""


def is_met(draft: Draft, position: int) -> bool:
    """Tell whether an ended task lets those that need it go on."""
    task = draft.tasks[position]
    if task.status is TaskStatus.SUCCEEDED:
        return True
    if task.status is TaskStatus.FAILED:
        return draft.outline(position).continue_on_error
    return task.skipped_by is SkipCause.PERSON


def end(
    draft: Draft,
    position: int,
    status: TaskStatus,
    *,
    message: str = "",
    failure: Failure | None = None,
    skipped_by: SkipCause | None = None,
    on_record: bool = False,
) -> None:
    """End a task and release, or skip, those that waited for it.

    Args:
        draft: the plan's working copy.
        position: the task that ends; it must not have ended before.
        status: how it ends.
        message: the reason, for people.
        failure: why it failed.
        skipped_by: why it was skipped.
        on_record: the activity that did the work has put the end on record already.
    """
    worklist = [(position, status, message, failure, skipped_by)]
    while worklist:
        position, status, message, failure, skipped_by = worklist.pop()
        close(draft, position, status, failure, skipped_by)
        if not on_record:
            draft.tell(position, message)
        on_record = False
        for dependent in reversed(draft.shape.dependents[position]):
            unmet = _release(draft, dependent)
            if unmet is not None:
                reason = _because(draft, unmet)
                worklist.append((dependent, TaskStatus.SKIPPED, reason, None, SkipCause.NEED))


def release_all(draft: Draft) -> None:
    """Let every task whose needs have ended wait for a place; called when a run begins."""
    for position, task in enumerate(draft.tasks):
        if task.status is TaskStatus.WAITING:
            draft.enqueue(position)
        unmet = _release(draft, position)
        if unmet is not None:
            end(
                draft,
                position,
                TaskStatus.SKIPPED,
                message=_because(draft, unmet),
                skipped_by=SkipCause.NEED,
            )


def close(
    draft: Draft,
    position: int,
    status: TaskStatus,
    failure: Failure | None = None,
    skipped_by: SkipCause | None = None,
) -> None:
    """End a task without a look at those that wait for it."""
    before, outline = draft.tasks[position], draft.outline(position)
    is_resumable = status in (TaskStatus.FAILED, TaskStatus.CANCELLED)
    keeps = failure is not None and draft.state.failures_kept < MAX_FAILURES_KEPT
    counted = is_resumable or outline.for_each
    draft.tasks[position] = TaskState(
        status=status,
        round=before.round,
        items=before.items if counted else None,
        next_item=before.next_item if counted else 0,
        done=before.done if counted else 0,
        errors=before.errors,
        failed_units=(*before.failed_units, *before.backing_off) if is_resumable else (),
        failure=failure if keeps else None,
        skipped_by=skipped_by,
        answer=before.answer,
    )
    if keeps:
        draft.change_plan(failures_kept=draft.state.failures_kept + 1)
    draft.remaining -= before.status not in TASK_ENDS
    draft.dequeue(position)
    draft.untime(position)
    if outline.undoes and (status is TaskStatus.SUCCEEDED or before.done):
        draft.undoable.append(position)
    if status is TaskStatus.FAILED and not outline.continue_on_error:
        draft.change_plan(failure=draft.state.failure or failure)


def _release(draft: Draft, position: int) -> int | None:
    """Let a task wait for a place if its needs have all ended; return a need that is not met.

    ``watch`` remembers how far its needs were found ended, so that a task with n needs costs n
    looks in all and not n at the end of each.
    """
    task, outline = draft.tasks[position], draft.outline(position)
    if task.status is not TaskStatus.PENDING:
        return None
    watch = task.watch
    while watch < len(outline.needs) and draft.tasks[outline.needs[watch]].status in TASK_ENDS:
        watch += 1
    if watch != task.watch:
        draft.change(position, watch=watch)
    if watch < len(outline.needs):
        return None
    if not outline.judges_needs:
        unmet = next((need for need in outline.needs if not is_met(draft, need)), None)
        if unmet is not None:
            return unmet
    draft.enqueue(position)
    return None


def _because(draft: Draft, need: int) -> str:
    status = draft.tasks[need].status
    how = "was skipped" if status is TaskStatus.SKIPPED else str(status)
    return f"needs {draft.outline(need).name}, which {how}"


def need_states(state: PlanState, shape: Shape, needs: Sequence[int]) -> tuple[NeedState, ...]:
    """Say how needed tasks ended, leaving out those that plainly succeeded in round 0.

    Most did, and a task may need thousands: what is left out costs no bytes of history.
    """
    named = []
    for need in needs:
        task, outline = state.tasks[need], shape.outline.tasks[need]
        if task.status is TaskStatus.SUCCEEDED and task.round == 0 and task.answer is None:
            continue
        named.append(
            NeedState(
                name=outline.name,
                status=task.status,
                round=task.round,
                error=task.failure.message if task.failure else "",
                is_tolerated=outline.continue_on_error,
                answer=task.answer,
            )
        )
    return tuple(named)
