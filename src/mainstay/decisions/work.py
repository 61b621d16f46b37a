"""What becomes of a task when a piece of its work comes back.

Rules:
    1. A task has succeeded when all its items are done and its output was looked at, if it must
       be. Its failed items count as done under ``continue_on_error``.
    2. A failure that may pass is tried again after a back-off (see :mod:`.retries`).
    3. After a failure that will not pass, the items being done are waited for, no others start,
       and then the task has failed.
    4. An unknown outcome stops the task until a person decides.
    5. ``verify`` sends a task back with the reason, until its rounds are used up.
"""

from __future__ import annotations

from mainstay.decisions.compensation import undo_ended
from mainstay.decisions.dispatch import hand_out, wants_more
from mainstay.decisions.draft import Draft
from mainstay.decisions.readiness import close, end
from mainstay.decisions.retries import backoff, may_retry
from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import WorkEnded
from mainstay.schemas.durations import format_duration
from mainstay.schemas.run import (
    Failure,
    FailureKind,
    PlanStatus,
    SkipCause,
    Step,
    TaskState,
    TaskStatus,
    Unit,
)


def work_ended(draft: Draft, event: WorkEnded) -> None:
    """Take note of a piece of work that came back."""
    draft.in_flight -= 1
    task = draft.tasks[event.task]
    same = (event.unit.step, event.unit.start)
    flying = tuple(unit for unit in task.flying if (unit.step, unit.start) != same)
    task = draft.change(event.task, flying=flying)
    if task.skipped_by is SkipCause.PERSON:
        if not flying:
            end(
                draft,
                event.task,
                TaskStatus.SKIPPED,
                message=task.reason,
                skipped_by=SkipCause.PERSON,
            )
    elif event.unit.step is Step.UNDO:
        undo_ended(draft, event)
    elif draft.state.status is PlanStatus.CANCELLING:
        _ended_while_cancelling(draft, event)
    elif event.failure is not None:
        _failed(draft, event, event.failure)
    elif event.verdict is not None:
        _STEPS[event.unit.step](draft, event, event.verdict)


def _prepared(draft: Draft, event: WorkEnded, verdict: Verdict) -> None:
    if verdict.status is TaskStatus.SKIPPED:
        _skip(draft, event.task, verdict)
        return
    items = 1 if verdict.items is None else verdict.items
    draft.change(
        event.task, status=TaskStatus.PENDING, items=items, reason=verdict.message, attempt=1
    )
    draft.enqueue(event.task)


def _unit_done(draft: Draft, event: WorkEnded, verdict: Verdict) -> None:
    if verdict.status is TaskStatus.SKIPPED:
        _skip(draft, event.task, verdict)
    elif verdict.status is TaskStatus.PENDING:
        _send_back(draft, event.task, verdict)
    else:
        task = draft.tasks[event.task]
        draft.change(event.task, done=task.done + verdict.done, errors=task.errors + verdict.errors)
        _go_on(draft, event.task)


def _gathered(draft: Draft, event: WorkEnded, verdict: Verdict) -> None:
    if verdict.status is TaskStatus.PENDING:
        _send_back(draft, event.task, verdict)
    else:
        end(draft, event.task, TaskStatus.SUCCEEDED, message=verdict.message)


_STEPS = {Step.PREPARE: _prepared, Step.UNIT: _unit_done, Step.GATHER: _gathered}


def _skip(draft: Draft, position: int, verdict: Verdict) -> None:
    end(
        draft,
        position,
        TaskStatus.SKIPPED,
        message=verdict.message,
        skipped_by=SkipCause.CONDITION,
    )


def _go_on(draft: Draft, position: int) -> None:
    """Decide what a task does after one of its units has come back."""
    task, outline = draft.tasks[position], draft.outline(position)
    if task.status is TaskStatus.UNKNOWN:
        return
    if task.failed_units:
        if not task.flying:
            _give_up(draft, position)
    elif wants_more(task, outline):
        draft.enqueue(position)
    elif not task.flying and not task.backing_off:
        _all_done(draft, position)
    elif not task.flying:
        draft.change(position, status=TaskStatus.WAITING)


