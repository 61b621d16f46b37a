"""Supervisors as rows among the agents, what they note, and what is known of a team's health.

A supervisor's row has role ``supervisor``, the life of its team in ``run``, and its picture as
JSON. Its mailbox is closed from the start, and lists of agents leave it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.messages import Settlement
from mainstay.schemas.supervision import SupervisorView
from mainstay.schemas.supervision_calls import HealthFacts, SupervisionEvent
from mainstay.storage import supervision_queries
from mainstay.storage.access import Access
from mainstay.storage.columns import utc_now
from mainstay.storage.endings import close_all, leave_all
from mainstay.storage.health import health_facts
from mainstay.storage.rows import exact, moment
from mainstay.storage.supervision_rows import insert_events, picture_of, put_picture

ROW_BYTES = 500
"""About how many bytes an event, or the change of an agent, has."""


class SupervisionStore(Access):
    """What :class:`mainstay.activities.supervision_ports.SupervisionStorage` asks for."""

    async def put_supervisor(
        self, view: SupervisorView, run: str, parent_row: str, events: Sequence[SupervisionEvent]
    ) -> None:
        """Write a supervisor's row as the view has it, and append events whose keys are new.

        What a supervisor that has ended tells late leaves its row as it is.

        Raises:
            Refused: another life of the team has not ended.
            InvalidInput: it cannot be stored, or its parent has no row.
        """
        picture = picture_of(view, run, parent_row, utc_now())
        told = tuple(events)

        def work(connection: Connection) -> MainstayError | None:
            error = put_picture(connection, picture)
            if error is None:
                insert_events(connection, told, view.row_id)
            return error

        locks = picture.locks | {event.supervisor_id for event in told}
        await self._decide(work, locks, ROW_BYTES * (1 + len(view.children) + len(told)))

    async def supervisor_views(
        self, team: str = "", run: str = "", path: str | None = None, *, living: bool = False
    ) -> list[SupervisorView]:
        """Return supervisors by team and path, of the newest life of each team or of ``run``.

        Args:
            team: of this team alone.
            run: of this life of it.
            path: that one and all below it; empty or None for all.
            living: only those that have not ended.
        """
        return await self._read(supervision_queries.views, team, run, path, living)

    async def team_agents(
        self, team: str, run: str = "", path: str | None = None, *, living: bool = False
    ) -> list[AgentRow]:
        """Return a team's supervised agents, by supervisor and then by name.

        The arguments are those of :meth:`supervisor_views`.
        """
        return await self._read(supervision_queries.team_agents, team, run, path, living)

    async def leave_agents(self, agent_ids: Sequence[str], reason: str, now: datetime) -> None:
        """Show agents and supervisors that were killed, and will start again, as RESTARTING.

        Those that have ended, or are shown so already, stay as they are.
        """
        ids = _checked(agent_ids, now)
        await self._write(
            lambda connection: leave_all(connection, ids, reason, now), ids, ROW_BYTES * len(ids)
        )

    async def close_agents(
        self, agent_ids: Sequence[str], reason: str, now: datetime
    ) -> list[Settlement]:
        """Show agents and supervisors as TERMINATED, and close their mailboxes.

        Returns:
            What was left in the mailboxes and has failed; the same when asked again.
        """
        ids = _checked(agent_ids, now)
        return await self._write(
            lambda connection: close_all(connection, ids, reason, now), ids, ROW_BYTES * len(ids)
        )

    async def supervision_events(
        self, team: str, *, after: datetime | None = None, limit: int = 100
    ) -> list[SupervisionEvent]:
        """Return the latest events of a team's supervisors, the oldest of them first.

        Args:
            team: whose.
            after: none of this moment or before.
            limit: at most so many.
        """
        return await self._read(supervision_queries.events, team, after, limit)

    async def health_facts(self, team: str, run: str, sample: int) -> list[HealthFacts]:
        """Return what is known of those agents of a team that work or have failed, by name.

        See :mod:`.health`.
        """
        return await self._read(health_facts, team, run, sample)


def _checked(agent_ids: Sequence[str], now: datetime) -> list[str]:
    moment(now, "the end of agents")
    return [exact(one, "agent") for one in dict.fromkeys(agent_ids)]
