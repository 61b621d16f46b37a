"""What supervision's activities need from storage, as a Protocol; ``worker.py`` plugs it in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from mainstay.activities.agent_ports import Families
from mainstay.activities.ports import Documents
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.messages import Settlement
from mainstay.schemas.supervision import SupervisorView
from mainstay.schemas.supervision_calls import AgentLimits, HealthFacts, SupervisionEvent


class SupervisionStorage(Protocol):
    """Supervisors are rows among the agents, with role ``supervisor``; see ``schemas/ids.py``."""

    async def create_agent(self, row: AgentRow, limits: AgentLimits | None = None) -> AgentRow:
        """Insert an agent and claim its name, unless a limit is reached; exact whoever else does.

        The same id again changes nothing, limits or not. Supervisors do not count. At ``warn_at``
        of a limit an event RESOURCE_LIMIT_EXCEEDED of LOW severity is put on record.

        Raises:
            Refused: another agent that has not ended has that name.
            LimitReached: with the limit's name: agents, children, depth, team_agents, roles, ...
        """

    async def put_supervisor(
        self, view: SupervisorView, run: str, parent_row: str, events: Sequence[SupervisionEvent]
    ) -> None:
        """Write a supervisor's row as the view has it, and append events whose keys are new.

        Raises:
            Refused: another life of the team has not ended.
        """

    async def supervisor_views(
        self, team: str = "", run: str = "", path: str | None = None, *, living: bool = False
    ) -> list[SupervisorView]:
        """Return supervisors by team and path, the newest life of each team unless ``run`` says
        which; with ``path`` that one and all below it."""

    async def team_agents(
        self, team: str, run: str = "", path: str | None = None, *, living: bool = False
    ) -> list[AgentRow]:
        """Return a team's supervised agents, of its newest life unless ``run`` says which; with
        ``path`` those of that supervisor and of all below it. By supervisor, then by name."""

    async def leave_agents(self, agent_ids: Sequence[str], reason: str, now: datetime) -> None:
        """Show agents that were killed, and will be started again, as RESTARTING."""

    async def close_agents(
        self, agent_ids: Sequence[str], reason: str, now: datetime
    ) -> list[Settlement]:
        """Show agents as TERMINATED and close their mailboxes; supervisors' rows, too.

        Returns:
            What was left in the mailboxes and has failed, as ``close_mailbox`` does.
        """

    async def supervision_events(
        self, team: str, *, after: datetime | None = None, limit: int = 100
    ) -> list[SupervisionEvent]:
        """Return the latest events of a team's supervisors, the oldest of them first."""

    async def health_facts(self, team: str, run: str, sample: int) -> list[HealthFacts]:
        """Return what the database knows of those agents of a team that work or have failed.

        Idle agents whose latest messages went well are left out: a thousand of them cost nothing.
        """


class TeamStorage(SupervisionStorage, Documents, Families, Protocol):
    """The same, the documents that hold team files, and what agents have spawned."""
