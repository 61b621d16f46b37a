"""An agent whose storage was slow for a moment goes on with another worker like any other one.

What storage does quickly is done within a step of the workflow, else by an activity. Which of them
it was stands in the history, and a worker that brings the agent back must read it the same way.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

from fault_rig import POLL_SECONDS, Rig, running_rig
from team_crew import played
from temporalio.api.enums.v1 import EventType

from mainstay.agent_handle import AgentHandle
from mainstay.worker import build_replayer
from mainstay.workflows.agent import Agent

SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
WAIT_SECONDS = 30.0


async def test_agent_whose_mailbox_was_slow_answers_after_its_worker_was_killed(tmp_path):
    async with running_rig(tmp_path) as rig:
        spec = played("slow", tmp_path, [{"say": "here"}], [{"name": "one", "agent": "hand"}])
        team = await rig.mainstay.team_up(spec)
        [row] = (await team.sight()).agents
        agent = rig.mainstay.agent_handle(row.agent_id)
        await take_slowly(rig, agent)
        workflow = rig.mainstay.temporal.get_workflow_handle(agent.id)
        await build_replayer().replay_workflow(await workflow.fetch_history())
        rig.workers[-1].kill()
        rig.start_worker()
        assert await agent.ask("are you there?", timeout=timedelta(seconds=WAIT_SECONDS)) == "here"
        assert (await team.view()).restarts == 0
        await team.down()


async def take_slowly(rig: Rig, agent: AgentHandle) -> None:
    """Have an agent look into its mailbox while nobody can write, until it takes an activity."""
    workflow = rig.mainstay.temporal.get_workflow_handle_for(Agent.run, agent.id)
    before = await activities(rig, agent)
    with closing(sqlite3.connect(rig.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        await workflow.signal(Agent.ring)
        async with asyncio.timeout(WAIT_SECONDS):
            while await activities(rig, agent) == before:
                await asyncio.sleep(POLL_SECONDS)
        connection.execute("ROLLBACK")


async def activities(rig: Rig, agent: AgentHandle) -> int:
    """Return how many activities an agent has asked for."""
    history = rig.mainstay.temporal.get_workflow_handle(agent.id).fetch_history_events()
    return len([event async for event in history if event.event_type == SCHEDULED])
