"""How soon an agent that has failed runs again: from its failing turn to RUNNING, back-off 0.

The worker is in this process, so that the failing model can note when it was asked. Each failure
and the floor are measured in turn.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from statistics import median
from time import perf_counter
from typing import Any

from temporalio.client import WorkflowHandle

from benchmarks import team_bare
from benchmarks.bench import Bench
from benchmarks.report import Finding, finding
from benchmarks.rig import Rig, rig
from benchmarks.team_rig import load
from mainstay.schemas.agent import AgentSpec, LimitsSpec, OnFailure
from mainstay.schemas.errors import Unavailable
from mainstay.schemas.team import ChildSpec, IntensitySpec, TeamSpec

GOAL_RESTART_MS = 150
TEAM = "fails"
WARM_UP = 3
LOOK_SECONDS = 0.002
_SELECT = "SELECT current_state, restart_count FROM agents WHERE agent_id = ?"

failed_at: dict[str, float] = {}
"""When each prompt made the model fail, by ``perf_counter``."""


async def fail(prompt: str, entries: object) -> str:
    """Fail, as a provider that does not answer."""
    failed_at[prompt] = perf_counter()
    raise Unavailable("it is made to fail", hint="nothing")


async def measure_restarts(bench: Bench) -> list[Finding]:
    """Let an agent fail time and again."""
    count = bench.size(50, 10) + WARM_UP
    ours, floor = [], []
    async with rig() as made, team_bare.bare_worker(made.temporal) as plain:
        team = await made.mainstay.team_up(_team())
        [agent] = (await team.sight()).agents
        parent = await plain.start_workflow(
            team_bare.Parent.run, team_bare.Family(1), id="family", task_queue=team_bare.QUEUE
        )
        for number in range(1, count + 1):
            prompt = f"fail {number}"
            await made.mainstay.agent_handle(agent.agent_id).send(prompt)
            back = await _until_back(made, agent.agent_id, number)
            ours.append((back - failed_at[prompt]) * 1e3)
            floor.append(await _bare_ms(plain, parent, number))
        await team.down()
        await parent.signal(team_bare.END)
    return [
        finding(
            "an agent that failed runs again",
            median(ours[WARM_UP:]),
            "ms",
            goal=GOAL_RESTART_MS,
            floor=median(floor[WARM_UP:]),
            note=f"median of {count - WARM_UP}, from the failing model call until RUNNING is on "
            "record; the floor: a bare child fails, its parent starts it again, it runs one "
            f"activity; {load()}",
        )
    ]


def _team() -> TeamSpec:
    agent = AgentSpec(
        name="a",
        model=f"code:{__name__}:fail",
        prompt="Fail.",
        limits=LimitsSpec(model_attempts=1),
        on_failure=OnFailure.FAIL,
    )
    return TeamSpec(
        team=TEAM,
        agents={"a": agent},
        intensity=IntensitySpec(max_restarts=10_000),
        children=[ChildSpec(agent="a")],
    )


async def _until_back(made: Rig, agent_id: str, restarts: int) -> float:
    """Wait until so many restarts are on record and the agent runs.

    It looks into the database file itself, so that looking often takes no time from the worker.
    """
    place = made.settings.data_dir / "mainstay.db"
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as file:
        while True:
            [(state, count)] = file.execute(_SELECT, [agent_id])
            if state == "RUNNING" and count >= restarts:
                return perf_counter()
            await asyncio.sleep(LOOK_SECONDS)


async def _bare_ms(plain: Any, parent: WorkflowHandle[Any, Any], number: int) -> float:
    await plain.get_workflow_handle(f"{parent.id}/0").signal(team_bare.FAIL)
    while await parent.query(team_bare.Parent.count) <= number:
        await asyncio.sleep(LOOK_SECONDS)
    gap: float = await parent.query(team_bare.Parent.gap)
    return gap * 1e3
