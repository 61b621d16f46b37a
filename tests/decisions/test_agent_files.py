"""An agent's file tells everything that is wrong, at its place, and is read as what it says."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from broken_agent_table import BROKEN, agent, output
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.agent_source import (
    load_agent,
    load_catalogue,
    read_agent_file,
    read_catalogue,
)
from mainstay.decisions.agent_files.agent_file import AgentFile, check_spec, read_agent
from mainstay.decisions.agent_files.agent_markdown import to_markdown
from mainstay.decisions.agent_files.agent_schema import agent_schema
from mainstay.decisions.agent_files.agent_words import FILE_KEYS
from mainstay.decisions.agent_files.catalogue import AgentCatalogue, check_catalogue
from mainstay.decisions.plan_files.json_schema import misfits
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.problems import MAX_LISTED, Problem, list_problems
from mainstay.schemas.agent import (
    AgentSpec,
    BudgetSpec,
    ContextPolicy,
    ContextSpec,
    LimitsSpec,
    MailboxSpec,
    OnFailure,
    OnParentEnd,
    Role,
)
from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound
from mainstay.schemas.tools import ToolSpec
from mainstay.tools.catalogue import load_catalogue as load_tools

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "agents"
_NAMES = "fs.read fs.write fs.search fs.list process.run http.request now launch"
TOOLS = {name: ToolSpec(name=name) for name in _NAMES.split()}


def read(content: str | bytes) -> AgentFile:
    return read_agent(content, "demo.md", TOOLS)


def spec_of(content: str | bytes) -> AgentSpec:
    found = read(content)
    assert found.spec is not None, list(map(str, found.problems))
    return found.spec


def describe(problem: Problem) -> str:
    return f"{problem.line}:{problem.column} {problem.message} ? {problem.hint}"


@pytest.mark.parametrize(("content", "expected", "line", "column"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_has_exactly_its_error(
    content: str | bytes, expected: str, line: int, column: int
) -> None:
    found = read(content)
    assert found.spec is None
    assert len(found.problems) == 1, list(map(describe, found.problems))
    [error] = found.errors
    message, _, hint = expected.partition("?")
    assert message.strip() in error.message, describe(error)
    assert hint.strip() in error.hint, describe(error)
    assert (error.line, error.column, error.source) == (line, column, "demo.md"), describe(error)


EVERYTHING = """\
---
# every key there is
name: every-thing
description: "All: of it"
role: planner
model: ollama:llama3:8b
tools: fs.*, now remember
agents: [critic, reviewer]
capabilities: python code-review
settings: {temperature: 0.2, stop: [END]}
budget: {tokens: 1_000, usd: 0.25, turns: 3, tool_calls: 7, time: 1h30m, warn_at: 0.5}
limits: {model_calls: 3, turn_timeout: 90, pause: 10m}
mailbox: {batch: 1}
context: full
on_failure: stop
on_parent_end: cascade
output: {type: object, properties: {a: {type: [string, 'null']}}, required: [a]}
color: blue
---


  Be good.
---
Not the end.

