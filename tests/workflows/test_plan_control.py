"""What people do to running plans: answer, pause, cancel, retry, skip, take up again."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.run import PlanStatus, TaskStatus


async def test_approval_waits_for_a_person_and_tells_what_was_said(stage):
    run = await stage.start(
        {
            "build": {"tool": "test.echo", "with": {"value": "v7"}},
            "ask": {"needs": "build", "approval": "Ship ${{ needs.build.outputs }}?"},
            "ship": {
                "needs": "ask",
                "tool": "test.echo",
                "with": {"value": "${{ needs.ask.outputs.by }}: ${{ needs.ask.outputs.comment }}"},
            },
        }
    )
    await stage.until_status(run, "ask", TaskStatus.ASKING)
    assert (await run.progress()).waiting_for == ("ask: asks for approval: Ship v7?",)
    assert await run.answer("ask", True, by="ann", comment="go") == "ask: approved"
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert await run.output_of("ship") == "ann: go"


async def test_rejection_fails_the_task(stage):
    log = stage.file("log")
    run = await stage.start(
        {"a": {"tool": "test.note", "with": {"path": log}, "approval": "Really?"}}
    )
    await stage.until_status(run, "a", TaskStatus.ASKING)
    await run.answer("a", False, by="bob", comment="too soon")
    result = await stage.result(run)
    assert (result.status, result.failure.message) == (
        PlanStatus.FAILED,
        "rejected by bob: too soon",
    )
    assert stage.lines("log") == []


@pytest.mark.parametrize(
    ("default", "status"),
    [
        ({"default": "approve"}, PlanStatus.SUCCEEDED),
        ({"default": "reject"}, PlanStatus.FAILED),
        ({}, PlanStatus.FAILED),
    ],
)
async def test_deadline_answers_with_the_default(stage, default, status):
    _, result = await stage.run({"a": {"approval": {"deadline": "100ms", **default}}})
    assert result.status is status
    assert status is PlanStatus.SUCCEEDED or "nobody answered within 100ms" in (
        result.failure.message
    )


async def test_requests_that_make_no_sense_are_refused_by_name(stage):
    run = await stage.start({"a": {"approval": "?"}, "b": {"tool": "test.echo"}})
    await stage.until_status(run, "b", TaskStatus.SUCCEEDED)
    await stage.until_status(run, "a", TaskStatus.ASKING)
    with pytest.raises(NotFound, match="the plan has no task 'x'"):
        await run.answer("x", True)
    with pytest.raises(Refused, match="task 'b' is succeeded: cannot answer"):
        await run.answer("b", True)
    with pytest.raises(Refused, match="task 'b' is succeeded: cannot skip"):
        await run.skip("b")
    with pytest.raises(Refused, match="task 'a' is asking: cannot retry"):
        await run.retry_task("a")
    await run.cancel()
    await stage.result(run)
    with pytest.raises(NotFound, match="has ended"):
        await run.answer("a", True)


async def test_paused_plan_begins_nothing_and_goes_on_where_it_was(stage):
    log, opened = stage.file("log"), stage.file("opened")
    run = await stage.start(
        {
            "a": {"tool": "test.gate", "with": {"path": stage.file("g"), "opened": opened}},
            "b": {"needs": "a", "tool": "test.note", "with": {"path": log}},
        }
    )
    await stage.until_lines("g")
    await run.pause()
    stage.folder.joinpath("opened").touch()
    await stage.until_status(run, "a", TaskStatus.SUCCEEDED)
    progress = await run.progress()
    assert progress.status is PlanStatus.PAUSED
    assert progress.waiting_for == ("paused; `mainstay resume` lets it go on",)
    assert (await run.row()).status is PlanStatus.PAUSED
    assert stage.lines("log") == []
    await run.resume()
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert len(stage.lines("log")) == 1


def undoable(stage, name: str, text: str = "${{ output }}") -> dict[str, object]:
    done, undone = {"path": stage.file("done"), "text": name}, stage.file("undone")
    undo = {"tool": "test.note", "with": {"path": undone, "text": f"{name} {text}"}}
    return {"tool": "test.note", "with": done, "undo": undo}


async def test_failed_plan_undoes_what_it_did_in_reverse(stage):
    broken = {"path": stage.file("log"), "mended": stage.file("never")}
    each = undoable(stage, "each", "${{ item }}${{ index }}")
    run, result = await stage.run(
        {
            "a": undoable(stage, "a"),
            "each": {"needs": "a", "for_each": ["x", "y", "z"], "batch": 2, **each},
            "not_undoable": {"needs": "each", "tool": "test.echo"},
            "b": {"needs": "not_undoable", **undoable(stage, "b")},
            "bad": {"needs": "b", "tool": "test.broken", "with": broken},
            "never": {"needs": "bad", **undoable(stage, "never")},
        }
    )
    assert result.status is PlanStatus.FAILED
    assert result.failure.message == "it is not mended"
    assert [line.split(maxsplit=1)[1] for line in stage.lines("undone")] == [
        "b b",
        "each z2",
        "each y1",
        "each x0",
        "a a",
    ]
    statuses = await stage.statuses(run)
    assert [name for name, s in statuses.items() if s is TaskStatus.UNDONE] == ["a", "each", "b"]


async def test_items_of_a_list_that_failed_are_undone_too(stage):
    log, undone = stage.file("log"), stage.file("undone")
    _, result = await stage.run(
        {
            "each": {
                "for_each": "${{ range(6) }}",
                "batch": 4,
                "max_parallel": 1,
                "tool": "test.picky",
                "with": {"path": log, "item": "${{ item }}", "bad": 2},
                "undo": {
                    "tool": "test.note",
                    "with": {"path": undone, "text": "item ${{ item }}"},
                },
            }
        }
    )
    assert result.status is PlanStatus.FAILED
    done = [int(line) for line in stage.lines("log") if line != "2"]
    took_back = [int(line.split()[2]) for line in stage.lines("undone")]
    assert took_back == sorted(done, reverse=True)
    assert done


async def test_cancel_with_grace_lets_work_end_and_then_undoes(stage):
    opened = stage.file("opened")
    gate = {"path": stage.file("g"), "opened": opened, "text": "gate"}
    undo = {"tool": "test.note", "with": {"path": stage.file("undone"), "text": "${{ output }}"}}
    run = await stage.start(
        {
            "a": {"tool": "test.gate", "with": gate, "undo": undo},
            "b": {"needs": "a", "tool": "test.note", "with": {"path": stage.file("log")}},
        }
    )
    await stage.until_lines("g")
    await run.cancel("enough", grace=timedelta(minutes=5))
    await stage.until_status(run, "b", TaskStatus.CANCELLED)
    assert "running work may go on until" in (await run.progress()).waiting_for[0]
    stage.folder.joinpath("opened").touch()
    result = await stage.result(run)
    assert result.status is PlanStatus.CANCELLED
    assert stage.lines("g") == ["+ gate", "- gate"]
    assert stage.lines("undone") == [f"{run.id}/a/0/undo/0 gate"]
    row = await run.row()
    assert (row.status, row.message) == (PlanStatus.CANCELLED, "enough")


async def test_cancel_after_its_grace_and_without_a_reason_is_a_cancel(stage):
    run = await stage.start({"a": {"tool": "test.hang", "with": {"path": stage.file("log")}}})
    await stage.until_lines("log")
    await run.cancel(grace=timedelta(milliseconds=100))
    assert (await stage.result(run)).status is PlanStatus.CANCELLED
    assert stage.lines("log") == ["began", "stopped"]


@pytest.mark.parametrize("way", ["cancel", "temporal"])
async def test_cancel_stops_a_hanging_process_within_two_seconds(stage, way):
    pid_file = stage.file("pid")
    script = f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 600"
    run = await stage.start(
        {"a": {"tool": "process.run", "with": {"command": ["sh", "-c", script]}}}
    )
    [pid] = await stage.until_lines("pid")
    began = time.monotonic()
    if way == "cancel":
        await run.cancel()
    else:
        await stage.mainstay.temporal.get_workflow_handle(run.id).cancel()
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.02)
    assert time.monotonic() - began < 2
    assert (await stage.result(run)).status is PlanStatus.CANCELLED


async def test_cancel_from_temporal_undoes_and_ends_as_cancelled(stage):
    run = await stage.start(
        {
            "a": undoable(stage, "a"),
            "sub": {"needs": "a", "plan": "sub"},
        },
        plans={
            "sub": {
                "name": "sub",
                "tasks": {
                    "x": undoable(stage, "x"),
                    "y": {
                        "needs": "x",
                        "tool": "test.hang",
                        "with": {"path": stage.file("log")},
                    },
                },
            }
        },
    )
    await stage.until_lines("log")
    handle = stage.mainstay.temporal.get_workflow_handle(run.id)
    await handle.cancel()
    assert (await stage.result(run)).status is PlanStatus.CANCELLED
    assert (await handle.describe()).status.name == "CANCELED"
    assert [line.split()[1] for line in stage.lines("undone")] == ["x", "a"]
    assert (await run.row()).status is PlanStatus.CANCELLED
    child = stage.mainstay.plan(f"{run.id}/sub")
    assert (await child.row()).status is PlanStatus.CANCELLED


async def test_failed_task_is_retried_in_a_running_plan_and_its_dependents_follow(stage):
    log, opened = stage.file("log"), stage.file("opened")
    broken = {"path": log, "mended": stage.file("mended"), "text": "a"}
    gate = {"path": stage.file("g"), "opened": opened}
    run = await stage.start(
        {
            "a": {"tool": "test.broken", "with": broken},
            "b": {"needs": "a", "tool": "test.note", "with": {"path": log, "text": "b"}},
            "c": {
                "needs": "b",
                "if": "success()",
                "tool": "test.note",
                "with": {"path": log, "text": "c"},
            },
            "keeps_running": {"tool": "test.gate", "with": gate},
        }
    )
    await stage.until_status(run, "c", TaskStatus.SKIPPED)
    stage.folder.joinpath("mended").touch()
    await run.retry_task("a", by="ann")
    await stage.until_status(run, "c", TaskStatus.SUCCEEDED)
    stage.folder.joinpath("opened").touch()
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert [line.split()[1] for line in stage.lines("log")] == ["a", "b", "c"]


async def test_skipped_task_lets_those_that_need_it_go_on(stage):
    run = await stage.start(
        {
            "a": {"tool": "test.hang", "with": {"path": stage.file("log")}},
            "b": {
                "needs": "a",
                "tool": "test.echo",
                "with": {"value": "${{ needs.a.result }}"},
            },
        }
    )
    await stage.until_lines("log")
    assert await run.skip("a", by="ann", reason="never mind") == "a: skipped"
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert await run.output_of("b") == "skipped"
    rows = {row.name: row for row in await run.tasks()}
    assert (rows["a"].status, rows["a"].message) == (TaskStatus.SKIPPED, "never mind")


async def test_failed_plan_is_taken_up_and_does_only_what_is_left(stage):
    log, mended = stage.file("log"), stage.file("mended")
    tasks = {
        "a": {"tool": "test.note", "with": {"path": log, "text": "a"}},
        "each": {
            "needs": "a",
            "for_each": "${{ range(9) }}",
            "batch": 3,
            "tool": "test.note",
            "with": {"path": log, "text": "each"},
        },
        "bad": {
            "needs": "each",
            "tool": "test.broken",
            "with": {"path": log, "mended": mended, "text": "bad"},
        },
        "last": {
            "needs": "bad",
            "if": "success()",
            "tool": "test.note",
            "with": {"path": log, "text": "last"},
        },
    }
    run, result = await stage.run(tasks)
    assert result.status is PlanStatus.FAILED
    stage.folder.joinpath("mended").touch()
    again = await stage.mainstay.take_up(run.id)
    assert (await stage.result(again)).status is PlanStatus.SUCCEEDED
    texts = [line.split()[1] for line in stage.lines("log")]
    assert texts == ["a", *["each"] * 9, "bad", "last"]
    assert set((await stage.statuses(run)).values()) == {TaskStatus.SUCCEEDED}


async def test_undone_plan_is_taken_up_under_new_keys(stage):
    mended = stage.file("mended")
    bad = {"path": stage.file("log"), "mended": mended}
    run, _ = await stage.run(
        {"a": undoable(stage, "a"), "bad": {"needs": "a", "tool": "test.broken", "with": bad}}
    )
    stage.folder.joinpath("mended").touch()
    again = await stage.mainstay.take_up(run.id)
    assert (await stage.result(again)).status is PlanStatus.SUCCEEDED
    assert stage.lines("done") == [f"{run.id}/a/0 a", f"{run.id}/a/1 a"]


async def test_plan_that_takes_too_long_is_stopped_and_fails(stage):
    _, result = await stage.run(
        {
            "a": undoable(stage, "a"),
            "b": {"needs": "a", "tool": "test.hang", "with": {"path": stage.file("log")}},
        },
        timeout="600ms",
    )
    assert result.status is PlanStatus.FAILED
    assert result.failure.message == "the plan took longer than its timeout of 600ms"
    assert stage.lines("log")[-1:] in (["stopped"], [])
    assert len(stage.lines("undone")) == len(stage.lines("done"))


async def test_state_and_waiting_reason_are_visible_in_temporal(stage):
    run = await stage.start({"a": {"approval": "Ship it?"}}, priority="high")
    await stage.until_status(run, "a", TaskStatus.ASKING)
    handle = stage.mainstay.temporal.get_workflow_handle(run.id)
    described = await handle.describe()
    assert described.search_attributes["MainstayState"] == ["RUNNING"]
    metadata = await handle.query("__temporal_workflow_metadata")
    assert "waiting: a: asks for approval: Ship it?" in str(metadata)
    await run.pause()
    await stage.until_plan(run, PlanStatus.PAUSED)
    described = await handle.describe()
    assert described.search_attributes["MainstayState"] == ["PAUSED"]
    await run.resume()
    await run.answer("a", True)
    await stage.result(run)
    described = await handle.describe()
    assert described.search_attributes["MainstayState"] == ["SUCCEEDED"]


async def test_priority_and_name_of_a_task_reach_temporal(stage):
    run = await stage.succeed(
        {
            "urgent": {"tool": "test.echo", "priority": "critical"},
            "each": {"for_each": [1, 2, 3], "batch": 2, "tool": "test.echo"},
        },
        priority="low",
    )
    handle = stage.mainstay.temporal.get_workflow_handle(run.id)
    seen = {}
    async for event in handle.fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            key = event.activity_task_scheduled_event_attributes.priority.priority_key
            seen[event.user_metadata.summary.data.decode().strip('"')] = key
    assert seen["urgent"] == 1
    assert seen["each [0..1]"] == seen["each [2..2]"] == 4
