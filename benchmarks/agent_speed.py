"""How quickly an agent is there, hears, and answers when neither its model nor its tool take time.

Ours and the floor are measured in turn. The floor of a turn is a bare workflow that is signalled
and runs three activities: one to take the message, one to ask the model, one to settle.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from temporalio.client import Client, WorkflowHandle

from benchmarks import agent_bare, agent_thoughts
from benchmarks.bench import Bench
from benchmarks.report import Finding, finding
from benchmarks.rig import Rig, rig
from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import AgentInfo
from mainstay.schemas.messages import MESSAGE_ENDS, MessageStatus

GOAL_SPAWN_P50_MS = 20
GOAL_SPAWN_P95_MS = 60
GOAL_TURN_MS = 40
GOAL_TAKEN_MS = 30

WARM_UP = 5
LOOK_SECONDS = 0.001
"""How often it is looked how far a message has come: a person's client looks less often."""
_SELECT_STATUS = "SELECT status FROM messages WHERE message_id = ?"
TAKEN = MESSAGE_ENDS | {MessageStatus.DELIVERED}
STEPS = 10
"""Tool calls in one turn, one after another."""


async def measure(bench: Bench) -> list[Finding]:
    """Spawn agents, write to idle ones, and let them work."""
    count = bench.size(100, 20)
    async with rig() as made, agent_bare.bare_agents(made.temporal) as plain:
        found = await _measure_spawning(made, plain, count)
        found += await _measure_turns(made, plain, count)
        found += await _measure_steps(made, bench.size(20, 5))
    return found


async def _measure_spawning(made: Rig, plain: Client, count: int) -> list[Finding]:
    ours, floor, ready = [], [], []
    for number in range(count + WARM_UP):
        began = perf_counter()
        agent = await made.mainstay.spawn(_spec("answer"), name=f"a{number}")
        ours.append((perf_counter() - began) * 1e3)
        await _until_idle(agent)
        ready.append((perf_counter() - began) * 1e3)
        began = perf_counter()
        await plain.start_workflow(
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


async def _measure_turns(made: Rig, plain: Client, count: int) -> list[Finding]:
    agent = await made.mainstay.spawn(_spec("answer"), name="turns")
    waiter = await plain.start_workflow(
        agent_bare.WAITER, id="waiter-turns", task_queue=agent_bare.QUEUE
    )
    await _until_idle(agent)
    taken, thought, whole, one, three = [], [], [], [], []
    for number in range(count + WARM_UP):
        began = perf_counter()
        prompt = f"message {number}"
        message = await agent.send(prompt)
        taken.append((await _until(made, message, TAKEN) - began) * 1e3)
        whole.append((await _until(made, message, MESSAGE_ENDS) - began) * 1e3)
        thought.append((agent_thoughts.asked_at[prompt] - began) * 1e3)
        for activities, times in ((1, one), (3, three)):
            times.append(await _bare_ms(waiter, activities))
    rest = slice(WARM_UP, None)
    return [
        finding(
            "message to an idle agent, until it has it",
            median(taken[rest]),
            "ms",
            goal=GOAL_TAKEN_MS,
            floor=median(one[rest]),
            note=f"of {count}; until its model is asked: {median(thought[rest]):.1f} ms; "
            "the floor: a bare signal and one activity",
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
            message = await agent.send(f"message {number} {calls}")
            await _until(made, message, MESSAGE_ENDS)
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


async def _bare_ms(waiter: WorkflowHandle[Any, Any], activities: int) -> float:
    agent_bare.worked_at.clear()
    began = perf_counter()
    await waiter.signal("ring", activities)
    while len(agent_bare.worked_at) < activities:
        await asyncio.sleep(LOOK_SECONDS)
    return (agent_bare.worked_at[-1] - began) * 1e3


def _spec(function: str) -> AgentSpec:
    model = f"code:{agent_thoughts.__name__}:{function}"
    return AgentSpec(name="a", model=model, tools=[agent_thoughts.TOOL])


async def _until_idle(agent: AgentHandle) -> AgentInfo:
    while True:
        info = await agent.info()
        if info.state == "RUNNING" and info.activity == "idle":
            return info
        await asyncio.sleep(LOOK_SECONDS)


async def _until(made: Rig, message_id: str, statuses: frozenset[MessageStatus]) -> float:
    """Wait until a message has come so far; return when, by ``perf_counter``.

    It looks into the database file itself, so that looking often takes no time from the worker.
    """
    place = made.settings.data_dir / "mainstay.db"
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as file:
        while True:
            [(status,)] = file.execute(_SELECT_STATUS, [message_id.replace("-", "")])
            if status in statuses:
                return perf_counter()
            await asyncio.sleep(LOOK_SECONDS)


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]
