"""The tables about plans, and the specification's ``tasks`` with what plans need added.

Sources: specification 003, section 14.1.2, for ``tasks``; the others are ours. Names of columns
that the specification gives are kept, and the finer words of a plan stand beside them: ``state``
beside ``status``, ``attempt`` beside ``retry_count``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from mainstay.decisions.projection import RecordedStatus
from mainstay.schemas.records import EventKind
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.storage.agent_tables import BLANK, EMPTY_LIST, EMPTY_OBJECT, ZERO
from mainstay.storage.columns import (
    PRIORITY_CHECK,
    AgentIdText,
    Json,
    UtcDateTime,
    choice,
    utc_now,
)
from mainstay.storage.words import TaskType

NORMAL = {"server_default": text("2")}


class PlanRecord(SQLModel, table=True):
    """A plan's row; see :class:`mainstay.schemas.records.PlanRow`."""

    __tablename__: ClassVar[str] = "plans"
    __table_args__ = (
        CheckConstraint(PRIORITY_CHECK, name="ck_plans_priority"),
        Index("idx_plans_created", "created_at", "plan_id"),
        Index("idx_plans_status", "status", "created_at"),
        Index("idx_plans_name", "name", "created_at"),
    )

    plan_id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    status: PlanStatus = Field(sa_type=choice("plans_status", PlanStatus))
    parent_id: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    priority: int = Field(default=2, sa_column_kwargs=NORMAL)
    plan_ref: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    inputs_ref: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    outputs_ref: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    message: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tasks_total: int = Field(default=0, sa_column_kwargs=ZERO)
    tasks_done: int = Field(default=0, sa_column_kwargs=ZERO)


class TaskRecord(SQLModel, table=True):
    """A task's row. A plan's task has the UUID v5 of its plan and its name."""

    __tablename__: ClassVar[str] = "tasks"
    __table_args__ = (
        CheckConstraint(PRIORITY_CHECK, name="ck_tasks_priority"),
        CheckConstraint("progress_percentage BETWEEN 0 AND 100", name="ck_tasks_progress"),
        Index("idx_tasks_agent", "agent_id"),
        Index("idx_tasks_status", "status"),
        Index("idx_tasks_type", "task_type"),
        Index("idx_tasks_priority", "priority"),
        Index("idx_tasks_created", "created_at"),
        Index(
            "idx_tasks_deadline",
            "deadline",
            sqlite_where=text("deadline IS NOT NULL"),
            postgresql_where=text("deadline IS NOT NULL"),
        ),
        Index("idx_tasks_parent", "parent_task_id"),
        Index("idx_tasks_tags", "tags", postgresql_using="gin"),
        Index("idx_tasks_plan", "plan_id", "position"),
    )

    task_id: UUID = Field(default_factory=uuid4, primary_key=True)
    agent_id: str | None = Field(
        default=None, foreign_key="agents.agent_id", ondelete="SET NULL", sa_type=AgentIdText
    )
    parent_task_id: UUID | None = Field(default=None, foreign_key="tasks.task_id")
    task_type: TaskType = Field(
        default=TaskType.CUSTOM,
        sa_type=choice("tasks_task_type", TaskType),
        sa_column_kwargs={"server_default": text("'CUSTOM'")},
    )
    status: RecordedStatus = Field(sa_type=choice("tasks_status", RecordedStatus))
    priority: int = Field(default=2, sa_column_kwargs=NORMAL)
    title: str = Field(max_length=200)
    description: str | None = Field(default=None, sa_type=Text)
    # Any, here and below: JSON whose shape belongs to the task.
    requirements: dict[str, Any] = Field(
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    input_data: dict[str, Any] = Field(
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    output_data: dict[str, Any] | None = Field(default=None, sa_type=Json)
    progress_percentage: int = Field(default=0, sa_column_kwargs=ZERO)
    error_info: dict[str, Any] | None = Field(default=None, sa_type=Json)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    updated_at: datetime = Field(
        default_factory=utc_now, sa_type=UtcDateTime, sa_column_kwargs={"onupdate": utc_now}
    )
    assigned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deadline: datetime | None = Field(default=None, sa_type=UtcDateTime)
    estimated_duration_seconds: int | None = None
    actual_duration_seconds: int | None = None
    retry_count: int = Field(default=0, sa_column_kwargs=ZERO)
    max_retries: int = Field(default=3, sa_column_kwargs={"server_default": text("3")})
    tags: list[str] = Field(default_factory=list, sa_type=Json, sa_column_kwargs=EMPTY_LIST)
    # What plans need.
    plan_id: str | None = Field(
        default=None, foreign_key="plans.plan_id", ondelete="CASCADE", sa_type=Text
    )
    name: str | None = Field(default=None, sa_type=Text)
    position: int | None = None
    kind: str = Field(default="tool", sa_type=Text, sa_column_kwargs={"server_default": "tool"})
    tool: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    state: TaskStatus | None = Field(default=None, sa_type=choice("tasks_state", TaskStatus))
    attempt: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    items_total: int | None = None
    items_done: int = Field(default=0, sa_column_kwargs=ZERO)
    message: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    last_line: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)


class PlanEventRecord(SQLModel, table=True):
    """One event of a plan. ``number`` grows with every event and has gaps."""

    __tablename__: ClassVar[str] = "plan_events"
    __table_args__ = (
        UniqueConstraint("plan_id", "key", name="uq_plan_events_key"),
        Index("idx_plan_events_plan", "plan_id", "number"),
        # A number is never used again, not even after the newest events were deleted.
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite")
    )
    plan_id: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    kind: EventKind = Field(sa_type=choice("plan_events_kind", EventKind))
    at: datetime = Field(sa_type=UtcDateTime)
    task: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    status: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    count: int = Field(default=0, sa_column_kwargs=ZERO)
    total: int | None = None
    attempt: int | None = None
    message: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    ref: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)


class DocumentRecord(SQLModel, table=True):
    """An immutable text by its key; ``bytes`` is its size."""

    __tablename__: ClassVar[str] = "documents"

    key: str = Field(primary_key=True, sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)
    bytes: int
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class TaskOutputRecord(SQLModel, table=True):
    """The outputs of items ``start`` to ``stop`` (exclusive) of one round of a task, as JSON."""

    __tablename__: ClassVar[str] = "task_outputs"

    plan_id: str = Field(primary_key=True, sa_type=Text)
    task: str = Field(primary_key=True, sa_type=Text)
    round: int = Field(primary_key=True)
    start: int = Field(primary_key=True)
    stop: int
    body: bytes = Field(sa_type=LargeBinary)


class EffectRecord(SQLModel, table=True):
    """A note that an effect that cannot be repeated has begun."""

    __tablename__: ClassVar[str] = "effects"

    key: str = Field(primary_key=True, sa_type=Text)
    started_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