def _all_done(draft: Draft, position: int) -> None:
    outline = draft.outline(position)
    if not outline.gathers:
        plain = not outline.for_each and outline.kind == "tool"
        end(draft, position, TaskStatus.SUCCEEDED, on_record=plain)
        return
    hand_out(draft, position, Unit(step=Step.GATHER, stop=draft.tasks[position].items or 0))


def _send_back(draft: Draft, position: int, verdict: Verdict) -> None:
    task, outline = draft.tasks[position], draft.outline(position)
    if task.round + 1 >= outline.rounds:
        rounds = f"{outline.rounds} round" + ("s" if outline.rounds > 1 else "")
        failure = Failure(
            type="ToolFailed",
            message=f"task {outline.name!r} did not pass its check in {rounds}: {verdict.message}",
            hint="look at its output with `mainstay result`, mend the task, then retry",
        )
        end(draft, position, TaskStatus.FAILED, message=failure.message, failure=failure)
        return
    draft.change(
        position,
        status=TaskStatus.PENDING,
        round=task.round + 1,
        feedback=verdict.message,
        next_item=0,
        done=0,
        errors=0,
        attempt=1,
    )
    draft.tell(position, f"sent back: {verdict.message}")
    draft.enqueue(position)


def _failed(draft: Draft, event: WorkEnded, failure: Failure) -> None:
    task, outline = draft.tasks[event.task], draft.outline(event.task)
    attempt = event.unit.attempt
    repeatable = outline.retries or event.unit.step is not Step.UNIT
    if may_retry(failure, attempt, outline.retry, repeatable) and not task.failed_units:
        _back_off(draft, event, failure)
    elif failure.kind is FailureKind.UNKNOWN:
        unit = event.unit.model_copy(update={"attempt": 1})
        draft.change(
            event.task,
            status=TaskStatus.UNKNOWN,
            failed_units=(*task.failed_units, unit),
            failure=failure,
            reason=failure.message,
        )
        draft.tell(event.task, failure.message)
    else:
        unit = event.unit.model_copy(update={"attempt": 1, "not_before": None})
        failed = (*task.failed_units, unit)
        draft.change(event.task, failed_units=failed, failure=task.failure or failure)
        if not draft.tasks[event.task].flying and task.status is not TaskStatus.UNKNOWN:
            _give_up(draft, event.task)


def _back_off(draft: Draft, event: WorkEnded, failure: Failure) -> None:
    task, retry = draft.tasks[event.task], draft.outline(event.task).retry
    attempt = event.unit.attempt
    wait = backoff(attempt, retry, failure.retry_after)
    unit = event.unit.model_copy(update={"attempt": attempt + 1, "not_before": draft.now + wait})
    waiting = (*task.backing_off, unit)
    status = TaskStatus.RUNNING if task.flying else TaskStatus.WAITING
    draft.change(
        event.task,
        status=status,
        backing_off=waiting,
        attempt=attempt + 1,
        reason=f"{failure.message}; tried again in {format_duration(wait)}",
    )
    draft.time(event.task)
    draft.tell(event.task, f"attempt {attempt} of {retry.attempts} failed: {failure.message}")


def _give_up(draft: Draft, position: int) -> None:
    task: TaskState = draft.tasks[position]
    failure = task.failure or Failure(message="failed")
    end(draft, position, TaskStatus.FAILED, message=failure.message, failure=failure)


def _ended_while_cancelling(draft: Draft, event: WorkEnded) -> None:
    task, outline, verdict = draft.tasks[event.task], draft.outline(event.task), event.verdict
    is_unit = event.unit.step is Step.UNIT
    if verdict is not None and is_unit and verdict.status is TaskStatus.SUCCEEDED:
        draft.change(event.task, done=task.done + verdict.done, errors=task.errors + verdict.errors)
    else:
        draft.change(event.task, failed_units=(*task.failed_units, event.unit))
    if task.flying:
        return
    task = draft.tasks[event.task]
    if is_unit and not outline.gathers and task.done + task.errors >= (task.items or 1):
        close(draft, event.task, TaskStatus.SUCCEEDED)
    else:
        close(draft, event.task, TaskStatus.CANCELLED)
    draft.tell(event.task)
