"""The recorded supervisors: one scenario for each thing that a team can go through.

Their agents are recorded elsewhere; here only the histories of supervisors are written down.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from mainstay.client import Mainstay
from mainstay.decisions.team_files.team_file import read_team
from mainstay.schemas import names
from mainstay.schemas.ids import supervisor_id, supervisor_row_id, team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import (
    ChildPhase,
    ShutDown,
    SupervisorOptions,
    SupervisorRequest,
    SupervisorResult,
    SupervisorView,
)
from mainstay.schemas.supervision_calls import ChildRequest
from mainstay.team_client import compile_team
from mainstay.team_start import start_root

MODEL = "code:record_models:think"
RUN = "0123abcd"
NEVER = {"max_restarts": 0, "window": "1m"}
TEAM_SCENARIOS: dict[str, Callable[[TeamStage], Awaitable[None]]] = {}


@dataclass
class TeamStage:
    """Where one scenario plays; its team has its name, and agents a, b and c."""

    mainstay: Mainstay
    name: str
    ids: list[str] = field(default_factory=list)

    def workflow(self, path: str = "") -> WorkflowHandle[Any, Any]:
        return self.mainstay.temporal.get_workflow_handle(
            supervisor_id(self.name, path), result_type=SupervisorResult
        )

    async def up(
        self,
        *children: Any,
        below: tuple[str, ...] = (),
        rollover: int = 2_000,
        health: timedelta | None = None,
        **team: Any,
    ) -> None:
        """Bring the team up, and wait for it; ``below`` are the paths of lower supervisors."""
        agents = {name: {"model": MODEL} for name in "abc"}
        written = {"team": self.name, "agents": agents, "children": list(children), **team}
        compiled = compile_team(read_team(json.dumps(written)), self.mainstay.settings)
        body = compiled.plan.model_dump_json().encode()
        team_ref = f"team/{hashlib.sha256(body).hexdigest()}"
        for ref, document in (*compiled.documents(), (team_ref, body)):
            await self.mainstay.store.put_document(ref, document)
        request = SupervisorRequest(
            supervisor_id=supervisor_id(self.name),
            row_id=supervisor_row_id(self.name, RUN),
            team=self.name,
            run=RUN,
            team_ref=team_ref,
            health_interval=health,
            options=SupervisorOptions(rollover_events=rollover),
        )
        await start_root(self.mainstay.temporal, request, self.mainstay.settings.task_queue)
        self.ids += [supervisor_id(self.name, path) for path in ("", *below)]
        await self.until_all_run()

    async def view(self, path: str = "") -> SupervisorView:
        seen: SupervisorView = await self.workflow(path).query("view", result_type=SupervisorView)
        return seen

    async def until_all_run(self, path: str = "", restarts: int = 0) -> None:
        """Wait until every child runs, after so many restarts."""

        async def do_all_run() -> bool:
            view = await self.view(path)
            phases = {child.phase for child in view.children} or {ChildPhase.RUNNING}
            is_up = view.life is LifeState.RUNNING and phases == {ChildPhase.RUNNING}
            return is_up and sum(child.restarts for child in view.children) >= restarts

        await self.until(do_all_run)

    async def run_id(self) -> str:
        return str((await self.workflow().describe()).run_id)

    async def has_other_run(self, run_id: str) -> bool:
        return await self.run_id() != run_id

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        give_up = time.monotonic() + 20
        while not await is_so():
            assert time.monotonic() < give_up, "waited in vain"
            await asyncio.sleep(0.05)

    async def fail(self, name: str) -> None:
        """Terminate an agent, as an operator might."""
        agent_id = team_agent_id(self.name, RUN, name)
        await self.mainstay.temporal.get_workflow_handle(agent_id).terminate("by an operator")

    async def ask(self, update: str, name: str) -> None:
        await self.workflow().execute_update(update, ChildRequest(name=name))

    async def down(self, grace: timedelta | None = None) -> None:
        await self.workflow().signal(names.SHUT_DOWN, ShutDown(reason="enough", grace=grace))
        await self.workflow().result()


def scenario(
    play: Callable[[TeamStage], Awaitable[None]],
) -> Callable[[TeamStage], Awaitable[None]]:
    TEAM_SCENARIOS[f"team_{play.__name__}"] = play
    return play


@scenario
async def one_for_all(stage: TeamStage) -> None:
    await stage.up("a", "b", {"agent": "c", "count": 2}, strategy="one_for_all")
    await stage.fail("b")
    await stage.until_all_run(restarts=4)
    await stage.down()


@scenario
async def escalates(stage: TeamStage) -> None:
    lower = {"name": "s", "children": ["b", "c"], "intensity": NEVER}
    intensity = {"max_restarts": 1, "window": "1m"}
    await stage.up("a", lower, below=("s",), intensity=intensity)
    await stage.fail("b")
    await stage.until_all_run(restarts=1)
    await stage.fail("c")
    await stage.workflow().result()


@scenario
async def back_off(stage: TeamStage) -> None:
    backoff = {"initial": "300ms", "jitter": 0.5}
    children = [{"agent": name, "backoff": backoff} for name in "abc"]
    await stage.up(*children, strategy="rest_for_one")
    await stage.fail("b")
    await stage.until_all_run(restarts=2)
    await stage.down()


@scenario
async def requests(stage: TeamStage) -> None:
    await stage.up("a", "b")
    await stage.ask("terminate_child", "b")
    await stage.ask("restart_child", "b")
    await stage.ask("restart_child", "a")
    await stage.ask("terminate_child", "b")
    await stage.ask("delete_child", "b")
    await stage.down()


@scenario
async def dynamic(stage: TeamStage) -> None:
    await stage.up("a", strategy="dynamic")
    await stage.ask("start_child", "one")
    await stage.ask("start_child", "two")
    await stage.fail("one")
    await stage.until_all_run(restarts=1)
    await stage.ask("terminate_child", "two")
    await stage.down()


@scenario
async def hurried(stage: TeamStage) -> None:
    brutal = {"agent": "b", "shutdown": "brutal_kill"}
    lower = {"name": "s", "children": [brutal], "shutdown": "5s"}
    await stage.up("a", lower, below=("s",))
    await stage.down(timedelta(seconds=0))


@scenario
async def health(stage: TeamStage) -> None:
    await stage.up("a", health=timedelta(milliseconds=300))
    await asyncio.sleep(1)
    await stage.down()


@scenario
async def continues_as_new(stage: TeamStage) -> None:
    await stage.up("a", "b", rollover=50, strategy="one_for_all")
    first = await stage.run_id()
    await stage.fail("a")
    await stage.until(lambda: stage.has_other_run(first))
    second = await stage.run_id()
    await stage.ask("restart_child", "b")
    await stage.ask("restart_child", "a")
    await stage.until(lambda: stage.has_other_run(second))
    await stage.down()
