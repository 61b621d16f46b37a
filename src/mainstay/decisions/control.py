"""What a person, or the clock, may do to a running plan, and what comes of it.

Rules:
    1. Pausing hands out nothing new; what is being done goes on. A paused plan does not fail yet:
       what failed of it can be retried.
    2. Cancelling ends everything that is not being done at once; running work has the grace, and
       is then stopped; then comes the undo. Asking again can only shorten the grace.
    3. A plan that takes longer than its timeout is stopped like that, without grace, and fails.
    4. Only a task that asks can be answered. No is a failure, of the kind REFUSED. When the
       deadline passes the approval's default is the answer; without one the task fails.
    5. A task that failed, backs off, or whose outcome is unknown can be retried.
    6. A task that has not succeeded can be skipped; those that need it go on as if it had. What
       is being done of it is stopped first.
    7. Once a plan is being stopped, none of its tasks can be answered, retried or skipped.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.decisions.dispatch import proceed
from mainstay.decisions.draft import Draft, Shape
from mainstay.decisions.readiness import close, end, release
from mainstay.decisions.revival import first_failure, revive
from mainstay.schemas.directives import Answered, CancelAsked, RetryAsked, SkipAsked, StopWork, Tell
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import NotFound, Refused
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
)

ANSWERABLE = (TaskStatus.ASKING,)
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
_ALLOWED = {"answer": ANSWERABLE, "retry": RETRYABLE, "skip": SKIPPABLE}


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
    asked = state.tasks[position]
    if not _may(state.status, asked, verb):
        how = "being skipped" if asked.flying and asked.skipped_by else asked.status
        raise Refused(
            f"task {task!r} is {how}: cannot {verb}",
            hint=f"a task can when it is {', '.join(_ALLOWED[verb])}",
        )
    return position


def pause(draft: Draft) -> None:
    """Hand out nothing new."""
    if draft.state.status is PlanStatus.RUNNING and not draft.state.is_paused:
        draft.change_plan(is_paused=True)
        draft.do(Tell(EventKind.PLAN_STATUS, status=PlanStatus.PAUSED, message="paused"))


def resume(draft: Draft) -> None:
    """Go on."""
    if draft.state.status is PlanStatus.RUNNING and draft.state.is_paused:
        draft.change_plan(is_paused=False)
        draft.do(Tell(EventKind.PLAN_STATUS, status=PlanStatus.RUNNING, message="resumed"))


def cancel(draft: Draft, event: CancelAsked) -> None:
    """Begin to stop, or shorten the grace of a plan that is being stopped."""
    until = draft.now + event.grace
    if draft.state.status is PlanStatus.RUNNING:
        draft.change_plan(is_cancelled=True)
        _begin_to_stop(draft, event.reason or "cancelled")
    elif draft.state.grace_until is None or draft.state.grace_until <= until:
        return
    draft.change_plan(grace_until=until)
    end_grace(draft)


def end_grace(draft: Draft) -> None:
    """Stop what is still being done when the grace is over."""
    if draft.state.grace_until is not None and draft.state.grace_until <= draft.now:
        draft.change_plan(grace_until=None)
        if draft.in_flight:
            draft.do(StopWork())


def run_out_of_time(draft: Draft) -> None:
    """Stop a plan that took longer than its timeout."""
    timeout = draft.shape.outline.timeout or timedelta(0)
    message = f"the plan took longer than its timeout of {format_duration(timeout)}"
    failure = Failure(kind=FailureKind.REFUSED, type="LimitReached", message=message)
    draft.change_plan(failure=failure, grace_until=draft.now)
    _begin_to_stop(draft, message)
    end_grace(draft)


def answer(draft: Draft, event: Answered) -> None:
    """Take note of a person's answer to a task that asks."""
    if not _may(draft.state.status, draft.tasks[event.task], "answer"):
        return
    given = event.answer
    said = f"{'approved' if given.approved else 'rejected'} by {given.by or 'somebody'}"
    said = f"{said}: {given.comment}" if given.comment else said
    draft.change(event.task, status=TaskStatus.PENDING, answer=given, deadline=None, reason="")
    if given.approved:
        proceed(draft, event.task, said)
    else:
        failure = Failure(kind=FailureKind.REFUSED, type="Refused", message=said)
        end(draft, event.task, TaskStatus.FAILED, message=said, failure=failure)


def expire(draft: Draft, position: int) -> None:
    """Answer for a person who did not, as the approval's default says."""
    outline = draft.outline(position)
    said = f"nobody answered within {format_duration(outline.deadline or timedelta(0))}"
    if outline.default is None:
        failure = Failure(kind=FailureKind.REFUSED, type="LimitReached", message=said)
        end(draft, position, TaskStatus.FAILED, message=said, failure=failure)
        return
    approved = outline.default is ApprovalDefault.APPROVE
    default = Answer(approved=approved, by="the deadline", comment=said, at=draft.now)
    answer(draft, Answered(position, default))


def retry(draft: Draft, event: RetryAsked) -> None:
    """Try a task again: only what failed of it, under the same idempotency keys."""
    if not _may(draft.state.status, draft.tasks[event.task], "retry"):
        return
    revive(draft, event.task)
    draft.change_plan(failure=first_failure(draft))
    draft.tell(event.task, f"retried by {event.by}" if event.by else "retried")
    if draft.tasks[event.task].flying:
        draft.enqueue(event.task)
    release(draft, event.task)


def skip(draft: Draft, event: SkipAsked) -> None:
    """Go on without a task."""
    if not _may(draft.state.status, draft.tasks[event.task], "skip"):
        return
    cause = SkipCause.PERSON
    task = draft.tasks[event.task]
    reason = event.reason or (f"skipped by {event.by}" if event.by else "skipped")
    if task.flying:
        draft.change(event.task, skipped_by=cause, reason=reason, backing_off=(), failed_units=())
        draft.dequeue(event.task)
        draft.do(StopWork(event.task))
        return
    if task.status is TaskStatus.FAILED:
        revive(draft, event.task)
        draft.change_plan(failure=first_failure(draft))
    end(draft, event.task, TaskStatus.SKIPPED, message=reason, skipped_by=cause)


def _may(status: PlanStatus, task: TaskState, verb: str) -> bool:
    is_being_skipped = task.skipped_by is not None
    return status is PlanStatus.RUNNING and task.status in _ALLOWED[verb] and not is_being_skipped


def _begin_to_stop(draft: Draft, reason: str) -> None:
    """End every task that is not being done; nothing that waits for them is released."""
    draft.change_plan(status=PlanStatus.CANCELLING, cancel_reason=reason, is_paused=False)
    draft.do(Tell(EventKind.PLAN_STATUS, status=PlanStatus.CANCELLING, message=reason))
    draft.ready.clear()
    for position, task in enumerate(draft.tasks):
        if task.status not in TASK_ENDS and not task.flying:
            close(draft, position, TaskStatus.CANCELLED)
            draft.tell(position, "the plan was cancelled")
