"""What is on record about agents: events, and the rows that they bring up to date.

Events are inserted with ON CONFLICT DO NOTHING, so that telling them again changes nothing, and
only an event that was really inserted changes a row. A STATE event is also a state transition.

Whoever writes about an agent holds its lock (``locks`` of :class:`.access.Access`), so that an
agent's events appear in the order of their numbers; :mod:`.changes` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, bindparam, select, update

from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind
from mainstay.schemas.lifecycle import LifeState
from mainstay.storage import tables
from mainstay.storage.changes import IN_LIMIT, insert_new
from mainstay.storage.rows import Values, exact, moment, shown, storable_json

MAX_TRIGGER_CHARS = 100
"""Longest trigger of a transition. Source: specification 003, 14.1.5."""


def storable_events(events: Iterable[AgentEvent]) -> tuple[AgentEvent, ...]:
    """Check events, and make their texts storable.

    Raises:
        InvalidInput: an identifier cannot be kept exactly, or a time has no zone.
    """
    return tuple(_storable(event) for event in events)


def insert_agent_events(connection: Connection, events: Sequence[AgentEvent]) -> list[AgentEvent]:
    """Append events and bring the rows up to date; known keys change nothing.

    Args:
        connection: in a transaction that holds the locks of the events' agents.
        events: as :func:`storable_events` returns them.

    Returns:
        Those that are new, with their numbers.
    """
    if not events:
        return []
    e = tables.agent_events
    statement = insert_new(connection, e).returning(e.c.number, e.c.agent_id, e.c.key)
    found = connection.execute(statement, [_event_values(event) for event in events])
    numbers = {(agent_id, key): number for number, agent_id, key in found}
    fresh = []
    for event in events:
        number = numbers.pop((event.agent_id, event.key), None)
        if number is not None:
            fresh.append(event.model_copy(update={"number": number}))
    project_states(connection, fresh)
    return fresh


def project_states(connection: Connection, events: Sequence[AgentEvent]) -> None:
    """Let numbered STATE events change the rows of those agents that have one."""
    changes = [
        event
        for event in events
        if event.kind is AgentEventKind.STATE and event.to_state is not None
    ]
    if not changes:
        return
    rows = load_states(connection, sorted({event.agent_id for event in changes}))
    changes = [event for event in changes if event.agent_id in rows]
    ended = [id_ for id_, row in rows.items() if row["current_state"] is LifeState.TERMINATED]
    for event in changes:
        _apply_state(rows[event.agent_id], event)
    # An agent that its supervisor starts again after its end is sent messages again.
    begun = [id_ for id_ in ended if rows[id_]["current_state"] is not LifeState.TERMINATED]
    if begun:
        connection.execute(_OPEN, [{"of_agent": agent_id} for agent_id in sorted(begun)])
    if rows:
        connection.execute(_UPDATE_STATE, [rows[agent_id] for agent_id in sorted(rows)])
    transitions = [_transition_values(event) for event in changes if event.from_state is not None]
    if transitions:
        connection.execute(insert_new(connection, tables.state_transitions), transitions)


def load_states(connection: Connection, agent_ids: Sequence[str]) -> dict[str, Values]:
    """Return what STATE events change of agents' rows, by id, for those that have a row."""
    rows: dict[str, Values] = {}
    for first in range(0, len(agent_ids), IN_LIMIT):
        found = connection.execute(_SELECT_STATES, {"ids": agent_ids[first : first + IN_LIMIT]})
        rows |= {row["of_agent"]: dict(row) for row in found.mappings()}
    return rows


def agent_events_after(
    connection: Connection, agent_id: str, number: int = 0, limit: int | None = None
) -> list[AgentEvent]:
    """Return an agent's events after a number, in the order of their numbers."""
    e = tables.agent_events.c
    query = select(tables.agent_events).where(e.agent_id == agent_id, e.number > number)
    found = connection.execute(query.order_by(e.number).limit(limit)).mappings()
    return [AgentEvent(**row) for row in found]


def state_events_of(connection: Connection, agent_id: str) -> list[AgentEvent]:
    """Return an agent's STATE events, in the order of their numbers."""
    e = tables.agent_events.c
    query = select(tables.agent_events).where(
        e.agent_id == agent_id, e.kind == AgentEventKind.STATE
    )
    return [AgentEvent(**row) for row in connection.execute(query.order_by(e.number)).mappings()]


def _storable(event: AgentEvent) -> AgentEvent:
    exact(event.agent_id, "agent")
    exact(event.key, "the event key")
    exact(event.message_id, "message")
    exact(event.thread, "thread")
    moment(event.at, f"event {event.key!r}")
    return event.model_copy(
        update={
            "message": shown(event.message),
            "trigger": shown(event.trigger),
            "data": storable_json(event.data),
        }
    )


def _event_values(event: AgentEvent) -> Values:
    values = dict(event)
    del values["number"]
    return values


def _apply_state(row: Values, event: AgentEvent) -> None:
    row["restart_count"] += event.to_state is LifeState.RESTARTING
    row["error_count"] += event.to_state is LifeState.ERROR
    since = row["state_since"]
    # Two activities may tell of their changes in the wrong order; the latest moment stands.
    if since is None or event.at >= since:
        row["previous_state"] = event.from_state or row["previous_state"]
        row["current_state"] = event.to_state
        row["state_since"] = row["updated_at"] = event.at
        row["detail"] = event.message


def _transition_values(event: AgentEvent) -> Mapping[str, Any]:  # Any: as in Values
    return {
        "transition_id": uuid5(NAMESPACE_URL, f"{event.agent_id}\n{event.key}"),
        "agent_id": event.agent_id,
        "from_state": event.from_state,
        "to_state": event.to_state,
        "trigger_event": event.trigger[:MAX_TRIGGER_CHARS],
        "transition_data": event.data,
        "duration_ms": event.duration_ms,
        "success": True,
        "created_at": event.at,
        "number": event.number,
    }


_a = tables.agents.c
_SELECT_STATES = select(
    _a.agent_id.label("of_agent"),
    _a.current_state,
    _a.previous_state,
    _a.state_since,
    _a.updated_at,
    _a.detail,
    _a.restart_count,
    _a.error_count,
).where(_a.agent_id.in_(bindparam("ids", expanding=True)))
_UPDATE_STATE = update(tables.agents).where(_a.agent_id == bindparam("of_agent"))
_OPEN = (
    update(tables.agents)
    .where(_a.agent_id == bindparam("of_agent"), _a.run == "")
    .values(is_closed=False, updated_at=_a.updated_at)
)
