"""What becomes of a task when a piece of its work comes back.

Rules:
    1. A task has succeeded when all its items are done and its output was looked at, if it must
       be. Its failed items count as done under ``continue_on_error``.
    2. A failure that may pass is tried again after a back-off (see :mod:`.retries`).
    3. After a failure that will not pass, the items being done are waited for, no others start,
       and then the task has failed.
    4. An unknown outcome stops the task until a person decides.
    5. ``verify`` sends a task back with the reason, until its rounds are used up.
    6. A task that a person skipped ends when the last of its work has come back, however it did.
    7. While the plan is being cancelled nothing is begun: what was finished in time has
       succeeded, everything else was cancelled.
"""

from __future__ import annotations

from mainstay.decisions.compensation import undo_ended
from mainstay.decisions.dispatch import next_unit, proceed
from mainstay.decisions.draft import Draft
from mainstay.decisions.readiness import close, end
from mainstay.decisions.retries import backoff, may_retry
from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import WorkEnded
from mainstay.schemas.durations import format_duration
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.outline import TaskKind
from mainstay.schemas.run import (
    Failure,
    FailureKind,
    PlanStatus,
    SkipCause,
    Step,
    TaskStatus,
    Unit,
)


def work_ended(draft: Draft, event: WorkEnded) -> None:
    """Take note of a piece of work that came back, with a verdict or with a failure."""
    draft.in_flight -= 1
    task = draft.tasks[event.task]
    same = (event.unit.step, event.unit.start)
    flying = tuple(unit for unit in task.flying if (unit.step, unit.start) != same)
    task = draft.change(event.task, flying=flying)
    if event.unit.step is Step.UNDO:
        undo_ended(draft, event)
    elif task.skipped_by is SkipCause.PERSON:
        _ended_while_skipped(draft, event.task)
    elif draft.state.status is PlanStatus.CANCELLING:
        _ended_while_cancelling(draft, event)
    elif event.verdict is None:
        _failed(draft, event, event.failure or Failure(message="it failed without a reason"))
    else:
        _STEPS[event.unit.step](draft, event.task, event.verdict)


def _prepared(draft: Draft, position: int, verdict: Verdict) -> None:
    if verdict.status is TaskStatus.SKIPPED:
        _skip(draft, position, verdict)
        return
    items = 1 if verdict.items is None else verdict.items
    draft.change(
        position, status=TaskStatus.PENDING, items=items, reason=verdict.message, attempt=1
    )
    proceed(draft, position)


def _unit_done(draft: Draft, position: int, verdict: Verdict) -> None:
    if verdict.status is TaskStatus.SKIPPED:
        _skip(draft, position, verdict)
    elif verdict.status is TaskStatus.PENDING:
        _send_back(draft, position, verdict)
    else:
        _count(draft, position, verdict)
        _go_on(draft, position, verdict.message)


def _gathered(draft: Draft, position: int, verdict: Verdict) -> None:
    if verdict.status is TaskStatus.PENDING:
        _send_back(draft, position, verdict)
    else:
        end(draft, position, TaskStatus.SUCCEEDED, message=verdict.message)


_STEPS = {Step.PREPARE: _prepared, Step.UNIT: _unit_done, Step.GATHER: _gathered}


def _skip(draft: Draft, position: int, verdict: Verdict) -> None:
    cause = SkipCause.CONDITION
    end(draft, position, TaskStatus.SKIPPED, message=verdict.message, skipped_by=cause)


def _count(draft: Draft, position: int, verdict: Verdict) -> None:
    task = draft.tasks[position]
    draft.change(position, done=task.done + verdict.done, errors=task.errors + verdict.errors)


def _go_on(draft: Draft, position: int, message: str = "") -> None:
    """Decide what a task does after one of its units has come back."""
    task, outline = draft.tasks[position], draft.outline(position)
    if task.failed_units:
        if not task.flying and task.status is not TaskStatus.UNKNOWN:
            _give_up(draft, position)
    elif next_unit(task, outline) is not None:
        draft.enqueue(position)
    elif task.flying:
        return
    elif task.backing_off:
        draft.change(position, status=TaskStatus.WAITING)
    else:
        plain = outline.kind is TaskKind.TOOL and not outline.for_each
        told = message if outline.kind is TaskKind.AGENT and not outline.for_each else ""
        end(draft, position, TaskStatus.SUCCEEDED, message=told, on_record=plain)


