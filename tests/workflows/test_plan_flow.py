"""What runs, in which order, with what: needs, conditions, lists, env, outputs, sub-plans."""

from __future__ import annotations

import asyncio

from mainstay.schemas.run import PlanStatus, TaskStatus


async def test_task_starts_when_its_own_needs_are_met_and_not_when_a_level_ends(stage):
    log, opened = stage.file("log"), stage.file("opened")
    run = await stage.start(
        {
            "slow": {"tool": "test.gate", "with": {"path": log, "opened": opened}},
            "quick": {"tool": "test.echo"},
            "after_quick": {"needs": "quick", "tool": "test.note", "with": {"path": log}},
            "after_slow": {"needs": "slow", "tool": "test.note", "with": {"path": log}},
        }
    )
    await stage.until_status(run, "after_quick", TaskStatus.SUCCEEDED)
    assert (await stage.statuses(run))["after_slow"] is TaskStatus.PENDING
    stage.folder.joinpath("opened").touch()
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert stage.lines("log")[-1] == f"{run.id}/after_slow/0"


async def test_condition_sees_how_needs_ended(stage):
    broken = {"path": stage.file("log"), "mended": stage.file("never")}
    run, result = await stage.run(
        {
            "bad": {"tool": "test.broken", "with": broken},
            "good": {"tool": "test.echo", "with": {"value": 7}},
            "plain": {"needs": ["bad"], "tool": "test.echo"},
            "on_failure": {"needs": ["bad"], "if": "failure()", "tool": "test.echo"},
            "on_success": {"needs": ["bad"], "if": "success()", "tool": "test.echo"},
            "always": {
                "needs": ["bad", "good"],
                "if": "always()",
                "tool": "test.echo",
                "with": {
                    "value": "${{ needs.bad.result }} ${{ needs.bad.error }} "
                    "${{ needs.good.outputs }}"
                },
            },
            "by_value": {"needs": "good", "if": "needs.good.outputs > 9", "tool": "test.echo"},
        }
    )
    assert result.status is PlanStatus.FAILED
    assert result.failure.message == "it is not mended"
    assert await stage.statuses(run) == {
        "bad": TaskStatus.FAILED,
        "good": TaskStatus.SUCCEEDED,
        "plain": TaskStatus.SKIPPED,
        "on_failure": TaskStatus.SUCCEEDED,
        "on_success": TaskStatus.SKIPPED,
        "always": TaskStatus.SUCCEEDED,
        "by_value": TaskStatus.SKIPPED,
    }
    assert await run.output_of("always") == "failure it is not mended 7"


async def test_items_are_done_in_batches_and_come_out_in_order(stage):
    run = await stage.succeed(
        {
            "each": {
                "for_each": "${{ range(25) }}",
                "batch": 4,
                "max_parallel": 3,
                "tool": "test.overlap",
                "with": {"path": stage.file("log"), "text": "${{ index }}:${{ item * 2 }}"},
            },
            "sum": {
                "needs": "each",
                "tool": "test.echo",
                "with": {"value": "${{ needs.each.outputs | length }}"},
            },
        },
        outputs={"first": "${{ needs.each.outputs[0] }}", "count": "${{ needs.sum.outputs }}"},
    )
    assert await run.output_of("each") == [f"{n}:{2 * n}" for n in range(25)]
    assert await run.outputs() == {"first": "0:0", "count": 25}
    assert 1 < most_at_once(stage.lines("log")) <= 3


async def test_no_more_work_at_once_than_the_plan_allows(stage):
    work = {"tool": "test.overlap", "with": {"path": stage.file("log")}}
    await stage.succeed({f"t{n}": work for n in range(12)}, max_parallel=2)
    assert most_at_once(stage.lines("log")) == 2


def most_at_once(lines: list[str]) -> int:
    at_once = most = 0
    for line in lines:
        at_once += 1 if line.startswith("+") else -1
        most = max(most, at_once)
    return most


async def test_empty_list_is_done_at_once(stage):
    run = await stage.succeed(
        {
            "each": {"for_each": [], "tool": "test.echo"},
            "after": {
                "needs": "each",
                "tool": "test.echo",
                "with": {"value": "${{ needs.each.outputs }}"},
            },
        }
    )
    assert await run.output_of("after") == []


