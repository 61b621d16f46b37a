"""Supervisors, their events and their agents to store, as small as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from agent_examples import agent_row, message
from record_examples import NOON
from sqlalchemy import Connection, insert

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.ids import supervisor_id, supervisor_row_id, team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message
from mainstay.schemas.supervision import ChildKind, ChildPhase, ChildView, SupervisorView
from mainstay.schemas.supervision_calls import Severity, SupervisionEvent, SupervisionEventType
from mainstay.schemas.team import Restart, Strategy
from mainstay.storage import tables
from mainstay.storage.agent_rows import agent_values
from mainstay.storage.message_rows import message_values
from mainstay.storage.store import Store

TEAM, RUN = "crew", "0a1b2c3d"


def view(path: str = "", team: str = TEAM, run: str = RUN, **fields: Any) -> SupervisorView:
    fields = {
        "life": LifeState.RUNNING,
        "strategy": Strategy.ONE_FOR_ONE,
        "max_restarts": 3,
        "window": timedelta(seconds=5),
        "restarts_left": 3,
        "restarts": 0,
        **fields,
    }
    return SupervisorView(
        supervisor_id=supervisor_id(team, path),
        row_id=supervisor_row_id(team, run, path),
        team=team,
        path=path,
        **fields,
    )


def child(name: str = "anna", **fields: Any) -> ChildView:
    fields = {
        "kind": ChildKind.AGENT,
        "id": team_agent_id(TEAM, RUN, name),
        "phase": ChildPhase.RUNNING,
        "restart": Restart.PERMANENT,
        "since": NOON,
        **fields,
    }
    return ChildView(name=name, **fields)


def noted(key: str, path: str = "", team: str = TEAM, run: str = RUN, **fields: Any) -> Any:
    fields = {
        "supervisor_id": supervisor_row_id(team, run, path),
        "type": SupervisionEventType.AGENT_RESTARTED,
        "severity": Severity.MEDIUM,
        "at": NOON,
        **fields,
    }
    return SupervisionEvent(key=key, **fields)


def member(name: str, path: str = "", team: str = TEAM, run: str = RUN, **fields: Any) -> AgentRow:
    """An agent of a supervisor."""
    fields = {"name": f"{team}/{name}", **fields}
    return agent_row(
        team_agent_id(team, run, name), supervisor_id=supervisor_row_id(team, run, path), **fields
    )


async def put(store: Store, *paths: str, team: str = TEAM, run: str = RUN, **fields: Any) -> None:
    """Put supervisors on record, each after the one above it."""
    for path in paths:
        above = "" if not path else supervisor_row_id(team, run, path.rpartition("/")[0])
        await store.put_supervisor(view(path, team, run, **fields), run, above, [])


async def put_many(store: Store, count: int, each: Sequence[Message] = ()) -> list[AgentRow]:
    """Put a team of so many agents on record, each with messages like these, in one write."""
    await put(store, "")
    rows = [member(f"a{number}") for number in range(count)]
    messages = [
        {**message_values(message(one.text, row.agent_id)), "number": number, **_ended(one)}
        for row in rows
        for number, one in enumerate(each, 1)
    ]

    def write(connection: Connection) -> None:
        connection.execute(insert(tables.agents), [agent_values(row) for row in rows])
        if messages:
            connection.execute(insert(tables.messages), messages)

    await store._write(write)
    return rows


def _ended(one: Message) -> dict[str, Any]:
    return {"status": one.status, "processed_at": one.processed_at}