def _send_back(draft: Draft, position: int, verdict: Verdict) -> None:
    task, outline = draft.tasks[position], draft.outline(position)
    if task.round + 1 >= outline.rounds:
        rounds = f"{outline.rounds} round" + ("s" if outline.rounds > 1 else "")
        why = verdict.message[:MAX_MESSAGE_CHARS]
        failure = Failure(
            type="ToolFailed",
            message=f"task {outline.name!r} did not pass its check in {rounds}: {why}",
            hint="look at its output with `mainstay result`, mend the task, then retry",
        )
        draft.change(position, done=max(task.done, 1))  # what it did is there to be undone
        end(draft, position, TaskStatus.FAILED, message=failure.message, failure=failure)
        return
    draft.change(
        position,
        status=TaskStatus.PENDING,
        round=task.round + 1,
        feedback=verdict.message,
        items=None,
        next_item=0,
        done=0,
        errors=0,
        attempt=1,
    )
    draft.tell(position, f"sent back: {verdict.message}")
    draft.enqueue(position)


def _failed(draft: Draft, event: WorkEnded, failure: Failure) -> None:
    task, outline = draft.tasks[event.task], draft.outline(event.task)
    repeatable = outline.retries or event.unit.step is not Step.UNIT
    if not task.failed_units and may_retry(failure, event.unit.attempt, outline.retry, repeatable):
        _back_off(draft, event, failure)
        return
    task = draft.change(event.task, failed_units=(*task.failed_units, _again(event.unit)))
    draft.dequeue(event.task)
    if failure.kind is FailureKind.UNKNOWN:
        draft.change(event.task, status=TaskStatus.UNKNOWN, failure=failure, reason=failure.message)
        draft.tell(event.task, failure.message)
    else:
        draft.change(event.task, failure=task.failure or failure)
        _go_on(draft, event.task)


def _again(unit: Unit) -> Unit:
    """Return a unit as it is when a person lets it be tried again."""
    return unit.model_copy(update={"attempt": 1, "not_before": None})


def _back_off(draft: Draft, event: WorkEnded, failure: Failure) -> None:
    retry, attempt = draft.outline(event.task).retry, event.unit.attempt
    wait = backoff(attempt, retry, failure.retry_after)
    unit = event.unit.model_copy(update={"attempt": attempt + 1, "not_before": draft.now + wait})
    task = draft.tasks[event.task]
    draft.change(
        event.task,
        status=TaskStatus.RUNNING if task.flying else TaskStatus.WAITING,
        backing_off=(*task.backing_off, unit),
        attempt=attempt + 1,
        reason=f"{failure.message}; tried again in {format_duration(wait)}",
    )
    draft.tell(event.task, f"attempt {attempt} of {retry.attempts} failed: {failure.message}")


def _give_up(draft: Draft, position: int) -> None:
    failure = draft.tasks[position].failure
    message = failure.message if failure else ""
    end(draft, position, TaskStatus.FAILED, message=message, failure=failure)


def _ended_while_skipped(draft: Draft, position: int) -> None:
    task = draft.tasks[position]
    if not task.flying:
        cause = SkipCause.PERSON
        end(draft, position, TaskStatus.SKIPPED, message=task.reason, skipped_by=cause)


def _ended_while_cancelling(draft: Draft, event: WorkEnded) -> None:
    position, step, verdict = event.task, event.unit.step, event.verdict
    if verdict is None or verdict.status is not TaskStatus.SUCCEEDED:
        failed = (*draft.tasks[position].failed_units, _again(event.unit))
        draft.change(position, failed_units=failed)
    elif step is Step.UNIT:
        _count(draft, position, verdict)
    task, outline = draft.tasks[position], draft.outline(position)
    if task.flying:
        return
    left = task.failed_units or task.backing_off or task.items is None
    is_over = step is Step.GATHER or not outline.gathers
    if not left and is_over and task.next_item >= (task.items or 0):
        close(draft, position, TaskStatus.SUCCEEDED)
        draft.tell(position)
    else:
        close(draft, position, TaskStatus.CANCELLED)
        draft.tell(position, "the plan was cancelled")
