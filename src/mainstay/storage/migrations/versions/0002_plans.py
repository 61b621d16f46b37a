"""Plans, their tasks, events and outputs, documents, and the specification's views."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

PLAN_STATUSES = "running paused cancelling undoing succeeded failed cancelled"
TASK_TYPES = "RESEARCH CODE ANALYZE REVIEW DEPLOY MONITOR CUSTOM"
RECORDED_STATUSES = "PENDING ASSIGNED IN_PROGRESS COMPLETED FAILED CANCELLED"
TASK_STATUSES = (
    "pending preparing asking running gathering waiting unknown succeeded failed "
    "skipped cancelled undoing undone undo_failed"
)
EVENT_KINDS = (
    "plan_started plan_status plan_ended task_started task_progress task_status task_output"
)

MOMENT = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now'{})", "postgresql": "now(){}"}
"""The present moment, or an earlier one, in the form each database keeps moments."""

FIVE_MINUTES = {"sqlite": ", '-5 minutes'", "postgresql": " - INTERVAL '5 minutes'"}

LAST_SEEN = {
    "sqlite": "(julianday('now') - julianday(last_heartbeat)) * 86400.0",
    "postgresql": "EXTRACT(EPOCH FROM now() - last_heartbeat)",
}

VIEWS = ("active_agents", "task_queue", "agent_health_summary")


def upgrade() -> None:
    """Make the tables and the views."""
    _plans()
    _tasks()
    _plan_events()
    _documents()
    _task_outputs()
    _effects()
    _views()


def downgrade() -> None:
    """Drop them."""
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    op.drop_table("tasks")
    op.drop_table("plans")
    op.drop_table("plan_events")
    op.drop_table("documents")
    op.drop_table("task_outputs")
    op.drop_table("effects")


def _words(name: str, words: str, length: int = 20) -> sa.Enum:
    return sa.Enum(
        *words.split(), name=name, native_enum=False, create_constraint=True, length=length
    )


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "status",
            _words("ck_plans_status", PLAN_STATUSES),
            nullable=False,
        ),
        sa.Column("parent_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("2"), nullable=False),
        sa.Column("plan_ref", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("inputs_ref", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("outputs_ref", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("message", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("tasks_total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tasks_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("priority BETWEEN 0 AND 4", name="ck_plans_priority"),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_index("idx_plans_created", "plans", ["created_at", "plan_id"])
    op.create_index("idx_plans_name", "plans", ["name", "created_at"])
    op.create_index("idx_plans_status", "plans", ["status", "created_at"])


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.String(length=42), nullable=True),
        sa.Column("parent_task_id", sa.Uuid(), nullable=True),
        sa.Column(
            "task_type",
            _words("ck_tasks_task_type", TASK_TYPES),
            server_default=sa.text("'CUSTOM'"),
            nullable=False,
        ),
        sa.Column(
            "status",
            _words("ck_tasks_status", RECORDED_STATUSES),
            nullable=False,
        ),
        sa.Column("priority", sa.Integer(), server_default=sa.text("2"), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("requirements", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("input_data", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("output_data", JSON, nullable=True),
        sa.Column("progress_percentage", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_info", JSON, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("assigned_at", TIME, nullable=True),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("completed_at", TIME, nullable=True),
        sa.Column("deadline", TIME, nullable=True),
        sa.Column("estimated_duration_seconds", sa.Integer(), nullable=True),
        sa.Column("actual_duration_seconds", sa.Integer(), nullable=True),
        sa.Column("retry_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_retries", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("tags", JSON, server_default=sa.text("'[]'"), nullable=False),
        *_columns_of_a_plans_task(),
        sa.CheckConstraint("priority BETWEEN 0 AND 4", name="ck_tasks_priority"),
        sa.CheckConstraint("progress_percentage BETWEEN 0 AND 100", name="ck_tasks_progress"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.agent_id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["parent_task_id"], ["tasks.task_id"]),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id"),
    )
    _tasks_indexes()


def _columns_of_a_plans_task() -> list[sa.Column[Any]]:  # Any: of every column's type
    return [
        sa.Column("plan_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), server_default="tool", nullable=False),
        sa.Column("tool", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "state",
            _words("ck_tasks_state", TASK_STATUSES),
            nullable=True,
        ),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("items_total", sa.Integer(), nullable=True),
        sa.Column("items_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("message", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("last_line", sa.Text(), server_default=sa.text("''"), nullable=False),
    ]


def _tasks_indexes() -> None:
    op.create_index("idx_tasks_agent", "tasks", ["agent_id"])
    op.create_index("idx_tasks_created", "tasks", ["created_at"])
    op.create_index(
        "idx_tasks_deadline",
        "tasks",
        ["deadline"],
        sqlite_where=sa.text("deadline IS NOT NULL"),
        postgresql_where=sa.text("deadline IS NOT NULL"),
    )
    op.create_index("idx_tasks_parent", "tasks", ["parent_task_id"])
    op.create_index("idx_tasks_plan", "tasks", ["plan_id", "position"])
    op.create_index("idx_tasks_priority", "tasks", ["priority"])
    op.create_index("idx_tasks_status", "tasks", ["status"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("idx_tasks_tags", "tasks", ["tags"], postgresql_using="gin")
    op.create_index("idx_tasks_type", "tasks", ["task_type"])


def _plan_events() -> None:
    op.create_table(
        "plan_events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            _words("ck_plan_events_kind", EVENT_KINDS),
            nullable=False,
        ),
        sa.Column("at", TIME, nullable=False),
        sa.Column("task", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("ref", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("plan_id", "key", name="uq_plan_events_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("idx_plan_events_plan", "plan_events", ["plan_id", "number"])


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _task_outputs() -> None:
    op.create_table(
        "task_outputs",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "task", "round", "start"),
    )


def _effects() -> None:
    op.create_table(
        "effects",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _views() -> None:
    dialect = op.get_bind().dialect.name
    recently = MOMENT[dialect].format(FIVE_MINUTES[dialect])
    # S608, here and below: the parts are the constants above.
    op.execute(
        f"""
        CREATE VIEW active_agents AS
        SELECT agent_id, agent_type, current_state, capabilities, last_heartbeat,
               {LAST_SEEN[dialect]} AS last_seen_seconds
        FROM agents
        WHERE current_state IN ('RUNNING', 'PAUSED') AND last_heartbeat > {recently}
        """  # noqa: S608
    )
    op.execute(
        """
        CREATE VIEW task_queue AS
        SELECT task_id, task_type, priority, title, requirements, created_at, deadline
        FROM tasks
        WHERE status = 'PENDING'
        ORDER BY priority ASC, created_at ASC
        """
    )
    # Tasks and metrics are summed apart: joined together, each metric would multiply the tasks.
    op.execute(
        f"""
        CREATE VIEW agent_health_summary AS
        SELECT a.agent_id, a.agent_type, a.current_state, a.restart_count, a.error_count,
               (SELECT COUNT(*) FROM tasks t
                WHERE t.agent_id = a.agent_id AND t.status = 'IN_PROGRESS') AS active_tasks,
               (SELECT AVG(m.metric_value) FROM agent_metrics m
                WHERE m.agent_id = a.agent_id AND m.metric_type = 'cpu_usage'
                  AND m.recorded_at > {recently}) AS avg_cpu_usage,
               (SELECT AVG(m.metric_value) FROM agent_metrics m
                WHERE m.agent_id = a.agent_id AND m.metric_type = 'memory_usage'
                  AND m.recorded_at > {recently}) AS avg_memory_usage
        FROM agents a
        """  # noqa: S608
    )