async def test_tolerated_failure_lets_the_plan_succeed(stage):
    log = stage.file("log")
    picky = {"path": log, "item": "${{ item }}", "bad": 3}
    run = await stage.succeed(
        {
            "plain": {
                "tool": "test.broken",
                "with": {"path": log, "mended": stage.file("never")},
                "continue_on_error": True,
            },
            "each": {
                "for_each": "${{ range(6) }}",
                "batch": 2,
                "tool": "test.picky",
                "with": picky,
                "continue_on_error": True,
            },
            "after": {
                "needs": ["plain", "each"],
                "tool": "test.echo",
                "with": {
                    "value": "${{ needs.plain.outcome }} ${{ needs.plain.result }} "
                    "${{ needs.each.outputs | length }}"
                },
            },
        }
    )
    assert await run.output_of("after") == "failure success 6"
    assert await run.output_of("each") == [0, 1, 2, None, 4, 5]
    assert (await stage.statuses(run))["plain"] is TaskStatus.FAILED


async def test_environment_and_named_outputs_reach_later_tasks(stage):
    run = await stage.succeed(
        {
            "a": {
                "tool": "test.env",
                "env": {"HERE": "in!"},
                "outputs": {"both": "${{ output.HERE }}${{ output.THERE }}"},
            },
            "b": {
                "needs": "a",
                "tool": "test.echo",
                "with": {"value": "${{ needs.a.outputs.both }}"},
            },
            "each": {
                "for_each": "${{ range(3) }}",
                "tool": "test.echo",
                "with": {"value": "${{ item }}"},
                "outputs": {"total": "${{ output | sum }}"},
            },
        },
        env={"THERE": "out"},
        outputs={"total": "${{ needs.each.outputs.total }}", "b": "${{ needs.b.outputs }}"},
    )
    assert await run.outputs() == {"total": 3, "b": "in!out"}


async def test_output_that_cannot_be_made_fails_the_plan_by_name(stage):
    run, result = await stage.run(
        {"a": {"tool": "test.echo"}}, outputs={"x": "${{ needs.a.outputs.missing.deeper }}"}
    )
    assert result.status is PlanStatus.FAILED
    assert "needs.a.outputs.missing.deeper" in result.failure.message
    row = await run.row()
    assert (row.status, row.message) == (PlanStatus.FAILED, result.failure.message)


SUB_PLAN = {
    "double": {
        "name": "double",
        "inputs": {"n": {"type": "integer"}},
        "tasks": {"x": {"tool": "test.echo", "with": {"value": "${{ inputs.n * 2 }}"}}},
        "outputs": {"n": "${{ needs.x.outputs }}"},
    }
}


async def test_sub_plan_runs_once_or_for_each_item(stage):
    run = await stage.succeed(
        {
            "one": {"plan": "double", "with": {"n": 21}},
            "each": {
                "for_each": [1, 2, 3],
                "max_parallel": 2,
                "plan": "double",
                "with": {"n": "${{ item }}"},
            },
        },
        plans=SUB_PLAN,
        outputs={
            "one": "${{ needs.one.outputs.n }}",
            "each": "${{ needs.each.outputs | map(attribute='n') | list }}",
        },
    )
    assert await run.outputs() == {"one": 42, "each": [2, 4, 6]}
    child = await stage.mainstay.plan(f"{run.id}/each.1").row()
    assert (child.parent_id, child.status) == (run.id, PlanStatus.SUCCEEDED)


async def test_sub_plan_that_failed_goes_on_where_it_was_when_it_is_retried(stage):
    log, mended, opened = stage.file("log"), stage.file("mended"), stage.file("opened")
    sub_plan = {
        "name": "sub",
        "tasks": {
            "first": {"tool": "test.note", "with": {"path": log}},
            "second": {
                "needs": "first",
                "tool": "test.broken",
                "with": {"path": log, "mended": mended},
            },
        },
    }
    run = await stage.start(
        {
            "sub": {"plan": "sub"},
            "other": {"tool": "test.gate", "with": {"path": stage.file("g"), "opened": opened}},
        },
        plans={"sub": sub_plan},
    )
    await stage.until_status(run, "sub", TaskStatus.FAILED)
    stage.folder.joinpath("mended").touch()
    assert await run.retry_task("sub") == "sub: tried again"
    await stage.until_status(run, "sub", TaskStatus.SUCCEEDED)
    stage.folder.joinpath("opened").touch()
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert stage.lines("log") == [f"{run.id}/sub/first/0", f"{run.id}/sub/second/0"]


async def test_many_plans_at_once_do_not_disturb_each_other(stage):
    task = {"tool": "test.echo", "with": {"value": "${{ plan.id }}"}}
    runs = [await stage.start({"a": task}, outputs={"id": "${{ needs.a.outputs }}"}) for _ in "123"]
    found = await asyncio.gather(*(run.outputs() for run in runs))
    assert found == [{"id": run.id} for run in runs]
