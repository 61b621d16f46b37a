"""A plan's validation tells everything that is wrong, at its place, and nothing that is not."""

from __future__ import annotations

from typing import Any

import pytest
from broken_plan_table import BROKEN, plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.decisions.plan_files import plan_structure
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.plan_inputs import check_inputs, coerce_text
from mainstay.decisions.plan_files.plan_words import describe as describe_misfit
from mainstay.decisions.plan_files.plan_words import explain_unknown_key
from mainstay.decisions.plan_files.problems import Findings, Problem, Severity, format_path
from mainstay.decisions.plan_files.validation import (
    MAX_TOTAL_TASKS,
    Validation,
    validate,
    validate_spec,
)
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.plan import ActionSpec, InputSpec, InputType, PlanSpec, TaskSpec
from mainstay.schemas.tools import ToolSpec
from plan_strategies import TOOLS, as_yaml, broken_plans, valid_plans


def check(text: str, files: dict[str, str] | None = None) -> Validation:
    return validate(read_plan(text, "plan.yaml"), TOOLS, files)


def describe(problem: Problem) -> str:
    return f"{problem.line}:{problem.column} {problem.message} ? {problem.hint}"


@pytest.mark.parametrize(("text", "expected", "line", "column"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_plan_has_exactly_its_error(
    text: str, expected: str, line: int, column: int
) -> None:
    result = check(text)
    assert result.plan is None
    errors = result.errors
    assert len(errors) == 1, [describe(error) for error in errors]
    message, _, hint = expected.partition("?")
    assert any(part.strip() in errors[0].message for part in message.split("|")), describe(
        errors[0]
    )
    assert hint.strip() in errors[0].hint, describe(errors[0])
    assert (errors[0].line, errors[0].column) == (line, column), describe(errors[0])


EVERYTHING = """\
name: everything
description: every word there is
inputs:
  path: {description: where, default: .}
  count: {type: integer, default: 3, choices: [1, 3]}
  names: {type: list, required: false}
env: {TOP: '${{ inputs.path }}/${{ plan.name }}', PORT: 8080, RATE: 1.10, ON: true}
max_parallel: 4
timeout: 2h
priority: high
tasks:
  list:
    description: look
    tool: fs.read
    with: {path: '${{ inputs.path }}', limit: '${{ inputs.count }}', only: ['${{ env.OWN }}']}
    env: {OWN: '${{ env.TOP }}', TOP: x}
    outputs: {files: '${{ output.lines }}', total: '${{ output | length }}'}
    timeout: 90s
    retry: {attempts: 2, initial: 1s}
  each:
    needs: list
    if: success() and inputs.names is none or cancelled()
    for_each: ${{ needs.list.outputs.files }}
    batch: 10
    max_parallel: 2
    tool: fs.read
    with: {path: '${{ item }}-${{ index }}-${{ feedback }}'}
    verify: {check: output | length > 0, reason: '${{ output }}', attempts: 2}
    undo: {tool: fs.read, with: {path: '${{ item }} ${{ output }}'}}
    continue_on_error: true
  ask:
    needs: [each]
    approval: {message: 'Go on with ${{ needs.each.outputs | length }}?', deadline: 2d,
               default: reject}
  launch:
    needs: [ask]
    approval: true
    tool: launch
    idempotent: true
    retry: 3
    priority: 0
    env: {WHO: '${{ needs.ask.outputs.by }}'}
    verify: {tool: shape, with: {word: '${{ answer.by ~ output }}'}}
  inner: {plan: p, with: {x: '${{ inputs.path }}'}}
  again: {plan: p, with: {x: a}}
  other: {plan: sub/other.yaml, needs: [launch], if: false}
  think:
    needs: list
    for_each: ${{ needs.list.outputs.files }}
    agent: thinker
    prompt: {about: '${{ item }} ${{ index }} ${{ feedback }}'}
    output: {type: object, properties: {answer: {type: string}}}
    budget: {tokens: 1000, usd: 0.5}
    model: script:x.yaml
    verify: {agent: agents/critic.md, criteria: ['as ${{ inputs.path }}'], threshold: 0.8}
  route: {capability: reading, prompt: read, timeout: 5m}
  chosen: {agent: '${{ needs.think.outputs[0].answer }}', needs: think, prompt: read}
  read: {agent: reader, prompt: read, needs: think}
budget: {usd: 2}
model: script:y.yaml
agents:
  thinker: {prompt: You think., tools: 'fs.read, now', context: full}
  reader: agents/reader.md
outputs:
  all: ${{ needs }}
  by: ${{ needs.ask.outputs.by }}
plans:
  p:
    name: p
    inputs: {x: {choices: [a, b]}}
    tasks: {a: {tool: fs.read, with: {path: '${{ inputs.x }}'}}}
"""
FILES = {
    "sub/other.yaml": "name: other\ntasks: {a: {plan: ../third.yaml}, b: {plan: ../third.yaml}}",
    "third.yaml": "name: third\ntasks: {a: {tool: now}}",
    "agents/reader.md": "---\nname: reader\ncapabilities: reading\n---\nYou read.\n",
    "agents/critic.md": "---\nname: critic\nrole: critic\n---\nYou judge.\n",
}


def test_a_plan_with_every_word_is_valid_and_needs_no_file_any_more() -> None:
    result = check(EVERYTHING, FILES)
    assert [str(problem) for problem in result.problems] == []
    assert result.plan is not None
    other = result.plan.plans["sub/other.yaml"]
    assert other.plans["../third.yaml"].name == "third"
    assert result.plan.env == {
        "TOP": "${{ inputs.path }}/${{ plan.name }}", "PORT": "8080", "RATE": "1.10", "ON": "true",
    }  # fmt: skip
    again = PlanSpec.model_validate_json(result.plan.model_dump_json(by_alias=True))
    assert validate_spec(again, TOOLS) == []


MANY = """\
name: many
inputs:
  unused: {}
tasks:
  a: {tool: fs.raed, wiht: {}}
  b: {tool: fs.read, needs: [c, zz], with: {pth: x}}
  c: {needs: b, tool: launch, retry: 3, if: a && b}
  d: {plan: ./sub.yaml}
  1e: {}
  f: {tool: now, needs: [1e]}
"""


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    result = check(MANY, {"sub.yaml": "name: sub\ntasks: {x: {tool: nwo}}"})
    shown = [(p.source, p.line, p.column, p.severity) for p in result.problems]
    assert shown == [
        ("plan.yaml", 3, 3, Severity.WARNING),
        ("plan.yaml", 5, 13, Severity.ERROR),
        ("plan.yaml", 5, 22, Severity.ERROR),
        ("plan.yaml", 6, 13, Severity.ERROR),
        ("plan.yaml", 6, 22, Severity.ERROR),
        ("plan.yaml", 6, 33, Severity.ERROR),
        ("plan.yaml", 6, 45, Severity.ERROR),
        ("plan.yaml", 7, 31, Severity.ERROR),
        ("plan.yaml", 7, 45, Severity.ERROR),
        ("plan.yaml", 9, 3, Severity.ERROR),
        ("plan.yaml", 10, 26, Severity.ERROR),
        ("sub.yaml", 2, 19, Severity.ERROR),
    ]


def test_wrong_parts_of_one_place_are_all_told() -> None:
    text = plan("a b: {tool: now, needs: [5, x, [y], 6], env: {A: [1]}}\nc: {tool: now}")
    assert [describe(problem).split(" ?")[0] for problem in check(text).problems] == [
        "3:3 'a b' cannot be a name",
        "3:28 entry 1 of `needs` must be a text, not a whole number",
        "3:34 entry 3 of `needs` must be a text, not a list",
        "3:39 entry 4 of `needs` must be a text, not a whole number",
        "3:52 `A` must be a text, not a list",
    ]
    text = plan("a: {tool: now, needs: [5, zz, [y]]}")
    assert [problem.column for problem in check(text).problems] == [26, 29, 33]


def test_a_plan_that_cannot_be_mended_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_structure, "MAX_ROUNDS", 1)
    assert len(check(plan("a: {tool: now, wiht: 1}\nb: {tool: nwo}")).problems) == 1


def test_complaints_without_words_of_our_own_are_passed_on() -> None:
    assert explain_unknown_key(("tasks", "a", "with", "x", "y")) == ("unknown key `y`", "")
    path = ("tasks",)
    detail = {"type": "too_long", "loc": path, "msg": "", "input": {}, "ctx": {"max_length": 5}}
    assert describe_misfit(path, detail, False)[0] == "`tasks`: has more than 5 entries"  # type: ignore[arg-type]
    detail = {"type": "other", "loc": path, "msg": "is odd", "input": {}}
    assert describe_misfit(path, detail, False)[0] == "`tasks`: is odd"  # type: ignore[arg-type]


def test_warnings_do_not_keep_a_plan_from_running() -> None:
    result = check(
        plan(
            "a: {tool: now, max_parallel: 3}",
            "inputs: {x: {}}\nplans: {p: {name: p, tasks: {a: {tool: now}}}}",
        )
    )
    assert [p.message for p in result.problems] == [
        "`max_parallel` has no effect in a task without `for_each`",
        "the input `x` is never used",
        "the sub-plan `p` is never used",
    ]
    assert result.plan is not None
    assert result.errors == []


def test_inputs_used_as_a_whole_are_all_used() -> None:
    assert check(plan("a: {tool: now, if: toJSON(inputs)}", "inputs: {x: {}}")).problems == ()


def test_a_file_that_cannot_be_read_is_reported_and_nothing_else() -> None:
    [problem] = check("a: [").problems
    assert problem.message.startswith("not YAML")


def test_a_problem_in_a_sub_plans_file_names_that_file() -> None:
    files = {"sub.yaml": "name: sub\ntasks: [", "third.yaml": "name: third"}
    result = check(plan("a: {plan: ./sub.yaml}\nb: {plan: third.yaml}"), files)
    assert [(p.source, p.line) for p in result.problems] == [("sub.yaml", 2), ("third.yaml", 1)]


def test_files_that_include_each_other_are_told_with_the_way_round() -> None:
    files = {
        "x/b.yaml": "name: b\ntasks: {a: {plan: ./c.yaml}}",
        "x/c.yaml": "name: c\ntasks: {a: {plan: ../plan.yaml}}",
    }
    [problem] = check(plan("a: {plan: x/b.yaml}"), files).problems
    assert problem.source == "x/c.yaml"
    assert "plan.yaml -> x/b.yaml -> x/c.yaml -> plan.yaml" in problem.message


def test_a_file_is_read_through_a_function_too() -> None:
    asked: list[str] = []

    def load(path: str) -> bytes:
        asked.append(path)
        return b"name: sub\ntasks: {a: {tool: now}}"

    text = plan("a: {plan: ./s.yaml}\nb: {plan: ./s.yaml}\nc: {plan: x/../s.yaml}")
    result = validate(read_plan(text, "dir/plan.yaml"), TOOLS, load)
    assert result.plan is not None
    assert list(result.plan.plans) == ["./s.yaml", "x/../s.yaml"]
    assert asked == ["dir/s.yaml"]


def test_plans_that_multiply_by_inclusion_are_stopped() -> None:
    files = {}
    for level in range(40):
        names = [f"{'./' * number}f{level + 1}.yaml" for number in range(1, 4)]
        tasks = ", ".join(f"t{i}: {{plan: '{name}'}}" for i, name in enumerate(names))
        files[f"f{level}.yaml"] = f"name: f\ntasks: {{{tasks}}}"
    files["f40.yaml"] = "name: f\ntasks: {a: {tool: now}}"
    result = check(plan("a: {plan: f0.yaml}"), files)
    assert result.plan is None
    assert any(f"more than {MAX_TOTAL_TASKS} tasks" in p.message for p in result.problems)


def test_a_plan_made_in_python_is_checked_without_places() -> None:
    inner = PlanSpec(name="inner", tasks={"x": TaskSpec(tool="nwo")})
    made = PlanSpec(
        name="made",
        tasks={
            "a": TaskSpec(tool="fs.read", with_={"path": ("x", "y")}),
            "b": TaskSpec(plan="inner", needs=["zz"], undo=ActionSpec(tool="now")),
            "c": TaskSpec(plan="./missing.yaml"),
            "d": TaskSpec(tool="now", for_each=(1, 2)),
        },
        plans={"inner": inner},
    )
    problems = validate_spec(made, TOOLS)
    assert {(p.line, p.path) for p in problems} == {
        (0, "tasks.a.with.path"),
        (0, "tasks.b.needs[0]"),
        (0, "plans.inner.tasks.x.tool"),
        (0, "tasks.c.plan"),
    }
    assert str(problems[0]).startswith("tasks.")


def test_a_plan_of_a_thousand_wrong_tasks_is_told_in_full() -> None:
    text = "name: big\ntasks:\n" + "".join(
        f"  t{i}: {{tool: nope{i}, needs: [q{i}], if: needs.z{i}.result}}\n" for i in range(1_000)
    )
    assert len(check(text).problems) == 3_000


def test_a_problem_is_written_as_compilers_write_it() -> None:
    problem = Problem(line=3, column=7, source="p.yaml", message="bad", hint="mend it")
    assert str(problem) == "p.yaml:3:7: error: bad (hint: mend it)"
    assert str(Problem(path="tasks.a", message="bad")) == "tasks.a: error: bad"
    assert format_path(("tasks", "a", "needs", 1)) == "tasks.a.needs[1]"


def test_only_so_many_suggestions_are_looked_for() -> None:
    findings = Findings()
    names = [f"name{number}" for number in range(100)]
    asked = [findings.suggest("name50x", names) for _ in range(300)]
    assert asked[0]
    assert asked.count("") == 100
    assert findings.suggest("tol", ["tool"]) == "did you mean `tool`?"


def test_a_name_in_another_spelling_is_suggested_first() -> None:
    assert Findings().suggest("Max-Files", ["max_file", "max_files"]) == "did you mean `max_files`?"


SCHEMAS: list[tuple[Any, Any, bool]] = [
    (5, {}, True),
    (5, True, True),
    (5, {"$ref": "#/$defs/missing"}, True),
    (5, {"$ref": "#/$defs/loop"}, True),
    ("x ${{ 1 }}", {"$ref": "#/$defs/loop"}, True),
    ("${{ 1 }}", {"type": "integer"}, True),
    ("x ${{ 1 }}", {"type": ["integer", "string"]}, True),
    ("x ${{ 1 }}", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, True),
    ("x ${{ 1 }}", {"anyOf": [{"type": "integer"}]}, False),
    ("${{ [ }}", {"type": "integer"}, True),
    ("2024-01-01", {"type": "number", "format": "date"}, True),
    (5.0, {"type": "integer"}, True),
    (True, {"type": "integer"}, False),
    (True, {"type": "boolean"}, True),
    (None, {"type": "null"}, True),
    (1, {"type": "unheard-of"}, False),
    (5, {"allOf": [{"minimum": 6}]}, False),
    (5, {"oneOf": [{"type": "string"}, {"type": "integer", "maximum": 4}]}, False),
    (5, {"anyOf": [{"minimum": 6}, {"maximum": 4}]}, False),
    ({"a": 1}, {"type": "object", "additionalProperties": {"type": "integer"}}, True),
    ({"a": 1}, {"type": "object"}, True),
    ([1], {"type": "array"}, True),
    ([], {"type": "array", "minItems": 1}, False),
]


@pytest.mark.parametrize(("value", "schema", "fits"), SCHEMAS)
def test_a_constant_is_checked_against_json_schema(value: Any, schema: Any, fits: bool) -> None:
    tool = ToolSpec(
        name="t",
        parameters={
            "type": "object",
            "properties": {"v": schema},
            "$defs": {
                "loop": {"$ref": "#/$defs/loop"},
                "deep": {"items": {"$ref": "#/$defs/deep"}},
            },
        },
    )
    made = PlanSpec(name="p", tasks={"a": TaskSpec(tool="t", with_={"v": value})})
    problems = [p for p in validate_spec(made, {"t": tool}) if "it ends" not in p.message]
    assert (not [p for p in problems if "`v` of `t`" in p.message]) is fits


def test_a_schema_that_contains_itself_ends() -> None:
    value: Any = 1
    for _ in range(50):
        value = [value]
    deep = {"anyOf": [{"items": {"$ref": "#/$defs/deep"}, "type": "array"}, {"type": "string"}]}
    again = {"anyOf": [{"$ref": "#/$defs/again"}]}
    tool = ToolSpec(
        name="t",
        parameters={
            "properties": {"v": {"$ref": "#/$defs/deep"}, "w": {"$ref": "#/$defs/again"}},
            "$defs": {"deep": deep, "again": again},
            "additionalProperties": True,
        },
    )
    task = TaskSpec(tool="t", with_={"v": value, "w": "x ${{ 1 }}", "more": 1})
    assert validate_spec(PlanSpec(name="p", tasks={"a": task}), {"t": tool}) == []


# ---------------------------------------------------------------- inputs of a run

INPUTS = PlanSpec(
    name="p",
    inputs={
        "path": InputSpec(description="where to look"),
        "count": InputSpec(type=InputType.INTEGER, default=3, choices=[1, 3]),
        "maybe": InputSpec(type=InputType.LIST, required=False),
        "flag": InputSpec(type=InputType.BOOLEAN, default=False),
    },
    tasks={"a": TaskSpec(tool="now")},
)


def test_inputs_are_completed_by_their_defaults() -> None:
    values, problems = check_inputs(INPUTS, {"path": "x"})
    assert values == {"path": "x", "count": 3, "maybe": None, "flag": False}
    assert problems == []
    assert check_inputs(INPUTS, {"path": "x", "maybe": None})[1] == []


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({}, "the input `path` is missing: where to look", "-i path="),
        ({"path": 5}, "`path` needs a text, not a whole number", ""),
        ({"path": None}, "`path` needs a text, not nothing", ""),
        ({"path": "x", "count": 2}, "`count` must be one of 1, 3", ""),
        ({"path": "x", "count": True}, "`count` needs a whole number, not true", ""),
        ({"path": "x", "flag": 0}, "`flag` needs true or false", ""),
        ({"path": "x", "pth": "y"}, "no input `pth`", "did you mean `path`?"),
        ({"path": "x", "zzz": "y"}, "no input `zzz`", "there are: path, count"),
    ],
)
def test_a_wrong_input_is_a_problem(given: dict[str, Any], message: str, hint: str) -> None:
    [problem] = check_inputs(INPUTS, given)[1]
    assert message in problem.message
    assert hint in problem.hint


