"""The tools about plans, and the agents that come with Mainstay to make and judge them."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.decisions.agent_files.agent_file import check_spec
from mainstay.decisions.plan_files.problems import is_fatal
from mainstay.decisions.plan_files.validation import validate_spec
from mainstay.goals.goal_plan import Goal, plan_for
from mainstay.goals.shipped_agents import SHIPPED, shipped_agent
from mainstay.schemas.agent import AgentSpec, BudgetSpec, Role
from mainstay.schemas.errors import InvalidInput, PlanFailed, Refused
from mainstay.schemas.tools import ToolCall
from mainstay.tools.catalogue import load_catalogue
from mainstay.tools.toolbox import Toolbox

SAY = {"tool": "text.render", "with": {"template": "hello"}}
PLAN = {"name": "made", "tasks": {"say": SAY}}
TEAM = {"writer": {"description": "writes", "capabilities": ["writing"]}}
WRITER = AgentSpec(name="writer", prompt="Write.", description="writes", capabilities=["writing"])


@pytest.fixture(scope="module")
def toolbox() -> Toolbox:
    return Toolbox(load_catalogue())


async def call(toolbox: Toolbox, tool: str, **arguments: Any) -> Any:
    [outcome] = await toolbox.run_calls(tool, [ToolCall(arguments=arguments)], 0)
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


async def test_a_good_plan_passes_and_a_wrong_one_is_told_everything(toolbox: Toolbox) -> None:
    assert await call(toolbox, "plan.check", plan=PLAN) == {"ok": True, "reason": ""}
    wrong = {**PLAN, "tasks": {"say": {**SAY, "needs": ["gone"], "tool": "text.rendr"}}}
    found = await call(toolbox, "plan.check", plan=wrong)
    assert found["ok"] is False
    assert "no task `gone`" in found["reason"]
    assert "did you mean `text.render`?" in found["reason"]


async def test_a_plan_is_checked_against_the_team_and_the_allowed_tools(toolbox: Toolbox) -> None:
    tasks = {"write": {"capability": "writing", "prompt": "Write."}}
    plan = {"name": "made", "tasks": tasks}
    assert (await call(toolbox, "plan.check", plan=plan, agents=TEAM))["ok"]
    assert not (await call(toolbox, "plan.check", plan=plan))["ok"]
    assert (await call(toolbox, "plan.check", plan=PLAN, tools=["text.*"]))["ok"]
    assert (await call(toolbox, "plan.check", plan=PLAN, tools=["text.render"]))["ok"]
    refused = await call(toolbox, "plan.check", plan=PLAN, tools=["fs.*"])
    assert "no tool `text.render`" in refused["reason"]


async def test_a_plan_that_gives_nothing_is_sent_back_when_it_must(toolbox: Toolbox) -> None:
    assert "outputs" in (await call(toolbox, "plan.check", plan=PLAN, gives=True))["reason"]
    giving = {**PLAN, "outputs": {"text": "${{ needs.say.outputs }}"}}
    assert (await call(toolbox, "plan.check", plan=giving, gives=True))["ok"]


async def test_a_summary_says_what_a_plan_does(toolbox: Toolbox) -> None:
    plan = {**PLAN, "inputs": {"who": {}}}
    assert await call(toolbox, "plan.summary", plan=plan) == "made\n1. say, tool text.render"
    with pytest.raises(InvalidInput, match="a plan is a mapping"):
        await call(toolbox, "plan.summary", plan=[])


async def test_tools_are_described_by_their_arguments(toolbox: Toolbox) -> None:
    lines = (await call(toolbox, "plan.tools", names=["text.*"])).splitlines()
    assert any(line.startswith("text.render(template, variables?): Fill in") for line in lines)
    assert all(line.startswith("text.") for line in lines)
    assert "fs.read(" in await call(toolbox, "plan.tools")


async def test_a_plan_can_end_itself(toolbox: Toolbox) -> None:
    with pytest.raises(PlanFailed, match="no use"):
        await call(toolbox, "plan.fail", reason="no use")
    with pytest.raises(Refused, match="not wanted"):
        await call(toolbox, "plan.fail", reason="not wanted", refused=True)


async def test_a_tool_called_outside_of_a_worker_knows_the_installed_tools() -> None:
    from mainstay.tools.plan import check

    assert check.run_sync({"plan": PLAN}, _no_context())["ok"]


def _no_context() -> Any:
    from mainstay.tools.context import context

    return context()


@pytest.mark.parametrize("name", SHIPPED)
def test_an_agent_that_comes_along_is_valid_and_answers_in_a_schema(
    name: str, toolbox: Toolbox
) -> None:
    agent = shipped_agent(name)
    assert agent.role is Role(name)
    assert agent.output is not None
    assert agent.model is None
    assert not is_fatal(check_spec(agent, toolbox.specs()))


def test_the_plan_of_a_goal_is_a_valid_plan(toolbox: Toolbox) -> None:
    goal = Goal(
        text="Do it",
        team={"writer": WRITER},
        attempts=5,
        model="script:x",
        budget=BudgetSpec(tokens=10),
    )
    plan, inputs = plan_for(goal)
    assert [str(one) for one in validate_spec(plan, toolbox.specs())] == []
    assert set(inputs) == set(plan.inputs)
    assert inputs["team"] == TEAM
    assert plan.tasks["achieve"].verify is not None
    assert plan.tasks["achieve"].verify.attempts == 5
    assert (plan.model, plan.budget) == ("script:x", BudgetSpec(tokens=10))
    assert set(plan.plans["attempt"].agents) == {"writer", *SHIPPED}


def test_a_critic_of_the_team_takes_the_place_of_ours_and_gets_no_work() -> None:
    critic = AgentSpec(name="critic", prompt="Judge kindly.", output={"type": "object"})
    plan, inputs = plan_for(Goal(text="Do it", team={"writer": WRITER, "critic": critic}))
    assert plan.plans["attempt"].agents["critic"] is critic
    assert set(inputs["team"]) == {"writer"}


@pytest.mark.parametrize(
    "goal",
    [Goal(text=" "), Goal(text="x", attempts=0), Goal(text="x", threshold=1.5)],
)
def test_a_goal_that_makes_no_sense_is_refused(goal: Goal) -> None:
    with pytest.raises(InvalidInput):
        plan_for(goal)
