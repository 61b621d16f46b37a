"""Scripts and functions in the place of a language model."""

from __future__ import annotations

import asyncio
import itertools
import sys
import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mainstay.models.language_models import LanguageModels
from mainstay.schemas.conversation import Entry, EntryKind, Finish, ModelAnswer, ToolUse
from mainstay.schemas.errors import InvalidInput, LimitReached, MainstayError, Refused, Unavailable
from mainstay.schemas.model_calls import ModelCall

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Conversation:
    """A thread, its window cut as a caller would, and a script that answers in it."""

    def __init__(self, path: Path, script: str) -> None:
        path.write_text(script)
        self.model = f"script:{path}"
        self.entries: list[Entry] = []
        self.window = 1000

    def told(self, text: str, kind: EntryKind = EntryKind.USER, tool: str = "") -> Conversation:
        key = str(len(self.entries))
        self.entries.append(Entry(key=key, kind=kind, text=text, tool=tool, at=NOW))
        return self

    def call(self, **changes: Any) -> ModelCall:
        answers = sum(entry.kind is EntryKind.ASSISTANT for entry in self.entries)
        given: dict[str, Any] = {
            "model": self.model,
            "instructions": "Be good.",
            "entries": self.entries[-self.window :],
            "answers_before": answers,
            "key": f"agent/{len(self.entries)}",
        }
        return ModelCall(**(given | changes))

    async def answer(self, **changes: Any) -> ModelAnswer:
        # Models of its own for each answer: nothing can be remembered between two.
        answer = await LanguageModels().ask(self.call(**changes))
        key = str(len(self.entries))
        self.entries.append(
            Entry(
                key=key,
                kind=EntryKind.ASSISTANT,
                text=answer.text,
                uses=answer.uses,
                raw=answer.raw,
                at=NOW,
            )
        )
        return answer

    async def says(self, text: str, **changes: Any) -> str:
        return (await self.told(text).answer(**changes)).text


@pytest.fixture
def conversation(tmp_path: Path) -> Callable[[str], Conversation]:
    names = itertools.count()
    return lambda script: Conversation(tmp_path / f"script{next(names)}.yaml", script)


async def test_turns_are_played_in_order_and_the_end_is_an_error(conversation: Any) -> None:
    talk = conversation("turns: [{say: one, repeat: 2}, {say: two}]")
    assert [await talk.says("go") for _ in range(3)] == ["one", "one", "two"]
    with pytest.raises(InvalidInput, match="has 3 turns, and answer 4 was asked"):
        await talk.says("go")


async def test_a_loop_begins_again(conversation: Any) -> None:
    talk = conversation("{loop: true, turns: [{say: a}, {say: b}]}")
    assert [await talk.says("go") for _ in range(5)] == ["a", "b", "a", "b", "a"]


async def test_a_cut_window_does_not_move_the_place(conversation: Any) -> None:
    talk = conversation("turns: [{say: '1'}, {say: '2'}, {say: '3'}, {say: '4'}]")
    talk.window = 1
    assert [await talk.says("go") for _ in range(4)] == ["1", "2", "3", "4"]


async def test_a_reaction_takes_no_turns_place(conversation: Any) -> None:
    talk = conversation(
        """
        turns:
          - when: weather
            say: sunny
          - say: first
          - say: second
        """
    )
    said = [await talk.says(text) for text in ("hi", "the weather?", "and?")]
    assert said == ["first", "sunny", "second"]


