"""Plans that are made while another one runs: how they are read, checked and told."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.decisions.plan_files.made_plan import (
    check_made_plan,
    describe_problems,
    read_made_plan,
)
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.plan_summary import MAX_WORDS_CHARS, summarize_plan
from mainstay.decisions.plan_files.validation import validate
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec

TEXT = {"type": "string"}
TOOLS = {
    "text.render": ToolSpec(
        name="text.render",
        parameters={
            "type": "object",
            "properties": {"template": TEXT},
            "required": ["template"],
            "additionalProperties": False,
        },
    )
}
SAY = {"tool": "text.render", "with": {"template": "hello"}}
WRITER = {"name": "writer", "prompt": "Write.", "capabilities": ["writing"]}


def problems(plan: Any, **more: Any) -> str:
    found = check_made_plan(plan, TOOLS, **more)
    assert (found.plan is None) == bool(found.errors)
    return describe_problems(found.errors) if found.errors else ""


def made(**tasks: Any) -> dict[str, Any]:
    return {"name": "made", "tasks": tasks}


def test_a_plan_given_as_data_is_checked_by_the_rules_of_files() -> None:
    assert problems(made(say=SAY)) == ""
    told = problems(made(say={"tool": "text.rendr", "needs": ["gone"], "wth": {}}))
    assert "3 errors" in told
    assert "tasks.say.tool: error: there is no tool `text.rendr`" in told
    assert "there is no task `gone`" in told
    assert "unknown key `wth`" in told


@pytest.mark.parametrize("fence", ["{}", "```yaml\n{}\n```", "  ```\n{}\n```\n"])
def test_a_plan_given_as_a_text_is_told_its_lines(fence: str) -> None:
    good = "name: made\ntasks:\n  say: {tool: text.render, with: {template: hi}}"
    assert problems(fence.format(good)) == ""
    assert "plan:3:" in problems(fence.format(good.replace("render", "rendr")))


@pytest.mark.parametrize("value", [None, 3, ["tasks"], True])
def test_what_is_no_plan_is_said_to_be_none(value: Any) -> None:
    assert "a plan is a mapping or a text" in problems(value)
    assert read_made_plan(value).data is None


def test_a_made_plan_names_no_files() -> None:
    assert "there is no file" in problems(made(sub={"plan": "./other.yaml"}))


def test_an_input_that_nothing_gives_is_a_problem() -> None:
    plan = {**made(say=SAY), "inputs": {"who": {}, "often": {"default": "no"}}}
    assert "nothing gives the input `who`" in problems(plan)
    assert problems(plan, given=["who"]) == ""
    assert "has no input `whom`" in problems(plan, given=["who", "whom"])


def test_the_outer_plans_agents_and_model_are_there() -> None:
    task = {"agent": "writer", "prompt": "Write a line."}
    assert "no agent" in problems(made(write=task))
    found = check_made_plan(made(write=task), TOOLS, agents={"writer": WRITER}, model="script:x")
    assert found.plan is not None, found.errors
    assert found.plan.model == "script:x"
    assert list(found.plan.agents) == ["writer"]


def test_what_a_made_plan_has_of_its_own_comes_first() -> None:
    own = {**WRITER, "prompt": "Write better."}
    plan = {
        **made(write={"agent": "writer", "prompt": "x"}),
        "agents": {"writer": own},
        "model": "script:own",
    }
    found = check_made_plan(plan, TOOLS, agents={"writer": WRITER}, model="script:outer")
    assert found.plan is not None, found.errors
    assert found.plan.model == "script:own"
    assert found.plan.agents["writer"].prompt == "Write better."


def test_agents_of_the_wrong_form_are_reported_and_not_hidden() -> None:
    plan = {**made(say=SAY), "agents": "folder/"}
    assert problems(plan, agents={"writer": WRITER}) != ""


def check_file(task: str) -> list[str]:
    text = f"name: outer\ntasks:\n  draft: {{tool: text.render, with: {{template: x}}}}\n{task}"
    return [str(one) for one in validate(read_plan(text, "p.yaml"), TOOLS).errors]


def test_a_task_runs_a_plan_that_an_expression_gives() -> None:
    assert check_file('  go: {needs: draft, plan: "${{ needs.draft.outputs }}"}') == []
    many = '  go: {needs: draft, for_each: [1], plan: "${{ needs.draft.outputs[item] }}"}'
    assert check_file(many) == []


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ('  go: {needs: draft, plan: "a ${{ needs.draft.outputs }}"}', "`plan` needs a plan"),
        ('  go: {plan: "${{ needs.draft.outputs }}"}', "`draft` is used here but not needed"),
        ('  go: {needs: draft, plan: "${{ needs.draft.outputs "}', "there is no }}"),
        ('  go: {plan: "${{ item }}"}', "`item` exists only in a task with `for_each`"),
    ],
)
def test_an_expression_that_gives_no_plan_is_refused_beforehand(task: str, told: str) -> None:
    assert any(told in line for line in check_file(task)), check_file(task)


def test_a_summary_tells_each_task_in_order_and_who_does_it() -> None:
    plan = PlanSpec.model_validate(
        {
            "name": "guide",
            "description": "Write a guide",
            "agents": {"writer": WRITER},
            "tasks": {
                "save": {"needs": ["text"], "tool": "fs.write", "description": "keep it"},
                "text": {"needs": ["facts"], "capability": "writing", "prompt": "Write\nit."},
                "facts": {"agent": "writer", "prompt": "x" * 500, "for_each": [1]},
                "sub": {"plan": "other"},
                "ask": {"approval": "Sure?"},
                "data": {"agent": "writer", "prompt": {"a": 1}},
            },
        }
    )
    assert summarize_plan(plan).splitlines() == [
        "guide: Write a guide",
        f"1. facts, agent writer for each: {'x' * (MAX_WORDS_CHARS - 1)}…",
        "2. sub, another plan",
        "3. ask, a question to a person: Sure?",
        "4. data, agent writer",
        "5. text, an agent for writing: Write it. (after facts)",
        "6. save, tool fs.write: keep it (after text)",
    ]
    assert summarize_plan(plan.model_copy(update={"description": ""})).startswith("guide\n1. ")
