"""A goal becomes a plan that agents carry out, and what did not go well is planned again."""

from __future__ import annotations

from typing import Any

import pytest
from goal_stage import GOOD, PLAN, POOR, WRONG, GoalStage
from plan_stage import Stage, until

from mainstay.handle import PlanHandle
from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import PlanStatus, TaskStatus

JUDGES = "Judge what came of this goal"
WAS_NO_PLAN = "Your last answer was no plan that can run"
DID_NOT_SUCCEED = "An earlier attempt did not succeed"


@pytest.fixture
def goals(stage: Stage) -> GoalStage:
    return GoalStage(stage)


async def agents_of(stage: Stage, run: PlanHandle) -> list[str]:
    rows = await stage.mainstay.store.list_agents(limit=100)
    return [row.name for row in rows if row.parent_id.startswith(f"{run.id}/")]


async def test_a_goal_is_planned_run_and_judged(stage: Stage, goals: GoalStage) -> None:
    run = await goals.pursue({"when": JUDGES, "say": GOOD}, {"say": goals.plan(PLAN)}, asks=False)
    result = await stage.result(run)
    assert result.status is PlanStatus.SUCCEEDED, result.failure
    outputs = await run.outputs()
    assert outputs["result"] == {"line": "Rivers run."}
    assert outputs["critique"] == GOOD
    assert "fact, agent finder: find a fact" in outputs["plan"]
    assert [line.split()[1:] for line in stage.lines("kept.txt")] == [["Rivers", "run."]]
    assert len(await agents_of(stage, run)) == 4


BETTER: dict[str, Any] = {
    **PLAN,
    "tasks": {
        **PLAN["tasks"],
        "keep": {
            "description": "keep the line and more",
            "needs": ["line"],
            "tool": "test.note",
            "with": {"path": "KEPT", "text": "better: ${{ needs.line.outputs }}"},
        },
    },
    "outputs": {"line": "${{ needs.keep.outputs }}"},
}


async def test_wrong_plans_go_back_and_poor_results_are_planned_again(
    stage: Stage, goals: GoalStage
) -> None:
    run = await goals.pursue(
        {"when": {"text": JUDGES, "matches": "better: "}, "say": GOOD},
        {"when": JUDGES, "say": POOR},
        {
            "when": {"text": DID_NOT_SUCCEED, "matches": "0.4 of 1(.|\n)*too short(.|\n)*say more"},
            "say": goals.plan(BETTER),
        },
        {
            "when": {"text": WAS_NO_PLAN, "matches": "unknown key `wth`(.|\n)*no agent `findr`"},
            "say": goals.plan(PLAN),
        },
        {"say": goals.plan(WRONG)},
    )
    for attempt in ("achieve", "achieve:1"):
        inner = stage.mainstay.plan(f"{run.id}/{attempt}")
        await stage.until_plan(inner, PlanStatus.RUNNING)
        await stage.until_status(inner, "consent", TaskStatus.ASKING)
        await inner.answer("consent", True, by="ann")
    result = await stage.result(run)
    assert result.status is PlanStatus.SUCCEEDED, result.failure
    assert (await run.outputs())["result"] == {"line": "better: Rivers run."}
    kept = stage.lines("kept.txt")
    assert [line.split(" ", 1)[1] for line in kept] == ["Rivers run.", "better: Rivers run."]
    assert len(set(stage.lines("looked.txt"))) == len(stage.lines("looked.txt")) == 2


async def test_a_plan_that_a_person_rejects_is_not_run(stage: Stage, goals: GoalStage) -> None:
    run = await goals.pursue({"say": goals.plan(PLAN)})
    inner = stage.mainstay.plan(f"{run.id}/achieve")
    await stage.until_plan(inner, PlanStatus.RUNNING)
    await stage.until_status(inner, "consent", TaskStatus.ASKING)
    await inner.answer("consent", False, by="ann")
    result = await stage.result(run)
    assert result.status is PlanStatus.FAILED
    assert result.failure is not None
    assert (result.failure.type, "rejected" in result.failure.message) == ("Refused", True)
    assert stage.lines("kept.txt") == []


