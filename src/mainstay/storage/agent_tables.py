"""The specification's tables about agents. Source: specification 003, section 14.

They are projections of Temporal's history, except ``messages``, which is the truth itself. What
our agents need stands at the end of each table, and ``agent_events`` is ours.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    Numeric,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from mainstay.schemas.agent_calls import AgentEventKind
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.storage.columns import (
    PRIORITY_CHECK,
    AgentIdText,
    Json,
    UtcDateTime,
    agent_id_check,
    choice,
    utc_now,
)
from mainstay.storage.words import AgentType, RoutingType

ZERO = {"server_default": sql("0")}
EMPTY_OBJECT = {"server_default": sql("'{}'")}
EMPTY_LIST = {"server_default": sql("'[]'")}
BLANK = {"server_default": sql("''")}
LIVING_AND_NAMED = "current_state <> 'TERMINATED' AND name <> ''"
LIVING_AGENT = "current_state <> 'TERMINATED' AND run = ''"
"""What limits count: supervisors, which have a ``run``, are left out."""
ENDED = "processed_at IS NOT NULL"
Number = BigInteger().with_variant(Integer, "sqlite")
"""A number that may grow for ever; SQLite's INTEGER has 64 bits anyway."""


def living(name: str, *columns: str) -> Index:
    """Make an index of the living agents alone, by which limits are counted.

    SQLite reads no table when the columns of the condition are in the index, too.
    """
    where = sql(LIVING_AGENT)
    return Index(f"idx_agents_living_{name}", *columns, sqlite_where=where, postgresql_where=where)


