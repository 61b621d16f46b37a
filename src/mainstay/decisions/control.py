"""What a person may do to a running plan, and what comes of it.

Rules:
    1. Pausing hands out nothing new; what is being done goes on.
    2. Cancelling ends everything that is not being done at once; running work has the grace, and
       is then stopped; then comes the undo.
    3. Only a task that asks can be answered. No is a failure, of the kind REFUSED.
    4. A task that failed, backs off, or whose outcome is unknown can be retried; the tasks that
       were skipped because of it wait again.
    5. A task that has not succeeded can be skipped; those that need it go on as if it had.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.decisions.draft import Draft, Shape
from mainstay.decisions.readiness import close, end
from mainstay.schemas.directives import Answered, CancelAsked, RetryAsked, SkipAsked, StopWork, Tell
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.outline import TaskKind
from mainstay.schemas.plan import ApprovalDefault
from mainstay.schemas.records import EventKind
from mainstay.schemas.run import (
    TASK_ENDS,
    Answer,
    Failure,
    FailureKind,
    PlanState,
    PlanStatus,
    SkipCause,
    TaskState,
    TaskStatus,
    Unit,
)

RETRYABLE = (TaskStatus.FAILED, TaskStatus.UNKNOWN, TaskStatus.WAITING)
SKIPPABLE = (
    TaskStatus.PENDING,
    TaskStatus.PREPARING,
    TaskStatus.ASKING,
    TaskStatus.RUNNING,
    TaskStatus.GATHERING,
    TaskStatus.WAITING,
    TaskStatus.UNKNOWN,
    TaskStatus.FAILED,
)
_ALLOWED = {
    "answer": (TaskStatus.ASKING,),
    "retry": RETRYABLE,
    "skip": SKIPPABLE,
}


def check_request(state: PlanState, shape: Shape, verb: str, task: str) -> int:
    """Return the position of a task that a request names, if the request is legal now.

    Args:
        state: the plan's state.
        shape: the plan's shape.
        verb: ``answer``, ``retry`` or ``skip``.
        task: the task's name.

    Raises:
        NotFound: the plan has no such task.
        Refused: its present status, or the plan's, does not allow it; the message names what does.
    """
    position = shape.positions.get(task)
    if position is None:
        known = ", ".join(list(shape.positions)[:8])
        raise NotFound(f"the plan has no task {task!r}", hint=f"its tasks are {known}")
    if state.status is not PlanStatus.RUNNING:
        raise Refused(f"the plan is {state.status}", hint="wait until it has ended, then retry")
    status = state.tasks[position].status
    if status not in _ALLOWED[verb]:
        allowed = ", ".join(_ALLOWED[verb])
        raise Refused(
            f"task {task!r} is {status}: cannot {verb}", hint=f"a task can when it is {allowed}"
        )
    return position


def pause(draft: Draft) -> None:
    """Hand out nothing new."""
    if draft.state.status is PlanStatus.RUNNING and not draft.state.is_paused:
        draft.change_plan(is_paused=True)
        draft.do(Tell(EventKind.PLAN_STATUS, status=PlanStatus.PAUSED, message="paused"))


def resume(draft: Draft) -> None:
    """Go on."""
    if draft.state.is_paused:
        draft.change_plan(is_paused=False)
        draft.do(Tell(EventKind.PLAN_STATUS, status=PlanStatus.RUNNING, message="resumed"))


def cancel(draft: Draft, event: CancelAsked) -> None:
    """Begin to stop; a second request can only shorten the grace."""
    until = draft.now + event.grace
    if draft.state.status is PlanStatus.CANCELLING:
        until = min(until, draft.state.grace_until or until)
    elif draft.state.status is not PlanStatus.RUNNING:
        return
    else:
        draft.change_plan(status=PlanStatus.CANCELLING, cancel_reason=event.reason)
        message = event.reason or "cancelled"
        draft.do(Tell(EventKind.PLAN_STATUS, status=PlanStatus.CANCELLING, message=message))
        _cancel_idle_tasks(draft)
    draft.change_plan(grace_until=until)
    if until <= draft.now and draft.in_flight:
        draft.do(StopWork())


def answer(draft: Draft, event: Answered) -> None:
    """Take note of a person's answer to a task that asks."""
    if draft.tasks[event.task].status is not TaskStatus.ASKING:
        return
    draft.untime(event.task)
    draft.change(event.task, answer=event.answer, deadline=None, reason="")
    who, why = event.answer.by or "somebody", event.answer.comment
    said = f"{'approved' if event.answer.approved else 'rejected'} by {who}"
    said = f"{said}: {why}" if why else said
    if event.answer.approved:
        draft.change(event.task, status=TaskStatus.PENDING)
        if draft.outline(event.task).kind is TaskKind.APPROVAL:
            end(draft, event.task, TaskStatus.SUCCEEDED, message=said)
            return
        draft.tell(event.task, said)
        draft.enqueue(event.task)
        return
    failure = Failure(kind=FailureKind.REFUSED, type="Refused", message=said)
    end(draft, event.task, TaskStatus.FAILED, message=said, failure=failure)


