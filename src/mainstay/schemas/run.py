"""The state of a running plan, as it is carried in Temporal's history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import (
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mainstay.schemas.durations import Duration
from mainstay.schemas.model import Model
from mainstay.schemas.packing import pack, unpack


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


TASK_ENDS = frozenset(
    {
        TaskStatus.SUCCEEDED,
        TaskStatus.FAILED,
        TaskStatus.SKIPPED,
        TaskStatus.CANCELLED,
        TaskStatus.UNDONE,
        TaskStatus.UNDO_FAILED,
    }
)


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


class SkipCause(StrEnum):
    """Why a task was skipped."""

    NEED = "need"
    CONDITION = "condition"
    PERSON = "person"


class Failure(Model):
    """Why something failed, in a form that survives every boundary."""

    kind: FailureKind = FailureKind.PERMANENT
    type: str = "MainstayError"
    message: str
    hint: str = ""
    retry_after: Duration | None = None


class Step(StrEnum):
    """The kinds of work a task may need, in the order they happen."""

    PREPARE = "prepare"
    UNIT = "unit"
    GATHER = "gather"
    UNDO = "undo"


class Unit(Model):
    """One piece of work of a task: items ``start`` (inclusive) to ``stop`` (exclusive).

    A task without ``for_each`` has one item, 0. ``not_before`` is set while it backs off.
    """

    step: Step = Step.UNIT
    start: int = 0
    stop: int = 1
    attempt: int = 1
    not_before: datetime | None = None


class Answer(Model):
    """An answer to an approval."""

    approved: bool
    by: str = ""
    comment: str = ""
    at: datetime | None = None


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
        failed_units: units that failed for good or were stopped, kept for a manual retry.
        confirmed: a person allowed the next attempt although an effect may have happened.
        skipped_by: why it was skipped; dependents of a task skipped by a person go on.
        watch: how many of its ``needs``, counted from the last, are known to have ended.
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
    skipped_by: SkipCause | None = None
    watch: int = 0
    answer: Answer | None = None

    @property
    def due_at(self) -> datetime | None:
        """The moment it waits for; None when it waits for none."""
        moments = [unit.not_before for unit in self.backing_off if unit.not_before is not None]
        if self.deadline is not None:
            moments.append(self.deadline)
        return min(moments, default=None)


_LETTERS: dict[tuple[TaskStatus, SkipCause | None], str] = {
    (TaskStatus.PENDING, None): "p",
    (TaskStatus.PREPARING, None): "q",
    (TaskStatus.ASKING, None): "a",
    (TaskStatus.RUNNING, None): "r",
    (TaskStatus.GATHERING, None): "g",
    (TaskStatus.WAITING, None): "w",
    (TaskStatus.UNKNOWN, None): "u",
    (TaskStatus.SUCCEEDED, None): "S",
    (TaskStatus.FAILED, None): "F",
    (TaskStatus.SKIPPED, None): "k",
    (TaskStatus.SKIPPED, SkipCause.NEED): "N",
    (TaskStatus.SKIPPED, SkipCause.CONDITION): "K",
    (TaskStatus.SKIPPED, SkipCause.PERSON): "P",
    (TaskStatus.CANCELLED, None): "C",
    (TaskStatus.UNDOING, None): "v",
    (TaskStatus.UNDONE, None): "V",
    (TaskStatus.UNDO_FAILED, None): "X",
}
_MEANINGS = {letter: meaning for meaning, letter in _LETTERS.items()}


class PlanState(Model):
    """A whole plan's state, passed as it is to the next run when a history has grown long.

    ``tasks`` has one entry per task, by position. On the wire it is a string with one letter per
    task beside the details of those that have any, compressed when that is large.

    Attributes:
        ready: positions of the tasks whose needs have ended and that want a place, most urgent
            first and then by position.
        in_flight: pieces of work that are being done now.
        remaining: tasks that have not ended.
        timed: positions of the tasks that wait for a deadline or a back-off, by ``due_at`` and
            then by position. It is not on the wire, where it follows from the tasks.
        undoable: positions of the tasks to take back, in the order they ended.
        grace_until: cancelled work may go on until then; None once it was told to stop.
        is_cancelled: a person stopped it, and not its timeout.
    """

    status: PlanStatus = PlanStatus.RUNNING
    tasks: tuple[TaskState, ...] = ()
    ready: tuple[int, ...] = ()
    in_flight: int = 0
    remaining: int = 0
    timed: tuple[int, ...] = ()
    undoable: tuple[int, ...] = ()
    started_at: datetime | None = None
    deadline: datetime | None = None
    grace_until: datetime | None = None
    is_paused: bool = False
    is_cancelled: bool = False
    failure: Failure | None = None
    cancel_reason: str = ""

    @model_serializer(mode="wrap")
    def _shorten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self.model_copy(update={"tasks": (), "timed": ()}))
        data["tasks"] = "".join(_letter(task) for task in self.tasks)
        data["details"] = {
            str(position): detail
            for position, task in enumerate(self.tasks)
            if (detail := _details(task))
        }
        return pack(data)

    @model_validator(mode="wrap")
    @classmethod
    def _lengthen(cls, data: Any, handler: ModelWrapValidatorHandler[PlanState]) -> PlanState:
        data = unpack(data)
        if isinstance(data, dict) and isinstance(data.get("tasks"), str):
            details = data.get("details", {})
            tasks = tuple(
                _task_state(letter, details.get(str(position)))
                for position, letter in enumerate(data["tasks"])
            )
            data = {**data, "tasks": tasks, "timed": _timed(tasks)}
        return handler(data)


_IN_LETTER = {"status", "skipped_by"}


def _letter(task: TaskState) -> str:
    return _LETTERS.get((task.status, task.skipped_by)) or _LETTERS[task.status, None]


def _details(task: TaskState) -> dict[str, Any]:  # Any: JSON-like data
    """Return what of a task its letter does not say."""
    said = _IN_LETTER if (task.status, task.skipped_by) in _LETTERS else {"status"}
    return task.model_dump(mode="json", exclude_defaults=True, exclude=said)


def _timed(tasks: Sequence[TaskState]) -> tuple[int, ...]:
    moments = [(task.due_at, position) for position, task in enumerate(tasks)]
    return tuple(p for _, p in sorted((at, p) for at, p in moments if at is not None))


def _task_state(letter: str, detail: dict[str, Any] | None) -> TaskState:
    status, skipped_by = _MEANINGS[letter]
    return TaskState.model_validate({"status": status, "skipped_by": skipped_by, **(detail or {})})