@pytest.mark.parametrize(
    ("when", "kind", "text", "fits"),
    [
        ("{from: feedback}", EntryKind.FEEDBACK, "wrong", True),
        ("{from: feedback}", EntryKind.USER, "wrong", False),
        ("{from: tool, tool: fs.read}", EntryKind.TOOL, "x", True),
        ("{tool: fs.write}", EntryKind.TOOL, "x", False),
        ("{matches: '^[0-9]+ degrees$'}", EntryKind.USER, "21 degrees", True),
        ("{matches: '^[0-9]+ degrees$'}", EntryKind.USER, "many degrees", False),
        ("{instructions: good}", EntryKind.USER, "", True),
        ("{instructions: evil}", EntryKind.USER, "", False),
    ],
)
async def test_a_reaction_fits_what_the_model_was_just_told(
    conversation: Any, when: str, kind: EntryKind, text: str, fits: bool
) -> None:
    talk = conversation(f"turns: [{{when: {when}, say: yes it fits}}, {{say: no}}]")
    answer = await talk.told(text, kind, tool="fs.read").answer()
    assert answer.text == ("yes it fits" if fits else "no")


async def test_what_was_told_before_the_last_answer_is_past(conversation: Any) -> None:
    talk = conversation("turns: [{when: magic, say: abracadabra}, {say: hm}]")
    assert [await talk.says(text) for text in ("magic", "again?")] == ["abracadabra", "hm"]


async def test_the_same_request_gives_the_same_answer(conversation: Any) -> None:
    talk = conversation("turns: [{tools: [fs.read: {path: '${{ last }}.txt'}, text.lower]}]")
    talk.told("notes")
    one, other = [await LanguageModels().ask(talk.call()) for _ in range(2)]
    assert one == other
    assert one.finish is Finish.TOOLS
    assert [(use.name, use.arguments) for use in one.uses] == [
        ("fs.read", {"path": "notes.txt"}),
        ("text.lower", {}),
    ]
    assert len({use.id for use in one.uses}) == 2
    later = await LanguageModels().ask(talk.call(key="agent/other"))
    assert {use.id for use in later.uses}.isdisjoint(use.id for use in one.uses)


async def test_malformed_arguments_are_sent_as_they_are(conversation: Any) -> None:
    talk = conversation("""turns: [{tools: [{name: fs.read, raw_arguments: '{"path": '}]}]""")
    assert (await talk.told("go").answer()).uses[0].arguments == '{"path": '


async def test_slots_are_filled_in(conversation: Any) -> None:
    talk = conversation(
        "turns: [{say: a}, {say: '${{ number }} ${{user}} ${{ last }} ${{ agent }}'}]"
    )
    await talk.says("hello")
    talk.told("question").told("result", EntryKind.TOOL)
    assert (await talk.answer()).text == "1 question result Be good."


async def test_what_is_no_text_is_said_as_json(conversation: Any) -> None:
    talk = conversation("turns: [{say: {score: 0.5, of: '${{ last }}'}}, {say: ''}]")
    assert await talk.says("x") == '{"score": 0.5, "of": "x"}'
    assert await talk.says("x") == ""


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("transient", Unavailable),
        ("permanent", InvalidInput),
        ("refused", Refused),
        ("too_large", LimitReached),
    ],
)
async def test_a_fault_fails_its_attempts_and_then_the_turn_is_played(
    conversation: Any, kind: str, error: type[MainstayError]
) -> None:
    talk = conversation(
        f"turns: [{{say: done, error: {{kind: {kind}, message: busy, attempts: 2, "
        "retry_after: 3s, after: 'Let me'}}]"
    )
    seen: list[str] = []
    for attempt in (1, 2):
        with pytest.raises(error, match="busy") as caught:
            await talk.told("go").answer(attempt=attempt, watch=seen.append)
        if isinstance(caught.value, Unavailable):
            assert caught.value.retry_after == timedelta(seconds=3)
    assert seen == ["Let me", "Let me"]
    assert await talk.says("go", attempt=3) == "done"


async def test_a_text_is_typed_bit_by_bit(conversation: Any) -> None:
    talk = conversation("turns: [{say: 'one two three four', typing: 300ms}]")
    seen: list[str] = []
    await talk.says("go", watch=seen.append)
    assert seen[-1] == "one two three four"
    assert 2 <= len(seen) <= 5
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))


async def test_a_delay_longer_than_the_call_may_take_is_unavailable(conversation: Any) -> None:
    talk = conversation("turns: [{say: late, delay: 1h}]")
    with pytest.raises(Unavailable, match="did not finish within 20ms"):
        await talk.says("go", timeout=timedelta(milliseconds=20))


