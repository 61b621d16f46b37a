"""What supervision needs: teams and their lives, limits quick to count, events in order."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVING_AGENT = "current_state <> 'TERMINATED' AND run = ''"
ENDED = "processed_at IS NOT NULL"

TEAM_OF_NAME = {
    "sqlite": "substr(name, 1, instr(name, '/') - 1)",
    "postgresql": "split_part(name, '/', 1)",
}
"""The part of an agent's name before its first slash."""

INDEXES = {
    "agents": (
        "idx_agents_team idx_agents_living_team idx_agents_living_parent "
        "idx_agents_living_supervisor"
    ),
    "messages": "idx_messages_ended",
    "supervision_events": "idx_supervision_order",
}


def upgrade() -> None:
    """Add columns and indexes, and read the teams of the agents that are there off their names."""
    for name in ("team", "run"):
        blank = sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)
        op.add_column("agents", blank)
    team = TEAM_OF_NAME[op.get_bind().dialect.name]
    # S608: the parts are constants.
    op.execute(f"UPDATE agents SET team = {team} WHERE name LIKE '%/%'")  # noqa: S608
    zero = sa.Column("number", NUMBER, server_default=sa.text("0"), nullable=False)
    op.add_column("supervision_events", zero)
    op.create_index("idx_agents_team", "agents", ["team", "run", "created_at"])
    living = _where(LIVING_AGENT)
    columns = ["team", "agent_type", "run", "current_state"]
    op.create_index("idx_agents_living_team", "agents", columns, **living)
    op.create_index("idx_agents_living_parent", "agents", ["parent_id"], **living)
    op.create_index("idx_agents_living_supervisor", "agents", ["supervisor_id"], **living)
    op.create_index(
        "idx_messages_ended", "messages", ["receiver_id", "processed_at"], **_where(ENDED)
    )
    op.create_index("idx_supervision_order", "supervision_events", ["supervisor_id", "number"])


def downgrade() -> None:
    """Take them away."""
    for table, names in INDEXES.items():
        for name in names.split():
            op.drop_index(name, table)
    op.drop_column("supervision_events", "number")
    for name in ("run", "team"):
        op.drop_column("agents", name)


def _where(condition: str) -> dict[str, Any]:  # Any: options of both dialects
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
