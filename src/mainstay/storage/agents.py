"""Agents as people see them: rows and events, found by id, name and ability."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from mainstay.schemas.agent_calls import AgentEvent, AgentRow
from mainstay.schemas.lifecycle import LifeState, Transition
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.storage import agent_lists, agent_rows, families
from mainstay.storage.access import Access
from mainstay.storage.agent_events import (
    agent_events_after,
    insert_agent_events,
    storable_events,
)
from mainstay.storage.agent_limits import NewAgent, create
from mainstay.storage.agent_lists import AgentFilter
from mainstay.storage.columns import utc_now

EVENT_BYTES = 500
"""About how many bytes an event's row has."""


class AgentStore(Access):
    """Rows about agents, and what is on record about them."""

    async def create_agent(self, row: AgentRow, limits: AgentLimits | None = None) -> AgentRow:
        """Insert an agent and claim its name, unless a limit is reached; see :mod:`.agent_limits`.

        The same id again changes nothing, limits or not.

        Args:
            row: the agent.
            limits: kept exactly among all that are created with limits, by whatever process.

        Returns:
            The row as it is stored.

        Raises:
            Refused: another agent that has not ended has that name.
            LimitReached: there are as many agents as a limit allows; it is named.
            InvalidInput: it cannot be stored as it is, or there is no such supervisor.
        """
        new = NewAgent(agent_rows.agent_values(row), limits, utc_now())
        return await self._decide(lambda connection: create(connection, new), new.locks)

    async def get_agent(self, agent: str) -> AgentRow | None:
        """Return an agent by id, or the living one by name, or else the last one of that name."""
        return await self._read(agent_rows.find_agent, agent)

    async def list_agents(
        self,
        states: Iterable[LifeState] = (),
        role: str = "",
        capability: str = "",
        name_prefix: str = "",
        parent: str = "",
        limit: int = 1000,
        *,
        team: str = "",
        supervisor: str = "",
        created_before: datetime | None = None,
        created_after: datetime | None = None,
    ) -> list[AgentRow]:
        """Return agents with how many messages wait for each, the newest first.

        What is left empty does not choose; see :class:`.agent_lists.AgentFilter`.
        """
        which = AgentFilter(
            tuple(states),
            role,
            capability,
            name_prefix,
            parent,
            team,
            supervisor,
            created_before,
            created_after,
        )
        return await self._read(agent_lists.agents, which, limit)

    async def count_agents(
        self,
        *,
        role: str = "",
        capability: str = "",
        parent: str = "",
        team: str = "",
        supervisor: str = "",
    ) -> dict[LifeState, int]:
        """Return how many agents are in which state; states without any are absent."""
        which = AgentFilter(
            role=role, capability=capability, parent=parent, team=team, supervisor=supervisor
        )
        return await self._read(agent_lists.agent_counts, which)

    async def find_agents(self, prefix: str) -> list[str]:
        """Return up to 100 names of living agents that begin with a text, sorted."""
        return await self._read(agent_lists.agent_names, prefix)

    async def living_children(self, parents: Sequence[str]) -> list[AgentRow]:
        """Return the agents that live under any of some parents, those of one parent together."""
        return await self._read(families.living_children, parents)

    async def reparent_agents(self, agent_ids: Sequence[str], ended: str, now: datetime) -> None:
        """Give children of an agent that has ended to its nearest living ancestor, and say so.

        Who has ended, or has another parent by now, stays as it is.
        """
        ids = list(dict.fromkeys(agent_ids))
        # Between this and the transaction, ancestors can only become fewer.
        above = await self._read(families.ancestors, ended)
        await self._write(
            lambda connection: families.reparent(connection, ids, ended, now),
            {*ids, ended, *(row.agent_id for row in above)},
            EVENT_BYTES * len(ids),
        )

    async def append_agent_events(self, events: Sequence[AgentEvent]) -> None:
        """Append events and bring rows up to date; known keys change nothing.

        A STATE event is also a state transition and changes its agent's row, unless a later one
        was told before.
        """
        told = storable_events(events)
        if not told:
            return
        await self._write(
            lambda connection: insert_agent_events(connection, told),
            {event.agent_id for event in told},
            EVENT_BYTES * len(told),
        )

    async def agent_events_after(
        self, agent_id: str, number: int, limit: int = 1000
    ) -> list[AgentEvent]:
        """Return an agent's events after a number, in the order of their numbers.

        They become visible in that order, whoever wrote them, so a watcher that asks for what
        came after the last one it saw misses none. Numbers have gaps.
        """
        return await self._read(agent_events_after, agent_id, number, limit)

    async def transitions_of(self, agent_id: str) -> list[Transition]:
        """Return all of an agent's changes of state, the first one first, numbered from 1."""
        return await self._read(agent_rows.transitions, agent_id)
