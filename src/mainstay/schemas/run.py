"""The state of a running plan, as it is carried in Temporal's history."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, ModelWrapValidatorHandler, SerializerFunctionWrapHandler
from pydantic import model_serializer, model_validator

from mainstay.schemas.durations import Duration
from mainstay.schemas.model import Model


class TaskStatus(StrEnum):
    """Where one task stands.

    PENDING waits for its needs or for a free place; PREPARING is being looked at; ASKING waits
    for a person; RUNNING does its work; GATHERING looks at the whole output; WAITING backs off
    before another attempt; UNKNOWN may or may not have had its effect and waits for a person.
    The next four are ends. UNDOING, UNDONE and UNDO_FAILED follow SUCCEEDED, or a `for_each` of
    which some items were done.
    """

    PENDING = "pending"
    PREPARING = "preparing"
    ASKING = "asking"
    RUNNING = "running"
    GATHERING = "gathering"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


class PlanStatus(StrEnum):
    """Where a plan stands. The last three are ends."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    UNDOING = "undoing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


PLAN_ENDS = frozenset({PlanStatus.SUCCEEDED, PlanStatus.FAILED, PlanStatus.CANCELLED})


class FailureKind(StrEnum):
    """What a failure means for what happens next.

    TRANSIENT may pass, so the task is tried again; PERMANENT will not; REFUSED means that a
    capability, a limit or a person said no; UNKNOWN means that the effect may have happened.
    """

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Failure(Model):
    """Why something failed, in a form that survives every boundary."""

    kind: FailureKind = FailureKind.PERMANENT
    type: str = "MainstayError"
    message: str
    hint: str = ""
    retry_after: Duration | None = None


class Unit(Model):
    """One piece of work of a task: items ``start`` (inclusive) to ``stop`` (exclusive).

    A task without ``for_each`` is one unit, 0 to 1. ``not_before`` is set while it backs off.
    """

    start: int = 0
    stop: int = 1
    attempt: int = 1
    not_before: datetime | None = None


class TaskState(Model):
    """One task's state.

    Attributes:
        round: how often ``verify`` has sent the task back; part of its idempotency key.
        items: how many items the ``for_each`` has; 1 for any other task; None before it is known.
        next_item: first item that was never handed out.
        done: items that ended well.
        errors: items that failed although the task went on.
        flying: units that an activity or a sub-plan is doing now.
        backing_off: units that failed and will be tried again.
        failed_units: units that failed for good, kept for a manual retry.
        confirmed: a person allowed the next attempt although an effect may have happened.
        answer: what a person (or the deadline) said; None while nobody has.
    """

    status: TaskStatus = TaskStatus.PENDING
    round: int = 0
    attempt: int = 1
    items: int | None = None
    next_item: int = 0
    done: int = 0
    errors: int = 0
    flying: tuple[Unit, ...] = ()
    backing_off: tuple[Unit, ...] = ()
    failed_units: tuple[Unit, ...] = ()
    failure: Failure | None = None
    reason: str = ""
    feedback: str = ""
    deadline: datetime | None = None
    confirmed: bool = False
    answer: Answer | None = None


class Answer(Model):
    """An answer to an approval."""

    approved: bool
    by: str = ""
    comment: str = ""
    at: datetime | None = None


_LETTERS: dict[TaskStatus, str] = {
    TaskStatus.PENDING: "p",
    TaskStatus.PREPARING: "q",
    TaskStatus.ASKING: "a",
    TaskStatus.RUNNING: "r",
    TaskStatus.GATHERING: "g",
    TaskStatus.WAITING: "w",
    TaskStatus.UNKNOWN: "u",
    TaskStatus.SUCCEEDED: "S",
    TaskStatus.FAILED: "F",
    TaskStatus.SKIPPED: "K",
    TaskStatus.CANCELLED: "C",
    TaskStatus.UNDOING: "v",
    TaskStatus.UNDONE: "V",
    TaskStatus.UNDO_FAILED: "X",
}
_STATUSES = {letter: status for status, letter in _LETTERS.items()}


class PlanState(Model):
    """A whole plan's state, passed as it is to the next run when a history has grown long.

    ``tasks`` has one entry per task, by position. On the wire it is a string with one letter per
    task beside the details of those that have any, so that 10,000 tasks need about 10 KB.

    Attributes:
        ready: positions of the tasks whose needs have ended and that want a place, most urgent
            first and then by position.
        in_flight: units, preparations and gatherings that are being done now.
        undoable: positions of the tasks to take back, in the order they ended.
        grace_until: cancelled work may go on until then.
    """

    status: PlanStatus = PlanStatus.RUNNING
    tasks: tuple[TaskState, ...] = ()
    ready: tuple[int, ...] = ()
    in_flight: int = 0
    undoable: tuple[int, ...] = ()
    started_at: datetime | None = None
    deadline: datetime | None = None
    grace_until: datetime | None = None
    is_paused: bool = False
    failure: Failure | None = None
    cancel_reason: str = ""
    outputs_ref: str = ""

    @model_serializer(mode="wrap")
    def _shorten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        data["tasks"] = "".join(_LETTERS[task.status] for task in self.tasks)
        details = {}
        for position, task in enumerate(self.tasks):
            detail = task.model_dump(mode="json", exclude_defaults=True, exclude={"status"})
            if detail:
                details[str(position)] = detail
        data["details"] = details
        return data

    @model_validator(mode="wrap")
    @classmethod
    def _lengthen(cls, data: Any, handler: ModelWrapValidatorHandler[PlanState]) -> PlanState:
        if isinstance(data, dict) and isinstance(data.get("tasks"), str):
            data = dict(data)
            details = data.pop("details", {})
            data["tasks"] = tuple(
                TaskState.model_validate(
                    {"status": _STATUSES[letter], **details.get(str(position), {})}
                )
                for position, letter in enumerate(data["tasks"])
            )
        return handler(data)
