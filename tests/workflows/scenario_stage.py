"""Supervisors on a server that skips time, with stand-ins for agents and for the world.

The supervisors are the real ones. Their agents do what a script says, and their activities only
write down what they were asked. A script names moments, in seconds: `10 fail b; 100 down`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic

from scenario_actions import ACT, QUEUE, Actions
from scenario_agents import StandIn
from scenario_scene import SCENES, Scene
from scenario_world import World
from temporalio import workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from mainstay.payloads import DATA_CONVERTER
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.ids import supervisor_id
from mainstay.schemas.search import SEARCH_ATTRIBUTES
from mainstay.schemas.supervision import (
    SupervisorPlan,
    SupervisorResult,
)
from mainstay.workflows.supervisor import Supervisor

SECONDS = 12
"""Of real time that a scenario may take."""
QUIET_SECONDS = 1.5
"""After so long on the real server nothing more comes of what was done."""


@workflow.defn
class Director:
    """Has the script's actions done, each at its moment."""

    @workflow.run
    async def run(self, team: str, script: list[tuple[float, str]]) -> None:
        """Do them."""
        began = workflow.now()
        for at, action in script:
            wait = began + timedelta(seconds=at) - workflow.now()
            await workflow.sleep(max(wait, timedelta(0)))
            await workflow.execute_activity(
                ACT, args=[team, action], start_to_close_timeout=timedelta(seconds=SECONDS)
            )


class Theatre:
    """A server and a worker.

    Where time is not skipped, the moments of a script do not matter: each of its actions follows
    when nothing has happened for a while after the one before.
    """

    def __init__(self, client: Client, *, skips_time: bool = True) -> None:
        self.client = client
        self._skips_time = skips_time
        self._actions = Actions(self.client)

    async def play(
        self, root: SupervisorPlan, script: str, rollover: int = 2_000, seconds: int = SECONDS
    ) -> tuple[Scene, SupervisorResult]:
        """Play a script to its end; return what was to be seen, and how the team has ended.

        Once in hundreds of scenes a timer of this server fires in the very moment in which it is
        cancelled, and the server, unlike the real one, never gets over it. So there is a second
        try; what hangs for a reason of ours hangs again.
        """
        with suppress(TimeoutError):
            return await self._play(Scene(root), script, rollover, seconds)
        return await self._play(Scene(root), script, rollover, seconds)

    async def _play(
        self, scene: Scene, script: str, rollover: int, seconds: int
    ) -> tuple[Scene, SupervisorResult]:
        SCENES[scene.team] = scene
        actions = []
        for line in script.split(";"):
            at, _, action = line.strip().partition(" ")
            actions.append((float(at), action))
        async with asyncio.timeout(seconds):
            if "up" not in dict(actions).values():
                await self._actions.start(scene, rollover)
            await self._direct(scene, actions)
            handle = self.client.get_workflow_handle(
                supervisor_id(scene.team), result_type=SupervisorResult
            )
            result: SupervisorResult = await handle.result()
            return scene, result

    async def _direct(self, scene: Scene, actions: list[tuple[float, str]]) -> None:
        if self._skips_time:
            await self.client.execute_workflow(
                Director.run, args=[scene.team, actions], id=f"{scene.team}/d", task_queue=QUEUE
            )
            return
        for _, action in actions:
            await _quiet(scene)
            await self._actions.act(scene.team, action)

    async def runs_before(self, scene: Scene) -> int:
        """Return how many runs a root had before its last one."""
        count, run_id = 0, ""
        while True:
            handle = self.client.get_workflow_handle(
                supervisor_id(scene.team), run_id=run_id or None
            )
            first = await anext(aiter(handle.fetch_history_events()))
            run_id = first.workflow_execution_started_event_attributes.continued_execution_run_id
            if not run_id:
                return count
            count += 1


async def _quiet(scene: Scene) -> None:
    """Wait until nothing has happened for a while, after anything did."""
    seen, since = 0, monotonic()
    while not seen or monotonic() - since < QUIET_SECONDS:
        now = len(scene.trace) + sum(map(len, scene.events.values()))
        if now != seen:
            seen, since = now, monotonic()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def theatre() -> AsyncIterator[Theatre]:
    """Open a theatre whose server skips time, for as long as the block lasts."""
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    server = shutil.which("temporal-test-server", path=os.pathsep.join(folders))
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=DATA_CONVERTER, test_server_existing_path=server
    ) as environment:
        await _add_search_attributes(environment.client)
        async with serving(environment.client):
            yield Theatre(environment.client)


def serving(client: Client) -> Worker:
    """Return a worker for the scenes."""
    world, actions = World(client), Actions(client)
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Supervisor, StandIn, Director],
        activities=[world.open, world.record, world.kill, world.close, actions.act],
        workflow_runner=UnsandboxedWorkflowRunner(),  # half the time
        workflow_failure_exception_types=[MainstayError],
        graceful_shutdown_timeout=timedelta(0),
    )


async def _add_search_attributes(client: Client) -> None:
    """Make ours known; this server does not list those that it has."""
    kinds = {"Keyword": "KEYWORD", "KeywordList": "KEYWORD_LIST"}
    attributes = {
        name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kinds[kind]}")
        for name, kind in SEARCH_ATTRIBUTES.items()
    }
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=attributes)
    )
