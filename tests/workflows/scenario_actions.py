"""What a script can do with a team, its agents and its supervisors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from scenario_agents import NORMAL, StandIn
from scenario_scene import SCENES, Scene, look
from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from mainstay.schemas import names
from mainstay.schemas.agent_run import AgentRequest, Supervised
from mainstay.schemas.ids import supervisor_id, supervisor_name
from mainstay.schemas.supervision import (
    ChildNews,
    ChildPlan,
    ShutDown,
    SupervisorView,
)
from mainstay.schemas.supervision_calls import (
    ChildRequest,
)
from mainstay.workflows.agent_attributes import agent_attributes

QUEUE = "scenarios"
ACT = "scene.act"


class Actions:
    """What a script can do."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rollover = 2_000

    @activity.defn(name=ACT)
    async def act(self, team: str, action: str) -> None:
        """Do one thing. What it concerns may be gone already."""
        word, *rest = action.split()
        todo: Callable[..., Awaitable[None]] = getattr(self, f"_{word}")
        with suppress(RPCError):
            await todo(SCENES[team], *rest)

    async def start(self, scene: Scene, rollover: int = 2_000) -> None:
        """Start a team's root."""
        request = scene.request(rollover)
        await self._client.start_workflow(
            names.SUPERVISOR,
            request,
            id=request.supervisor_id,
            task_queue=QUEUE,
            search_attributes=agent_attributes(supervisor_name(scene.team), "supervisor", ()),
        )

    async def _up(self, scene: Scene) -> None:
        await self.start(scene)

    async def _fail(self, scene: Scene, name: str) -> None:
        await self._play(scene, name, "fail")

    async def _refuse(self, scene: Scene, name: str) -> None:
        await self._play(scene, name, "refuse")

    async def _exit(self, scene: Scene, name: str) -> None:
        await self._play(scene, name, "exit")

    async def _play(self, scene: Scene, name: str, part: str) -> None:
        await self._client.get_workflow_handle(scene.agent_id(name)).signal("play", part)

    async def _kill(self, scene: Scene, name: str) -> None:
        await self._client.get_workflow_handle(scene.agent_id(name)).signal("die")

    async def _cancel(self, scene: Scene, name: str) -> None:
        await self._client.get_workflow_handle(scene.agent_id(name)).cancel()

    async def _orphan(self, scene: Scene, name: str) -> None:
        """Start an agent that a root left behind which was killed."""
        request = AgentRequest(
            agent_id=scene.agent_id(name),
            name=f"{scene.team}/{name}",
            spec_ref="",
            thread="",
            supervised=Supervised(
                supervisor_id=supervisor_id(scene.team), row_id=supervisor_id(scene.team), name=name
            ),
        )
        await self._client.start_workflow(
            StandIn.run, request, id=request.agent_id, task_queue=QUEUE
        )

    async def _look(self, scene: Scene, path: str = "") -> None:
        handle = self._client.get_workflow_handle(supervisor_id(scene.team, path))
        view: SupervisorView = await handle.query("view", result_type=SupervisorView)
        scene.looks.append(look(view))

    async def _down(self, scene: Scene, grace: str = "") -> None:
        order = ShutDown(reason="enough", grace=timedelta(seconds=float(grace)) if grace else None)
        handle = self._client.get_workflow_handle(supervisor_id(scene.team))
        await handle.signal(names.SHUT_DOWN, order)

    async def _unhealthy(self, scene: Scene, name: str) -> None:
        handle = self._client.get_workflow_handle(supervisor_id(scene.team))
        await handle.signal(names.UNHEALTHY, args=[name, scene.lived[""][name], "too slow"])

    async def _stale(self, scene: Scene, name: str) -> None:
        handle = self._client.get_workflow_handle(supervisor_id(scene.team))
        news = ChildNews(name=name, incarnation=scene.lived[""][name] - 1, exit=NORMAL)
        await handle.signal(names.CHILD_NEWS, news)

    async def _add(self, scene: Scene, name: str, habits: str = "") -> None:
        await self._ask(scene, "start_child", name, ChildPlan(name=name, spec_ref=habits))

    async def _start(self, scene: Scene, name: str) -> None:
        await self._ask(scene, "start_child", name)

    async def _stop(self, scene: Scene, name: str) -> None:
        await self._ask(scene, "terminate_child", name)

    async def _restart(self, scene: Scene, name: str) -> None:
        await self._ask(scene, "restart_child", name)

    async def _delete(self, scene: Scene, name: str) -> None:
        await self._ask(scene, "delete_child", name)

    async def _ask(
        self, scene: Scene, update: str, place: str, plan: ChildPlan | None = None
    ) -> None:
        path, _, name = place.rpartition("/")
        handle = self._client.get_workflow_handle(supervisor_id(scene.team, path))
        try:
            await handle.execute_update(update, ChildRequest(name=name, plan=plan))
        except WorkflowUpdateFailedError as error:
            scene.looks.append(f"{name}: {getattr(error.cause, 'type', error.cause)}")