def test_an_input_of_a_plan_without_inputs_is_a_problem() -> None:
    bare = PlanSpec(name="p", tasks={"a": TaskSpec(tool="now")})
    [problem] = check_inputs(bare, {"x": 1})[1]
    assert problem.hint == "the plan takes none"
    described = PlanSpec(name="p", tasks={"a": TaskSpec(tool="now")}, inputs={"x": InputSpec()})
    assert check_inputs(described, {})[1][0].message == "the input `x` is missing"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " 5 ", " 5 "),
        ("integer", "42", 42),
        ("integer", " -1 ", -1),
        ("number", "1.5", 1.5),
        ("number", "3", 3),
        ("boolean", "Yes", True),
        ("boolean", "off", False),
        ("list", "a, b", ["a", "b"]),
        ("list", '["a", 1]', ["a", 1]),
        ("list", "", []),
        ("mapping", '{"a": 1}', {"a": 1}),
    ],
)
def test_text_from_a_command_line_is_read_by_the_declared_type(
    kind: str, text: str, value: object
) -> None:
    assert coerce_text(InputSpec(type=InputType(kind)), text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", ""),
        ("integer", "9" * 400),
        ("number", "inf"),
        ("number", "abc"),
        ("boolean", "maybe"),
        ("list", "[1"),
        ("mapping", "[1]"),
        ("mapping", "{" * 100),
        ("mapping", '{"a": ' * 5_000),
    ],
)
def test_text_of_another_type_is_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        coerce_text(InputSpec(type=InputType(kind)), text)
    assert caught.value.hint.startswith("write ")
    assert len(caught.value.message) < 120


