"""When a task may start, how it ends, and what that does to the tasks that wait for it.

Rules:
    1. A task waits until every task it needs has ended.
    2. A need is met when it succeeded, when it failed under ``continue_on_error``, or when a
       person skipped it.
    3. A task with a need that is not met is skipped, unless its ``if`` judges its needs itself.
    4. Skipping is an end: it is passed on to those that need the skipped task.
    5. A task that ended without success keeps what is needed to go on where it was.
"""

from __future__ import annotations

from mainstay.decisions.draft import Draft
from mainstay.schemas.outline import TaskOutline
from mainstay.schemas.run import (
    TASK_ENDS,
    Failure,
    SkipCause,
    TaskState,
    TaskStatus,
)


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
    close(draft, position, status, failure, skipped_by)
    if not on_record:
        draft.tell(position, message)
    for dependent in draft.shape.dependents[position]:
        release(draft, dependent)


def release(draft: Draft, position: int) -> None:
    """Look at a task that may be waiting for its needs, and at those that its skipping concerns."""
    worklist = [position]
    while worklist:
        looked_at = worklist.pop()
        if _release_one(draft, looked_at):
            worklist.extend(draft.shape.dependents[looked_at])


def _release_one(draft: Draft, position: int) -> bool:
    """Look at a task that may be waiting for its needs.

    It waits on, or waits for a place from now on, or is skipped. ``watch`` remembers how many of
    its needs, from the last one, have ended: a task with n needs costs n looks in all and not n
    each time. Tasks mostly end in the file's order, so the last one is the one to watch.

    Returns:
        True when it was skipped, so that those that wait for it must be looked at.
    """
    task, outline = draft.tasks[position], draft.outline(position)
    if task.status is not TaskStatus.PENDING:
        return False
    needs, watch = outline.needs, task.watch
    while watch < len(needs) and draft.tasks[needs[-1 - watch]].status in TASK_ENDS:
        watch += 1
    if watch != task.watch:
        draft.change(position, watch=watch)
    if watch < len(needs):
        return False
    unmet = None if outline.judges_needs else _first_unmet(draft, outline)
    if unmet is None:
        draft.enqueue(position)
        return False
    close(draft, position, TaskStatus.SKIPPED, skipped_by=SkipCause.NEED)
    draft.tell(position, _because(draft, unmet))
    return True


def release_all(draft: Draft) -> None:
    """Look at every task; called when a plan begins, or is taken up again."""
    for position in range(len(draft.tasks)):
        release(draft, position)


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
    counted = is_resumable or outline.for_each
    closed = TaskState(
        status=status,
        round=before.round,
        items=before.items if counted else None,
        next_item=before.next_item if counted else 0,
        done=before.done if counted else 0,
        errors=before.errors,
        failed_units=(*before.failed_units, *before.backing_off) if is_resumable else (),
        failure=failure,
        feedback=before.feedback if is_resumable else "",
        skipped_by=skipped_by,
        answer=before.answer,
    )
    draft.dequeue(position)
    draft.replace(position, closed)
    draft.remaining -= before.status not in TASK_ENDS
    if _is_undoable(before, outline):
        draft.undoable.append(position)
    if failure is not None and not outline.continue_on_error:
        draft.change_plan(failure=draft.state.failure or failure)


def is_met(task: TaskState, outline: TaskOutline) -> bool:
    """Tell whether an ended task lets those that need it go on."""
    if task.status is TaskStatus.FAILED:
        return outline.continue_on_error
    return task.status is TaskStatus.SUCCEEDED or task.skipped_by is SkipCause.PERSON


def _is_undoable(before: TaskState, outline: TaskOutline) -> bool:
    """Tell whether a task that ends may have done something that its ``undo`` takes back.

    Of a ``for_each``, items may have been done that were not reported: the undo finds them.
    """
    was_begun = before.next_item > 0
    return outline.undoes and was_begun and (outline.for_each or before.done > 0)


def _first_unmet(draft: Draft, outline: TaskOutline) -> int | None:
    return next(
        (n for n in outline.needs if not is_met(draft.tasks[n], draft.outline(n))),
        None,
    )


def _because(draft: Draft, need: int) -> str:
    status = draft.tasks[need].status
    how = "was skipped" if status is TaskStatus.SKIPPED else str(status)
    return f"needs {draft.outline(need).name}, which {how}"
