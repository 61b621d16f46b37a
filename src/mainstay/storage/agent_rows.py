"""Agents' rows: how they are written and found."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, bindparam, case, func, select

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import InvalidInput, MainstayError, Refused
from mainstay.schemas.lifecycle import LifeState, Transition
from mainstay.schemas.messages import MessageStatus
from mainstay.storage import tables
from mainstay.storage.agent_events import project_states, state_events_of
from mainstay.storage.changes import insert_new
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
    _a.supervisor_id,
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
        "supervisor_id": exact(row.supervisor_id, "the supervisor of an agent") or None,
        "team": team_of(row.name),
        "run": "",
        "capabilities": [exact(one, "capability") for one in row.capabilities],
        "detail": shown(row.detail),
        "restart_count": row.restarts,
        "error_count": row.errors,
        "created_at": moment(row.created_at, which),
        "updated_at": moment(row.updated_at, which),
    }


def team_of(name: str) -> str:
    """Return the team in a full name; nothing when it has none."""
    team, slash, _ = name.partition("/")
    return team if slash else ""


def agent_from(row: RowMapping) -> AgentRow:
    """Return what a row tells of an agent."""
    values = {name: row[name] for name in AgentRow.model_fields if name in row}
    return AgentRow(
        **{**values, "supervisor_id": row["supervisor_id"] or ""},
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
        The row as it is stored; or that its name is another agent's, or its supervisor unknown.
    """
    agent_id, supervisor_id = values["agent_id"], values["supervisor_id"]
    if supervisor_id and agent_by_id(connection, supervisor_id) is None:
        return InvalidInput(f"agent {agent_id!r} has the unknown supervisor {supervisor_id!r}")
    statement = insert_new(connection, tables.agents).returning(_a.agent_id)
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


_SELECT_BY_ID = select(*AGENT_COLUMNS).where(_a.agent_id == bindparam("of_agent"))
_has_ended = case((_a.current_state == LifeState.TERMINATED, 1), else_=0)
_SELECT_BY_NAME = (
    select(*AGENT_COLUMNS)
    .where(_a.name == bindparam("of_name"))
    .order_by(_has_ended, _a.created_at.desc(), _a.agent_id.desc())
    .limit(1)
)
