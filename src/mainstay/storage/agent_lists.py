"""Lists of agents: which ones, how many, and their names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select
from sqlalchemy.dialects import postgresql

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.storage import tables
from mainstay.storage.agent_rows import AGENT_COLUMNS, agent_from, team_of
from mainstay.storage.queries import FOUND_AT_MOST
from mainstay.storage.rows import moment
from mainstay.storage.words import AgentType

_a = tables.agents.c


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents; what is empty does not choose.

    Supervisors of teams are left out, unless it is the role ``supervisor`` that is asked for.

    Attributes:
        role: as agent files write it.
        supervisor: the row of the supervisor that they are children of.
        created_before, created_after: both exclusive.
    """

    states: tuple[LifeState, ...] = ()
    role: str = ""
    capability: str = ""
    name_prefix: str = ""
    parent: str = ""
    team: str = ""
    supervisor: str = ""
    created_before: datetime | None = None
    created_after: datetime | None = None

    @property
    def agent_type(self) -> AgentType | None:
        """The role as the table has it; None when there is no such role, or none is asked for."""
        return AgentType.__members__.get(self.role.upper())


def agents(connection: Connection, which: AgentFilter, limit: int) -> list[AgentRow]:
    """Return agents, the newest first."""
    if which.role and which.agent_type is None:
        return []
    # Messages are counted for those alone that are returned, not for all that are looked at.
    chosen = _chosen(connection, select(_a.agent_id), which)
    ids = chosen.order_by(_a.created_at.desc(), _a.agent_id.desc()).limit(limit)
    query = select(*AGENT_COLUMNS).where(_a.agent_id.in_(ids))
    found = connection.execute(query.order_by(_a.created_at.desc(), _a.agent_id.desc()))
    return [agent_from(row) for row in found.mappings()]


def agent_counts(connection: Connection, which: AgentFilter) -> dict[LifeState, int]:
    """Return how many agents are in which state; states without any are absent."""
    if which.role and which.agent_type is None:
        return {}
    query = _chosen(connection, select(_a.current_state, func.count()), which)
    found = connection.execute(query.group_by(_a.current_state))
    return {LifeState(state): count for state, count in found}


def agent_names(connection: Connection, prefix: str) -> list[str]:
    """Return the names of living agents that begin with a text, sorted."""
    query = select(_a.name).where(
        _a.current_state != LifeState.TERMINATED, _a.name != "", _a.run == "", *_beginning(prefix)
    )
    return sorted(connection.execute(query.order_by(_a.name).limit(FOUND_AT_MOST)).scalars())


def _chosen(connection: Connection, query: Select[Any], which: AgentFilter) -> Select[Any]:
    # Any: whatever is selected.
    if which.agent_type is not AgentType.SUPERVISOR:
        query = query.where(_a.run == "")
    if which.states:
        query = query.where(_a.current_state.in_(which.states))
    if which.agent_type is not None:
        query = query.where(_a.agent_type == which.agent_type)
    if which.capability:
        query = query.where(_can(connection, which.capability))
    if which.name_prefix:
        query = query.where(*_beginning(which.name_prefix))
    for column, wanted in (
        (_a.parent_id, which.parent),
        (_a.team, which.team),
        (_a.supervisor_id, which.supervisor),
    ):
        if wanted:
            query = query.where(column == wanted)
    if which.created_before is not None:
        query = query.where(_a.created_at < moment(which.created_before, "a list of agents"))
    if which.created_after is not None:
        query = query.where(_a.created_at > moment(which.created_after, "a list of agents"))
    return query


def _can(connection: Connection, capability: str) -> ColumnElement[bool]:
    if connection.dialect.name == "postgresql":
        wanted = literal([capability], postgresql.JSONB)
        return _a.capabilities.cast(postgresql.JSONB).contains(wanted)
    each = func.json_each(_a.capabilities).table_valued("value")
    return select(each.c.value).where(each.c.value == capability).exists()


def _beginning(prefix: str) -> list[ColumnElement[bool]]:
    # Not LIKE: SQLite's takes upper and lower case for the same. A team has an index.
    starts = [func.substr(_a.name, 1, len(prefix)) == prefix]
    team = team_of(prefix)
    return [_a.team == team, *starts] if team else starts
