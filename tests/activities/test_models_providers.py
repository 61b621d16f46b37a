"""Providers' real clients against servers of the test's own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from mainstay.models.language_models import LanguageModels
from mainstay.schemas.conversation import Entry, EntryKind, Finish, ToolUse
from mainstay.schemas.errors import InvalidInput, LimitReached, MainstayError, Refused, Unavailable
from mainstay.schemas.model_calls import ModelCall
from mainstay.schemas.tools import ToolSpec
from model_stubs import Cut, Fail, Garbage, ModelStub, Reply, Say, Stall, model_stub

# The libraries of the providers take long to load, and each test makes their clients anew.
pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ = ToolSpec(name="fs.read", description="Read a file.", parameters=PATH)

ModelOf = Callable[[ModelStub], str]


@pytest.fixture(params=["openai", "responses", "anthropic"])
def model_of(request: pytest.FixtureRequest) -> ModelOf:
    """Each way of speaking."""
    way: str = request.param
    return lambda stub: str(getattr(stub, way))


@pytest.fixture
async def models() -> AsyncIterator[LanguageModels]:
    """Models that know no keys."""
    models = LanguageModels(environment={})
    yield models
    await models.close()


def entry(kind: EntryKind, text: str = "", **fields: Any) -> Entry:
    return Entry(key=f"{kind}/{text}", kind=kind, text=text, at=NOW, **fields)


def sent_by(stub: ModelStub, index: int) -> list[dict[str, Any]]:
    """Return the conversation as it was sent, in whatever form."""
    body = stub.requests[index]
    return list(body.get("messages") or body["input"])


def asked(model: str, **changes: Any) -> ModelCall:
    given: dict[str, Any] = {
        "model": model,
        "instructions": "Be good.",
        "entries": [entry(EntryKind.USER, "hello")],
        "tools": [READ],
        "timeout": timedelta(seconds=10),
    }
    return ModelCall(**(given | changes))


async def test_an_answer_is_streamed_to_whoever_watches(
    models: LanguageModels, model_of: ModelOf
) -> None:
    words = [f"word{number} " for number in range(6)]
    seen: list[str] = []
    with model_stub(Say(words, pause=0.06)) as stub:
        answer = await models.ask(asked(model_of(stub), watch=seen.append))
    assert (answer.text, answer.finish) == ("".join(words), Finish.ANSWER)
    assert seen[-1] == answer.text
    assert 2 <= len(seen) <= 5, "shown while it streams, but not for each word"


async def test_the_prompt_the_tools_and_the_settings_reach_the_provider(
    models: LanguageModels, model_of: ModelOf
) -> None:
    with model_stub(Say(["ok"])) as stub:
        await models.ask(asked(model_of(stub), settings={"temperature": 0.25, "max_tokens": 99}))
        sent = json.dumps(stub.requests[0])
    for part in ("Be good.", "hello", '"fs_read"', "Read a file.", '"temperature": 0.25', ": 99"):
        assert part in sent
    assert "fs.read" not in sent


async def test_parallel_tool_calls_come_back_under_the_tools_own_names(
    models: LanguageModels, model_of: ModelOf
) -> None:
    tools = [("c1", "fs_read", '{"path": "a"}'), ("c2", "fs_read", '{"path": "b"}')]
    with model_stub(Say(["Both."], tools)) as stub:
        answer = await models.ask(asked(model_of(stub)))
    assert answer.uses == (
        ToolUse(id="c1", name="fs.read", arguments={"path": "a"}),
        ToolUse(id="c2", name="fs.read", arguments={"path": "b"}),
    )
    assert (answer.text, answer.finish) == ("Both.", Finish.TOOLS)


async def test_malformed_arguments_stay_a_text_and_can_be_sent_back(
    models: LanguageModels, model_of: ModelOf
) -> None:
    with model_stub(Say(tools=[("c1", "fs_read", '{"path": ')]), Say(["ok"])) as stub:
        answer = await models.ask(asked(model_of(stub)))
        assert answer.uses[0].arguments == '{"path": '
        for raw in (answer.raw, None):
            said = entry(EntryKind.ASSISTANT, uses=answer.uses, raw=raw)
            wrong = entry(EntryKind.TOOL, "no JSON", use_id="c1", tool="fs.read", is_error=True)
            thread = [entry(EntryKind.USER, "hello"), said, wrong]
            assert (await models.ask(asked(model_of(stub), entries=thread))).text == "ok"


async def test_one_id_given_to_two_calls_is_told_apart(
    models: LanguageModels, model_of: ModelOf
) -> None:
    calls = [("same", "fs_read", '{"path": "a"}'), ("same", "fs_read", '{"path": "b"}')]
    with model_stub(Say(tools=calls)) as stub:
        answer = await models.ask(asked(model_of(stub)))
    assert len({use.id for use in answer.uses}) == len(answer.uses)


@pytest.mark.parametrize("keeps_raw", [True, False])
async def test_a_whole_conversation_is_sent_again(
    models: LanguageModels, model_of: ModelOf, keeps_raw: bool
) -> None:
    with model_stub(Say(["Hm."], [("c1", "fs_read", '{"path": "a"}')]), Say(["42"])) as stub:
        first = await models.ask(asked(model_of(stub)))
        raw = first.raw if keeps_raw else None
        thread = [
            entry(EntryKind.PIN, "never sent here"),
            entry(EntryKind.USER, "hello"),
            entry(EntryKind.ASSISTANT, first.text, uses=first.uses, raw=raw),
            entry(EntryKind.TOOL, "the file's text", use_id="c1", tool="fs.read"),
            entry(EntryKind.FEEDBACK, "shorter please"),
        ]
        await models.ask(asked(model_of(stub), entries=thread))
        messages = sent_by(stub, 1)
    roles = [message.get("role") for message in messages if message.get("role") != "system"]
    assert roles in (
        ["user", "assistant", "tool", "user"],
        ["user", "assistant", "user"],
        ["user", "assistant", None, None, "user"],  # in Responses, a call is an item of its own
    )
    sent = json.dumps(messages)
    assert sent.count("fs_read") == 1
    assert sent.count("c1") == 2
    for text in ("hello", "Hm.", "the file's text", "shorter please"):
        assert sent.count(text) == 1
    assert "never sent here" not in sent


async def test_a_window_cut_between_call_and_result_is_mended(
    models: LanguageModels, model_of: ModelOf
) -> None:
    use = ToolUse(id="c9", name="fs.read", arguments={"path": "a"})
    with model_stub(Say(["ok"])) as stub:
        orphan = entry(EntryKind.TOOL, "whose?", use_id="gone", tool="fs.read")
        dangling = entry(EntryKind.ASSISTANT, "", uses=(use,))
        thread = [orphan, entry(EntryKind.USER, "a"), dangling, entry(EntryKind.USER, "b")]
        await models.ask(asked(model_of(stub), entries=thread))
        sent = json.dumps(sent_by(stub, 0))
    assert "whose?" not in sent
    assert sent.count("c9") == 2, "a call without its result is given one"


async def test_tokens_and_money_are_what_the_provider_says(models: LanguageModels) -> None:
    with model_stub(Say(["ok"], usage=(1000, 100, 200))) as stub:
        cheap = (await models.ask(asked(stub.openai))).usage
        dear = (await models.ask(asked(stub.anthropic))).usage
        own_prices = {"prices": {"input": 1, "output": 2, "cached": 0}}
        own = (await models.ask(asked(stub.openai, settings=own_prices))).usage
        unknown = f"openai:nobody-knows-it@{stub.address}/v1"
    for usage in (cheap, dear, own):
        counted = (usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        assert counted == (1000, 100, 200)
        assert (usage.model_calls, usage.unpriced_calls) == (1, 0)
    # Millionths of a dollar: 0.15, 0.075 and 0.6 a token; 1, 0.1 and 5; 1, 0 and 2.
    assert cheap.picodollars == (800 * 15 + 200 * 7.5 + 100 * 60) * 10_000
    assert dear.picodollars == (800 * 10 + 200 * 1 + 100 * 50) * 100_000
    assert own.picodollars == (800 * 1 + 100 * 2) * 1_000_000
    assert models.provider(unknown).startswith("openai@127.0.0.1:")


async def test_a_model_without_a_known_price_is_counted_as_unpriced(
    models: LanguageModels,
) -> None:
    with model_stub(Say(["ok"])) as stub:
        model = f"ollama:nobody-knows-it@{stub.address}/v1"
        answer = await models.ask(asked(model))
    assert (answer.usage.unpriced_calls, answer.usage.picodollars) == (1, 0)


async def test_tokens_that_nobody_counted_are_estimated(models: LanguageModels) -> None:
    with model_stub(Say(["12345678"], usage=None)) as stub:
        usage = (await models.ask(asked(stub.openai, instructions="", tools=()))).usage
    assert (usage.input_tokens, usage.output_tokens) == (2, 2)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
async def test_a_busy_provider_says_when_to_come_back(
    models: LanguageModels, model_of: ModelOf, headers: dict[str, str], seconds: float | None
) -> None:
    with model_stub(Fail(429, "slow down", headers)) as stub:
        with pytest.raises(Unavailable, match="answered 429: slow down") as caught:
            await models.ask(asked(model_of(stub)))
        assert len(stub.requests) == 1, "the client must not retry on its own"
    wait = caught.value.retry_after
    assert (wait.total_seconds() if wait else None) == seconds


async def test_a_date_to_come_back_at_is_understood(
    models: LanguageModels, model_of: ModelOf
) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    down = Fail(503, "down", {"retry-after": then})
    with model_stub(down) as stub, pytest.raises(Unavailable) as caught:
        await models.ask(asked(model_of(stub)))
    assert caught.value.retry_after is not None
    assert 25 <= caught.value.retry_after.total_seconds() <= 30


@pytest.mark.parametrize(
    ("status", "code", "error", "message"),
    [
        (500, "", Unavailable, "answered 500: no"),
        (529, "overloaded_error", Unavailable, "answered 529"),
        (401, "", Refused, "answered 401"),
        (403, "", Refused, "answered 403"),
        (400, "content_filter", Refused, "answered 400"),
        (400, "", InvalidInput, "answered 400: no"),
        (404, "", InvalidInput, "answered 404"),
        (422, "", InvalidInput, "answered 422"),
    ],
)
async def test_a_status_says_whether_to_ask_again(
    models: LanguageModels,
    model_of: ModelOf,
    status: int,
    code: str,
    error: type[MainstayError],
    message: str,
) -> None:
    with model_stub(Fail(status, code=code)) as stub:
        with pytest.raises(error, match=message) as caught:
            await models.ask(asked(model_of(stub)))
        assert len(stub.requests) == 1
    assert type(caught.value) is error
    assert caught.value.hint


async def test_a_conversation_that_is_too_long_is_named_as_such(models: LanguageModels) -> None:
    too_long = Fail(400, "too many tokens", code="context_length_exceeded")
    prompt = Fail(400, "prompt is too long: 9 tokens > 8 maximum", code="invalid_request_error")
    with model_stub(too_long, prompt) as stub:
        for model in (stub.openai, stub.anthropic):
            with pytest.raises(InvalidInput, match="conversation is too long for model"):
                await models.ask(asked(model))


@pytest.mark.parametrize(
    "reply", [Cut(), Cut(cleanly=True), Cut(()), Garbage()], ids=["broken", "ended", "empty", "odd"]
)
async def test_a_stream_that_is_not_whole_is_no_answer(
    models: LanguageModels, model_of: ModelOf, reply: Reply
) -> None:
    with model_stub(reply) as stub:
        with pytest.raises(Unavailable):
            await models.ask(asked(model_of(stub)))
        assert len(stub.requests) == 1


@pytest.mark.parametrize("before_headers", [True, False])
async def test_a_provider_that_falls_silent_is_given_up(
    models: LanguageModels, model_of: ModelOf, before_headers: bool
) -> None:
    with model_stub(Stall(before_headers=before_headers)) as stub:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await models.ask(asked(model_of(stub), settings={"timeout": 0.2}))
        assert time.monotonic() - began < 5, "long before the whole call's time is up"
        assert await asyncio.to_thread(stub.was_dropped.wait, 2)


async def test_an_answer_that_takes_too_long_is_given_up(
    models: LanguageModels, model_of: ModelOf
) -> None:
    endless = Say(["word "] * 1000, pause=0.05)
    with model_stub(endless) as stub, pytest.raises(Unavailable, match="not finish within 400ms"):
        await models.ask(asked(model_of(stub), timeout=timedelta(milliseconds=400)))


@pytest.mark.deep
async def test_a_minutes_silence_is_borne_and_then_given_up(
    models: LanguageModels, model_of: ModelOf
) -> None:
    began = time.monotonic()
    with model_stub(Stall()) as stub, pytest.raises(Unavailable):
        await models.ask(asked(model_of(stub), timeout=timedelta(seconds=60)))
    assert 59 <= time.monotonic() - began <= 65


@pytest.mark.parametrize("before_headers", [True, False])
async def test_cancelling_hangs_up_within_two_seconds(
    models: LanguageModels, model_of: ModelOf, before_headers: bool
) -> None:
    with model_stub(Stall(before_headers=before_headers)) as stub:
        asking = asyncio.create_task(models.ask(asked(model_of(stub))))
        assert await asyncio.to_thread(stub.is_silent.wait, 10)
        began = time.monotonic()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await asyncio.to_thread(stub.was_dropped.wait, 2)
        assert time.monotonic() - began < 2


async def test_an_answer_larger_than_allowed_is_cut_off(
    models: LanguageModels, model_of: ModelOf
) -> None:
    with model_stub(Say(["x" * 10_000] * 500)) as stub, pytest.raises(LimitReached, match="50,000"):
        await models.ask(asked(model_of(stub), answer_bytes=50_000))
    calls = [("c1", "fs_read", json.dumps({"path": "x" * 60_000}))]
    with model_stub(Say(tools=calls)) as stub, pytest.raises(LimitReached):
        await models.ask(asked(model_of(stub), answer_bytes=50_000))


async def test_a_tool_call_cut_off_by_the_length_limit_is_not_made(
    models: LanguageModels,
) -> None:
    calls = [("c1", "fs_read", '{"path": "a')]
    with model_stub(Say(["Then"], calls, finish="length")) as stub:
        answer = await models.ask(asked(stub.openai))
    assert (answer.text, answer.uses, answer.finish) == ("Then", (), Finish.LENGTH)
    with model_stub(Say(["Then"], calls, finish="max_tokens")) as stub:
        answer = await models.ask(asked(stub.anthropic))
    assert (answer.text, answer.uses, answer.finish) == ("Then", (), Finish.LENGTH)


async def test_a_model_that_refuses_says_so(models: LanguageModels) -> None:
    with model_stub(Say(["I will not."], finish="content_filter")) as stub:
        assert (await models.ask(asked(stub.openai))).finish is Finish.REFUSED


async def test_an_empty_answer_is_an_answer(models: LanguageModels, model_of: ModelOf) -> None:
    with model_stub(Say()) as stub:
        answer = await models.ask(asked(model_of(stub)))
    assert (answer.text, answer.uses, answer.finish) == ("", (), Finish.ANSWER)


async def test_the_form_of_the_answer_reaches_the_provider(
    models: LanguageModels, model_of: ModelOf
) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"]}
    with model_stub(Say(['{"score": 1}'])) as stub:
        answer = await models.ask(asked(model_of(stub), output_schema=schema))
        assert '"score"' in json.dumps(stub.requests[0])
    assert json.loads(answer.text) == {"score": 1}


async def test_nobody_listening_is_a_passing_failure(models: LanguageModels) -> None:
    with model_stub(Say()) as stub:
        gone = [stub.openai, stub.anthropic]
    for model in gone:
        with pytest.raises(Unavailable):
            await models.ask(asked(model))


async def test_a_key_is_sent_only_to_the_host_it_was_set_for(
    monkeypatch: pytest.MonkeyPatch, model_of: ModelOf
) -> None:
    secret = "not-for-strangers"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_ORG_ID"):
        monkeypatch.setenv(name, secret)
    for name in ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, f"x-gate: {secret}")
    known = {"OPENAI_API_KEY": secret, "ANTHROPIC_API_KEY": secret}
    with model_stub(Say(["ok"])) as stub:
        own = {
            "OPENAI_BASE_URL": f"{stub.address}/v1",
            "ANTHROPIC_BASE_URL": stub.address,
        }
        for environment in (known, known | {"MAINSTAY_KEY_127_0_0_1": "for-it"}, known | own):
            models = LanguageModels(environment=environment)
            await models.ask(asked(model_of(stub)))
            await models.close()
        stranger, named, provider = (json.dumps(headers) for headers in stub.headers)
    assert secret not in stranger
    assert "for-it" in named
    assert secret not in named
    assert secret in provider


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        ("openai:gpt-5", "needs OPENAI_API_KEY", "set OPENAI_API_KEY"),
        ("anthropic:claude-haiku-4-5", "needs ANTHROPIC_API_KEY", "set ANTHROPIC_API_KEY"),
        ("ollama:qwen3", "needs OLLAMA_BASE_URL", "set OLLAMA_BASE_URL"),
        ("nobody:gpt-5", "nobody", "write provider:name"),
        ("gpt-5", "does not name a model", "write provider:name"),
        ("openai:", "does not name a model", "write provider:name"),
        ("groq:x@http://host/v1", "cannot be given an address", "openai"),
        ("openai:x@http://", "is no address", "http://host:port/v1"),
        ("openai:x@http://me:pw@host/v1", "is no address", "without a password"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_early(
    monkeypatch: pytest.MonkeyPatch, model: str, message: str, hint: str
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_BASE_URL", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidInput, match=message) as caught:
        LanguageModels(environment={}).check(model)
    assert hint in caught.value.hint


def test_limits_are_kept_for_each_provider_and_address() -> None:
    models = LanguageModels(environment={})
    names = {
        "openai:gpt-5": "openai",
        "openai-chat:gpt-5": "openai",
        "openai:x@http://gpu:8000/v1": "openai@gpu:8000",
        "anthropic:claude-haiku-4-5": "anthropic",
        "script:a/b.yaml": "script",
        "code:thoughts:think": "code",
    }
    assert {model: models.provider(model) for model in names} == names
