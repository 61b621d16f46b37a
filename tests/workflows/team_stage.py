"""Teams whose agents play what they are told, without team files: plans are made by hand."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from agent_stage import MODEL, SECONDS, AgentStage, PlayedModels
from plan_stage import Stage, until
from temporalio.client import WorkflowHandle

from mainstay.agent_handle import AgentHandle
from mainstay.agent_start import spec_ref_of
from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.ids import supervisor_id, supervisor_name, supervisor_row_id, team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import (
    ChildKind,
    ChildPhase,
    ChildPlan,
    ChildView,
    ShutDown,
    SupervisorOptions,
    SupervisorPlan,
    SupervisorPolicy,
    SupervisorRequest,
    SupervisorResult,
    SupervisorView,
    TeamPlan,
)
from mainstay.schemas.supervision_calls import ChildRequest, SupervisionEvent
from mainstay.schemas.team import HealthSpec, IntensitySpec, Strategy, TeamLimits
from mainstay.workflows.agent_attributes import agent_attributes

HEARTBEAT = timedelta(seconds=2)
NO_LIMITS = TeamLimits()


def agent(name: str, **plan: Any) -> ChildPlan:
    """Plan an agent; its file is the stage's to store."""
    return ChildPlan(name=name, **plan)


def lower(name: str, **plan: Any) -> ChildPlan:
    """Plan a lower supervisor."""
    return ChildPlan(name=name, kind=ChildKind.SUPERVISOR, **{"shutdown": None, **plan})


def supervisor(
    *children: ChildPlan,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: tuple[int, float] = (3, 5),
    below: dict[str, SupervisorPlan] | None = None,
    orphans: str = "cascade",
    **policy: Any,
) -> SupervisorPlan:
    """Plan a supervisor."""
    most, window = intensity
    limits = IntensitySpec(max_restarts=most, window=timedelta(seconds=window))
    return SupervisorPlan.model_validate(
        {
            "policy": SupervisorPolicy(strategy=strategy, intensity=limits, **policy),
            "orphans": orphans,
            "children": children,
            "supervisors": below or {},
        }
    )


class PickyModels(PlayedModels):
    """A provider that does not have every model."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: set[str] = set()

    def check(self, model: str) -> None:
        """Refuse what is missing."""
        if model in self.missing:
            raise InvalidInput(f"there is no model {model!r}")


class Team:
    """A team that is up."""

    def __init__(self, stage: TeamStage, name: str, run: str) -> None:
        self.stage = stage
        self.name = name
        self.run = run
        self.request: SupervisorRequest
        self.temporal = stage.mainstay.temporal
        self.store = stage.store

    def agent_id(self, name: str) -> str:
        """Return an agent's id."""
        return team_agent_id(self.name, self.run, name)

    def agent(self, name: str) -> AgentHandle:
        """Return a handle on an agent."""
        return self.stage.mainstay.agent_handle(self.agent_id(name))

    def workflow(self, path: str = "") -> WorkflowHandle[Any, Any]:
        """Return a handle on a supervisor."""
        return self.temporal.get_workflow_handle(
            supervisor_id(self.name, path), result_type=SupervisorResult
        )

    async def view(self, path: str = "") -> SupervisorView:
        """Ask a supervisor how it is."""
        seen: SupervisorView = await self.workflow(path).query("view", result_type=SupervisorView)
        return seen

    async def child(self, name: str, path: str = "") -> ChildView | None:
        """Ask for one child."""
        return next((one for one in (await self.view(path)).children if one.name == name), None)

    async def until_running(self, path: str = "") -> SupervisorView:
        """Wait until a supervisor and all its children are running."""

        async def view() -> SupervisorView | None:
            rows = await self.store.supervisor_views(self.name, self.run, path)
            if not any(row.path == path for row in rows):
                return None
            seen = await self.view(path)
            all_run = all(child.phase is ChildPhase.RUNNING for child in seen.children)
            return seen if seen.life is LifeState.RUNNING and all_run else None

        found: SupervisorView = await until(view)
        return found

    async def until_restarted(self, name: str, times: int = 1, path: str = "") -> ChildView:
        """Wait until a child runs that was restarted so often."""

        async def is_so() -> ChildView | None:
            child = await self.child(name, path)
            is_there = child is not None and child.restarts >= times
            return child if child and is_there and child.phase is ChildPhase.RUNNING else None

        found: ChildView = await until(is_so)
        return found

    async def until_phase(self, name: str, phase: ChildPhase, path: str = "") -> ChildView:
        """Wait until a child stands somewhere."""

        async def is_so() -> ChildView | None:
            child = await self.child(name, path)
            return child if child and child.phase is phase else None

        found: ChildView = await until(is_so)
        return found

    async def terminate(self, name: str) -> None:
        """Terminate an agent's workflow as an operator would."""
        await self.temporal.get_workflow_handle(self.agent_id(name)).terminate("by an operator")

    async def result(self) -> SupervisorResult:
        """Wait until the team has ended."""
        async with asyncio.timeout(SECONDS.total_seconds()):
            result: SupervisorResult = await self.workflow().result()
            return result

    async def down(self, reason: str = "enough", **order: Any) -> SupervisorResult:
        """Shut the team down."""
        order_ = ShutDown(reason=reason, **order)
        await self.workflow().signal(names.SHUT_DOWN, order_)
        return await self.result()

    async def end_lost_root(self) -> SupervisorResult:
        """Start a root again that was killed, with the order to end."""
        order = ShutDown(reason="it is lost")
        await self.stage.start(
            self.request, start_signal=names.SHUT_DOWN, start_signal_args=[order]
        )
        return await self.result()

    async def ask_child(
        self, update: str, name: str = "", plan: ChildPlan | None = None, path: str = ""
    ) -> str:
        """Have a child started, terminated, restarted, deleted."""
        said: str = await self.workflow(path).execute_update(
            update, ChildRequest(name=name, plan=plan), result_type=str
        )
        return said

    async def events(self) -> list[SupervisionEvent]:
        """Return what is on record."""
        return await self.store.supervision_events(self.name, limit=1000)

    async def told(self) -> list[tuple[str, str]]:
        """Return the types and children of what is on record, in order."""
        return [(event.type.removeprefix("AGENT_"), event.child) for event in await self.events()]

    async def is_open(self, workflow_id: str) -> bool:
        """Tell whether a workflow is open."""
        described = await self.temporal.get_workflow_handle(workflow_id).describe()
        return described.close_time is None

    async def open_ids(self, *agents: str, paths: Sequence[str] = ("",)) -> list[str]:
        """Return which of these are open."""
        ids = [self.agent_id(name) for name in agents]
        ids += [supervisor_id(self.name, path) for path in paths]
        return [one for one in ids if await self.is_open(one)]


