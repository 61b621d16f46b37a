"""Families of agents on the real server: what becomes of children when a parent's life ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest_asyncio
from agent_stage import MODEL, SECONDS, plays
from plan_stage import until
from team_stage import HEARTBEAT, TeamStage, agent, supervisor

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import AgentResult
from mainstay.schemas.agent_run import AgentOptions
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus

TERMINATED = LifeState.TERMINATED


@pytest_asyncio.fixture
async def teams(lone_stage):
    return TeamStage(lone_stage)


async def child_of(teams: TeamStage, parent: AgentHandle, name: str, **spec: Any) -> AgentHandle:
    """Spawn an agent under another one, and wait until it runs."""
    written = AgentSpec.model_validate({"name": name, "model": MODEL, **spec})
    options = AgentOptions(heartbeat_timeout=HEARTBEAT)
    child = await teams.mainstay.spawn(written, parent=parent.id, options=options)
    await teams.until_state(child, LifeState.RUNNING)
    return child


async def family(teams: TeamStage, choice: str, **spec: Any) -> list[AgentHandle]:
    """Spawn three generations that all choose the same."""
    top = await teams.spawn("top")
    middle = await child_of(teams, top, "middle", on_parent_end=choice, **spec)
    leaf = await child_of(teams, middle, "leaf", on_parent_end=choice, **spec)
    return [top, middle, leaf]


async def at_a_gate(teams: TeamStage, gate: str, one: AgentHandle) -> str:
    """Have an agent begin a turn that waits at a gate."""
    sent = await one.send(plays({"gate": gate, "then": "done"}))
    await teams.models.reached(gate)
    return sent


async def ended(one: AgentHandle) -> AgentResult:
    """Wait until an agent has ended."""
    async with asyncio.timeout(SECONDS.total_seconds()):
        return await one.result()


async def parent_of(one: AgentHandle) -> str:
    return (await one.row()).parent_id


async def test_orphan_goes_to_the_next_one_above_and_works_on(teams):
    async with teams.serving() as models:
        top, middle, leaf = await family(teams, "orphan")
        sent = await at_a_gate(teams, "g", leaf)
        await middle.stop("enough")
        await ended(middle)
        assert await parent_of(leaf) == top.id
        models.open("g")
        assert (await teams.end_of(leaf, sent)).answer == "done"
        events = await teams.store.agent_events_after(leaf.id, 0)
        assert [event.message for event in events if event.trigger == "parent_ended"] == [
            "its parent 'main/middle' has ended; its parent is 'main/top' now"
        ]
        await top.stop()
        await ended(top)
        assert await parent_of(leaf) == ""
        assert await leaf.ask("there?", timeout=SECONDS) == "echo: there?"


async def test_stopping_children_finish_their_turns_and_then_theirs_follow(teams):
    async with teams.serving() as models:
        top, middle, leaf = await family(teams, "stop")
        works = await at_a_gate(teams, "m", middle)
        await top.stop("enough")
        await ended(top)
        await teams.until_state(middle, LifeState.STOPPING)
        life = await middle.history()
        assert life.until - life.since == timedelta(seconds=60)
        assert (await leaf.row()).state is LifeState.RUNNING
        models.open("m")
        assert (await ended(middle)).reason == "its parent 'main/top' has ended"
        assert (await teams.end_of(middle, works)).answer == "done"
        assert (await ended(leaf)).reason == "its parent 'main/middle' has ended"


async def test_cascade_ends_the_whole_tree_at_once(teams):
    async with teams.serving():
        top, middle, leaf = await family(teams, "cascade")
        works = [await at_a_gate(teams, "m", middle), await at_a_gate(teams, "l", leaf)]
        await top.stop("enough")
        for one, sent in zip((middle, leaf), works, strict=True):
            assert (await ended(one)).state is TERMINATED
            assert (await teams.end_of(one, sent)).status is MessageStatus.FAILED


async def test_gone_child_does_not_hold_its_parent_up(teams):
    async with teams.serving():
        top, middle, _ = await family(teams, "stop")
        await teams.mainstay.temporal.get_workflow_handle(middle.id).terminate("by an operator")
        await top.stop()
        assert (await ended(top)).state is TERMINATED


async def test_child_that_begins_after_its_parents_end_does_as_it_says(teams):
    async with teams.serving():
        top = await teams.spawn("top")
        await top.stop()
        await ended(top)
        late = await child_of(teams, top, "late")
        assert await parent_of(late) == ""
        spec = AgentSpec(name="later", model=MODEL, on_parent_end="cascade")
        later = await teams.mainstay.spawn(spec, parent=top.id)
        assert (await ended(later)).state is TERMINATED


async def test_restarted_parent_keeps_its_children_until_its_team_is_down(teams):
    async with teams.serving():
        once = {"on_failure": "fail", "limits": {"model_attempts": 1}}
        team = await teams.up(supervisor(agent("boss")), boss=once)
        await team.until_running()
        boss = team.agent("boss")
        child = await child_of(teams, boss, "child", on_parent_end="cascade")
        await boss.send(plays({"fail": "transient"}))
        await team.until_restarted("boss")
        await team.terminate("boss")
        await team.until_restarted("boss", 2)
        assert await child.ask("still there?", timeout=SECONDS) == "echo: still there?"
        assert await parent_of(child) == boss.id
        await team.down()
        assert (await ended(child)).reason == f"its parent '{team.name}/boss' has ended"


async def test_children_of_a_killed_agent_hear_of_it(teams):
    async with teams.serving():
        team = await teams.up(supervisor(agent("boss", shutdown=timedelta(0))))
        await team.until_running()
        boss = team.agent("boss")
        heir = await child_of(teams, boss, "heir")
        child = await child_of(teams, boss, "child", on_parent_end="stop")
        await team.down()
        assert (await ended(child)).state is TERMINATED

        async def has_none() -> bool:
            return not await parent_of(heir)

        await until(has_none)