def test_an_empty_text_is_null_for_an_input_that_may_be_left_out() -> None:
    assert coerce_text(InputSpec(type=InputType.INTEGER, default=3), " ") is None


# ---------------------------------------------------------------- made plans

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def judge_valid(document: dict[str, Any]) -> None:
    result = check(as_yaml(document))
    assert [str(problem) for problem in result.errors] == []
    assert result.plan is not None
    assert [p for p in validate_spec(result.plan, TOOLS) if p.severity is Severity.ERROR] == []


def judge_any(document: Any) -> None:
    text = as_yaml(document)
    result = check(text)
    assert (result.plan is None) == bool(result.errors)
    lines = text.count("\n") + 1
    for problem in result.problems:
        assert problem.message
        assert 1 <= problem.line <= lines
        assert problem.column >= 1


@pytest.mark.slow
@settings(deadline=None, max_examples=100, suppress_health_check=QUIET)
@given(valid_plans())
def test_a_made_plan_is_valid(document: dict[str, Any]) -> None:
    judge_valid(document)


@pytest.mark.slow
@settings(deadline=None, max_examples=200, suppress_health_check=QUIET)
@given(broken_plans())
def test_no_made_plan_breaks_validation(document: Any) -> None:
    judge_any(document)


@pytest.mark.deep
@settings(deadline=None, max_examples=2_000, suppress_health_check=QUIET)
@given(st.one_of(broken_plans(), valid_plans()))
def test_no_plan_of_two_thousand_breaks_validation(document: Any) -> None:
    judge_any(document)
