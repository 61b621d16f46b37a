"""What the activities of supervisors do in scenarios: they write down what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from scenario_scene import SCENES, Scene, numbered
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from mainstay.decisions.team_files.team_levels import level
from mainstay.schemas import names
from mainstay.schemas.supervision_calls import (
    CloseCall,
    KillCall,
    OpenedSupervisor,
    OpenSupervisorCall,
    SupervisorRecordCall,
)
from mainstay.schemas.team import Orphans


class World:
    """What the activities of supervisors do here: they write down what they were asked."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name=names.SUPERVISOR_OPEN)
    async def open(self, call: OpenSupervisorCall) -> OpenedSupervisor:
        """Open, and see to orphans: these are adopted or killed."""
        asked, scene = call.request, SCENES[call.request.team]
        own = level(scene.plan, asked.path)
        lived = dict(scene.lived[asked.path])
        is_open = [name for name in lived if await self._is_open(scene.agent_id(name))]
        is_adopted = own.orphans is Orphans.ADOPT
        if not is_adopted:
            await self._kill(scene, [scene.agent_id(name) for name in is_open])
        scene.opened[asked.path] += 1
        name = asked.path.rpartition("/")[2] or "root"
        if asked.path or scene.opened[asked.path] > 1:
            scene.trace.append("+" + numbered(name, scene.opened[asked.path]))
        if asked.path:
            scene.lived[asked.path.rpartition("/")[0]][name] = asked.incarnation
        alive = tuple((name, lived[name]) for name in is_open) if is_adopted else ()
        return OpenedSupervisor(
            policy=own.policy, plans=own.children, alive=alive, lived=tuple(lived.items())
        )

    @activity.defn(name=names.SUPERVISOR_RECORD)
    async def record(self, call: SupervisorRecordCall) -> None:
        """Keep the events."""
        SCENES[call.view.team].note(call.view.path, call.events)

    @activity.defn(name=names.SUPERVISOR_KILL)
    async def kill(self, call: KillCall) -> None:
        """Kill agents; a supervisor cannot be killed here, see `StandIn.die`."""
        scene = next(one for one in SCENES.values() if one.run == call.run)
        await self._kill(scene, call.workflow_ids)

    @activity.defn(name=names.SUPERVISOR_CLOSE)
    async def close(self, call: CloseCall) -> None:
        """Keep who was closed."""
        scene = SCENES[call.team]
        scene.closed |= {scene.agent_name(agent_id) for agent_id in call.agent_ids}
        if call.path is not None:
            scene.closed.add(f"{call.path}/")

    async def _kill(self, scene: Scene, agent_ids: Sequence[str]) -> None:
        for agent_id in agent_ids:
            with suppress(RPCError):
                await self._client.get_workflow_handle(agent_id).signal("die")
            while await self._is_open(agent_id):
                await asyncio.sleep(0.005)

    async def _is_open(self, workflow_id: str) -> bool:
        try:
            described = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError:
            return False
        return described.close_time is None
