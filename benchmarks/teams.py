"""A thousand agents as one team: how soon it is up and down, what it costs while it rests, and
how soon an agent that failed is there again.

Floors are bare workflows on the same server that do the least of the same: 20 parents with 50
children each, of which each runs one activity and tells its parent that it is ready. They work side
by side, while a team's supervisors are started, and stopped, one after another, as OTP has it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from statistics import median
from time import perf_counter

from benchmarks import team_bare
from benchmarks.bench import Bench
from benchmarks.report import Finding, finding
from benchmarks.team_restart import measure_restarts
from benchmarks.team_rig import Spent, TeamRig, load, team_rig
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.team import ChildSpec, SupervisorSpec, TeamSpec
from mainstay.team_handle import TeamHandle

GOAL_UP_SECONDS = 30
GOAL_DOWN_SECONDS = 20
GOAL_OPERATIONS = 2.0
GOAL_LIST_SECONDS = 1.0

SUPERVISORS = 20
TEAM = "bench"
LOOKS = 5
"""How often the list of agents is read."""
SETTLE_SECONDS = 5.0
"""How long a team that has come up is left alone before it counts as idle."""
LOOK_SECONDS = 0.1


async def measure(bench: Bench) -> list[Finding]:
    """Bring bare families up and down, then a team; and let one of its agents fail."""
    each = bench.size(50, 5)
    async with team_rig() as made:
        floor_up, floor_down = await _measure_bare(made, each)
        team, up = await _up(made, each)
        found = [_found("up", GOAL_UP_SECONDS, each, up, floor_up)]
        found.append(await _measure_list(made, each))
        found.append(await _measure_rest(made, each, bench.size(65, 10)))
        down = await _down(made, team)
        found.append(_found("down", GOAL_DOWN_SECONDS, each, down, floor_down))
    return found + await measure_restarts(bench)


def _found(way: str, goal: float, each: int, spent: Spent, floor: Spent) -> Finding:
    return finding(
        f"a team of {each * SUPERVISORS:,} agents {way}",
        spent.seconds,
        "s",
        goal=goal,
        floor=floor.seconds,
        note=f"{SUPERVISORS} supervisors with {each} each; {spent}; "
        f"the floor: {SUPERVISORS} bare parents, {floor}; {load()}",
    )


async def _measure_bare(made: TeamRig, each: int) -> tuple[Spent, Spent]:
    meter = made.bare_meter()
    parents = [
        await made.plain.start_workflow(
            team_bare.Parent.run,
            team_bare.Family(each),
            id=f"family-{number}",
            task_queue=team_bare.QUEUE,
        )
        for number in range(SUPERVISORS)
    ]
    for parent in parents:
        while await parent.query(team_bare.Parent.count) < each:
            await asyncio.sleep(LOOK_SECONDS)
    up, meter = meter.read(), made.bare_meter()
    for parent in parents:
        await parent.signal(team_bare.END)
    for parent in parents:
        await parent.result()
    return up, meter.read()


async def _up(made: TeamRig, each: int) -> tuple[TeamHandle, Spent]:
    script = made.settings.data_dir / "here.yaml"
    script.write_text("loop: true\nturns: [{say: here}]\n")
    meter = made.meter()
    team = await made.mainstay.team_up(
        _team(f"script:{script}", each), timeout=timedelta(minutes=10)
    )
    return team, meter.read()


async def _down(made: TeamRig, team: TeamHandle) -> Spent:
    meter = made.meter()
    await team.down()
    return meter.read()


def _team(model: str, each: int) -> TeamSpec:
    return TeamSpec(
        team=TEAM,
        agents={"a": AgentSpec(name="a", model=model, prompt="Be there.")},
        children=[
            ChildSpec(
                name=f"group-{number}",
                supervisor=SupervisorSpec(
                    children=[ChildSpec(name=f"a{number}", agent="a", count=each)]
                ),
            )
            for number in range(SUPERVISORS)
        ],
    )


async def _measure_list(made: TeamRig, each: int) -> Finding:
    took = []
    for _ in range(LOOKS):
        began = perf_counter()
        rows = await made.mainstay.agents(name_prefix=f"{TEAM}/")
        took.append(perf_counter() - began)
        if len(rows) != each * SUPERVISORS:
            raise RuntimeError(f"{len(rows)} agents are listed")
    return finding(
        f"list the {each * SUPERVISORS:,} agents of a team",
        median(took),
        "s",
        goal=GOAL_LIST_SECONDS,
        note=f"median of {LOOKS}, from the records; {load()}",
    )


async def _measure_rest(made: TeamRig, each: int, seconds: float) -> Finding:
    await asyncio.sleep(SETTLE_SECONDS)
    before, meter = await made.requests(), made.meter()
    await asyncio.sleep(seconds)
    after, spent = await made.requests(), meter.read()
    asked: Counter[str] = after - before
    told = ", ".join(f"{name} {count}" for name, count in asked.most_common())
    return finding(
        f"an idle team of {each * SUPERVISORS:,}",
        asked.total() / spent.seconds,
        "operations/s",
        goal=GOAL_OPERATIONS,
        note=f"requests to the server's front end within {spent.seconds:.0f} s, by its own "
        f"metrics, without workers' polls: {told}; {spent}; {load()}",
    )
