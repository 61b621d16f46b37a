"""Threads, accounts and charges, breakers, rates, and simple memories."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

ENTRY_KINDS = "user assistant tool feedback pin"
BREAKER_STATES = "closed open half_open"
COUNTS = (
    "input_tokens output_tokens cached_tokens model_calls tool_calls turns picodollars "
    "unpriced_calls"
)

TABLES = (
    "memory_words memories rates breakers charged_accounts charges accounts live_texts "
    "thread_summaries thread_entries threads"
)


def upgrade() -> None:
    """Make the tables."""
    _threads()
    _thread_entries()
    _summaries_and_live_texts()
    _accounts()
    _charges()
    _protection()
    _memories()


def downgrade() -> None:
    """Drop them."""
    for table in TABLES.split():
        op.drop_table(table)


def _words(name: str, words: str) -> sa.Enum:
    return sa.Enum(*words.split(), name=name, native_enum=False, create_constraint=True, length=20)


def _blank(name: str) -> sa.Column[Any]:  # Any: alembic's own signature
    return sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)


def _zero(name: str) -> sa.Column[Any]:  # Any: see above
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _counts() -> list[sa.Column[Any]]:  # Any: see above
    return [
        sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        for name in COUNTS.split()
    ]


def _of_thread() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["thread_id"], ["threads.thread_id"], ondelete="CASCADE")


def _threads() -> None:
    op.create_table(
        "threads",
        sa.Column("thread_id", sa.Text(), nullable=False),
        _blank("title"),
        _blank("agent_id"),
        _zero("entries"),
        _blank("parent"),
        sa.Column("forked_at", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("entries >= 0", name="ck_threads_entries"),
        sa.PrimaryKeyConstraint("thread_id"),
    )
    op.create_index("idx_threads_agent", "threads", ["agent_id", "updated_at"])
    op.create_index("idx_threads_updated", "threads", ["updated_at"])


def _thread_entries() -> None:
    op.create_table(
        "thread_entries",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", _words("ck_thread_entries_kind", ENTRY_KINDS), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _zero("tokens"),
        _blank("turn"),
        sa.Column("at", TIME, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("position >= 0", name="ck_thread_entries_position"),
        _of_thread(),
        sa.PrimaryKeyConstraint("thread_id", "position"),
        sa.UniqueConstraint("thread_id", "key", name="uq_thread_entries_key"),
    )


def _summaries_and_live_texts() -> None:
    op.create_table(
        "thread_summaries",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _zero("tokens"),
        _of_thread(),
        sa.PrimaryKeyConstraint("thread_id", "upto"),
    )
    op.create_table(
        "live_texts",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        _of_thread(),
        sa.PrimaryKeyConstraint("thread_id"),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        _blank("title"),
        sa.Column("limits", JSON, nullable=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("first_charge_at", TIME, nullable=True),
        *_counts(),
        sa.PrimaryKeyConstraint("id"),
    )


def _charges() -> None:
    op.create_table(
        "charges",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        _blank("spender"),
        _blank("model"),
        sa.Column("at", TIME, nullable=False),
        *_counts(),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("key", name="uq_charges_key"),
    )
    op.create_table(
        "charged_accounts",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["number"], ["charges.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account", "number"),
    )
    op.create_index("idx_charged_accounts_number", "charged_accounts", ["number", "place"])


def _protection() -> None:
    op.create_table(
        "breakers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", _words("ck_breakers_state", BREAKER_STATES), nullable=False),
        _zero("failures"),
        sa.Column("opened_at", TIME, nullable=True),
        sa.Column("probe_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "rates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("requests_until", TIME, nullable=True),
        sa.Column("tokens_until", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def _memories() -> None:
    op.create_table(
        "memories",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
    op.create_index("idx_memories_updated", "memories", ["scope", "updated_at"])
    op.create_table(
        "memory_words",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scope", "key"], ["memories.scope", "memories.key"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scope", "word", "key"),
    )
    op.create_index("idx_memory_words_key", "memory_words", ["scope", "key"])
