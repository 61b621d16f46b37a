"""Teams whose workers go away: killed with many live agents, or stopped one after the other."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles

import pytest
from fault_rig import Rig, WorkerProcess, running_rig
from fault_run import Run
from team_crew import MAX_IN_POD, Size, played
from team_shift import TeamShift, see_nothing_open

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.workflows.agent import Agent

UP_SECONDS = 240.0
LONGEST_SECONDS = 120.0
PATIENCE = timedelta(seconds=100)
AT_ONCE = 20
GRACE_SECONDS = 7.0
"""How long a worker that is asked to stop may take."""

SOME = Size(sections=2, pods=2, agents=5, jobs=4)


@dataclass(frozen=True)
class Delays:
    """Seconds from a new worker's start until agents answered."""

    each: list[float]

    def __str__(self) -> str:
        cuts = quantiles(self.each, n=100)
        p50, p95 = cuts[49], cuts[94]
        return (
            f"{len(self.each)} agents: p50 {p50:.1f} s, p95 {p95:.1f} s, max {self.slowest:.1f} s"
        )

    @property
    def slowest(self) -> float:
        """Of the last one."""
        return max(self.each)


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.deep)])
async def test_agents_of_a_killed_worker_all_answer_again_when_a_new_one_starts(
    tmp_path, capsys, count
):
    async with running_rig(tmp_path) as rig:
        agents = await many_agents(rig, count)
        rig.workers[-1].kill()
        began = time.time()
        rig.start_worker()
        asked = Delays(await asyncio.gather(*(until_seen(rig, one, began) for one in agents)))
        rig.workers[-1].kill()
        sent = await tell_all(agents)
        began = time.time()
        rig.start_worker()
        told = Delays(await asyncio.gather(*(until_done(rig, one, began) for one in sent)))
        with capsys.disabled():
            print(f"\nasked how they are, {asked}\ntold something, {told}")
        assert (await rig.mainstay.team("many").view()).restarts == 0
        await rig.mainstay.team("many").down()
        await see_nothing_open(rig)


async def test_no_message_or_task_fails_while_two_workers_are_restarted_in_turn(tmp_path):
    async with running_rig(tmp_path, workers=2) as rig:
        shift = await TeamShift.start(rig, "rolling", SOME, 0.1)
        plan = await Run.start(rig, "plan", 0.1)
        total = SOME.total * SOME.jobs
        for worker, effects in zip(list(rig.workers), (total // 4, total // 2), strict=True):
            await shift.reach(effects)
            await replace(rig, worker)
        assert len(shift.ledger.effects()) < total  # there was work all the time
        await shift.end()
        await shift.judge()
        await plan.judge(await plan.end())
        assert shift.ledger.doubles == 0  # nothing had to be done again
        assert plan.ledger.doubles == 0
        await shift.down()


async def many_agents(rig: Rig, count: int) -> list[AgentHandle]:
    """Bring up a team of so many agents."""
    full = -(-count // MAX_IN_POD)
    pods = [
        {
            "name": f"pod-{n}",
            "supervisor": {
                "children": [{"name": f"hand-{n}", "agent": "hand", "count": count // full}]
            },
        }
        for n in range(full)
    ]
    spec = played("many", rig.folder, [{"say": "done: ${{ user }}"}], pods)
    async with asyncio.timeout(UP_SECONDS):
        team = await rig.mainstay.team_up(spec)
        sight = await team.sight()
    assert len(sight.agents) == count
    return [rig.mainstay.agent_handle(row.agent_id) for row in sight.agents]


async def until_seen(rig: Rig, agent: AgentHandle, began: float) -> float:
    """Ask an agent how it is; returns how long after ``began`` it answered.

    The client's own time limit is not used: who asks again only makes the worker slower.
    """
    workflow = rig.mainstay.temporal.get_workflow_handle_for(Agent.run, agent.id)
    info = await workflow.query(Agent.info, rpc_timeout=PATIENCE)
    assert info.state is LifeState.RUNNING
    return time.time() - began


async def tell_all(agents: list[AgentHandle]) -> list[str]:
    """Tell each agent something, and return the messages."""
    sent = []
    for first in range(0, len(agents), AT_ONCE):
        some = agents[first : first + AT_ONCE]
        sent += await asyncio.gather(*(agent.send("hello") for agent in some))
    return sent


async def until_done(rig: Rig, message_id: str, began: float) -> float:
    """Wait until a message is answered; returns how long after ``began`` that was."""
    while time.time() < began + LONGEST_SECONDS:
        message = await rig.mainstay.store.get_message(message_id)
        if message.processed_at is not None:
            assert message.status is MessageStatus.PROCESSED
            return message.processed_at.timestamp() - began
        await asyncio.sleep(1)
    raise AssertionError(f"message {message_id} is not answered")


async def replace(rig: Rig, worker: WorkerProcess) -> None:
    """Ask a worker to stop, and start another one when it is gone."""
    worker.signal(signal.SIGTERM)
    await worker.gone(GRACE_SECONDS)
    assert worker.has_stopped_well, worker.said()
    await rig.start_worker().ready()
