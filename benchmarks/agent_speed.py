"""How quickly an agent is there, hears, and answers when neither its model nor its tool take time.

Ours and the floor are measured in turn. The floor of a turn is a bare workflow that is signalled
and runs three activities: one to take the message, one to ask the model, one to settle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median, quantiles
from time import perf_counter

from benchmarks import agent_bare, agent_thoughts
from benchmarks.bench import Bench
from benchmarks.report import Finding, finding
from benchmarks.rig import Rig, rig
from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import AgentInfo
from mainstay.schemas.messages import MESSAGE_ENDS

GOAL_SPAWN_P50_MS = 20
GOAL_SPAWN_P95_MS = 60
GOAL_TURN_MS = 40
GOAL_TAKEN_MS = 30

WARM_UP = 5
LOOK_SECONDS = 0.002
"""How often it is looked whether a message is answered: a person's client looks less often."""
STEPS = 10
"""Tool calls in one turn, one after another."""


async def measure(bench: Bench) -> list[Finding]:
    """Spawn agents, write to idle ones, and let them work."""
    count = bench.size(100, 20)
    async with rig() as made, agent_bare.bare_agents(made.temporal):
        found = await _measure_spawning(made, count)
        found += await _measure_turns(made, count)
        found += await _measure_steps(made, bench.size(20, 5))
    return found


async def _measure_spawning(made: Rig, count: int) -> list[Finding]:
    ours, floor, ready = [], [], []
    for number in range(count + WARM_UP):
        began = perf_counter()
        agent = await made.mainstay.spawn(_spec("answer"), name=f"a{number}")
        ours.append((perf_counter() - began) * 1e3)
        await _until_idle(agent)
        ready.append((perf_counter() - began) * 1e3)
        began = perf_counter()
        await made.temporal.start_workflow(
            agent_bare.WAITER, id=f"waiter-{number}", task_queue=agent_bare.QUEUE
        )
        floor.append((perf_counter() - began) * 1e3)
    ours, floor, ready = ours[WARM_UP:], floor[WARM_UP:], ready[WARM_UP:]
    note = f"of {count}; until it is ready: {median(ready):.0f} ms; the floor: a bare start"
    return [
        finding(
            "spawn an agent, p50",
            median(ours),
            "ms",
            goal=GOAL_SPAWN_P50_MS,
            floor=median(floor),
            note=note,
        ),
        finding("spawn an agent, p95", _p95(ours), "ms", goal=GOAL_SPAWN_P95_MS, floor=_p95(floor)),
    ]


async def _measure_turns(made: Rig, count: int) -> list[Finding]:
    agent = await made.mainstay.spawn(_spec("answer"), name="turns")
    waiter = await made.temporal.start_workflow(
        agent_bare.WAITER, id="waiter-turns", task_queue=agent_bare.QUEUE
    )
    await _until_idle(agent)
    taken, whole, one, three = [], [], [], []
    for number in range(count + WARM_UP):
        began = perf_counter()
        prompt = f"message {number}"
        message = await agent.send(prompt)
        await _until_answered(made, message)
        whole.append((perf_counter() - began) * 1e3)
        taken.append((agent_thoughts.asked_at[prompt] - began) * 1e3)
        for activities, times in ((1, one), (3, three)):
            began = perf_counter()
            await waiter.signal("ring", activities)
            await waiter.execute_update("served", 2 * number + (1 if activities == 1 else 2))
            times.append((perf_counter() - began) * 1e3)
    rest = slice(WARM_UP, None)
    return [
        finding(
            "message to an idle agent, until its model is asked",
            median(taken[rest]),
            "ms",
            goal=GOAL_TAKEN_MS,
            floor=median(one[rest]),
            note=f"median of {count}; the floor: a bare signal and one activity",
        ),
        finding(
            "overhead of a turn, from sending to the answer",
            median(whole[rest]),
            "ms",
            goal=GOAL_TURN_MS,
            floor=median(three[rest]),
            note="median; the floor: a bare signal and three activities",
        ),
    ]


async def _measure_steps(made: Rig, count: int) -> list[Finding]:
    agent = await made.mainstay.spawn(_spec("use_tools"), name="steps")
    await _until_idle(agent)
    steps = []
    for number in range(count):
        took = []
        for calls in (0, STEPS):
            began = perf_counter()
            await _until_answered(made, await agent.send(f"message {number} {calls}"))
            took.append((perf_counter() - began) * 1e3)
        steps.append((took[1] - took[0]) / STEPS)
    return [
        finding(
            "each tool call of a turn: the call, and asking the model again",
            median(steps),
            "ms",
            goal=GOAL_TURN_MS,
            note=f"median of {count} turns with {STEPS} calls after one another",
        )
    ]


def _spec(function: str) -> AgentSpec:
    model = f"code:{agent_thoughts.__name__}:{function}"
    return AgentSpec(name="a", model=model, tools=[agent_thoughts.TOOL])


async def _until_idle(agent: AgentHandle) -> AgentInfo:
    while True:
        info = await agent.info()
        if info.state == "RUNNING" and info.activity == "idle":
            return info
        await asyncio.sleep(LOOK_SECONDS)


async def _until_answered(made: Rig, message_id: str) -> None:
    while (await made.mainstay.store.get_message(message_id)).status not in MESSAGE_ENDS:
        await asyncio.sleep(LOOK_SECONDS)


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]
