"""Agents as people see them: rows and events, found by id, name and ability."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mainstay.schemas.agent_calls import AgentEvent, AgentRow
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.lifecycle import LifeState, Transition
from mainstay.storage import agent_rows
from mainstay.storage.access import Access
from mainstay.storage.agent_events import (
    agent_events_after,
    insert_agent_events,
    storable_events,
)

EVENT_BYTES = 500
"""About how many bytes an event's row has."""


class AgentStore(Access):
    """Rows about agents, and what is on record about them."""

    async def create_agent(self, row: AgentRow) -> AgentRow:
        """Insert an agent and claim its name; the same id again changes nothing.

        Returns:
            The row as it is stored.

        Raises:
            Refused: another agent that has not ended has that name.
            InvalidInput: it cannot be stored as it is.
        """
        values = agent_rows.agent_values(row)
        outcome = await self._write(
            lambda connection: agent_rows.insert_agent(connection, values),
            (row.agent_id, f"name of an agent: {row.name}"),
        )
        if isinstance(outcome, MainstayError):
            raise outcome
        return outcome

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
    ) -> list[AgentRow]:
        """Return agents with how many messages wait for each, the newest first.

        What is left empty does not choose; a role is written as in agent files.
        """
        return await self._read(
            agent_rows.agents, tuple(states), role, capability, name_prefix, parent, limit
        )

    async def find_agents(self, prefix: str) -> list[str]:
        """Return up to 100 names of living agents that begin with a text, sorted."""
        return await self._read(agent_rows.agent_names, prefix)

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
