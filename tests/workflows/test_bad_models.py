"""Models that misbehave: each time the asker is told clearly, and the agent lives on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_talk import PATIENCE, history_of, spawn, spawn_scripted, until_info
from plan_stage import Stage

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.conversation import EntryKind
from mainstay.schemas.errors import AgentFailed, LimitReached, MainstayError, Refused, Unavailable
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from model_stubs import Body, Reply, Say, model_stub

NUMBER = {
    "type": "object",
    "properties": {"value": {"type": "integer"}},
    "required": ["value"],
    "additionalProperties": False,
}


async def fails(agent: AgentHandle, error: type[MainstayError], match: str, **ask: Any) -> None:
    """See that a message fails as it should, and that the agent goes on living."""
    sent = await agent.send("Do it", **ask)
    message = await agent.wait(sent, PATIENCE)
    assert message.status is MessageStatus.FAILED, message
    assert message.failure is not None
    assert message.failure.type == error.__name__, message.failure
    assert match in message.failure.message, message.failure
    info = await until_info(agent, activity="idle")
    assert (info.state, info.failed) == (LifeState.RUNNING, 1)


async def texts_of(agent: AgentHandle, kind: EntryKind) -> list[str]:
    return [entry.text for entry in await agent.entries() if entry.kind is kind]


async def test_wrong_arguments_go_back_to_the_model_which_may_do_better(stage: Stage):
    agent = await spawn_scripted(
        stage,
        {"tools": [{"test.note": {"path": 7}}]},
        {"tools": [{"test.note": {"text": "no path"}}]},
        {"tools": [{"name": "test.note", "raw_arguments": '{"path": '}]},
        {"tools": [{"test.note": {"path": stage.file("log"), "text": "right"}}]},
        {"say": "done"},
        tools=["test.note"],
    )
    assert await agent.ask("Note it", timeout=PATIENCE) == "done"
    assert len(stage.lines("log")) == 1
    told = await texts_of(agent, EntryKind.TOOL)
    assert "path" in told[0]
    assert "path" in told[1]
    assert "not valid JSON" in told[2]
    assert told[3] == "right"


async def test_wrong_arguments_again_and_again_end_the_turn(stage: Stage):
    agent = await spawn_scripted(
        stage,
        {"tools": [{"test.note": {"path": [1, 2]}}], "repeat": 100},
        tools=["test.note"],
        limits={"invalid_calls": 2},
    )
    await fails(agent, AgentFailed, "kept calling tools wrongly")
    info = await agent.info()
    assert info.usage.model_calls == 3
    assert len(await texts_of(agent, EntryKind.TOOL)) <= 3


async def test_a_tool_that_nobody_has_is_named_beside_those_there_are(stage: Stage):
    agent = await spawn_scripted(
        stage,
        {"tools": ["rocket.launch"]},
        {"say": "then not"},
        tools=["test.note"],
    )
    assert await agent.ask("Launch it", timeout=PATIENCE) == "then not"
    [told] = await texts_of(agent, EntryKind.TOOL)
    assert "there is no tool 'rocket.launch'" in told
    assert "test.note" in told


async def test_a_model_that_insists_on_a_tool_nobody_has_is_given_up(stage: Stage):
    agent = await spawn_scripted(
        stage, {"tools": ["rocket.launch"], "repeat": 100}, tools=["test.note"]
    )
    await fails(agent, AgentFailed, "kept calling tools wrongly")
    assert (await agent.info()).usage.model_calls == 4


@pytest.mark.parametrize("said", ["{}", '{"value": "seven"}', "seven", "[1]", '{"value": 7'])
async def test_output_that_never_matches_its_schema_fails_with_what_is_wrong(
    stage: Stage, said: str
):
    agent = await spawn_scripted(
        stage, {"say": said, "repeat": 100}, output=NUMBER, limits={"invalid_calls": 2}
    )
    await fails(agent, AgentFailed, "answers stayed wrong")
    assert (await agent.info()).usage.model_calls == 3
    assert len(await texts_of(agent, EntryKind.FEEDBACK)) == 2


async def test_output_that_matches_at_last_is_the_answer(stage: Stage):
    agent = await spawn_scripted(stage, {"say": "seven"}, {"say": {"value": 7}})
    answer = await agent.ask("How many?", output=NUMBER, timeout=PATIENCE)
    assert json.loads(answer) == {"value": 7}
    [complaint] = await texts_of(agent, EntryKind.FEEDBACK)
    assert "JSON" in complaint


async def test_an_answer_of_nothing_is_asked_for_again_and_then_given_up(stage: Stage):
    agent = await spawn_scripted(stage, {"say": "", "repeat": 100})
    await fails(agent, AgentFailed, "empty")
    assert (await agent.info()).usage.model_calls == 4


async def test_an_empty_stream_of_a_provider_ends_as_clearly(stage: Stage):
    with model_stub(Say()) as stub:
        for model in (stub.openai, stub.anthropic):
            agent = await spawn(stage, model, limits={"invalid_calls": 1, "model_attempts": 2})
            sent = await agent.send("Say something")
            message = await agent.wait(sent, PATIENCE)
            assert message.status is MessageStatus.FAILED
            assert message.failure is not None
            assert message.failure.message


async def test_a_tool_called_a_thousand_times_at_once_is_refused_before_the_first(stage: Stage):
    calls = [{"test.note": {"path": stage.file("log"), "text": str(n)}} for n in range(1000)]
    agent = await spawn_scripted(stage, {"tools": calls}, tools=["test.note"])
    await fails(agent, LimitReached, "may call tools 100 times")
    assert stage.lines("log") == []
    assert len(await history_of(stage, agent)) < 200_000


async def test_a_tool_called_a_thousand_times_one_by_one_stops_at_the_limit(stage: Stage):
    def answer(body: Body) -> Reply:
        arguments = json.dumps({"path": stage.file("log"), "text": "again"})
        return Say(tools=[(f"c{len(stub.requests)}", "test_note", arguments)])

    with model_stub(answer=answer) as stub:
        limits = {"tool_calls": 12, "model_calls": 1000}
        agent = await spawn(stage, stub.openai, tools=["test.note"], limits=limits)
        await fails(agent, LimitReached, "may call tools 12 times")
        assert len(stub.requests) == 13
    assert len(stage.lines("log")) == 12


async def test_a_model_that_never_comes_to_an_end_is_asked_no_more_than_allowed(stage: Stage):
    agent = await spawn_scripted(
        stage,
        {"tools": [{"test.echo": {"value": 1}}], "repeat": 1000},
        tools=["test.echo"],
        limits={"model_calls": 5},
    )
    await fails(agent, LimitReached, "may ask the model 5 times")


async def test_five_megabytes_of_answer_are_cut_off_and_leave_no_trace(stage: Stage):
    agent = await spawn_scripted(stage, {"say": "x" * 5_000_000})
    await fails(agent, LimitReached, "1,048,576")
    assert await texts_of(agent, EntryKind.ASSISTANT) == []
    assert len(await history_of(stage, agent)) < 100_000


@pytest.mark.parametrize("way", ["openai", "anthropic"])
async def test_five_megabytes_are_not_even_read_from_a_provider(stage: Stage, way: str):
    with model_stub(Say(["y" * 50_000] * 100)) as stub:
        agent = await spawn(stage, str(getattr(stub, way)))
        await fails(agent, LimitReached, "1,048,576")
        assert len(stub.requests) == 1
    assert len(await history_of(stage, agent)) < 100_000


async def test_five_megabytes_of_arguments_are_refused_as_well(stage: Stage):
    arguments = json.dumps({"value": "z" * 5_000_000})
    with model_stub(Say(tools=[("c1", "test_echo", arguments)])) as stub:
        agent = await spawn(stage, stub.openai, tools=["test.echo"])
        await fails(agent, LimitReached, "1,048,576")


async def test_a_model_that_refuses_is_quoted(stage: Stage):
    agent = await spawn_scripted(stage, {"say": "I would rather not", "finish": "refused"})
    await fails(agent, Refused, "I would rather not")


async def test_a_tool_that_fails_is_told_to_the_model_and_ends_nothing(stage: Stage):
    agent = await spawn_scripted(
        stage, {"tools": [{"test.verbose": {"size": 200_000}}]}, {"say": "I see"}, tools=["test.*"]
    )
    assert await agent.ask("Try it", timeout=PATIENCE) == "I see"
    [entry] = [one for one in await agent.entries() if one.kind is EntryKind.TOOL]
    assert entry.is_error


async def test_an_agent_that_failed_a_message_answers_the_next(stage: Stage):
    agent = await spawn_scripted(
        stage, {"tools": ["nothing"], "repeat": 4}, {"say": "well again"}, tools=["test.echo"]
    )
    await fails(agent, AgentFailed, "wrongly")
    assert await agent.ask("And now?", timeout=PATIENCE) == "well again"


async def test_who_asks_an_agent_that_could_not_begin_is_told_why(stage: Stage):
    agent = await spawn(stage, "script:/nowhere.yaml")
    with pytest.raises(Unavailable, match=r"because of an error.*/nowhere\.yaml"):
        await agent.ask("Are you there?", timeout=PATIENCE)
