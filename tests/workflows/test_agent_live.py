"""What a living agent does: its mailbox, its control, its tools, its budget, its next run."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from agent_stage import MODEL, SECONDS, USED, AgentStage, plays
from plan_stage import until

from mainstay.schemas.agent import AgentSpec, BudgetSpec
from mainstay.schemas.agent_calls import AgentEventKind
from mainstay.schemas.agent_run import AgentOptions
from mainstay.schemas.budgets import BreakerState, RateLimit
from mainstay.schemas.conversation import EntryKind
from mainstay.schemas.errors import LimitReached, NotFound, Refused, Unavailable
from mainstay.schemas.lifecycle import LifeState, PauseReason
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.priority import Level
from mainstay.sweeping import sweep


@pytest_asyncio.fixture
async def agents(lone_stage):
    return AgentStage(lone_stage)


# Control.


async def test_pause_lets_the_turn_finish_its_step_and_begins_nothing_until_resumed(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        first = await agent.send(plays({"gate": "g", "then": {"tools": [["test.echo", {}]]}}))
        await models.reached("g")
        second = await agent.send("second")
        await agent.pause("a look")
        models.open("g")
        await until(lambda: _has_entries(agent, 2))
        info = await agent.info()
        assert (info.state, info.detail, info.messages) == (LifeState.PAUSED, "a look", 0)
        assert (await agent.history()).pause_reason is PauseReason.MANUAL
        with pytest.raises(Refused, match="PAUSED cannot be paused"):
            await agent.pause()
        assert len(models.calls) == 1
        await agent.resume()
        assert (await agents.end_of(agent, first)).status is MessageStatus.PROCESSED
        assert (await agents.end_of(agent, second)).answer == "echo: second"
        with pytest.raises(Refused, match="cannot be resumed"):
            await agent.resume()


async def test_forgotten_pause_ends_by_itself(agents):
    async with agents.worker():
        agent = await agents.spawn(limits={"pause": "200ms"})
        await agents.until_state(agent, LifeState.RUNNING)
        await agent.pause()
        assert await agent.ask("hello", timeout=SECONDS) == "echo: hello"
        triggers = [transition.trigger for transition in (await agent.history()).transitions]
        assert triggers == ["opened", "pause", "auto_resume"]


async def test_restart_while_busy_goes_on_with_the_same_turn(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        sent = await agent.send(plays({"gate": "g", "then": "there"}))
        behind = await agent.send("behind")
        await models.reached("g")
        await agent.restart("a new start")
        models.open("g")
        assert (await agents.end_of(agent, sent)).answer == "there"
        assert (await agents.end_of(agent, behind)).answer == "echo: behind"
        life = await agent.history()
        assert [(one.from_state, one.to_state) for one in life.transitions[1:]] == [
            (LifeState.RUNNING, LifeState.RESTARTING),
            (LifeState.RESTARTING, LifeState.INITIALIZING),
            (LifeState.INITIALIZING, LifeState.RUNNING),
        ]
        assert (life.restarts, (await agent.row()).restarts) == (1, 1)
        assert len(await agent.entries()) == 4
        assert (await agent.account()).spent.model_calls == 2


async def test_stop_lets_the_turn_finish_within_its_grace(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        sent = await agent.send(plays({"gate": "g", "then": "done"}))
        await models.reached("g")
        behind = await agent.send("too late")
        assert await agent.stop("the end", grace=SECONDS) == "stopping"
        assert (await agent.info()).state is LifeState.STOPPING
        models.open("g")
        result = await agent.result()
        assert (result.state, result.reason) == (LifeState.TERMINATED, "the end")
        assert (await agents.end_of(agent, sent)).answer == "done"
        assert (await agents.end_of(agent, behind)).status is MessageStatus.FAILED
        assert (await agent.row()).state is LifeState.TERMINATED


# The mailbox.


async def test_sweep_rings_a_bell_that_was_lost_between_insert_and_signal(agents, monkeypatch):
    monkeypatch.setattr("mainstay.sweeping.PATIENCE", timedelta(0))
    async with agents.worker():
        agent = await agents.spawn()
        assert await agent.ask("one", timeout=SECONDS) == "echo: one"
        message = Message(
            id=str(uuid.uuid4()), receiver=agent.id, text="two", created_at=datetime.now(UTC)
        )
        [receipt] = await agents.store.send_messages([message])
        assert receipt.must_ring
        assert (await agents.store.get_message(message.id)).status is MessageStatus.PENDING
        await _sweep(agents)
        assert (await agents.end_of(agent, message.id)).answer == "echo: two"


async def test_sweep_starts_an_agent_whose_spawner_died(agents, monkeypatch):
    class Died(BaseException):
        """The process is gone."""

    async def die(*_, **__):
        raise Died

    monkeypatch.setattr("mainstay.sweeping.PATIENCE", timedelta(0))
    with monkeypatch.context() as patch:
        patch.setattr("mainstay.agent_client.start_agent", die)
        with pytest.raises(Died):
            await agents.spawn()
    agent = await agents.mainstay.agent("a")
    with pytest.raises(NotFound):
        await agent.info()
    async with agents.worker():
        await _sweep(agents)
        await _sweep(agents)  # and again: it is started once
        assert await agent.ask("hello", timeout=SECONDS) == "echo: hello"
        assert (await agent.row()).state is LifeState.RUNNING


async def test_urgent_messages_come_first_and_expired_ones_never(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        await agent.send(plays({"gate": "g", "then": "now"}))
        await models.reached("g")
        late = await agent.send("late", ttl=timedelta(milliseconds=1), priority=Level.CRITICAL)
        sent = [
            await agent.send(f"{level.name} {number}", priority=level)
            for number in range(2)
            for level in (Level.BULK, Level.LOW, Level.NORMAL, Level.HIGH, Level.CRITICAL)
        ]
        twice = await agent.send("BULK 0", priority=Level.BULK, message_id=sent[0])
        assert twice == sent[0]
        models.open("g")
        for message_id in sent:
            await agents.end_of(agent, message_id)
        levels = ["CRITICAL", "HIGH", "NORMAL", "LOW", "BULK"]
        assert models.told[1:] == [f"{level} {number}" for level in levels for number in range(2)]
        expired = await agents.end_of(agent, late)
        assert expired.status is MessageStatus.EXPIRED
        with pytest.raises(LimitReached, match="expired"):
            raise await _error_of(agent, late)


async def test_agent_continues_as_new_with_messages_waiting_and_loses_none(agents):
    async with agents.worker() as models:
        options = AgentOptions(heartbeat_timeout=timedelta(seconds=2), rollover_turns=2)
        agent = await agents.spawn(options=options, mailbox={"batch": 3})
        handle = agents.mainstay.temporal.get_workflow_handle(agent.id)
        first_run = (await handle.describe()).run_id
        await agent.pause()
        sent = [await agent.send(f"m{number}") for number in range(9)]
        await agent.resume()
        for number, message_id in enumerate(sent):
            assert (await agents.end_of(agent, message_id)).answer == f"echo: m{number}"
        assert models.told == [f"m{number}" for number in range(9)]
        assert (await handle.describe()).run_id != first_run
        info = await agent.info()
        assert (info.messages, info.usage.turns, info.state) == (9, 9, LifeState.RUNNING)
        events = await agents.store.agent_events_after(agent.id, 0, 1000)
        settled = [e.message_id for e in events if e.kind is AgentEventKind.MESSAGE_SETTLED]
        assert sorted(settled) == sorted(sent)


async def test_update_that_is_refused_first_in_a_new_run_delays_no_later_one(agents):
    async with agents.worker():
        options = AgentOptions(heartbeat_timeout=timedelta(seconds=2), rollover_turns=1)
        agent = await agents.spawn(options=options)
        handle = agents.mainstay.temporal.get_workflow_handle(agent.id)
        seconds = []

        async def timed(control):
            begin = time.monotonic()
            try:
                await control
            finally:
                seconds.append(time.monotonic() - begin)

        for number in range(4):
            run = (await handle.describe()).run_id
            asking = asyncio.create_task(agent.ask(f"m{number}", timeout=SECONDS))
            while (await handle.describe()).run_id == run:
                with pytest.raises(Refused, match="cannot be resumed"):
                    await timed(agent.resume())
            with pytest.raises(Refused, match="cannot be resumed"):
                await timed(agent.resume())
            await timed(agent.pause())
            await timed(agent.resume())
            await asking
        assert max(seconds) < 3  # five to ten, if one is delayed


# Tools.


async def test_question_to_a_person_waits_for_the_answer(agents):
    async with agents.worker():
        agent = await agents.spawn(tools=["ask_human"])
        asks = [["ask_human", {"question": f"{what}?"}] for what in ("Red", "Blue")]
        sent = await agent.send(plays({"tools": asks}, {"tools": asks[:1]}))
        red, blue = await until(lambda: _questions(agent, 2))
        assert (red.question, (await agent.info()).activity) == ("Red?", "waits for a person")
        with pytest.raises(Refused, match="several questions"):
            await agent.answer("yes")
        with pytest.raises(NotFound, match="no question 'x'"):
            await agent.answer("yes", use_id="x")
        await agent.answer("never", use_id=blue.use_id, by="ann")
        await agent.answer("always", use_id=red.use_id, by="ann")
        await until(lambda: _questions(agent, 1))
        await agent.answer("again")
        assert (await agents.end_of(agent, sent)).answer == "heard: again"
        results = [entry.text for entry in await agent.entries() if entry.tool]
        assert results == ["always", "never", "again"]


async def test_tools_of_memory_and_of_long_results_work(agents):
    async with agents.worker() as models:
        agent = await agents.spawn(
            tools=["remember", "recall", "test.big"], context={"tool_result_tokens": 50}
        )
        other = await agents.spawn("other", tools=["recall"])
        keep = {"tools": [["remember", {"key": "colour", "text": "it is green"}]]}
        assert await agents.ask(agent, keep, "kept") == "kept"
        find = {"tools": [["recall", {"query": "colour"}]]}
        assert await agents.ask(other, find) == "heard: colour: it is green"
        big = {"tools": [["test.big", {"size": 5_000}]]}
        more = {"tools": [["read_result", {"ref": "$ref", "start": 4_990, "length": 100}]]}
        assert await agents.ask(agent, big, more) == f"heard: {'x' * 10}"
        cut = next(text for text in models.told if text.startswith("xxx"))
        assert len(cut) < 1_000
        assert "read_result" in cut


async def test_agent_asks_another_and_the_cost_is_charged_upward(agents):
    async with agents.worker():
        lead = await agents.spawn("lead", agents=["clerk"])
        clerk = await agents.spawn("clerk", tools=["test.echo"])
        prompt = plays({"tools": [["test.echo", {"value": "v"}]]}, "the files say so")
        answer = await agents.ask(lead, {"tools": [["ask_agent_clerk", {"prompt": prompt}]]})
        assert answer == "heard: the files say so"
        spent, below = (await lead.account()).spent, (await clerk.account()).spent
        assert (below.model_calls, below.tool_calls, below.turns) == (2, 1, 1)
        assert below.picodollars == 2 * USED.picodollars
        assert (spent.model_calls, spent.tool_calls, spent.turns) == (4, 2, 2)
        assert spent.picodollars == 4 * USED.picodollars


async def test_answer_in_a_form_that_was_asked_for_is_corrected_until_it_fits(agents):
    async with agents.worker() as models:
        agent = await agents.spawn()
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        text = plays("not json", '{"n": "one"}', '```json\n{"n": 1}\n```')
        answer = await agent.ask(text, output=schema, timeout=SECONDS)
        assert json.loads(answer.strip("`").removeprefix("json")) == {"n": 1}
        assert "must be JSON" in models.told[1]
        assert "at $.n: 'one' is not of type 'integer'" in models.told[2]


# Budgets, breakers, rates.


async def test_budget_stops_before_the_call_and_more_of_it_lets_the_turn_go_on(agents):
    async with agents.worker() as models:
        agent = await agents.spawn(budget={"tokens": 60}, tools=["test.echo"])  # 15 a call
        echo = {"tools": [["test.echo", {}]]}
        sent = await agent.send(plays(echo, echo, echo, echo, echo, "done"))
        await agents.until_state(agent, LifeState.PAUSED)
        assert len(models.calls) == 4
        assert (await agent.account()).spent.tokens == 60
        life = await agent.history()
        assert life.pause_reason is PauseReason.RESOURCE_CONSTRAINT
        assert "60 of 60 tokens" in life.detail
        events = await agents.store.agent_events_after(agent.id, 0, 1000)
        assert [event.kind for event in events].count(AgentEventKind.BUDGET_WARNING) == 1
        assert AgentEventKind.BUDGET_REACHED in {event.kind for event in events}
        await agent.raise_budget(BudgetSpec(tokens=1_000))
        await agent.resume()
        assert (await agents.end_of(agent, sent)).answer == "done"
        assert len(models.calls) == 6


async def test_breaker_opens_after_five_failures_and_closes_after_a_probe(agents, monkeypatch):
    monkeypatch.setattr("mainstay.decisions.agents.breaker.OPEN_FOR", timedelta(milliseconds=1500))
    async with agents.worker() as models:
        agent = await agents.spawn(limits={"model_attempts": 1})
        models.broken = "it rains"
        for number in range(5):
            with pytest.raises(Unavailable, match="it rains"):
                await agent.ask(f"m{number}", timeout=SECONDS)
        with pytest.raises(Unavailable, match="left alone for a while"):
            await agent.ask("m5", timeout=SECONDS)
        assert len(models.calls) == 5
        [breaker] = await agents.store.list_breakers()
        assert (breaker.name, breaker.state) == ("model/played", BreakerState.OPEN)
        models.broken = ""
        patient = await agents.spawn("patient")
        assert await patient.ask("m6", timeout=SECONDS) == "echo: m6"
        assert [one.state for one in await agents.store.list_breakers()] == [BreakerState.CLOSED]


async def test_callers_of_a_limited_provider_wait_their_turn_and_none_fails(agents):
    rate = RateLimit(requests_per_minute=200)  # one each 300 ms, after 21 at once
    for _ in range(21):
        await agents.store.reserve("played", 200, 0, 0, datetime.now(UTC))
    async with agents.worker(rate_limits={"played": rate}):
        crew = [await agents.spawn(f"a{number}") for number in range(4)]
        begin = time.monotonic()
        answers = await asyncio.gather(*(one.ask("hello", timeout=SECONDS) for one in crew))
        assert answers == ["echo: hello"] * 4
        assert 0.8 < time.monotonic() - begin < 10


async def test_tool_calls_beyond_those_of_a_minute_are_refused_and_the_model_is_told(agents):
    async with agents.worker(tool_calls_per_minute=2):
        agent = await agents.spawn(tools=["test.echo"])
        await agents.ask(agent, *[{"tools": [["test.echo", {"value": n}]]} for n in range(3)])
        results = [one for one in await agent.entries() if one.kind is EntryKind.TOOL]
        assert [one.is_error for one in results] == [False, False, True]
        assert "2 tool calls a minute" in results[-1].text
        assert (await agent.account()).spent.tool_calls == 2


async def test_agents_beyond_the_limit_are_not_spawned(agents):
    few = agents.with_settings(limits={"agents": 2})
    spec = AgentSpec(name="a", model=MODEL)
    for name in ("one", "two"):
        await few.spawn(spec, name)
    with pytest.raises(LimitReached, match="agents"):
        await few.spawn(spec, "three")
    assert len(await few.agents()) == 2


async def _sweep(agents: AgentStage) -> None:
    await sweep(agents.mainstay.temporal, agents.store, agents.stage.settings.task_queue)


async def _has_entries(agent, count):
    return len(await agent.entries()) >= count


async def _questions(agent, count):
    found = (await agent.info()).questions
    return found if len(found) == count else None


async def _error_of(agent, message_id):
    from mainstay.agent_answers import failure_of

    return failure_of(await agent.wait(message_id))


async def test_agent_of_an_agent_is_paid_for_by_both(agents):
    async with agents.worker():
        parent = await agents.spawn("parent")
        child = await agents.mainstay.spawn(AgentSpec(name="c", model=MODEL), parent=parent.id)
        assert await child.ask("hello", timeout=SECONDS) == "echo: hello"
        assert (await parent.account()).spent == (await child.account()).spent
        with pytest.raises(Refused, match="has the name"):
            await agents.mainstay.spawn(AgentSpec(name="c", model=MODEL))
