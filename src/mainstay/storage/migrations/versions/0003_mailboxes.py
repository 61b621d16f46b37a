"""What our agents need: names, a bell and a mailbox, and the events of agents."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

AGENT_STATES = "INITIALIZING RUNNING PAUSED STOPPING TERMINATED ERROR RESTARTING"
EVENT_KINDS = (
    "state message_taken message_settled model_asked model_answered model_failed tool_started "
    "tool_ended question question_answered budget_warning budget_reached"
)
LIVING_AND_NAMED = "current_state <> 'TERMINATED' AND name <> ''"

ADDED = {
    "agents": (
        "name description model thread spec_ref parent_id detail state_since bell_rung_at "
        "taken_batch is_closed"
    ),
    "messages": (
        "number batch text bytes sender_name correlation reply_workflow thread accounts "
        "output_schema_ref answer failure answer_thread answer_position"
    ),
    "state_transitions": "number",
}
INDEXES = {
    "agents": [
        "idx_agents_name",
        "idx_agents_parent",
        "idx_agents_created",
        "uq_agents_living_name",
        "idx_agents_bell",
    ],
    "messages": ["idx_messages_arrival", "idx_messages_take"],
}


def upgrade() -> None:
    """Add columns and indexes, and make the table of events."""
    _agents()
    _messages()
    op.add_column("state_transitions", sa.Column("number", NUMBER, nullable=True))
    _agent_events()


def downgrade() -> None:
    """Take them away."""
    op.drop_table("agent_events")
    for table, names in INDEXES.items():
        for name in names:
            op.drop_index(name, table)
    for table, columns in ADDED.items():
        for name in columns.split():
            op.drop_column(table, name)


def _words(name: str, words: str) -> sa.Enum:
    return sa.Enum(*words.split(), name=name, native_enum=False, create_constraint=True, length=20)


def _text(name: str) -> sa.Column[Any]:  # Any: as Alembic takes it
    return sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)


def _integer(name: str, default: int) -> sa.Column[Any]:  # Any: see above
    return sa.Column(name, sa.Integer(), server_default=sa.text(str(default)), nullable=False)


def _agents() -> None:
    texts = ("name", "description", "model", "thread", "spec_ref", "parent_id", "detail")
    for column in (
        *(_text(name) for name in texts),
        sa.Column("state_since", TIME, nullable=True),
        sa.Column("bell_rung_at", TIME, nullable=True),
        sa.Column("taken_batch", sa.Integer(), nullable=True),
        sa.Column("is_closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    ):
        op.add_column("agents", column)
    op.create_index(
        "idx_agents_bell", "agents", ["bell_rung_at"], **_where("bell_rung_at IS NOT NULL")
    )
    op.create_index("idx_agents_created", "agents", ["created_at", "agent_id"])
    op.create_index("idx_agents_name", "agents", ["name", "created_at"])
    op.create_index("idx_agents_parent", "agents", ["parent_id"])
    op.create_index(
        "uq_agents_living_name", "agents", ["name"], unique=True, **_where(LIVING_AND_NAMED)
    )


def _where(condition: str) -> dict[str, Any]:  # Any: options of both dialects
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _messages() -> None:
    texts = ("text", "sender_name", "correlation", "reply_workflow", "thread")
    for column in (
        sa.Column("number", NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=True),
        *(_text(name) for name in texts),
        _integer("bytes", 0),
        sa.Column("accounts", JSON, server_default=sa.text("'[]'"), nullable=False),
        _text("output_schema_ref"),
        _text("answer"),
        sa.Column("failure", JSON, nullable=True),
        _text("answer_thread"),
        _integer("answer_position", -1),
    ):
        op.add_column("messages", column)
    op.create_index("idx_messages_arrival", "messages", ["receiver_id", "number"])
    op.create_index(
        "idx_messages_take", "messages", ["receiver_id", "status", "priority", "number"]
    )


def _agent_events() -> None:
    op.create_table(
        "agent_events",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("agent_id", sa.String(length=42), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", _words("ck_agent_events_kind", EVENT_KINDS), nullable=False),
        sa.Column("at", TIME, nullable=False),
        _text("message_id"),
        _text("thread"),
        _text("message"),
        sa.Column("from_state", _words("ck_agent_events_from_state", AGENT_STATES), nullable=True),
        sa.Column("to_state", _words("ck_agent_events_to_state", AGENT_STATES), nullable=True),
        _text("trigger"),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("data", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("agent_id", "key", name="uq_agent_events_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("idx_agent_events_agent", "agent_events", ["agent_id", "number"])