class AgentRecord(SQLModel, table=True):
    """What is known of an agent without asking its workflow.

    ``state_since`` is when the present state began, ``bell_rung_at`` when the agent was told that
    something lies in its mailbox (null: it was not), ``taken_batch`` the batch it took last.
    ``team`` is the first part of the name. ``run`` is empty for an agent; for a supervisor, whose
    mailbox is closed, it is the life of its team.
    """

    __tablename__: ClassVar[str] = "agents"
    __table_args__ = (
        agent_id_check("agent_id"),
        Index("idx_agents_type", "agent_type"),
        Index("idx_agents_state", "current_state"),
        Index("idx_agents_supervisor", "supervisor_id"),
        Index("idx_agents_heartbeat", "last_heartbeat"),
        Index("idx_agents_capabilities", "capabilities", postgresql_using="gin"),
        Index("idx_agents_tags", "tags", postgresql_using="gin"),
        Index("idx_agents_name", "name", "created_at"),
        Index("idx_agents_parent", "parent_id"),
        Index("idx_agents_created", "created_at", "agent_id"),
        Index("idx_agents_team", "team", "run", "created_at"),
        living("team", "team", "agent_type", "run", "current_state"),
        living("parent", "parent_id"),
        living("supervisor", "supervisor_id"),
        Index(
            "uq_agents_living_name",
            "name",
            unique=True,
            sqlite_where=sql(LIVING_AND_NAMED),
            postgresql_where=sql(LIVING_AND_NAMED),
        ),
        Index(
            "idx_agents_bell",
            "bell_rung_at",
            sqlite_where=sql("bell_rung_at IS NOT NULL"),
            postgresql_where=sql("bell_rung_at IS NOT NULL"),
        ),
    )

    agent_id: str = Field(primary_key=True, sa_type=AgentIdText)
    agent_type: AgentType = Field(sa_type=choice("agents_agent_type", AgentType))
    current_state: LifeState = Field(sa_type=choice("agents_current_state", LifeState))
    previous_state: LifeState | None = Field(
        default=None, sa_type=choice("agents_previous_state", LifeState)
    )
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    updated_at: datetime = Field(
        default_factory=utc_now, sa_type=UtcDateTime, sa_column_kwargs={"onupdate": utc_now}
    )
    last_heartbeat: datetime | None = Field(default=None, sa_type=UtcDateTime)
    supervisor_id: str | None = Field(
        default=None, foreign_key="agents.agent_id", sa_type=AgentIdText
    )
    # Any: JSON whose shape belongs to the agent.
    capabilities: list[Any] = Field(default_factory=list, sa_type=Json, sa_column_kwargs=EMPTY_LIST)
    configuration: dict[str, Any] = Field(
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    state_data: dict[str, Any] = Field(
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    metrics: dict[str, Any] = Field(
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    restart_count: int = Field(default=0, sa_column_kwargs=ZERO)
    error_count: int = Field(default=0, sa_column_kwargs=ZERO)
    version: str = Field(
        default="1.0.0", max_length=50, sa_column_kwargs={"server_default": sql("'1.0.0'")}
    )
    tags: list[str] = Field(default_factory=list, sa_type=Json, sa_column_kwargs=EMPTY_LIST)
    # What our agents need.
    name: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    description: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    model: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    thread: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    spec_ref: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    parent_id: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    detail: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    state_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    bell_rung_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    taken_batch: int | None = None
    is_closed: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    team: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    run: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)


class MessageRecord(SQLModel, table=True):
    """One message between agents. Priority 0 is the most urgent, so it is ordered upwards.

    ``number`` is the order of arrival at the receiver and ``batch`` what it was taken with; a
    message that never expires has the last moment there is as ``expires_at``.
    """

    __tablename__: ClassVar[str] = "messages"
    __table_args__ = (
        CheckConstraint(PRIORITY_CHECK, name="ck_messages_priority"),
        Index("idx_messages_sender", "sender_id"),
        Index("idx_messages_receiver", "receiver_id"),
        Index("idx_messages_type", "message_type"),
        Index(
            "idx_messages_correlation",
            "correlation_id",
            sqlite_where=sql("correlation_id IS NOT NULL"),
            postgresql_where=sql("correlation_id IS NOT NULL"),
        ),
        Index("idx_messages_status", "status"),
        Index("idx_messages_created", "created_at"),
        Index("idx_messages_expires", "expires_at"),
        Index("idx_messages_priority", "priority", "created_at"),
        Index("idx_messages_arrival", "receiver_id", "number"),
        Index("idx_messages_take", "receiver_id", "status", "priority", "number"),
        Index(
            "idx_messages_ended",
            "receiver_id",
            "processed_at",
            sqlite_where=sql(ENDED),
            postgresql_where=sql(ENDED),
        ),
    )

    message_id: UUID = Field(default_factory=uuid4, primary_key=True)
    sender_id: str | None = Field(default=None, foreign_key="agents.agent_id", sa_type=AgentIdText)
    receiver_id: str | None = Field(
        default=None, foreign_key="agents.agent_id", sa_type=AgentIdText
    )
    message_type: str = Field(max_length=50)
    correlation_id: UUID | None = None
    routing_type: RoutingType = Field(sa_type=choice("messages_routing_type", RoutingType))
    priority: int = Field(default=2, sa_column_kwargs={"server_default": sql("2")})
    ttl_seconds: int = Field(default=300, sa_column_kwargs={"server_default": sql("300")})
    payload: dict[str, Any] = Field(sa_type=Json, nullable=False)  # Any: the sender's JSON
    status: MessageStatus = Field(
        default=MessageStatus.PENDING,
        sa_type=choice("messages_status", MessageStatus),
        sa_column_kwargs={"server_default": sql("'PENDING'")},
    )
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    processed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    retry_count: int = Field(default=0, sa_column_kwargs=ZERO)
    error_message: str | None = Field(default=None, sa_type=Text)
    # What our agents need.
    number: int = Field(default=0, sa_type=Number, sa_column_kwargs=ZERO)
    batch: int | None = None
    text: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    bytes: int = Field(default=0, sa_column_kwargs=ZERO)
    sender_name: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    correlation: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    reply_workflow: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    thread: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    accounts: list[str] = Field(default_factory=list, sa_type=Json, sa_column_kwargs=EMPTY_LIST)
    output_schema_ref: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    answer: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    failure: dict[str, Any] | None = Field(default=None, sa_type=Json)  # Any: JSON of a Failure
    answer_thread: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    answer_position: int = Field(default=-1, sa_column_kwargs={"server_default": sql("-1")})


class AgentMetricRecord(SQLModel, table=True):
    """One measured value of an agent."""

    __tablename__: ClassVar[str] = "agent_metrics"
    __table_args__ = (
        Index("idx_metrics_agent", "agent_id"),
        Index("idx_metrics_type", "metric_type"),
        Index("idx_metrics_recorded", "recorded_at"),
        Index("idx_metrics_agent_type_time", "agent_id", "metric_type", "recorded_at"),
    )

    metric_id: UUID = Field(default_factory=uuid4, primary_key=True)
    agent_id: str = Field(foreign_key="agents.agent_id", ondelete="CASCADE", sa_type=AgentIdText)
    metric_type: str = Field(max_length=50)
    metric_value: Decimal = Field(sa_type=Numeric)
    metric_unit: str | None = Field(default=None, max_length=20)
    tags: dict[str, Any] = Field(  # Any: JSON of the measurer's
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    recorded_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class StateTransitionRecord(SQLModel, table=True):
    """One change of an agent's state, tried or done. ``duration_ms`` is what it took."""

    __tablename__: ClassVar[str] = "state_transitions"
    __table_args__ = (
        Index("idx_transitions_agent", "agent_id"),
        Index("idx_transitions_states", "from_state", "to_state"),
        Index("idx_transitions_created", "created_at"),
    )

    transition_id: UUID = Field(default_factory=uuid4, primary_key=True)
    agent_id: str = Field(foreign_key="agents.agent_id", ondelete="CASCADE", sa_type=AgentIdText)
    from_state: LifeState = Field(sa_type=choice("state_transitions_from_state", LifeState))
    to_state: LifeState = Field(sa_type=choice("state_transitions_to_state", LifeState))
    trigger_event: str | None = Field(default=None, max_length=100)
    transition_data: dict[str, Any] = Field(  # Any: JSON of whoever changed it
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    duration_ms: int | None = None
    success: bool = Field(default=True, sa_column_kwargs={"server_default": sql("true")})
    error_message: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    number: int | None = Field(default=None, sa_type=Number)
    """The event that told of it, which gives the order."""


class AgentEventRecord(SQLModel, table=True):
    """One event of an agent. ``number`` grows with every event and has gaps."""

    __tablename__: ClassVar[str] = "agent_events"
    __table_args__ = (
        UniqueConstraint("agent_id", "key", name="uq_agent_events_key"),
        Index("idx_agent_events_agent", "agent_id", "number"),
        # A number is never used again, not even after the newest events were deleted.
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Number)
    agent_id: str = Field(sa_type=AgentIdText)
    key: str = Field(sa_type=Text)
    kind: AgentEventKind = Field(sa_type=choice("agent_events_kind", AgentEventKind))
    at: datetime = Field(sa_type=UtcDateTime)
    message_id: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    thread: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    message: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    from_state: LifeState | None = Field(
        default=None, sa_type=choice("agent_events_from_state", LifeState)
    )
    to_state: LifeState | None = Field(
        default=None, sa_type=choice("agent_events_to_state", LifeState)
    )
    trigger: str = Field(default="", sa_type=Text, sa_column_kwargs=BLANK)
    duration_ms: int | None = None
    data: dict[str, Any] = Field(  # Any: JSON-like, for machines
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
