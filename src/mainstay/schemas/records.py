"""What storage is told and what a watcher reads: events, and rows about plans and tasks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from mainstay.schemas.model import Model
from mainstay.schemas.run import PlanStatus, TaskStatus


class EventKind(StrEnum):
    """What happened."""

    PLAN_STARTED = "plan_started"
    PLAN_STATUS = "plan_status"
    PLAN_ENDED = "plan_ended"
    TASK_STARTED = "task_started"
    TASK_PROGRESS = "task_progress"
    TASK_STATUS = "task_status"
    TASK_OUTPUT = "task_output"


class PlanEvent(Model):
    """One thing that happened in a plan. Appended once under ``key``, never changed.

    Attributes:
        key: unique in the plan; the same event told twice has the same key.
        task: the task's name; empty when it concerns the plan.
        status: the task's or the plan's new status; empty when unchanged.
        done: items done so far, counted by storage for TASK_PROGRESS from ``count``.
        count: items this event adds to ``done``.
        message: a reason, a question, an error, or the last line a tool printed.
        ref: for PLAN_ENDED, the document that holds the plan's outputs.
        number: the order storage gave it; 0 until stored.
    """

    plan_id: str
    key: str
    kind: EventKind
    at: datetime
    task: str = ""
    status: TaskStatus | PlanStatus | None = None
    count: int = 0
    total: int | None = None
    attempt: int | None = None
    message: str = ""
    ref: str = ""
    number: int = 0


class PlanRow(Model):
    """What is known of a plan without asking Temporal."""

    plan_id: str
    name: str
    status: PlanStatus
    parent_id: str = ""
    priority: int = 2
    plan_ref: str = ""
    inputs_ref: str = ""
    outputs_ref: str = ""
    message: str = ""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    tasks_total: int = 0
    tasks_done: int = 0


class TaskRow(Model):
    """What is known of a task without asking Temporal. ``position`` is its place in the file."""

    plan_id: str
    name: str
    position: int
    kind: str = "tool"
    tool: str = ""
    status: TaskStatus = TaskStatus.PENDING
    priority: int = 2
    attempt: int = 1
    items_total: int | None = None
    items_done: int = 0
    message: str = ""
    last_line: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class OutputChunk(Model):
    """The outputs of consecutive items of a task, or of the one item of a plain task.

    ``values`` has ``stop - start`` entries; an item that failed has None there and its message
    in ``errors`` under its index.
    """

    plan_id: str
    task: str
    round: int = 0
    start: int = 0
    stop: int = 1
    values: list[Any] = Field(default_factory=list)
    errors: dict[int, str] = Field(default_factory=dict)
