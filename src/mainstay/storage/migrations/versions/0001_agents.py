"""The specification's tables about agents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

AGENT_TYPES = "SUPERVISOR WORKER COORDINATOR MONITOR PLANNER EXECUTOR CRITIC ROUTER MEMORY"
AGENT_STATES = "INITIALIZING RUNNING PAUSED STOPPING TERMINATED ERROR RESTARTING"
ROUTING_TYPES = "BROADCAST TARGET ROUND_ROBIN"
MESSAGE_STATUSES = "PENDING DELIVERED PROCESSED FAILED EXPIRED"
SUPERVISION_EVENTS = (
    "AGENT_SPAWNED AGENT_TERMINATED AGENT_RESTARTED HEALTH_CHECK_FAILED "
    "RESOURCE_LIMIT_EXCEEDED POLICY_VIOLATION"
)
SEVERITIES = "LOW MEDIUM HIGH CRITICAL"


def upgrade() -> None:
    """Make the tables."""
    _agents()
    _messages()
    _supervision_events()
    _agent_metrics()
    _state_transitions()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("state_transitions")
    op.drop_table("agent_metrics")
    op.drop_table("supervision_events")
    op.drop_table("messages")
    op.drop_table("agents")


def _words(name: str, words: str, length: int = 20) -> sa.Enum:
    return sa.Enum(
        *words.split(), name=name, native_enum=False, create_constraint=True, length=length
    )


def _agents() -> None:
    op.create_table(
        "agents",
        sa.Column("agent_id", sa.String(length=42), nullable=False),
        sa.Column(
            "agent_type",
            _words("ck_agents_agent_type", AGENT_TYPES),
            nullable=False,
        ),
        sa.Column(
            "current_state",
            _words("ck_agents_current_state", AGENT_STATES),
            nullable=False,
        ),
        sa.Column(
            "previous_state",
            _words("ck_agents_previous_state", AGENT_STATES),
            nullable=True,
        ),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("last_heartbeat", TIME, nullable=True),
        sa.Column("supervisor_id", sa.String(length=42), nullable=True),
        sa.Column("capabilities", JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("configuration", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state_data", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("metrics", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("restart_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "version", sa.String(length=50), server_default=sa.text("'1.0.0'"), nullable=False
        ),
        sa.Column("tags", JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.CheckConstraint(
            "agent_id LIKE 'agent-________-____-4___-____-____________'"
            " AND agent_id = lower(agent_id)",
            name="ck_agent_id",
        ),
        sa.ForeignKeyConstraint(["supervisor_id"], ["agents.agent_id"]),
        sa.PrimaryKeyConstraint("agent_id"),
    )
    _agents_indexes()


def _agents_indexes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "idx_agents_capabilities", "agents", ["capabilities"], postgresql_using="gin"
        )
    op.create_index("idx_agents_heartbeat", "agents", ["last_heartbeat"])
    op.create_index("idx_agents_state", "agents", ["current_state"])
    op.create_index("idx_agents_supervisor", "agents", ["supervisor_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("idx_agents_tags", "agents", ["tags"], postgresql_using="gin")
    op.create_index("idx_agents_type", "agents", ["agent_type"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.String(length=42), nullable=True),
        sa.Column("receiver_id", sa.String(length=42), nullable=True),
        sa.Column("message_type", sa.String(length=50), nullable=False),
        sa.Column("correlation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "routing_type",
            _words("ck_messages_routing_type", ROUTING_TYPES),
            nullable=False,
        ),
        sa.Column("priority", sa.Integer(), server_default=sa.text("2"), nullable=False),
        sa.Column("ttl_seconds", sa.Integer(), server_default=sa.text("300"), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column(
            "status",
            _words("ck_messages_status", MESSAGE_STATUSES),
            server_default=sa.text("'PENDING'"),
            nullable=False,
        ),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.Column("processed_at", TIME, nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("retry_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.CheckConstraint("priority BETWEEN 0 AND 4", name="ck_messages_priority"),
        sa.ForeignKeyConstraint(["receiver_id"], ["agents.agent_id"]),
        sa.ForeignKeyConstraint(["sender_id"], ["agents.agent_id"]),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index(
        "idx_messages_correlation",
        "messages",
        ["correlation_id"],
        sqlite_where=sa.text("correlation_id IS NOT NULL"),
        postgresql_where=sa.text("correlation_id IS NOT NULL"),
    )
    op.create_index("idx_messages_created", "messages", ["created_at"])
    op.create_index("idx_messages_expires", "messages", ["expires_at"])
    op.create_index("idx_messages_priority", "messages", ["priority", "created_at"])
    op.create_index("idx_messages_receiver", "messages", ["receiver_id"])
    op.create_index("idx_messages_sender", "messages", ["sender_id"])
    op.create_index("idx_messages_status", "messages", ["status"])
    op.create_index("idx_messages_type", "messages", ["message_type"])


def _supervision_events() -> None:
    op.create_table(
        "supervision_events",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("supervisor_id", sa.String(length=42), nullable=False),
        sa.Column("subject_agent_id", sa.String(length=42), nullable=True),
        sa.Column(
            "event_type",
            _words("ck_supervision_events_event_type", SUPERVISION_EVENTS, 30),
            nullable=False,
        ),
        sa.Column("event_data", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "severity",
            _words("ck_supervision_events_severity", SEVERITIES, 10),
            nullable=False,
        ),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("resolved_at", TIME, nullable=True),
        sa.Column("resolution_action", sa.String(length=100), nullable=True),
        sa.Column("correlation_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["subject_agent_id"], ["agents.agent_id"]),
        sa.ForeignKeyConstraint(["supervisor_id"], ["agents.agent_id"]),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index("idx_supervision_created", "supervision_events", ["created_at"])
    op.create_index("idx_supervision_severity", "supervision_events", ["severity"])
    op.create_index("idx_supervision_subject", "supervision_events", ["subject_agent_id"])
    op.create_index("idx_supervision_supervisor", "supervision_events", ["supervisor_id"])
    op.create_index("idx_supervision_type", "supervision_events", ["event_type"])
    op.create_index(
        "idx_supervision_unresolved",
        "supervision_events",
        ["resolved_at"],
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _agent_metrics() -> None:
    op.create_table(
        "agent_metrics",
        sa.Column("metric_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.String(length=42), nullable=False),
        sa.Column("metric_type", sa.String(length=50), nullable=False),
        sa.Column("metric_value", sa.Numeric(), nullable=False),
        sa.Column("metric_unit", sa.String(length=20), nullable=True),
        sa.Column("tags", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.agent_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("metric_id"),
    )
    op.create_index("idx_metrics_agent", "agent_metrics", ["agent_id"])
    op.create_index(
        "idx_metrics_agent_type_time", "agent_metrics", ["agent_id", "metric_type", "recorded_at"]
    )
    op.create_index("idx_metrics_recorded", "agent_metrics", ["recorded_at"])
    op.create_index("idx_metrics_type", "agent_metrics", ["metric_type"])


def _state_transitions() -> None:
    op.create_table(
        "state_transitions",
        sa.Column("transition_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.String(length=42), nullable=False),
        sa.Column(
            "from_state",
            _words("ck_state_transitions_from_state", AGENT_STATES),
            nullable=False,
        ),
        sa.Column(
            "to_state",
            _words("ck_state_transitions_to_state", AGENT_STATES),
            nullable=False,
        ),
        sa.Column("trigger_event", sa.String(length=100), nullable=True),
        sa.Column("transition_data", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("success", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.agent_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("transition_id"),
    )
    op.create_index("idx_transitions_agent", "state_transitions", ["agent_id"])
    op.create_index("idx_transitions_created", "state_transitions", ["created_at"])
    op.create_index("idx_transitions_states", "state_transitions", ["from_state", "to_state"])