async def test_an_answer_larger_than_allowed_is_refused(conversation: Any) -> None:
    talk = conversation("turns: [{say: '${{ last }}'}]")
    assert await talk.says("x" * 100, answer_bytes=100) == "x" * 100
    talk.entries.clear()
    with pytest.raises(LimitReached, match="more than 100 bytes"):
        await talk.says("x" * 101, answer_bytes=100)


async def test_tokens_and_money_are_exact(conversation: Any) -> None:
    talk = conversation(
        """
        prices: {input: 3, output: 15, cached: 0.3}
        turns:
          - {say: a, usage: {input: 1000, output: 100, cached: 400}}
          - {say: eight ch}
        """
    )
    usage = (await talk.told("go").answer()).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (1000, 100, 400)
    dollars = (600 * Decimal(3) + 400 * Decimal("0.3") + 100 * Decimal(15)) / 1_000_000
    assert usage.picodollars == dollars * 10**12
    assert (usage.model_calls, usage.unpriced_calls) == (1, 0)
    talk.entries.clear()
    usage = (await talk.told("12345678").answer(answers_before=1, instructions="1234")).usage
    assert (usage.input_tokens, usage.output_tokens) == (3, 2)


@pytest.mark.parametrize(
    ("script", "line", "message"),
    [
        ("", 1, "the file is empty"),
        ("turns: []", 1, "at least 1"),
        ("turns:\n  - sya: hello", 2, "did you mean `say`"),
        ("turns:\n  - say: a\n  - {}", 3, "has neither say, tools nor error"),
        ("turns:\n  - say: a\n    delay: soon", 3, "not a duration"),
        ("turns:\n  - when: {matches: '['}\n    say: a", 2, "no regular expression"),
        ("turns:\n  - say: '${{ lst }}'", 2, "there are last, user, number and agent"),
        ("turns:\n  - say: [a", 2, "not YAML"),
        ("turns:\n  - tools: [{name: ''}]", 2, "at least 1 character"),
        ("loop: maybe\nturns: [{say: a}]", 1, "bool"),
    ],
)
def test_a_broken_script_is_refused_with_its_line(
    tmp_path: Path, script: str, line: int, message: str
) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(script)
    with pytest.raises(InvalidInput) as caught:
        LanguageModels().check(f"script:{path}")
    assert f"{path}:{line}:" in str(caught.value)
    assert message in str(caught.value)


def test_a_script_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        LanguageModels().check(f"script:{tmp_path}/none.yaml")


async def test_a_changed_script_is_read_again(tmp_path: Path) -> None:
    models = LanguageModels()
    path = tmp_path / "script.yaml"
    for text in ("one", "three"):
        path.write_text(f"turns: [{{say: {text}}}]")
        entry = Entry(key="0", kind=EntryKind.USER, text="go", at=NOW)
        call = ModelCall(model=f"script:{path}", instructions="", entries=[entry])
        assert (await models.ask(call)).text == text


def test_a_script_says_that_it_is_one(tmp_path: Path) -> None:
    assert LanguageModels().describe("script:talk.yaml") == "scripted by talk.yaml"


async def test_an_answer_names_its_script(conversation: Any) -> None:
    talk = conversation("turns: [{say: a}]")
    assert (await talk.told("go").answer()).model == talk.model