class TeamStage(AgentStage):
    """Where the teams of a test live."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.models: PickyModels = PickyModels()

    async def up(
        self,
        root: SupervisorPlan,
        *,
        name: str = "",
        health: timedelta | None = None,
        health_spec: HealthSpec | None = None,
        rollover: int = 2_000,
        limits: TeamLimits = NO_LIMITS,
        spec: dict[str, Any] | None = None,
        **by_agent: dict[str, Any],
    ) -> Team:
        """Start a team; ``spec`` is what the agents' files say, ``by_agent`` what some say more."""
        team = Team(self, name or f"t{uuid.uuid4().hex[:8]}", uuid.uuid4().hex[:8])
        stored = await self._with_specs(root, spec or {}, by_agent)
        plan = TeamPlan(team=team.name, root=stored, health=health_spec or HealthSpec())
        body = plan.model_dump_json().encode()
        team_ref = f"team/{hashlib.sha256(body).hexdigest()}"
        await self.store.put_document(team_ref, body)
        request = SupervisorRequest(
            supervisor_id=supervisor_id(team.name),
            row_id=supervisor_row_id(team.name, team.run),
            team=team.name,
            run=team.run,
            team_ref=team_ref,
            health_interval=health,
            limits=limits,
            options=SupervisorOptions(heartbeat_timeout=HEARTBEAT, rollover_events=rollover),
        )
        team.request = request
        await self.start(request)
        return team

    async def planned(self, child: ChildPlan, **spec: Any) -> ChildPlan:
        """Return a child's plan with its file stored."""
        one = await self._with_specs(SupervisorPlan(children=(child,)), spec, {})
        return one.children[0]

    async def start(self, request: SupervisorRequest, **order: Any) -> None:
        """Start a root."""
        await self.mainstay.temporal.start_workflow(
            names.SUPERVISOR,
            request,
            id=request.supervisor_id,
            task_queue=self.stage.settings.task_queue,
            search_attributes=agent_attributes(supervisor_name(request.team), "supervisor", ()),
            **order,
        )

    async def _with_specs(
        self, plan: SupervisorPlan, spec: dict[str, Any], by_agent: dict[str, dict[str, Any]]
    ) -> SupervisorPlan:
        children = []
        for child in plan.children:
            if child.kind is ChildKind.AGENT:
                more = {**spec, **by_agent.get(child.name, {})}
                written = AgentSpec.model_validate({"name": child.name, "model": MODEL, **more})
                body = written.model_dump_json().encode()
                await self.store.put_document(spec_ref_of(body), body)
                child = child.model_copy(update={"spec_ref": spec_ref_of(body)})
            children.append(child)
        below = {
            name: await self._with_specs(one, spec, by_agent)
            for name, one in plan.supervisors.items()
        }
        return plan.model_copy(update={"children": tuple(children), "supervisors": below})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[PickyModels]:
        """Serve the teams with a worker for as long as the block lasts."""
        async with self.worker():
            yield self.models
