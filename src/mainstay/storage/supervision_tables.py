"""What supervisors note. Source: specification 003, 14.1.4."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from mainstay.storage.agent_tables import EMPTY_OBJECT, ZERO, Number
from mainstay.storage.columns import AgentIdText, Json, UtcDateTime, choice, utc_now
from mainstay.storage.words import Severity, SupervisionEventType


class SupervisionEventRecord(SQLModel, table=True):
    """Something a supervisor noted or did.

    ``number`` is the order in which one supervisor's events came. ``event_data`` has the rest of
    a :class:`mainstay.schemas.supervision_calls.SupervisionEvent`.
    """

    __tablename__: ClassVar[str] = "supervision_events"
    __table_args__ = (
        Index("idx_supervision_supervisor", "supervisor_id"),
        Index("idx_supervision_subject", "subject_agent_id"),
        Index("idx_supervision_type", "event_type"),
        Index("idx_supervision_severity", "severity"),
        Index("idx_supervision_created", "created_at"),
        Index("idx_supervision_order", "supervisor_id", "number"),
        Index(
            "idx_supervision_unresolved",
            "resolved_at",
            sqlite_where=sql("resolved_at IS NULL"),
            postgresql_where=sql("resolved_at IS NULL"),
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
    # What our supervisors need.
    number: int = Field(default=0, sa_type=Number, sa_column_kwargs=ZERO)