@pytest.fixture
def thoughts(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module of functions that think."""

    def shout(prompt: str, entries: tuple[Entry, ...]) -> str:
        return f"{prompt.upper()} {len(entries)}"

    async def call_tool(prompt: str, entries: tuple[Entry, ...]) -> ModelAnswer:
        return ModelAnswer(uses=(ToolUse(id="1", name="fs.read", arguments={"path": prompt}),))

    async def hang(prompt: str, entries: tuple[Entry, ...]) -> str:
        await asyncio.Event().wait()
        return ""

    def fail(prompt: str, entries: tuple[Entry, ...]) -> str:
        raise KeyError("lost")

    def busy(prompt: str, entries: tuple[Entry, ...]) -> str:
        raise Unavailable("busy")

    def number(prompt: str, entries: tuple[Entry, ...]) -> int:
        return 7

    module = types.ModuleType("thoughts_of_tests")
    for function in (shout, call_tool, hang, fail, busy, number):
        setattr(module, function.__name__, function)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def asked(function: str, **changes: Any) -> ModelCall:
    told = [Entry(key="0", kind=EntryKind.USER, text="go", at=NOW)]
    model = f"code:thoughts_of_tests:{function}"
    return ModelCall(model=model, instructions="", entries=told, **changes)


@pytest.mark.usefixtures("thoughts")
async def test_a_function_answers_in_the_place_of_a_model() -> None:
    answer = await LanguageModels().ask(asked("shout"))
    assert (answer.text, answer.finish, answer.usage.model_calls) == ("GO 1", Finish.ANSWER, 1)
    answer = await LanguageModels().ask(asked("call_tool"))
    assert (answer.uses[0].arguments, answer.finish) == ({"path": "go"}, Finish.TOOLS)


@pytest.mark.usefixtures("thoughts")
@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("fail", InvalidInput, r"KeyError: 'lost' \(test_models_scripts.py, line \d+\)"),
        ("busy", Unavailable, "busy"),
        ("number", InvalidInput, "returned int, not a text"),
        ("hang", Unavailable, "did not finish within 20ms"),
        ("shout", LimitReached, "more than 1 bytes"),
    ],
)
async def test_a_functions_failure_is_told_without_a_traceback(
    function: str, error: type[MainstayError], message: str
) -> None:
    limits = {"timeout": timedelta(milliseconds=20)} if function == "hang" else {"answer_bytes": 1}
    with pytest.raises(error, match=message):
        await LanguageModels().ask(asked(function, **limits))


@pytest.mark.usefixtures("thoughts")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("code:thoughts_of_tests:nothing", "has no function 'nothing'"),
        ("code:no_such_module_anywhere:think", "no_such_module_anywhere"),
        ("code:subprocess:getoutput", "does not take prompt and entries"),
        ("code:think", "does not name a function"),
    ],
)
def test_a_function_that_cannot_think_is_refused(model: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        LanguageModels().check(model)


ASKED_TO_SUM_UP = (
    "Sum it up.\n\n<summary>\nAnna likes tea.\n</summary>\n\n"
    "<conversation>\n[person] Order 17 is late.\n\n[agent] I see.\n</conversation>"
)


async def test_a_summary_plays_no_turn(conversation: Any) -> None:
    talk = conversation("turns: [{say: one}, {say: two}]")
    talk.told("go")
    request = Entry(key="s", kind=EntryKind.USER, text=ASKED_TO_SUM_UP, at=NOW)
    summary = await LanguageModels().ask(
        talk.call(purpose="summary", entries=[request], answers_before=0)
    )
    assert summary.text == "Anna likes tea.\n[person] Order 17 is late.\n[agent] I see."
    assert (summary.raw, summary.usage.model_calls) == (None, 1)
    assert summary.usage.input_tokens > 30
    assert (await talk.answer()).text == "one"


async def test_a_script_may_write_its_own_summary(conversation: Any) -> None:
    talk = conversation("{summary: All is well., prices: {input: 1, output: 1}, turns: [{say: a}]}")
    summary = await talk.told(ASKED_TO_SUM_UP).answer(purpose="summary")
    assert summary.text == "All is well."
    assert summary.usage.picodollars > 0


async def test_a_function_is_told_what_it_is_asked_for_if_it_wants_to_know(
    conversation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("thinker_that_listens")
    module.think = lambda prompt, entries, instructions, purpose: f"{purpose}: {instructions}"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    talk = conversation("turns: [{say: a}]")
    talk.model = f"code:{module.__name__}:think"
    assert await talk.says("go") == "answer: Be good."
    assert await talk.says("go", purpose="summary") == "summary: Be good."