"""


def test_everything_that_can_be_written_is_read() -> None:
    spec = spec_of(EVERYTHING.replace("1_000", "1000"))
    assert spec == AgentSpec(
        name="every-thing",
        description="All: of it",
        role=Role.PLANNER,
        model="ollama:llama3:8b",
        tools=["fs.*", "now", "remember"],
        agents=["critic", "reviewer"],
        capabilities=["python", "code-review"],
        settings={"temperature": 0.2, "stop": ["END"]},
        budget=BudgetSpec(
            tokens=1000, usd=Decimal("0.25"), turns=3, tool_calls=7,
            time=timedelta(minutes=90), warn_at=0.5,
        ),
        limits=LimitsSpec(
            model_calls=3, turn_timeout=timedelta(seconds=90), pause=timedelta(minutes=10)
        ),
        mailbox=MailboxSpec(batch=1),
        context=ContextSpec(policy=ContextPolicy.FULL),
        on_failure=OnFailure.STOP,
        on_parent_end=OnParentEnd.CASCADE,
        output={
            "type": "object",
            "properties": {"a": {"type": ["string", "null"]}},
            "required": ["a"],
        },
        extras={"color": "blue"},
        prompt="  Be good.\n---\nNot the end.",
    )  # fmt: skip


def test_everything_wrong_is_told_at_once_in_order_of_place() -> None:
    text = agent(
        "role: boss\ntools: Read nwo\nmodel: best\nbudget: {usd: -1, x: 1}\nagents: demo", ""
    )
    assert [(one.line, one.column) for one in read(text).errors] == [
        (3, 7), (4, 8), (4, 13), (5, 8), (6, 15), (6, 19), (7, 9), (8, 1),
    ]  # fmt: skip


def test_a_byte_order_mark_and_any_line_end_are_accepted() -> None:
    text = agent("role: critic", "One.\n\nTwo.")
    expected = spec_of(text)
    assert spec_of(b"\xef\xbb\xbf" + text.encode()) == expected
    assert spec_of("\ufeff" + text) == expected
    assert spec_of(text.replace("\n", "\r\n")) == expected
    assert spec_of(text.replace("\n", "\r").encode()) == expected
    assert spec_of("\n \n" + text.replace("---\n", "--- \t\n")) == expected


def test_a_key_without_a_value_counts_as_absent() -> None:
    assert spec_of(agent("tools:\nmodel: ~\nbudget:\nrole:")) == spec_of(agent())


EXTRAS = [
    ("color: blue", ""),
    ("mode: subagent", ""),
    ("xyzzy: 1", ""),
    ("extras: 1", ""),
    ("buget: {usd: 1}", "did you mean `budget`?"),
    ("tool: now", "did you mean `tools`?"),
    ("on-failure: stop", "did you mean `on_failure`?"),
    ("on_parent_exit: stop", "did you mean `on_parent_end`?"),
    ("maxTurns: 5", "did you mean `limits: {model_calls: …}`?"),
    ("temperature: 1", "put it under `settings`"),
    ("instructions: x", "the prompt is what stands below the front matter"),
    ("disallowedTools: Bash", "`tools` is all that it may use"),
]


@pytest.mark.parametrize(("line", "hint"), EXTRAS)
def test_a_key_of_others_is_kept_and_told(line: str, hint: str) -> None:
    found = read(agent(line))
    [warning] = found.warnings
    key, _, value = line.partition(": ")
    assert (warning.line, warning.column, warning.hint) == (3, 1, hint)
    assert warning.message == f"the key `{key}` is kept, and has no effect here"
    assert found.spec is not None
    assert list(found.spec.extras) == [key]
    assert value


def test_an_agent_that_thinks_with_code_needs_no_prompt() -> None:
    assert spec_of(agent("model: code:my team/answers.py:reply", "")).model
    spec = spec_of(agent("model: code:my_team.answers:reply", ""))
    assert spec.prompt == ""
    assert spec_of(agent("model: script:talks/review.yaml")).model == "script:talks/review.yaml"
    assert spec_of(agent("model: openai:m@http://127.0.0.1:1/v1")).model


def test_a_prompt_may_stand_in_the_front_matter() -> None:
    assert spec_of(agent("prompt: Go.", "")).prompt == "Go."


def test_tools_are_not_checked_where_it_is_unknown_which_there_are() -> None:
    text = agent("tools: [any.thing, some.*]")
    assert read_agent(text, "x.md").spec is not None
    [pattern, name] = read_agent(agent("tools: [some.*, any.thing]"), "x.md", {}).errors
    assert pattern.hint == ""
    assert name.hint == "`mainstay tools` lists them"


def test_built_in_tools_are_always_there_but_stand_for_no_pattern() -> None:
    text = agent("tools: [ask_human, read_result, remember, recall, '*']")
    assert len(spec_of(text).tools) == 5
    [error] = read(agent("tools: rec*")).errors
    assert error.message == "no tool matches `rec*`"


@pytest.mark.parametrize(
    "schema",
    [
        "{type: object, additionalProperties: false}",
        "{anyOf: [{type: string}, true]}",
        "{$ref: '#/$defs/a', $defs: {a: {type: array, items: {$ref: '#'}}}}",
        "{$ref: '#/anyOf/0', anyOf: [{properties: {a/b: {$ref: '#/anyOf/0/properties/a~1b'}}}]}",
        "{enum: [a, 1]}",
        "{pattern: '[[a]'}",
        "{type: string, pattern: '^a+$', minLength: 1}",
        "{required: [anything]}",
        "{properties: {type: {type: string}}, not: {}}",
    ],
)
def test_a_schema_of_answers_is_accepted(schema: str) -> None:
    assert spec_of(output(schema)).output


def test_an_agent_made_in_python_is_checked_too() -> None:
    spec = AgentSpec(name="a", tools=["Read", "now"], model="best", agents=["a"], prompt="Go.")
    assert [problem.path for problem in check_spec(spec, TOOLS)] == [
        "tools[0]", "model", "agents[0]",
    ]  # fmt: skip
    assert not check_spec(AgentSpec(name="a", prompt="Go.", tools=["x"]))


# catalogues


def team(**agents: str) -> AgentCatalogue:
    files: dict[str, str | bytes] = {
        f"{name}.md": f"---\nname: {name}\n{front}\n---\nGo." for name, front in agents.items()
    }
    return check_catalogue(files, TOOLS)


def test_agents_of_a_catalogue_know_each_other() -> None:
    found = team(critic="", lead="agents: critic, reviewer", reviewer="tools: now")
    assert not found.errors + found.warnings
    assert list(found.specs) == ["critic", "lead", "reviewer"]
    assert found.get("lead").agents == ["critic", "reviewer"]


def test_an_unknown_agent_is_told_at_its_place() -> None:
    found = team(critic="agents: [helper]", lead="agents: critic, critc")
    assert list(map(str, found.errors)) == [
        "critic.md:3:10: error: there is no agent `helper` (hint: there are: lead)",
        "lead.md:3:17: error: there is no agent `critc` (hint: did you mean `critic`?)",
    ]
    assert not found.specs
    [alone] = team(one="agents: two").errors
    assert alone.hint == ""


def test_an_agent_whose_file_is_broken_is_still_known() -> None:
    found = team(critic="role: boss", lead="agents: critic")
    assert [problem.source for problem in found.errors] == ["critic.md"]
    with pytest.raises(NotFound) as error:
        found.get("critic")
    assert error.value.hint == "critic.md is broken: see `mainstay agent catalogue`"


def test_an_agent_that_is_not_there_is_named_with_the_nearest() -> None:
    found = team(critic="", lead="")
    with pytest.raises(NotFound, match="no agent 'critc'") as near:
        found.get("critc")
    assert near.value.hint == "did you mean `critic`?"
    with pytest.raises(NotFound) as far:
        found.get("zzz")
    assert far.value.hint == "there are: critic, lead"


def test_the_later_of_two_files_with_one_name_is_wrong() -> None:
    files: dict[str, str | bytes] = {"b.md": agent(), "a.md": agent(), "c.md": "---\nrole: x\n---"}
    found = check_catalogue(files)
    assert [(one.path, one.name) for one in found.files] == [
        ("a.md", "demo"), ("b.md", "demo"), ("c.md", ""),
    ]  # fmt: skip
    [error] = found.files[1].errors
    assert str(error).startswith("b.md:2:7: error: the name `demo` is taken by a.md")


def test_agents_that_ask_each_other_in_a_circle_are_a_warning() -> None:
    found = team(a="agents: [b, c]", b="agents: a", c="")
    [warning] = found.warnings
    assert str(warning).startswith("a.md:3:1: warning: agents ask each other: a -> b -> a")
    assert len(found.specs) == 3


# the disk


def test_the_examples_are_a_catalogue_without_a_warning() -> None:
    found = load_catalogue(EXAMPLES, load_tools().specs())
    assert not found.warnings
    assert {"critic", "planner", "reviewer", "router"} <= set(found.specs)


def test_a_file_that_is_broken_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "demo.md"
    path.write_text(agent("tools: Read\nmodel: best"))
    assert len(read_agent_file(path, TOOLS).errors) == 2
    with pytest.raises(InvalidInput) as error:
        load_agent(path, TOOLS)
    head, first, second = error.value.message.splitlines()
    assert head == f"agent {str(path)!r} has 2 errors:"
    assert first.startswith(f"{path}:3:8: error: there is no tool `Read` (hint: write `fs.read`)")
    assert second.startswith(f"{path}:4:8: error: 'best' is no model")
    path.write_text(agent())
    assert load_agent(str(path), TOOLS).name == "demo"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no agent file .*gone\.md"):
        load_agent(tmp_path / "gone.md")
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        load_agent(tmp_path)
    with pytest.raises(NotFound, match="there is no folder"):
        load_catalogue(tmp_path / "gone")
    (tmp_path / "a.md").write_text("")
    with pytest.raises(InvalidInput, match="is a file, not a folder"):
        load_catalogue(tmp_path / "a.md")
    with pytest.raises(InvalidInput, match=r"the catalogue '.*' has 1 error:"):
        load_catalogue(tmp_path)


def test_a_catalogue_is_every_agent_file_of_a_folder_and_of_those_in_it(tmp_path: Path) -> None:
    for name in ("a.md", "in/b.md", "in/README.md", ".git/c.md", "d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"---\nname: {name[-4]}\n---\nGo.")
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "lost.md").symlink_to(tmp_path / "nothing")
    found = read_catalogue(tmp_path)
    assert [file.path for file in found.files] == [
        str(tmp_path / "a.md"), str(tmp_path / "in" / "b.md"),
    ]  # fmt: skip


def test_a_folder_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.agent_folder.MAX_CATALOGUE_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.md").touch()
    with pytest.raises(LimitReached, match="holds more than 2 agent files"):
        read_catalogue(tmp_path)


def test_an_error_lists_a_hundred_problems_and_counts_the_rest() -> None:
    text = list_problems("it", [Problem(message="bad")] * (MAX_LISTED + 2))
    assert text.startswith("it has 102 errors:")
    assert text.endswith("and 2 more")
    assert len(text.splitlines()) == MAX_LISTED + 2


# writing


def test_a_file_is_written_as_a_person_would() -> None:
    spec = AgentSpec(
        name="critic",
        role=Role.CRITIC,
        tools=["fs.read"],
        budget=BudgetSpec(usd=Decimal("0.10"), time=timedelta(days=1, minutes=90, seconds=5)),
        limits=LimitsSpec(pause=timedelta(0), stop=timedelta(milliseconds=1500)),
        extras={"color": "no", "mask": "0o17", "many": [1, True, None]},
        prompt="Judge.\n\nBe fair.",
    )
    assert to_markdown(spec) == (
        "---\nname: critic\nrole: critic\ntools:\n- fs.read\nbudget:\n  usd: 0.1\n"
        "  time: 1d1h30m5s\nlimits:\n  pause: 0.0\n  stop: 1.5\ncolor: 'no'\n"
        'mask: "0o17"\nmany:\n- 1\n- true\n- null\n---\n\nJudge.\n\nBe fair.\n'
    )


def test_extras_that_are_keys_of_ours_are_refused() -> None:
    with pytest.raises(InvalidInput, match="hold a key of Mainstay's: 'tools'"):
        to_markdown(AgentSpec(name="a", extras={"tools": ["x"]}))


_texts = st.text(max_size=30) | st.text(alphabet=" \n\t-:#'\"\\a1.\r\u2028\x00\x85{[", max_size=30)
_prompts = _texts.map(lambda text: text if text.strip() else f"Go.{text}")
_durations = st.timedeltas(timedelta(0), timedelta(days=3650))
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)
_tool_names = st.lists(st.sampled_from([*TOOLS, "fs.*", "recall"]), max_size=4, unique=True)
_specs = st.builds(
    AgentSpec,
    name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True),
    description=_texts,
    role=st.sampled_from(Role),
    model=st.sampled_from([None, "openai:x", "script:a b.yaml", "code:a.b:c", "ollama:a:7b"]),
    tools=_tool_names,
    agents=st.lists(st.sampled_from(["null", "true", "other-1", "_1"]), max_size=2),
    capabilities=st.lists(_texts, max_size=3),
    prompt=_prompts,
    output=st.none() | st.just({"type": "object", "properties": {"on": {"enum": ["1e3", "no"]}}}),
    settings=st.dictionaries(_texts, _json, max_size=3),
    budget=st.builds(
        BudgetSpec,
        tokens=st.none() | st.integers(0, 10**12),
        usd=st.none() | st.decimals(0, 10**9, allow_nan=False, allow_infinity=False),
        time=st.none() | _durations,
        warn_at=st.floats(0.01, 1),
    ),
    limits=st.builds(
        LimitsSpec, model_calls=st.integers(1, 9999), pause=_durations, turn_timeout=_durations
    ),
    mailbox=st.builds(MailboxSpec, batch=st.integers(1, 100)),
    context=st.builds(
        ContextSpec, policy=st.sampled_from(ContextPolicy), tokens=st.integers(100, 10**6)
    ),
    on_failure=st.sampled_from(OnFailure),
    on_parent_end=st.sampled_from(OnParentEnd),
    extras=st.dictionaries(_texts.filter(lambda key: key not in FILE_KEYS), _json, max_size=3),
)


def check_round_trip(spec: AgentSpec) -> None:
    if spec.name in spec.agents:
        spec = spec.model_copy(update={"agents": []})
    found = read_agent(to_markdown(spec), "x.md", TOOLS)
    assert found.spec == spec, list(map(str, found.errors))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(_specs)
def test_an_agent_that_is_written_reads_as_the_same_agent(spec: AgentSpec) -> None:
    check_round_trip(spec)


@pytest.mark.deep
@settings(max_examples=2_000, deadline=None)
@given(_specs)
def test_each_of_two_thousand_agents_reads_as_it_was_written(spec: AgentSpec) -> None:
    check_round_trip(spec)


_lines = st.sampled_from(
    ["---", "--- ", "...", "name: x", "name: [", "tools: Read, (", "tools: >", "tools: [a, 5, {}]",
     "agents: x", "model: a:b", "budget: {usd: 1e999}", "limits: {pause: 1e300}", "context: 5",
     "output: {type: {}}", "output: {pattern: 5, enum: 5}", "output: {$ref: []}", "prompt: 5",
     "  - x", "\ttab", "a: &a [*a]", "x: *a", "? y", "!!str", "\u2028---", "\x85", "extras: {}"]
) | _texts  # fmt: skip
_files = st.lists(_lines, max_size=8).map("\n".join) | st.lists(_lines, max_size=8).map(
    lambda lines: "\n".join(["---", "name: x", *lines, "---", "Go."])
)


def check_any(content: str | bytes) -> None:
    found = read(content)
    assert (found.spec is None) == bool(found.errors)
    assert all(problem.line > 0 and problem.column > 0 for problem in found.problems)
    check_catalogue({"a.md": content, "b.md": content}, TOOLS)


@settings(max_examples=200, deadline=None)
@given(_files | st.binary(max_size=40))
def test_no_file_breaks_the_reader(content: str | bytes) -> None:
    check_any(content)


@pytest.mark.deep
@settings(max_examples=2_000, deadline=None)
@given(_files | st.binary(max_size=40))
def test_none_of_two_thousand_files_breaks_the_reader(content: str | bytes) -> None:
    check_any(content)


# the schema for editors


def fits(front: str) -> bool:
    schema = json.loads(json.dumps(agent_schema(TOOLS)))
    data: dict[str, Any] | None = read_plan(front, "x").data
    return not misfits(data, schema, schema["$defs"])


def test_the_schema_takes_what_a_file_may_hold() -> None:
    assert fits(EVERYTHING.split("---\n")[1].replace("1_000", "1000"))
    assert fits("name: x\ntools: [now, mine.own]\ncontext: {policy: window}\nagents: a, b")
    for path in sorted(EXAMPLES.glob("*.md")):
        assert fits(path.read_text().split("---\n")[1])


@pytest.mark.parametrize(
    "front", ["role: critic", "name: x\nrole: boss", "name: x\nbudget: {token: 1}",
              "name: x\ncontext: al", "name: x\ntools: 5", "name: x\nlimits: {model_calls: 0}"]
)  # fmt: skip
def test_the_schema_refuses_what_a_file_may_not_hold(front: str) -> None:
    assert not fits(front)


def test_the_schema_offers_tools_and_knows_no_extras() -> None:
    schema = agent_schema(["now"])
    offered = schema["properties"]["tools"]["anyOf"][1]["items"]["anyOf"][0]["enum"]
    assert offered == ["ask_human", "now", "read_result", "recall", "remember"]
    assert set(schema["properties"]) == set(FILE_KEYS)
    assert "enum" not in json.dumps(agent_schema()["properties"]["tools"])
