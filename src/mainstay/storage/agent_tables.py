"""The specification's tables about agents. Source: specification 003, section 14.

They are projections of Temporal's history, except ``messages``, which is the truth itself.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index, Numeric, Text, text
from sqlmodel import Field, SQLModel

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
from mainstay.storage.words import (
    AgentType,
    RoutingType,
    Severity,
    SupervisionEventType,
)

ZERO = {"server_default": text("0")}
EMPTY_OBJECT = {"server_default": text("'{}'")}
EMPTY_LIST = {"server_default": text("'[]'")}


class AgentRecord(SQLModel, table=True):
    """What is known of an agent without asking its workflow."""

    __tablename__: ClassVar[str] = "agents"
    __table_args__ = (
        agent_id_check("agent_id"),
        Index("idx_agents_type", "agent_type"),
        Index("idx_agents_state", "current_state"),
        Index("idx_agents_supervisor", "supervisor_id"),
        Index("idx_agents_heartbeat", "last_heartbeat"),
        Index("idx_agents_capabilities", "capabilities", postgresql_using="gin"),
        Index("idx_agents_tags", "tags", postgresql_using="gin"),
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
        default="1.0.0", max_length=50, sa_column_kwargs={"server_default": text("'1.0.0'")}
    )
    tags: list[str] = Field(default_factory=list, sa_type=Json, sa_column_kwargs=EMPTY_LIST)


class MessageRecord(SQLModel, table=True):
    """One message between agents. Priority 0 is the most urgent, so it is ordered upwards."""

    __tablename__: ClassVar[str] = "messages"
    __table_args__ = (
        CheckConstraint(PRIORITY_CHECK, name="ck_messages_priority"),
        Index("idx_messages_sender", "sender_id"),
        Index("idx_messages_receiver", "receiver_id"),
        Index("idx_messages_type", "message_type"),
        Index(
            "idx_messages_correlation",
            "correlation_id",
            sqlite_where=text("correlation_id IS NOT NULL"),
            postgresql_where=text("correlation_id IS NOT NULL"),
        ),
        Index("idx_messages_status", "status"),
        Index("idx_messages_created", "created_at"),
        Index("idx_messages_expires", "expires_at"),
        Index("idx_messages_priority", "priority", "created_at"),
    )

    message_id: UUID = Field(default_factory=uuid4, primary_key=True)
    sender_id: str | None = Field(default=None, foreign_key="agents.agent_id", sa_type=AgentIdText)
    receiver_id: str | None = Field(
        default=None, foreign_key="agents.agent_id", sa_type=AgentIdText
    )
    message_type: str = Field(max_length=50)
    correlation_id: UUID | None = None
    routing_type: RoutingType = Field(sa_type=choice("messages_routing_type", RoutingType))
    priority: int = Field(default=2, sa_column_kwargs={"server_default": text("2")})
    ttl_seconds: int = Field(default=300, sa_column_kwargs={"server_default": text("300")})
    payload: dict[str, Any] = Field(sa_type=Json, nullable=False)  # Any: the sender's JSON
    status: MessageStatus = Field(
        default=MessageStatus.PENDING,
        sa_type=choice("messages_status", MessageStatus),
        sa_column_kwargs={"server_default": text("'PENDING'")},
    )
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    processed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    retry_count: int = Field(default=0, sa_column_kwargs=ZERO)
    error_message: str | None = Field(default=None, sa_type=Text)


class SupervisionEventRecord(SQLModel, table=True):
    """Something a supervisor noted or did."""

    __tablename__: ClassVar[str] = "supervision_events"
    __table_args__ = (
        Index("idx_supervision_supervisor", "supervisor_id"),
        Index("idx_supervision_subject", "subject_agent_id"),
        Index("idx_supervision_type", "event_type"),
        Index("idx_supervision_severity", "severity"),
        Index("idx_supervision_created", "created_at"),
        Index(
            "idx_supervision_unresolved",
            "resolved_at",
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    event_id: UUID = Field(default_factory=uuid4, primary_key=True)
    supervisor_id: str = Field(foreign_key="agents.agent_id", sa_type=AgentIdText)
    subject_agent_id: str | None = Field(
        default=None, foreign_key="agents.agent_id", sa_type=AgentIdText
    )
    event_type: SupervisionEventType = Field(
        sa_type=choice("supervision_events_event_type", SupervisionEventType, 30)
    )
    event_data: dict[str, Any] = Field(  # Any: JSON whose shape depends on the type
        default_factory=dict, sa_type=Json, sa_column_kwargs=EMPTY_OBJECT
    )
    severity: Severity = Field(sa_type=choice("supervision_events_severity", Severity, 10))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resolution_action: str | None = Field(default=None, max_length=100)
    correlation_id: UUID | None = None


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
    success: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    error_message: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
