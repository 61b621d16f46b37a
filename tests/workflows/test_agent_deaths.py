"""The ways in which durable agents are known to die quietly; none of ours does."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
import pytest_asyncio
from agent_stage import SECONDS, AgentStage, plays

from mainstay.agent_driving import Driving
from mainstay.decisions.agents import acting
from mainstay.schemas.budgets import BreakerState
from mainstay.schemas.conversation import EntryKind
from mainstay.schemas.errors import AgentFailed, InvalidInput, Refused, Unavailable
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus


@pytest_asyncio.fixture
async def agents(lone_stage):
    return AgentStage(lone_stage)


# A deterministic refusal burns the restart budget.


async def test_refusal_is_asked_once_and_costs_no_attempt_and_no_restart(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        for fails, error in [("refused", Refused), ("permanent", InvalidInput)]:
            with pytest.raises(error, match=fails):
                await agents.ask(agent, {"fail": fails})
        assert len(models.calls) == 2
        info = await agent.info()
        assert (info.state, info.restarts, info.failed) == (LifeState.RUNNING, 0, 2)
        breakers = await agents.store.list_breakers()
        assert all(one.state is BreakerState.CLOSED and not one.failures for one in breakers)
        assert (await agent.row()).restarts == 0
        assert await agents.ask(agent, "well") == "well"


async def test_tool_that_refuses_is_called_once_and_the_model_is_told(agents):
    async with agents.worker():
        agent = await agents.spawn(tools=["test.broken"])
        where = {"path": agents.stage.file("log"), "mended": agents.stage.file("never")}
        answer = await agents.ask(agent, {"tools": [["test.broken", where]]})
        assert "it is not mended" in answer
        assert [entry.is_error for entry in await agent.entries()] == [False, False, True, False]
        assert (await agent.account()).spent.tool_calls == 1
        assert (await agent.info()).restarts == 0


# A cached failure is replayed for ever after resume.


async def test_failure_is_no_answer_and_the_model_is_asked_afresh(agents):
    async with agents.worker() as models:
        agent = await agents.spawn(on_failure="pause", limits={"model_attempts": 2})
        models.broken = "it rains"
        with pytest.raises(Unavailable, match="it rains"):
            await agent.ask("hello", timeout=SECONDS)
        await agents.until_state(agent, LifeState.PAUSED)
        assert len(models.calls) == 2
        assert {entry.kind for entry in await agent.entries()} == {EntryKind.USER}
        models.broken = ""
        await agent.resume()
        assert await agent.ask("hello", timeout=SECONDS) == "echo: hello"


async def test_turn_that_was_paused_while_it_backed_off_asks_afresh_after_resume(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        models.broken = "it rains"
        sent = await agent.send("hello")
        await agents.until_activity(agent, "it rains")
        await agent.pause()
        models.broken = ""
        asked = len(models.calls)
        await agent.resume()
        assert (await agents.end_of(agent, sent)).answer == "echo: hello"
        assert len(models.calls) == asked + 1


# The senders of a dead agent are still told "delivered".


async def test_stopped_agent_fails_what_it_had_and_refuses_what_comes(agents):
    async with agents.worker() as models:
        agent = await agents.spawn(mailbox={"batch": 2})
        asking = asyncio.create_task(agents.ask(agent, {"gate": "g", "then": "late"}))
        await models.reached("g")
        waiting = [await agent.send(f"m{number}") for number in range(4)]
        await agent.stop("no longer needed", grace=timedelta(0))
        with pytest.raises(AgentFailed, match="the agent was stopped: no longer needed"):
            await asking
        for message_id in waiting:
            message = await agents.end_of(agent, message_id)
            assert message.status is MessageStatus.FAILED
            assert message.failure is not None
            assert "no longer needed" in message.failure.message
        with pytest.raises(Refused, match="takes no more messages"):
            await agent.send("hello?")
        assert (await agent.result()).state is LifeState.TERMINATED


async def test_agent_whose_workflow_was_killed_is_not_written_to_in_vain(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        sent = await agent.send(plays({"gate": "g", "then": "late"}))
        waiting = asyncio.create_task(agent.wait(sent, SECONDS, patience=timedelta(0)))
        await models.reached("g")
        behind = await agent.send("behind it")
        await agents.mainstay.temporal.get_workflow_handle(agent.id).terminate("by an operator")
        with pytest.raises(Unavailable, match="is lost"):
            await waiting
        fresh = await agents.mainstay.agent("a")
        with pytest.raises(Unavailable, match="is lost"):
            await fresh.send("hello?")
        models.open("g")
        assert await agent.restart() == "taken up again"
        assert (await agents.end_of(agent, behind)).answer == "echo: behind it"
        messages = await agents.store.messages_of(agent.id)
        await asyncio.gather(*(agents.end_of(agent, one.id) for one in messages))
        assert [one.answer for one in await agents.store.messages_of(agent.id)] == [
            "echo: hello?",
            "echo: behind it",
            "late",
        ]


async def test_agent_that_asks_a_dead_one_is_told_so(agents):
    async with agents.worker() as models:
        peer = await agents.spawn("peer")
        agent = await agents.spawn(agents=["peer"])
        ask_peer = {"tools": [["ask_agent_peer", {"prompt": plays({"gate": "g", "then": "no"})}]]}
        asking = asyncio.create_task(agents.ask(agent, ask_peer))
        await models.reached("g")
        await peer.stop("it goes home", grace=timedelta(0))
        assert "the agent did not answer" in await asking
        assert "the agent cannot be asked" in await agents.ask(agent, ask_peer)


async def test_agent_that_asks_one_that_was_killed_is_told_so(agents, monkeypatch):
    monkeypatch.setattr(acting, "COLLECT_INTERVAL", timedelta(milliseconds=200))
    async with agents.worker() as models:
        peer = await agents.spawn("peer")
        agent = await agents.spawn(agents=["peer"])
        ask_peer = {"tools": [["ask_agent_peer", {"prompt": plays({"gate": "g", "then": "no"})}]]}
        asking = asyncio.create_task(agents.ask(agent, ask_peer))
        await models.reached("g")
        await agents.mainstay.temporal.get_workflow_handle(peer.id).terminate("by an operator")
        assert "the agent 'main/peer' is lost" in await asking


# An agent is shown running while nothing drives it.


async def test_agent_that_nothing_drives_is_not_shown_as_running(agents, monkeypatch):
    monkeypatch.setattr("mainstay.agent_handle.QUERY_TIMEOUT", timedelta(milliseconds=500))
    agent = await agents.spawn()
    assert await agent.driving() is Driving.NO_WORKER
    with pytest.raises(Unavailable, match="no worker serves"):
        await agent.wait(await agent.send("hello"), SECONDS, patience=timedelta(0))
    with pytest.raises(Unavailable):
        await agent.info()
    async with agents.worker():
        assert await agent.ask("hello", timeout=SECONDS) == "echo: hello"
        assert await agent.driving() is Driving.DRIVEN
        await agents.mainstay.temporal.get_workflow_handle(agent.id).terminate("gone")
        rows = await agents.mainstay.agents()
        assert [row.state for row in rows] == [LifeState.RUNNING]
        assert await agents.mainstay.look_at_agents(rows) == [Driving.LOST]
        with pytest.raises(AgentFailed):
            await agent.result()


# A restart silently starts fresh.


async def test_restart_goes_on_with_the_same_conversation(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        assert await agents.ask(agent, "one") == "one"
        await agent.restart("to see")
        assert await agents.ask(agent, "two") == "two"
        assert [entry.text for entry in models.calls[-1].entries] == [
            plays("one"),
            "one",
            plays("two"),
        ]


@pytest.mark.parametrize("lost", ["while it runs", "with its workflow"])
async def test_restart_without_its_conversation_is_an_error_and_says_so(agents, lost):
    async with agents.worker() as models:
        agent = await agents.spawn()
        assert await agents.ask(agent, "one") == "one"
        await agents.until_state(agent, LifeState.RUNNING)
        _delete(agents, "DELETE FROM threads WHERE thread_id = ?", (await agent.row()).thread)
        if lost == "with its workflow":
            await agents.mainstay.temporal.get_workflow_handle(agent.id).terminate("gone")
        await agent.restart()
        await agents.until_state(agent, LifeState.ERROR)
        info = await agent.info()
        assert (info.state, info.activity) == (LifeState.ERROR, "idle")
        assert "does not start afresh in silence" in info.detail
        assert len(models.calls) == 1


async def test_restart_without_its_file_is_an_error_and_says_so(agents):
    async with agents.worker():
        agent = await agents.spawn()
        assert await agents.ask(agent, "one") == "one"
    _delete(agents, "DELETE FROM documents WHERE key = ?", (await agent.row()).spec_ref)
    async with agents.worker():  # a worker that has not read the file before
        await agent.restart()
        await agents.until_state(agent, LifeState.ERROR)
        assert "agent-spec/" in (await agent.info()).detail


# A model default was not stored with the run.


async def test_default_model_of_today_is_the_model_of_tomorrow(agents):
    before = agents.with_settings(model="played:then")
    async with agents.worker() as models:
        from mainstay.schemas.agent import AgentSpec

        agent = await before.spawn(AgentSpec(name="a"))
        assert await agents.ask(agent, "one") == "one"
        after = agents.with_settings(model="played:now")
        again = await after.agent("a")
        assert await agents.ask(again, "two") == "two"
        await again.restart()
        assert await agents.ask(again, "three") == "three"
        assert {call.model for call in models.calls} == {"played:then"}
        assert (await again.spec()).model == "played:then"
        assert (await again.info()).model == "played:then"
        other = await after.spawn(AgentSpec(name="b"))
        await agents.ask(other, "four")
        assert models.calls[-1].model == "played:now"


def _delete(agents: AgentStage, statement: str, key: str) -> None:
    path = agents.stage.settings.data_dir / "mainstay.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        assert connection.execute(statement, (key,)).rowcount == 1