async def test_a_rejection_with_a_comment_has_the_plan_made_again(
    stage: Stage, goals: GoalStage
) -> None:
    run = await goals.pursue(
        {"when": JUDGES, "say": GOOD},
        {
            "when": {"text": DID_NOT_SUCCEED, "matches": "keep more of it"},
            "say": goals.plan(BETTER),
        },
        {"say": goals.plan(PLAN)},
    )
    for attempt, agrees in (("achieve", False), ("achieve:1", True)):
        inner = stage.mainstay.plan(f"{run.id}/{attempt}")
        await stage.until_plan(inner, PlanStatus.RUNNING)
        await stage.until_status(inner, "consent", TaskStatus.ASKING)
        await inner.answer("consent", agrees, by="ann", comment="keep more of it")
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert [line.split(" ", 1)[1] for line in stage.lines("kept.txt")] == ["better: Rivers run."]


async def test_what_failed_is_told_to_whoever_plans_again(stage: Stage, goals: GoalStage) -> None:
    broken = {"tool": "test.broken", "with": {"path": "KEPT", "mended": stage.file("no")}}
    other = {"tool": "text.extract", "with": {"text": "a", "pattern": "("}}
    failing = {**PLAN, "tasks": {"odd_task": broken, "other_task": other}, "outputs": {"a": 1}}
    run = await goals.pursue(
        {"when": JUDGES, "say": GOOD},
        {
            "when": {
                "text": DID_NOT_SUCCEED,
                "matches": "odd_task(.|\n)*it is not mended(.|\n)*other_task",
            },
            "say": goals.plan(PLAN),
        },
        {"say": goals.plan(failing)},
        asks=False,
    )
    result = await stage.result(run)
    assert result.status is PlanStatus.SUCCEEDED, result.failure


async def test_a_goal_that_is_never_reached_fails_with_the_last_reason(
    stage: Stage, goals: GoalStage
) -> None:
    run = await goals.pursue(
        {"when": JUDGES, "say": POOR}, {"say": goals.plan(PLAN)}, asks=False, attempts=2
    )
    result = await stage.result(run)
    assert result.status is PlanStatus.FAILED
    assert result.failure is not None
    assert "in 2 rounds" in result.failure.message
    assert "Issue: too short" in result.failure.message
    assert len(stage.lines("kept.txt")) == 2


async def test_a_plan_that_is_no_plan_fails_its_task_with_all_that_is_wrong(stage: Stage) -> None:
    wrong = {"name": "made", "tasks": {"a": {"tool": "test.ekho"}, "b": {"needs": ["gone"]}}}
    _, result = await stage.run(
        {
            "make": {"tool": "test.echo", "with": {"value": wrong}},
            "go": {"needs": "make", "plan": "${{ needs.make.outputs }}"},
        }
    )
    assert result.failure is not None
    assert result.failure.type == "InvalidInput"
    for told in ("'go'", "no tool `test.ekho`", "no task `gone`", "`b` does nothing"):
        assert told in result.failure.message


async def test_plans_that_were_just_made_are_run_for_each_item(stage: Stage) -> None:
    echo = {"tool": "test.echo", "with": {"value": "$${{ inputs.value }}"}}
    made = {
        "name": "made",
        "inputs": {"value": {"type": "integer"}},
        "tasks": {"say": echo},
        "outputs": {"said": "$${{ needs.say.outputs }}"},
    }
    run = await stage.succeed(
        {
            "make": {"tool": "test.echo", "with": {"value": made}},
            "go": {
                "needs": "make",
                "for_each": [1, 2],
                "plan": "${{ needs.make.outputs }}",
                "with": {"value": "${{ item }}"},
            },
        }
    )
    assert await run.output_of("go") == [{"said": 1}, {"said": 2}]


async def test_what_a_goal_may_spend_holds_for_every_agent_in_it(
    stage: Stage, goals: GoalStage
) -> None:
    run = await goals.pursue(
        {"say": goals.plan(PLAN), "usage": {"input": 90, "output": 20}},
        asks=False,
        budget=BudgetSpec(tokens=100),
    )

    async def is_paused() -> bool:
        rows = await stage.mainstay.store.list_agents([LifeState.PAUSED], limit=100)
        return any(row.name.startswith("goal/finder.") for row in rows)

    await until(is_paused)
    assert stage.lines("looked.txt") == []
    [account] = await stage.mainstay.store.get_accounts([run.id])
    assert account.spent.input_tokens == 90
    await run.cancel("enough was seen")
    assert (await stage.result(run)).status is PlanStatus.CANCELLED
