"""Agents by the agent that they were spawned under: found, and given another parent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from mainstay.decisions.agents.parents import next_parent, orphaned
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.storage import tables
from mainstay.storage.agent_events import insert_agent_events, storable_events
from mainstay.storage.agent_rows import AGENT_COLUMNS, agent_by_id, agent_from
from mainstay.storage.changes import IN_LIMIT

_a = tables.agents.c


def living_children(connection: Connection, parents: Sequence[str]) -> list[AgentRow]:
    """Return the agents that live under any of some parents, those of one parent together."""
    found: list[AgentRow] = []
    wanted = list(dict.fromkeys(filter(None, parents)))
    for first in range(0, len(wanted), IN_LIMIT):
        ids = {"of_parents": wanted[first : first + IN_LIMIT]}
        found += [agent_from(row) for row in connection.execute(_SELECT_LIVING, ids).mappings()]
    return found


def ancestors(connection: Connection, agent_id: str) -> list[AgentRow]:
    """Return the agents above one, the nearest first; a plan that started one is none."""
    found: list[AgentRow] = []
    below, seen = agent_by_id(connection, agent_id), {agent_id}
    while below is not None and below.parent_id not in seen:
        seen.add(below.parent_id)
        below = agent_by_id(connection, below.parent_id)
        if below is not None:
            found.append(below)
    return found


def reparent(connection: Connection, agent_ids: Sequence[str], ended: str, now: datetime) -> None:
    """Give children of an agent that has ended to its nearest living ancestor, and say so.

    Who has ended or has another parent by now stays as it is.

    Args:
        connection: in a transaction that holds the locks of all of them and of the ancestors, so
            that none of these ends unseen: it ends before and is passed by, or it ends afterwards
            and finds the children to be its own.
        agent_ids: the children.
        ended: the agent that has ended.
        now: when it is said to be.
    """
    parent = agent_by_id(connection, ended)
    if parent is None:
        return
    taker = next_parent(ancestors(connection, ended))
    moved: list[str] = []
    for first in range(0, len(agent_ids), IN_LIMIT):
        changes = {
            "of_agents": agent_ids[first : first + IN_LIMIT],
            "of_parent": ended,
            "new_parent": taker.agent_id if taker else "",
        }
        moved += connection.execute(_MOVE, changes).scalars()
    told = [orphaned(agent_id, parent, taker, now) for agent_id in sorted(moved)]
    insert_agent_events(connection, storable_events(told))


_SELECT_LIVING = (
    select(*AGENT_COLUMNS)
    .where(
        _a.parent_id.in_(bindparam("of_parents", expanding=True)),
        _a.current_state != LifeState.TERMINATED,
        _a.run == "",
    )
    .order_by(_a.parent_id, _a.created_at, _a.agent_id)
)
_MOVE = (
    update(tables.agents)
    .where(
        _a.agent_id.in_(bindparam("of_agents", expanding=True)),
        _a.parent_id == bindparam("of_parent"),
        _a.current_state != LifeState.TERMINATED,
    )
    .values(parent_id=bindparam("new_parent"), updated_at=_a.updated_at)
    .returning(_a.agent_id)
)
