"""What crosses the boundary between the plan's workflow, its activities and its callers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mainstay.schemas.durations import Duration
from mainstay.schemas.model import Model
from mainstay.schemas.packing import pack, unpack
from mainstay.schemas.records import PlanEvent
from mainstay.schemas.run import Answer, Failure, PlanState, PlanStatus, TaskStatus


class PlanOptions(Model):
    """How a run is driven. Stored with the run, so that a changed default never changes it.

    Attributes:
        heartbeat_timeout: after this long without a sign of life, a worker is taken for dead and
            its work is given to another.
        grace: how long running tasks may go on after a cancel that names no grace.
        rollover_events: length of history, in events, at which the run continues as new.
    """

    heartbeat_timeout: Duration = timedelta(seconds=10)
    grace: Duration = timedelta(0)
    rollover_events: int = Field(2_000, ge=100)


class PlanRequest(Model):
    """What a plan's workflow is started with.

    ``plan_ref`` and ``inputs_ref`` name documents in storage. ``state`` is given when a run
    continues, or when a failed plan is taken up again.
    """

    plan_id: str
    name: str
    plan_ref: str
    inputs_ref: str
    parent_id: str = ""
    options: PlanOptions = Field(default_factory=PlanOptions)
    state: PlanState | None = None
    resumed: int = 0
    """How often an ended run of this plan was taken up again."""
    accounts: tuple[str, ...] = ()
    """Who pays for its agents besides itself: the plans that it is a part of, the nearest first."""


class PlanResult(Model):
    """How a plan ended."""

    plan_id: str
    status: PlanStatus
    outputs_ref: str = ""
    failure: Failure | None = None
    counts: dict[TaskStatus, int] = Field(default_factory=dict)


class OutlineCall(Model):
    """Ask for one page of a plan's outline; page 0 of a new run also writes its first records."""

    plan_id: str
    name: str
    plan_ref: str
    inputs_ref: str
    parent_id: str = ""
    page: int = 0
    resumed: int = 0
    is_continued: bool = False
    """The run goes on as new: its records are there already."""


class NeedState(Model):
    """How a needed task ended: what expressions see of it, beside its output."""

    status: TaskStatus = TaskStatus.SUCCEEDED
    round: int = 0
    error: str = ""
    answer: Answer | None = None


class NeedStates(Model):
    """How all the needed tasks of one task ended, small however many they are.

    Attributes:
        letters: one per need, in the order of ``needs``; empty when each plainly succeeded.
        details: by index, the round, the error and the answer of those that have any.
    """

    letters: str = ""
    details: dict[int, NeedState] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _pack(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:  # Any: JSON-like
        details = {
            str(index): need.model_dump(mode="json", exclude_defaults=True, exclude={"status"})
            for index, need in self.details.items()
        }
        return pack({"letters": self.letters, "details": details})

    @model_validator(mode="before")
    @classmethod
    def _unpack(cls, data: Any) -> Any:  # Any: whatever is validated
        return unpack(data)


class TaskCall(Model):
    """Everything an activity needs to do a piece of a task; contents by reference.

    ``start`` and ``stop`` bound the items (stop exclusive).
    """

    plan_id: str
    plan_ref: str
    inputs_ref: str
    task: str
    needs: NeedStates = Field(default_factory=NeedStates)
    round: int = 0
    attempt: int = 1
    last_attempt: bool = False
    start: int = 0
    stop: int = 1
    items: int | None = None
    feedback: str = ""
    confirmed: bool = False
    answer: Answer | None = None


class Verdict(Model):
    """What an activity found when it looked at a task: it was done, is to be skipped, or redone.

    Attributes:
        status: SUCCEEDED, SKIPPED, or PENDING when ``verify`` sends it back.
        items: for a preparation, how many items there are.
        done: items that ended well in this call.
        errors: items that failed although the task goes on.
        message: the rendered question, the reason, or a short form of the output.
        plan_name, plan_ref, inputs_ref, resumed: for a sub-plan, what to start it with.
        outputs_ref: for a finished plan, the document with its outputs.
    """

    status: TaskStatus = TaskStatus.SUCCEEDED
    items: int | None = None
    done: int = 0
    errors: int = 0
    message: str = ""
    plan_name: str = ""
    plan_ref: str = ""
    inputs_ref: str = ""
    outputs_ref: str = ""
    resumed: int = 0


class RecordCall(Model):
    """Events that happened in the workflow itself, to be stored."""

    plan_id: str
    events: tuple[PlanEvent, ...]


class FinishCall(Model):
    """Ask for the plan's outputs to be computed and its last records written."""

    plan_id: str
    plan_ref: str
    inputs_ref: str
    status: PlanStatus
    state: PlanState
    resumed: int = 0
    message: str = ""


class CancelRequest(Model):
    """Stop a plan. ``grace`` is how long running tasks may still go on; None is the run's own."""

    reason: str = ""
    grace: Duration | None = None


class AnswerRequest(Model):
    """Approve or reject a task that asks."""

    task: str
    approved: bool
    by: str = ""
    comment: str = ""


class TaskRequest(Model):
    """Retry or skip a task."""

    task: str
    by: str = ""
    reason: str = ""


class PlanProgress(Model):
    """A running plan at a glance, small however large the plan is."""

    plan_id: str
    status: PlanStatus
    counts: dict[TaskStatus, int]
    waiting_for: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
