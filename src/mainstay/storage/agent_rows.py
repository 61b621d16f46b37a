"""Agents' rows: how they are written, found and listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    case,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import InvalidInput, MainstayError, Refused
from mainstay.schemas.lifecycle import LifeState, Transition
from mainstay.schemas.messages import MessageStatus
from mainstay.storage import tables
from mainstay.storage.agent_events import project_states, state_events_of
from mainstay.storage.changes import insert_new
from mainstay.storage.queries import FOUND_AT_MOST
from mainstay.storage.rows import Values, exact, moment, shown, storable_text
from mainstay.storage.words import AgentType

_a, _m = tables.agents.c, tables.messages.c
_pending = (
    select(func.count())
    .where(_m.receiver_id == _a.agent_id, _m.status == MessageStatus.PENDING)
    .scalar_subquery()
)
AGENT_COLUMNS = (
    _a.agent_id,
    _a.name,
    _a.agent_type,
    _a.current_state,
    _a.previous_state,
    _a.model,
    _a.description,
    _a.thread,
    _a.spec_ref,
    _a.parent_id,
    _a.capabilities,
    _a.detail,
    _a.restart_count,
    _a.error_count,
    _a.created_at,
    _a.updated_at,
    _pending.label("pending"),
    func.coalesce(_a.taken_batch, 0).label("batch"),
)


def agent_values(row: AgentRow) -> Values:
    """Return an agent's row as it is first written.

    Raises:
        InvalidInput: it cannot be stored as it is.
    """
    which = f"agent {row.agent_id!r}"
    try:
        agent_type = AgentType(row.role.upper())
    except ValueError:
        roles = ", ".join(word.lower() for word in AgentType)
        raise InvalidInput(f"{which} has the unknown role {row.role!r}", hint=roles) from None
    return {
        "agent_id": exact(row.agent_id, "agent"),
        "name": exact(row.name, "the name of an agent"),
        "agent_type": agent_type,
        "current_state": row.state,
        "previous_state": row.previous,
        "model": exact(row.model, "the model"),
        "description": storable_text(row.description),
        "thread": exact(row.thread, "thread"),
        "spec_ref": exact(row.spec_ref, "the document key"),
        "parent_id": exact(row.parent_id, "the parent of an agent"),
        "capabilities": [exact(one, "capability") for one in row.capabilities],
        "detail": shown(row.detail),
        "restart_count": row.restarts,
        "error_count": row.errors,
        "created_at": moment(row.created_at, which),
        "updated_at": moment(row.updated_at, which),
    }


def agent_from(row: RowMapping) -> AgentRow:
    """Return what a row tells of an agent."""
    return AgentRow(
        **{name: row[name] for name in AgentRow.model_fields if name in row},
        role=row["agent_type"].lower(),
        state=row["current_state"],
        previous=row["previous_state"],
        restarts=row["restart_count"],
        errors=row["error_count"],
    )


def insert_agent(connection: Connection, values: Values) -> AgentRow | MainstayError:
    """Insert an agent's row unless it is there; its earlier events are not lost for it.

    Args:
        connection: in a transaction that holds the locks of the agent and of its name.
        values: what :func:`agent_values` makes.

    Returns:
        The row as it is stored; or that its name is another agent's.
    """
    statement = insert_new(connection, tables.agents).returning(_a.agent_id)
    agent_id = values["agent_id"]
    if connection.execute(statement, values).first() is not None:
        project_states(connection, state_events_of(connection, agent_id))
    row = agent_by_id(connection, agent_id)
    if row is not None:
        return row
    return Refused(
        f"another agent that has not ended has the name {values['name']!r}",
        hint="choose another name, or stop that one first: mainstay agent stop NAME",
    )


def agent_by_id(connection: Connection, agent_id: str) -> AgentRow | None:
    """Return an agent by its id."""
    row = connection.execute(_SELECT_BY_ID, {"of_agent": agent_id}).mappings().first()
    return agent_from(row) if row is not None else None


def find_agent(connection: Connection, agent: str) -> AgentRow | None:
    """Return an agent by id, or the living one by name, or else the last one of that name."""
    found = agent_by_id(connection, agent)
    if found is not None or not agent:
        return found
    row = connection.execute(_SELECT_BY_NAME, {"of_name": agent}).mappings().first()
    return agent_from(row) if row is not None else None


def agents(
    connection: Connection,
    states: Sequence[LifeState],
    role: str,
    capability: str,
    name_prefix: str,
    parent: str,
    limit: int,
) -> list[AgentRow]:
    """Return agents, the newest first; what is empty does not choose."""
    query = select(*AGENT_COLUMNS).order_by(_a.created_at.desc(), _a.agent_id.desc()).limit(limit)
    if states:
        query = query.where(_a.current_state.in_(states))
    if role:
        if role.upper() not in AgentType.__members__:
            return []
        query = query.where(_a.agent_type == AgentType(role.upper()))
    if capability:
        query = query.where(_can(connection, capability))
    if name_prefix:
        query = _beginning(query, name_prefix)
    if parent:
        query = query.where(_a.parent_id == parent)
    return [agent_from(row) for row in connection.execute(query).mappings()]


def agent_names(connection: Connection, prefix: str) -> list[str]:
    """Return the names of living agents that begin with a text, sorted."""
    query = select(_a.name).where(_a.current_state != LifeState.TERMINATED, _a.name != "")
    found = connection.execute(_beginning(query, prefix).order_by(_a.name).limit(FOUND_AT_MOST))
    return sorted(found.scalars())


def transitions(connection: Connection, agent_id: str) -> list[Transition]:
    """Return an agent's changes of state, the first one first, numbered from 1."""
    t = tables.state_transitions.c
    query = select(tables.state_transitions).where(t.agent_id == agent_id)
    found = connection.execute(query.order_by(t.created_at, t.number)).mappings()
    return [
        Transition(
            number=number,
            from_state=row["from_state"],
            to_state=row["to_state"],
            at=row["created_at"],
            trigger=row["trigger_event"] or "",
            duration_ms=row["duration_ms"] or 0,
        )
        for number, row in enumerate(found, 1)
    ]


def _can(connection: Connection, capability: str) -> ColumnElement[bool]:
    if connection.dialect.name == "postgresql":
        wanted = literal([capability], postgresql.JSONB)
        return _a.capabilities.cast(postgresql.JSONB).contains(wanted)
    each = func.json_each(_a.capabilities).table_valued("value")
    return select(each.c.value).where(each.c.value == capability).exists()


def _beginning(query: Select[Any], prefix: str) -> Select[Any]:  # Any: whatever is selected
    # Not LIKE: SQLite's takes upper and lower case for the same.
    return query.where(func.substr(_a.name, 1, len(prefix)) == prefix)


_SELECT_BY_ID = select(*AGENT_COLUMNS).where(_a.agent_id == bindparam("of_agent"))
_has_ended = case((_a.current_state == LifeState.TERMINATED, 1), else_=0)
_SELECT_BY_NAME = (
    select(*AGENT_COLUMNS)
    .where(_a.name == bindparam("of_name"))
    .order_by(_has_ended, _a.created_at.desc(), _a.agent_id.desc())
    .limit(1)
)
