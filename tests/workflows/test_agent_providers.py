"""Whole agents with providers' real clients, against servers that speak like the providers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from agent_talk import PATIENCE, history_of, spawn, until_info, until_live
from plan_stage import Stage, until

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent_calls import AgentEventKind
from mainstay.schemas.conversation import EntryKind, LiveText
from mainstay.schemas.errors import Refused, Unavailable
from mainstay.schemas.lifecycle import LifeState
from model_stubs import Body, Cut, Fail, Garbage, ModelStub, Reply, Say, Stall, model_stub

ModelOf = Callable[[ModelStub], str]


@pytest.fixture(params=["openai", "anthropic"])
def model_of(request: pytest.FixtureRequest) -> ModelOf:
    """Each way of speaking."""
    way: str = request.param
    return lambda stub: str(getattr(stub, way))


async def kinds_of(agent: AgentHandle) -> list[EntryKind]:
    return [entry.kind for entry in await agent.entries()]


async def test_text_is_seen_while_it_is_said_and_history_keeps_none_of_it(
    stage: Stage, model_of: ModelOf
):
    pieces = ["Once ", "upon a time. ", *["and then " * 40] * 6, "they-lived-happily"]
    with model_stub(Say(pieces, pause=0.15)) as stub:
        agent = await spawn(stage, model_of(stub))
        asked = asyncio.create_task(agent.ask("Tell me a story", timeout=PATIENCE))
        seen: LiveText = await until_live(agent, "Once")
        assert "they-lived-happily" not in seen.text
        assert await asked == "".join(pieces)
    assert await agent.live_text() is None
    kept = await history_of(stage, agent)
    assert b"they-lived-happily" not in kept
    assert kept.count(b"and then ") < 100
    info = await agent.info()
    assert (info.usage.input_tokens, info.usage.output_tokens) == (11, 7)
    assert info.usage.picodollars > 0


async def test_tools_that_are_called_at_once_run_at_once_and_their_results_return(
    stage: Stage, model_of: ModelOf
):
    gate = stage.file("gate")
    calls = [
        ("c1", "test_gate", json.dumps({"path": stage.file("log"), "opened": gate, "text": "a"})),
        ("c2", "test_gate", json.dumps({"path": stage.file("log"), "opened": gate, "text": "b"})),
    ]
    with model_stub(Say(["Let me look."], calls), Say(["both are there"])) as stub:
        agent = await spawn(stage, model_of(stub), tools=["test.gate"])
        asked = asyncio.create_task(agent.ask("Look at both", timeout=PATIENCE))
        began = await stage.until_lines("log", 2)
        assert sorted(began) == ["+ a", "+ b"]
        (stage.folder / "gate").touch()
        assert await asked == "both are there"
        told = json.dumps(stub.requests[1])
    assert told.count("c1") == told.count("c2") == 2
    results = [entry for entry in await agent.entries() if entry.kind is EntryKind.TOOL]
    assert sorted((entry.use_id, entry.text) for entry in results) == [("c1", "a"), ("c2", "b")]


async def test_one_tool_after_another_is_called_until_the_model_answers(
    stage: Stage, model_of: ModelOf
):
    # A call and its result both hold the text, so each round adds two.
    def answer(body: Body) -> Reply:
        count = json.dumps(body).count("echo-result-") // 2
        if count == 3:
            return Say(["done"])
        arguments = json.dumps({"value": f"echo-result-{count}"})
        return Say(tools=[(f"c{count}", "test_echo", arguments)])

    with model_stub(answer=answer) as stub:
        agent = await spawn(stage, model_of(stub), tools=["test.echo"])
        assert await agent.ask("Echo three times", timeout=PATIENCE) == "done"
        assert len(stub.requests) == 4
    info = await agent.info()
    assert (info.usage.model_calls, info.usage.tool_calls, info.usage.turns) == (4, 3, 1)


async def test_a_provider_that_says_when_to_come_back_is_left_alone_until_then(
    stage: Stage, model_of: ModelOf
):
    times: list[float] = []

    def answer(body: Body) -> Reply:
        times.append(time.monotonic())
        if len(times) == 1:
            return Fail(429, "slow down", {"retry-after": "3"})
        return Say(["here I am"])

    with model_stub(answer=answer) as stub:
        agent = await spawn(stage, model_of(stub))
        asked = asyncio.create_task(agent.ask("Hello", timeout=PATIENCE))

        async def says_that_it_waits() -> str:
            said = (await agent.info()).activity
            return said if said.startswith("waits: ") else ""

        assert "slow down" in await until(says_that_it_waits)
        assert await asked == "here I am"
    assert len(times) == 2
    assert 3.0 <= times[1] - times[0] < 8.0


TROUBLES: dict[str, Reply] = {
    "500": Fail(500, "oops"),
    "529": Fail(529, "overloaded"),
    "cut": Cut(),
    "cut-cleanly": Cut(cleanly=True),
    "garbage": Garbage(),
}


async def test_an_answer_that_broke_off_is_asked_for_again_and_charged_once(
    stage: Stage, model_of: ModelOf
):
    async def live_through(trouble: str) -> None:
        with model_stub(TROUBLES[trouble], Say(["all is well"])) as stub:
            agent = await spawn(stage, model_of(stub), name=f"through-{trouble}")
            assert await agent.ask("How is it?", timeout=PATIENCE) == "all is well", trouble
            assert len(stub.requests) == 2, trouble
        assert await kinds_of(agent) == [EntryKind.USER, EntryKind.ASSISTANT]
        info = await agent.info()
        assert (info.usage.model_calls, info.usage.tokens, info.failed) == (1, 18, 0), trouble
        failed = [
            event
            for event in await stage.mainstay.store.agent_events_after(agent.id, 0)
            if event.kind is AgentEventKind.MODEL_FAILED
        ]
        assert len(failed) == 1, trouble

    await asyncio.gather(*(live_through(name) for name in TROUBLES))


async def test_what_a_broken_answer_said_is_superseded_visibly(stage: Stage, model_of: ModelOf):
    with model_stub(
        Cut(["The answer is fifty"], pause=1), Say(["It is ", "forty", "-two"], pause=0.6)
    ) as stub:
        agent = await spawn(stage, model_of(stub))
        asked = asyncio.create_task(agent.ask("What is it?", timeout=PATIENCE))
        first = await until_live(agent, "fifty")
        second = await until_live(agent, "forty")
        assert second.attempt > first.attempt
        assert second.key == first.key
        assert "fifty" not in second.text
        assert await asked == "It is forty-two"


async def test_a_provider_that_never_recovers_fails_the_message_after_its_attempts(
    stage: Stage, model_of: ModelOf
):
    with model_stub(Fail(500, "oops")) as stub:
        agent = await spawn(stage, model_of(stub), limits={"model_attempts": 2})
        with pytest.raises(Unavailable, match="500"):
            await agent.ask("Hello", timeout=PATIENCE)
        assert len(stub.requests) == 2
    info = await until_info(agent, activity="idle")
    assert (info.state, info.failed) == (LifeState.RUNNING, 1)


async def test_a_refusal_by_the_provider_is_never_tried_again(stage: Stage, model_of: ModelOf):
    with model_stub(Fail(401, "who are you?")) as stub:
        agent = await spawn(stage, model_of(stub))
        with pytest.raises(Refused, match="who are you"):
            await agent.ask("Hello", timeout=PATIENCE)
        assert len(stub.requests) == 1


async def test_a_silent_provider_is_given_up_when_its_time_is_up(stage: Stage, model_of: ModelOf):
    with model_stub(Stall()) as stub:
        limits = {"model_timeout": "1s", "model_attempts": 1}
        agent = await spawn(stage, model_of(stub), limits=limits)
        with pytest.raises(Unavailable, match="within"):
            await agent.ask("Hello", timeout=PATIENCE)
        assert await asyncio.to_thread(stub.was_dropped.wait, 2)
        assert len(stub.requests) == 1


@pytest.mark.deep
async def test_an_agent_lives_through_a_minute_of_silence(stage: Stage, model_of: ModelOf):
    with model_stub(Stall(), Say(["there I am again"])) as stub:
        agent = await spawn(stage, model_of(stub), limits={"model_timeout": "1m"})
        began = time.monotonic()
        answer = await agent.ask("Hello", timeout=timedelta(minutes=2))
        assert answer == "there I am again"
        assert time.monotonic() - began >= 60
        assert len(stub.requests) == 2, "nothing but the turn itself asks again"


async def test_an_agent_that_is_stopped_lets_go_of_the_model_within_two_seconds(
    stage: Stage, model_of: ModelOf
):
    with model_stub(Stall(["Let me think"])) as stub:
        agent = await spawn(stage, model_of(stub))
        message = await agent.send("Hello")
        await until_live(agent, "Let me think")
        await agent.stop("enough", grace=timedelta(0))
        assert await asyncio.to_thread(stub.was_dropped.wait, 2)
        async with asyncio.timeout(10):
            result = await agent.result()
    assert result.state is LifeState.TERMINATED
    told: Any = await agent.wait(message, PATIENCE)
    assert told.failure is not None
    assert "enough; it did not stop in time" in told.failure.message
