"""Large plans and large values: history stays short, small, and answers quickly."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from plan_stage import until

from mainstay.decisions import rollover
from mainstay.schemas.calls import PlanOptions
from mainstay.schemas.errors import NotFound
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.workflows import length

SHORT = PlanOptions(rollover_events=100)
ECHO = {"tool": "test.echo", "with": {"value": "${{ plan.name }}"}}


async def histories(stage, run):
    """The histories of all runs of a plan, the first one first."""
    client = stage.mainstay.temporal
    found = []
    run_id = (await client.get_workflow_handle(run.id).describe()).run_id
    while run_id:
        history = await client.get_workflow_handle(run.id, run_id=run_id).fetch_history()
        found.insert(0, history)
        started = history.events[0].workflow_execution_started_event_attributes
        run_id = started.continued_execution_run_id
    return found


def bytes_of(found) -> int:
    return sum(event.ByteSize() for history in found for event in history.events)


async def test_long_plan_continues_as_new_and_does_everything_once(stage):
    log = stage.file("log")
    note = {"tool": "test.note", "with": {"path": log}}
    run = await stage.start({f"t{n}": note for n in range(300)}, options=SHORT)
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert sorted(stage.lines("log")) == sorted(f"{run.id}/t{n}/0" for n in range(300))
    found = await histories(stage, run)
    assert len(found) > 3
    assert max(len(history.events) for history in found) < 400
    assert set((await stage.statuses(run)).values()) == {TaskStatus.SUCCEEDED}


async def test_list_goes_on_in_a_new_run_and_counts_right(stage):
    each = {"for_each": "${{ range(300) }}", "tool": "test.echo", "with": {"value": "${{ item }}"}}
    run = await stage.start(
        {"each": each}, options=SHORT, outputs={"sum": "${{ needs.each.outputs | sum }}"}
    )
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert await run.outputs() == {"sum": 300 * 299 / 2}
    assert len(await histories(stage, run)) > 1
    [row] = await run.tasks()
    assert (row.items_total, row.items_done) == (300, 300)


async def test_updates_right_after_a_new_run_are_quick_even_when_one_was_refused(stage):
    tasks = {f"t{n}": ECHO for n in range(100)}
    run = await stage.start({**tasks, "ask": {"approval": "?"}}, options=SHORT)
    client = stage.mainstay.temporal
    first = (await client.get_workflow_handle(run.id).describe()).run_id

    async def is_continued():
        description = await client.get_workflow_handle(run.id).describe()
        return description.run_id != first

    await until(is_continued)
    with pytest.raises(NotFound):
        await run.answer("nobody", True)
    await stage.until_status(run, "ask", TaskStatus.ASKING)
    began = time.monotonic()
    assert await run.answer("ask", True) == "ask: approved"
    assert time.monotonic() - began < 3
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED


async def test_ten_thousand_items_need_little_history(stage):
    each = {
        "for_each": "${{ range(10000) }}",
        "batch": 500,
        "tool": "test.echo",
        "with": {"value": "${{ item }}"},
    }
    run = await stage.succeed({"each": each}, outputs={"sum": "${{ needs.each.outputs | sum }}"})
    assert await run.outputs() == {"sum": 10_000 * 9_999 / 2}
    [history] = await histories(stage, run)
    assert len(history.events) < 200
    assert bytes_of([history]) < 100_000


async def test_five_hundred_tasks(stage):
    await run_many(stage, 500)


@pytest.mark.deep
async def test_ten_thousand_tasks(stage):
    await run_many(stage, 10_000)


async def run_many(stage, count: int) -> None:
    tasks = {f"t{n}": {**ECHO, "needs": [f"t{n // 10}"] if n else []} for n in range(count)}
    last = {"needs": list(tasks), "if": "always()", "tool": "test.echo", "with": {"value": "end"}}
    run = await stage.start({**tasks, "last": last}, max_parallel=50)
    async with asyncio.timeout(30 + count / 10):
        result = await run.result()
    assert result.status is PlanStatus.SUCCEEDED
    assert result.counts == {TaskStatus.SUCCEEDED: count + 1}
    found = await histories(stage, run)
    assert max(len(history.events) for history in found) < 5_000
    assert bytes_of(found) < count * 3_000


async def test_large_outputs_stay_out_of_history(stage):
    size = 20_000_000
    run = await stage.succeed(
        {
            "big": {"tool": "test.big", "with": {"size": size}},
            "length": {
                "needs": "big",
                "tool": "test.echo",
                "with": {"value": "${{ needs.big.outputs | length }}"},
            },
        }
    )
    assert await run.output_of("length") == size
    assert bytes_of(await histories(stage, run)) < 20_000


async def test_hundreds_of_failed_needs_are_told_in_few_bytes(stage):
    broken = {"path": stage.file("log"), "mended": stage.file("never"), "text": "x" * 200}
    tasks = {f"t{n}": {"tool": "test.broken", "with": broken} for n in range(300)}
    last = {
        "needs": list(tasks),
        "if": "always()",
        "tool": "test.echo",
        "with": {"value": "${{ needs.values() | map(attribute='result') | unique | list }}"},
    }
    run, result = await stage.run({**tasks, "last": last}, max_parallel=50)
    assert result.status is PlanStatus.FAILED
    assert await run.output_of("last") == ["failure"]


async def test_failure_with_very_much_to_say_is_cut(stage):
    run, result = await stage.run({"a": {"tool": "test.verbose", "with": {"size": 1_000_000}}})
    assert result.status is PlanStatus.FAILED
    assert len(result.failure.message) == len(result.failure.hint) == MAX_MESSAGE_CHARS
    assert bytes_of(await histories(stage, run)) < 20_000


async def test_comment_of_a_person_is_cut(stage):
    run = await stage.start({"a": {"approval": "?"}})
    await stage.until_status(run, "a", TaskStatus.ASKING)
    await run.answer("a", False, by="b" * 10_000, comment="c" * 50_000)
    result = await stage.result(run)
    assert len(result.failure.message) < 3 * MAX_MESSAGE_CHARS


async def test_undo_of_many_tasks_goes_on_in_new_runs(stage):
    log, undone = stage.file("log"), stage.file("undone")
    note = {"tool": "test.note", "with": {"path": log}}
    tasks = {
        f"t{n}": {
            **note,
            "needs": [f"t{n - 1}"] if n else [],
            "undo": {"tool": "test.note", "with": {"path": undone, "text": f"t{n}"}},
        }
        for n in range(40)
    }
    broken = {"path": log, "mended": stage.file("never")}
    bad = {"needs": "t39", "tool": "test.broken", "with": broken}
    run = await stage.start({**tasks, "bad": bad}, options=SHORT)
    assert (await stage.result(run)).status is PlanStatus.FAILED
    names = [line.split()[1] for line in stage.lines("undone")]
    assert names == [f"t{n}" for n in reversed(range(40))]
    found = await histories(stage, run)
    assert len(found) >= 4
    assert max(len(history.events) for history in found) < 250


async def test_one_long_piece_of_work_does_not_hold_the_others_up_for_ever(stage, monkeypatch):
    for module in (length, rollover):
        monkeypatch.setattr(module, "PATIENCE", timedelta(milliseconds=300))
    opened = stage.file("opened")
    gate = {"tool": "test.gate", "with": {"path": stage.file("g"), "opened": opened}}
    note = {"tool": "test.note", "with": {"path": stage.file("log")}}
    tasks = {"gate": gate, **{f"t{n}": note for n in range(60)}}
    run = await stage.start(tasks, options=SHORT, max_parallel=2)
    at_the_limit = len(await stage.until_lines("log", 10))
    assert at_the_limit < 25
    await stage.until_lines("log", 25)
    stage.folder.joinpath("opened").touch()
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert len(stage.lines("log")) == 60
    first, *_ = await histories(stage, run)
    assert 200 <= len(first.events) < 300