def retry(draft: Draft, event: RetryAsked) -> None:
    """Try a task again: only what failed of it, under the same idempotency keys."""
    if draft.tasks[event.task].status in RETRYABLE:
        revive(draft, event.task)
        draft.tell(event.task, f"retried by {event.by}" if event.by else "retried")


def skip(draft: Draft, event: SkipAsked) -> None:
    """Go on without a task."""
    task = draft.tasks[event.task]
    if task.status not in SKIPPABLE:
        return
    reason = event.reason or (f"skipped by {event.by}" if event.by else "skipped")
    if task.flying:
        draft.change(event.task, skipped_by=SkipCause.PERSON, reason=reason, backing_off=())
        draft.dequeue(event.task)
        draft.do(StopWork(event.task))
        return
    if task.status is TaskStatus.FAILED:
        revive(draft, event.task)
    end(draft, event.task, TaskStatus.SKIPPED, message=reason, skipped_by=SkipCause.PERSON)


def expire(draft: Draft, position: int) -> None:
    """Answer for a person who did not, as the approval's default says."""
    outline = draft.outline(position)
    waited = format_duration(outline.deadline) if outline.deadline else "the time given"
    said = f"nobody answered within {waited}"
    if outline.default is not None:
        approved = outline.default is ApprovalDefault.APPROVE
        default = Answer(approved=approved, by="the deadline", comment=said, at=draft.now)
        answer(draft, Answered(position, default))
        return
    failure = Failure(kind=FailureKind.REFUSED, type="LimitReached", message=said)
    end(draft, position, TaskStatus.FAILED, message=said, failure=failure)


def run_out_of_time(draft: Draft) -> None:
    """End a plan that took longer than its timeout: as a cancel without grace, but failed."""
    timeout = draft.shape.outline.timeout or timedelta(0)
    message = f"the plan took longer than its timeout of {format_duration(timeout)}"
    failure = Failure(kind=FailureKind.REFUSED, type="LimitReached", message=message)
    cancel(draft, CancelAsked(message, timedelta(0)))
    draft.change_plan(failure=failure, is_out_of_time=True, deadline=None)


def revive(draft: Draft, position: int) -> None:
    """Let an ended task, and those that were skipped because of it, wait for their turn again."""
    reset(draft, position)
    worklist = list(draft.shape.dependents[position])
    while worklist:
        dependent = worklist.pop()
        if draft.tasks[dependent].skipped_by is SkipCause.NEED:
            reset(draft, dependent)
            draft.tell(dependent)
            worklist.extend(draft.shape.dependents[dependent])
    draft.enqueue(position)
    draft.change_plan(failure=_first_failure(draft))


def reset(draft: Draft, position: int) -> None:
    """Forget how a task ended, and keep what it did.

    Units that failed or were stopped are due at once. What was undone, or did not pass its check,
    is done again in a new round; a rejected question is asked again.
    """
    before = draft.tasks[position]
    draft.remaining += before.status in TASK_ENDS
    outline = draft.outline(position)
    unit_left = before.failed_units or before.backing_off
    all_out = before.items is not None and before.next_item >= before.items
    again = before.status is TaskStatus.UNDONE or (all_out and not unit_left)
    draft.tasks[position] = TaskState(
        status=TaskStatus.WAITING if unit_left and not again else TaskStatus.PENDING,
        round=before.round + again,
        items=None if again and outline.prepares else before.items,
        next_item=0 if again else before.next_item,
        done=0 if again else before.done,
        errors=0 if again else before.errors,
        flying=before.flying,
        backing_off=() if again else tuple(_due_now(before)),
        feedback="" if again else before.feedback,
        confirmed=True,
        answer=before.answer if before.answer and before.answer.approved else None,
    )
    draft.untime(position)


def _due_now(task: TaskState) -> list[Unit]:
    units = (*task.failed_units, *task.backing_off)
    return [unit.model_copy(update={"not_before": None, "attempt": 1}) for unit in units]


def _first_failure(draft: Draft) -> Failure | None:
    return next(
        (
            task.failure
            for position, task in enumerate(draft.tasks)
            if task.status is TaskStatus.FAILED and not draft.outline(position).continue_on_error
        ),
        None,
    )


def _cancel_idle_tasks(draft: Draft) -> None:
    """End every task that is not being done; nothing that waits for them is released."""
    draft.ready.clear()
    for position, task in enumerate(draft.tasks):
        if task.status not in TASK_ENDS and not task.flying:
            close(draft, position, TaskStatus.CANCELLED)
            draft.tell(position, "the plan was cancelled")
