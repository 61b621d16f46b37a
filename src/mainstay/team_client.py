"""The client's methods about teams: bring them up, find them again, see which there are."""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta

from mainstay.agent_driving import is_open
from mainstay.agent_snapshots import AgentSnapshots
from mainstay.decisions.team_files import CompiledTeam, all_agents, expand
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput, Refused
from mainstay.schemas.ids import supervisor_id, supervisor_row_id
from mainstay.schemas.supervision import ChildPlan, SupervisorOptions, SupervisorRequest
from mainstay.schemas.team import ChildSpec, TeamSpec
from mainstay.settings import Settings
from mainstay.team_handle import TeamHandle, Tell
from mainstay.team_sight import TeamSight, by_team
from mainstay.team_start import is_up, start_root, team_request_ref

FindAgent = Callable[[str], AgentSpec | None]

STORED_AT_ONCE = 50
"""Documents that are written side by side: they share transactions."""

_RUN = re.compile(r"[0-9a-f]{8}")


def compile_team(
    team: TeamSpec,
    settings: Settings,
    catalogue: Sequence[AgentSpec] = (),
    find_agent: FindAgent | None = None,
) -> CompiledTeam:
    """Resolve a team's agents and defaults; needs neither a server nor a database.

    Raises:
        InvalidInput: something is wrong with the team, it does not fit into the limits, or an
            agent has no model.
    """
    compiled = expand(
        team,
        catalogue,
        find_agent=find_agent,
        model=settings.model or None,
        limits=settings.limits,
    )
    without = sorted(spec.name for spec in compiled.agents.values() if not spec.model)
    if without:
        raise InvalidInput(
            f"agents of team {team.team!r} name no model, and there is no default: "
            f"{', '.join(without)}",
            hint="write `model: provider:name` for them, or set MAINSTAY_MODEL; "
            "script:FILE plays a written conversation without any provider",
        )
    return compiled


class TeamClient(AgentSnapshots):
    """What :class:`mainstay.Mainstay` offers about teams."""

    async def team_up(
        self,
        team: TeamSpec,
        *,
        catalogue: Sequence[AgentSpec] = (),
        find_agent: FindAgent | None = None,
        run: str | None = None,
        wait: bool = True,
        timeout: timedelta | None = None,
        progress: Tell | None = None,
    ) -> TeamHandle:
        """Bring a team up: its supervisors, and the agents below them in their order.

        Everything that it needs is checked and stored before anything is started.

        Args:
            team: the team (see :mod:`mainstay.team_source` for files).
            catalogue: the agents that it names and does not describe itself.
            find_agent: gives the agents of files that it names.
            run: this life of the team, eight hexadecimal digits: its agents' ids follow from it.
                By default a new one.
            wait: return when every child was started once; else at once.
            timeout: how long to wait.
            progress: is told how many agents are ready, whenever that changes.

        Raises:
            InvalidInput: something is wrong with the team, it does not fit into the limits, or an
                agent has no model.
            Refused: it is up already.
            MainstayError: it did not come up; the message says why.
        """
        compiled = compile_team(team, self.settings, catalogue, find_agent)
        await self._see_free(team.team)
        request = await self._put_team_on_record(compiled, run or uuid.uuid4().hex[:8])
        await start_root(self.temporal, request, self.settings.task_queue, summary=team.description)
        size = sum(all_agents(compiled.plan).values())
        handle = self._team(team.team, run=request.run, size=size)
        if wait:
            await handle.wait_ready(progress, timeout)
        return handle

    def team(self, name: str) -> TeamHandle:
        """Return a handle on a team by its name; it need not exist."""
        return self._team(name)

    async def teams(self, *, living: bool = True) -> list[TeamSight]:
        """Return every team with its supervisors, those that have ended too if so wished."""
        found = by_team(await self.store.supervisor_views())
        return [team for team in found if not (living and team.is_over)]

    async def plan_child(self, spec: AgentSpec, child: ChildSpec | None = None) -> ChildPlan:
        """Make a child that a running supervisor can be given, and store the agent's file.

        Args:
            spec: the agent.
            child: how it is supervised; by default as in a team file that says nothing.

        Raises:
            InvalidInput: the agent has no model, or what is written for the child is wrong.
        """
        written = (child or ChildSpec()).model_copy(update={"agent": spec.name})
        team = TeamSpec(team="added", agents={spec.name: spec}, children=[written])
        compiled = compile_team(team, self.settings)
        await self._put_documents(compiled)
        return compiled.plan.root.children[0]

    def _team(self, name: str, *, run: str = "", size: int | None = None) -> TeamHandle:
        return TeamHandle(
            self.temporal, self.store, name, self.settings.task_queue, run=run, size=size
        )

    async def _see_free(self, team: str) -> None:
        """See that no life of the team goes on, before anything is stored.

        Raises:
            Refused: one does, or what is left of one does.
        """
        found = await self.store.supervisor_views(team, living=True)
        if not any(not view.path for view in found):
            return
        if await is_open(self.temporal, supervisor_id(team)):
            raise is_up(team)
        raise Refused(
            f"team {team!r} has lost its root supervisor, and has not ended",
            hint=f"`mainstay team down {team}` ends what is left of it",
        )

    async def _put_team_on_record(self, compiled: CompiledTeam, run: str) -> SupervisorRequest:
        if not _RUN.fullmatch(run):
            raise InvalidInput(
                f"{run!r} is no run of a team", hint="eight hexadecimal digits, or none"
            )
        plan = compiled.plan
        body = plan.model_dump_json().encode()
        request = SupervisorRequest(
            supervisor_id=supervisor_id(plan.team),
            row_id=supervisor_row_id(plan.team, run),
            team=plan.team,
            run=run,
            team_ref=f"team/{hashlib.sha256(body).hexdigest()}",
            health_interval=plan.health.interval,
            limits=plan.limits,
            options=SupervisorOptions(heartbeat_timeout=self.settings.heartbeat_timeout),
        )
        await self._put_documents(compiled)
        await self.store.put_document(request.team_ref, body)
        ref = team_request_ref(request.row_id)
        await self.store.put_document(ref, request.model_dump_json().encode())
        return request

    async def _put_documents(self, compiled: CompiledTeam) -> None:
        documents = list(compiled.documents())
        for first in range(0, len(documents), STORED_AT_ONCE):
            some = documents[first : first + STORED_AT_ONCE]
            await asyncio.gather(*(self.store.put_document(ref, body) for ref, body in some))
