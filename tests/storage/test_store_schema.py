"""The schema: migrations make it, CHECKs guard it, views read it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from record_examples import NOON, plan_row, task_row
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.lifecycle import LifeState
from mainstay.storage.agent_tables import (
    AgentMetricRecord,
    AgentRecord,
    MessageRecord,
    StateTransitionRecord,
)
from mainstay.storage.comparison import OPTIONS
from mainstay.storage.connection import open_engine, read_url
from mainstay.storage.migrate import HEAD, MIGRATIONS, current_version, migrate, migrate_engine
from mainstay.storage.plan_tables import TaskRecord
from mainstay.storage.store import open_store
from mainstay.storage.supervision_tables import SupervisionEventRecord
from mainstay.storage.tables import metadata
from mainstay.storage.words import (
    AgentType,
    RoutingType,
    Severity,
    SupervisionEventType,
)

AGENT = "agent-7d0c8a52-9a3e-4c1b-8f2d-0123456789ab"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(read_url(url), writes=True, connections=1)
    yield opened
    opened.dispose()


@pytest.fixture
def empty_engine(empty_url: str) -> Iterator[Engine]:
    where = read_url(empty_url)
    if where.get_backend_name() == "sqlite":
        Path(str(where.database)).parent.mkdir()
    opened = open_engine(where, writes=True, connections=1)
    yield opened
    opened.dispose()


def test_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=OPTIONS)
        assert compare_metadata(context, metadata) == []


def test_migrations_make_exactly_the_checks_of_the_models(
    engine: Engine, empty_engine: Engine
) -> None:
    metadata.create_all(empty_engine)
    assert _checks(engine) == _checks(empty_engine)
    assert len(_checks(engine)) > 15


def _checks(engine: Engine) -> set[tuple[str, str | None, str]]:
    inspector = inspect(engine)
    return {
        (table, check["name"], check["sqltext"])
        for table in metadata.tables
        for check in inspector.get_check_constraints(table)
    }


def test_the_quick_check_knows_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_migrations_can_be_taken_back(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert inspect(engine).get_view_names() == []
    migrate_engine(engine)
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())


def test_what_was_stored_before_supervision_is_kept_and_has_its_team(
    empty_engine: Engine, empty_url: str
) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with empty_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        for number, name in enumerate(("crew/anna", "review/reader.ab.read", "loner", "")):
            statement = AGENT_VALUES.format(f"{AGENT[:-1]}{number}", "WORKER", "RUNNING")
            connection.exec_driver_sql(statement)
            connection.execute(
                text("UPDATE agents SET name = :name WHERE agent_id = :id"),
                {"name": name, "id": f"{AGENT[:-1]}{number}"},
            )
        connection.exec_driver_sql(EVENT_VALUES.format(f"{AGENT[:-1]}0"))
    migrate(empty_url)
    with empty_engine.connect() as connection:
        assert current_version(connection) == HEAD
        found = connection.execute(text("SELECT name, team, run FROM agents ORDER BY agent_id"))
        assert [tuple(row) for row in found] == [
            ("crew/anna", "crew", ""),
            ("review/reader.ab.read", "review", ""),
            ("loner", "", ""),
            ("", "", ""),
        ]
        events = connection.execute(text("SELECT event_type, number FROM supervision_events"))
        assert [tuple(row) for row in events] == [("AGENT_RESTARTED", 0)]


@pytest.mark.slow
def test_processes_that_open_a_new_database_at_once_all_succeed(empty_url: str) -> None:
    code = "import sys; from mainstay.storage.migrate import migrate; migrate(sys.argv[1])"
    started = [
        subprocess.Popen([sys.executable, "-c", code, empty_url], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in started] == [
        (b"", 0)
    ] * 3
    engine = open_engine(read_url(empty_url), writes=True, connections=1)
    with engine.connect() as connection:
        assert current_version(connection) == HEAD
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InvalidInput, match="version '9999'") as caught:
        migrate(url)
    assert "newer" in caught.value.hint
    with engine.connect() as connection:
        assert current_version(connection) == "9999"


def test_a_database_that_is_up_to_date_is_opened_without_alembic(sqlite_url: str) -> None:
    code = (
        "import sys; from mainstay.storage.migrate import migrate; migrate(sys.argv[1]);"
        "assert not [name for name in sys.modules if name.startswith('alembic')]"
    )
    subprocess.run([sys.executable, "-c", code, sqlite_url], check=True, timeout=60)


def agent(**fields: Any) -> AgentRecord:
    fields = {
        "agent_id": AGENT,
        "agent_type": AgentType.WORKER,
        "current_state": LifeState.RUNNING,
        **fields,
    }
    return AgentRecord(**fields)


def task(**fields: Any) -> TaskRecord:
    return TaskRecord(**{"status": "PENDING", "title": "t", **fields})


AGENT_VALUES = (
    "INSERT INTO agents (agent_id, agent_type, current_state, created_at, updated_at)"
    " VALUES ('{}', '{}', '{}', '2026-01-01', '2026-01-01')"
)
TASK_VALUES = (
    "INSERT INTO tasks ({}, task_id, title, created_at, updated_at)"
    " VALUES ({}, '11111111111111111111111111111111', 't', '2026-01-01', '2026-01-01')"
)
EVENT_VALUES = (
    "INSERT INTO supervision_events (event_id, supervisor_id, event_type, severity, created_at)"
    " VALUES ('11111111111111111111111111111111', '{}', 'AGENT_RESTARTED', 'LOW', '2026-01-01')"
)
PLAN_VALUES = (
    "INSERT INTO plans (plan_id, name, status, priority, created_at)"
    " VALUES ('p', 'p', '{}', {}, '2026-01-01')"
)
REFUSED = {
    "an id of an agent without its prefix": AGENT_VALUES.format(AGENT[6:], "WORKER", "RUNNING"),
    "an id of an agent in capitals": AGENT_VALUES.format(AGENT.upper(), "WORKER", "RUNNING"),
    "an id of an agent of another UUID version": AGENT_VALUES.format(
        AGENT.replace("-4", "-1"), "WORKER", "RUNNING"
    ),
    "an unknown type of agent": AGENT_VALUES.format(AGENT, "PIRATE", "RUNNING"),
    "an unknown state of an agent": AGENT_VALUES.format(AGENT, "WORKER", "BUSY"),
    "a task's priority of 5": TASK_VALUES.format("status, priority", "'PENDING', 5"),
    "a task's priority below 0": TASK_VALUES.format("status, priority", "'PENDING', -1"),
    "a task's unknown status": TASK_VALUES.format("status", "'DONE'"),
    "a task's unknown state": TASK_VALUES.format("status, state", "'PENDING', 'busy'"),
    "a task's progress of 101": TASK_VALUES.format("status, progress_percentage", "'PENDING', 101"),
    "a task of an unknown plan": TASK_VALUES.format("status, plan_id", "'PENDING', 'none'"),
    "a task of an unknown agent": TASK_VALUES.format("status, agent_id", f"'PENDING', '{AGENT}'"),
    "a plan's unknown status": PLAN_VALUES.format("done", 2),
    "a plan's priority of 9": PLAN_VALUES.format("running", 9),
    "an unknown kind of event": "INSERT INTO plan_events (plan_id, key, kind, at)"
    " VALUES ('p', 'k', 'party', '2026-01-01')",
    "a state that an agent cannot come from": "INSERT INTO state_transitions"
    " (transition_id, agent_id, from_state, to_state, created_at) VALUES"
    f" ('11111111111111111111111111111111', '{AGENT}', 'BUSY', 'RUNNING', '2026-01-01')",
}
ACCEPTED = [
    AGENT_VALUES.format(AGENT, "WORKER", "RUNNING"),
    TASK_VALUES.format("status, priority, progress_percentage", "'PENDING', 4, 100"),
    PLAN_VALUES.format("running", 0),
]


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_the_database_refuses(engine: Engine, statement: str) -> None:
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_the_database_accepts_what_is_right(engine: Engine) -> None:
    with engine.begin() as connection:
        for statement in ACCEPTED:
            connection.exec_driver_sql(statement)


def test_every_table_keeps_a_record_and_its_times(engine: Engine) -> None:
    records = [
        MessageRecord(
            sender_id=AGENT,
            receiver_id=AGENT,
            message_type="greeting",
            routing_type=RoutingType.TARGET,
            payload={"text": "\u00e9", "n": [1, None]},
            expires_at=NOON,
        ),
        SupervisionEventRecord(
            supervisor_id=AGENT,
            event_type=SupervisionEventType.AGENT_RESTARTED,
            severity=Severity.LOW,
            resolved_at=NOON,
        ),
        AgentMetricRecord(
            agent_id=AGENT, metric_type="cpu_usage", metric_value=Decimal(1), recorded_at=NOON
        ),
        StateTransitionRecord(
            agent_id=AGENT,
            from_state=LifeState.RUNNING,
            to_state=LifeState.PAUSED,
            created_at=NOON,
        ),
    ]
    with Session(engine, expire_on_commit=False) as session:
        session.add(agent(capabilities=["fs"], tags=["a"], last_heartbeat=NOON))
        session.commit()
        session.add_all(records)
        session.commit()
    keys = [inspect(record).identity for record in records]
    with Session(engine) as session:
        for record, key in zip(records, keys, strict=True):
            assert session.get_one(type(record), key).model_dump() == record.model_dump()
        found = session.get_one(AgentRecord, AGENT)
        assert (found.capabilities, found.last_heartbeat) == (["fs"], NOON)


def test_updated_at_follows_each_change(engine: Engine) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    with Session(engine) as session:
        session.add(agent(created_at=old, updated_at=old))
        session.commit()
        found = session.get_one(AgentRecord, AGENT)
        assert found.updated_at == old
        found.error_count += 1
        session.commit()
        assert found.updated_at > old
        assert found.created_at == old


def test_active_agents_are_those_heard_of_within_five_minutes(engine: Engine) -> None:
    now = datetime.now(UTC)
    ids = {name: f"agent-{uuid4()}" for name in ("live", "paused", "silent", "ended", "unheard")}
    minutes = {"live": 1, "paused": 4, "silent": 6, "ended": 1, "unheard": None}
    states = {"paused": LifeState.PAUSED, "ended": LifeState.TERMINATED}
    with Session(engine) as session:
        for name, agent_id in ids.items():
            ago = minutes[name]
            heard = None if ago is None else now - timedelta(minutes=ago)
            state = states.get(name, LifeState.RUNNING)
            session.add(agent(agent_id=agent_id, current_state=state, last_heartbeat=heard))
        session.commit()
        found = session.connection().execute(
            text("SELECT agent_id, last_seen_seconds FROM active_agents")
        )
        seen = {row.agent_id: float(row.last_seen_seconds) for row in found}
    assert set(seen) == {ids["live"], ids["paused"]}
    assert 60 <= seen[ids["live"]] < 120


def test_the_task_queue_lists_the_most_urgent_and_then_the_oldest_first(engine: Engine) -> None:
    with Session(engine) as session:
        for title, priority, age in (("c", 2, 1), ("b", 2, 9), ("d", 4, 99), ("a", 0, 0)):
            session.add(
                task(title=title, priority=priority, created_at=NOON - timedelta(seconds=age))
            )
        session.add(task(title="busy", status="IN_PROGRESS", priority=0))
        session.commit()
        titles = session.connection().execute(text("SELECT title FROM task_queue")).scalars()
        assert list(titles) == ["a", "b", "c", "d"]


def test_the_health_summary_counts_tasks_once_however_many_metrics_there_are(
    engine: Engine,
) -> None:
    now, old = datetime.now(UTC), datetime.now(UTC) - timedelta(minutes=6)
    measured = [("cpu_usage", 10, now), ("cpu_usage", 20, now), ("cpu_usage", 99, old)]
    with Session(engine) as session:
        session.add(agent(restart_count=3, error_count=4))
        session.commit()
        session.add_all(task(status="IN_PROGRESS", agent_id=AGENT) for _ in range(2))
        session.add(task(status="COMPLETED", agent_id=AGENT))
        session.add_all(
            AgentMetricRecord(agent_id=AGENT, metric_type=kind, metric_value=value, recorded_at=at)
            for kind, value, at in [*measured, ("memory_usage", 7, now)]
        )
        session.commit()
        (row,) = session.connection().execute(text("SELECT * FROM agent_health_summary"))
    assert (row.agent_id, row.restart_count, row.error_count, row.active_tasks) == (AGENT, 3, 4, 2)
    assert (float(row.avg_cpu_usage), float(row.avg_memory_usage)) == (15.0, 7.0)


async def test_a_plans_task_reads_like_the_specifications(url: str, engine: Engine) -> None:
    store = await open_store(url)
    await store.create_plan(plan_row(), [task_row("list"), task_row("other", position=1)])
    await store.replace_plan(plan_row(), [task_row("list", priority=1)], [])
    await store.close()
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT title, priority, task_type FROM task_queue"))
    assert tuple(row) == ("list", 1, "CUSTOM")
