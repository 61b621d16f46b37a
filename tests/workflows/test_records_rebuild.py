"""Records made again from history say what the records said that the run itself left."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text

from mainstay.client import Mainstay
from mainstay.rebuild import Rebuilt, rebuild
from mainstay.schemas.calls import PlanOptions
from mainstay.schemas.errors import NotFound
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.records import PlanRow, TaskRow
from mainstay.schemas.run import PLAN_ENDS, PlanStatus, TaskStatus
from mainstay.settings import Settings
from mainstay.worker import running_worker

QUERY = {"tool": "json.query", "with": {"expression": "a", "data": {"a": 1}}}
FAIL = {"tool": "fs.read", "with": {"path": "no/such/file"}, "retry": 2}
TOOLS = """
from mainstay import ToolContext, tool
from mainstay.schemas.errors import ToolFailed

@tool
def flaky(until: int, context: ToolContext) -> int:
    if context.attempt < until:
        raise ToolFailed(f"not before attempt {until}")
    return context.attempt

@tool
def odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError("even")
    return number
"""


@pytest_asyncio.fixture
async def mainstay(temporal_server, tmp_path):
    """A client and a worker on a queue and a database of the test's own."""
    tools = tmp_path / "rebuild_tools.py"
    tools.write_text(TOOLS)
    settings = Settings(data_dir=tmp_path, task_queue=uuid.uuid4().hex, tools=[str(tools)])
    async with (
        await Mainstay.connect(settings, address=temporal_server.address) as client,
        running_worker(client.temporal, settings),
    ):
        yield client


def plan(name: str, tasks: dict[str, Any], **more: Any) -> PlanSpec:
    return PlanSpec.model_validate({"name": name, "tasks": tasks, **more})


async def until(fact, seconds: float = 20.0) -> None:
    give_up = time.monotonic() + seconds
    while not await fact():
        assert time.monotonic() < give_up, "it did not happen in time"
        await asyncio.sleep(0.02)


async def run_to_end(mainstay: Mainstay, spec: PlanSpec, **more: Any) -> str:
    run = await mainstay.start(spec, **more)
    await run.result()
    await until(lambda: has_ended(mainstay, run.id))
    return run.id


async def has_ended(mainstay: Mainstay, plan_id: str) -> bool:
    row = await mainstay.store.get_plan(plan_id)
    return row is not None and row.status in PLAN_ENDS


def comparable(row: PlanRow, tasks: list[TaskRow], together: set[str]) -> dict[str, Any]:
    """What must be equal: everything but moments and the last line that a tool printed.

    Tasks that end at the same moment, ``together``, may change places.
    """
    moments = {"created_at", "started_at", "ended_at", "last_line"}
    return {
        "plan": row.model_dump(exclude=moments),
        "ended": row.ended_at is not None,
        "tasks": [
            (task.model_dump(exclude=moments), task.started_at is None, task.ended_at is None)
            for task in tasks
        ],
        "order": [
            task.name
            for task in sorted(
                (task for task in tasks if task.ended_at and task.name not in together),
                key=lambda task: task.ended_at,
            )
        ],
    }


async def rebuilt(mainstay: Mainstay, plan_id: str, is_over: bool = True, runs: int = 1) -> Rebuilt:
    """Rebuild a plan once the server's list, which lags behind, shows its newest state."""

    async def is_listed() -> bool:
        listed = mainstay.temporal.list_workflows(f"WorkflowId = '{plan_id}'")
        found = [run async for run in listed]
        return len(found) >= runs and (not is_over or all(run.close_time for run in found))

    await until(is_listed)
    [result] = [one async for one in rebuild(mainstay.temporal, mainstay.store, plan_id)]
    return result


def wipe(mainstay: Mainstay) -> None:
    engine = create_engine(mainstay.settings.resolved_database_url)
    with engine.begin() as connection:
        for table in ("plan_events", "tasks", "plans"):
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()


async def assert_comes_back(
    mainstay: Mainstay, *plan_ids: str, is_over=True, runs=1, together=frozenset()
) -> None:
    before = {}
    for plan_id in plan_ids:
        row, tasks = await mainstay.store.get_plan(plan_id), await mainstay.store.tasks_of(plan_id)
        assert row is not None
        before[plan_id] = (row, tasks)
    events = {plan_id: await keys(mainstay, plan_id) for plan_id in plan_ids}
    for plan_id in plan_ids:
        over_what_is_there = await rebuilt(mainstay, plan_id, is_over, runs)
        assert not over_what_is_there.problem
    wipe(mainstay)
    for plan_id in plan_ids:
        result = await rebuilt(mainstay, plan_id, is_over, runs)
        assert not result.problem
        row, tasks = await mainstay.store.get_plan(plan_id), await mainstay.store.tasks_of(plan_id)
        assert row is not None
        assert comparable(row, tasks, together) == comparable(*before[plan_id], together)
        assert_close_in_time(row, before[plan_id][0])
        assert await keys(mainstay, plan_id) >= events[plan_id]


async def keys(mainstay: Mainstay, plan_id: str) -> set[str]:
    # A batch's items are one event when it is rebuilt, and several where it saved in between.
    found = await mainstay.store.events_after(plan_id, 0)
    return {event.key for event in found if not event.count}


def assert_close_in_time(now: PlanRow, before: PlanRow) -> None:
    for one, other in ((now.started_at, before.started_at), (now.ended_at, before.ended_at)):
        assert (one is None) == (other is None)
        if one and other:
            assert abs(one - other) < timedelta(seconds=2)


async def test_plans_of_many_kinds_come_back(mainstay):
    items = {"for_each": "${{ range(7) }}", "batch": 2, "tool": "rebuild_tools.odd"}
    many = plan(
        "many",
        {
            "a": QUERY,
            "b": {**items, "needs": "a", "with": {"number": "${{ item * 2 + 1 }}"}},
            "c": {**items, "with": {"number": "${{ item }}"}, "continue_on_error": True},
            "d": {**QUERY, "needs": "b", "if": "false"},
            "e": {**QUERY, "needs": "d"},
            "f": {
                "tool": "rebuild_tools.flaky",
                "with": {"until": 2},
                "retry": {"attempts": 3, "initial": "20ms"},
            },
            "g": {"for_each": "${{ [] }}", **QUERY},
            "h": {**QUERY, "for_each": [1, 2], "outputs": {"n": "${{ output | length }}"}},
        },
        outputs={"n": "${{ needs.h.outputs.n }}"},
    )
    plan_id = await run_to_end(mainstay, many)
    row = await mainstay.store.get_plan(plan_id)
    assert row is not None
    assert row.status is PlanStatus.SUCCEEDED
    assert row.outputs_ref
    await assert_comes_back(mainstay, plan_id, together={"c", "f", "g", "h"})


async def test_failures_undone_and_checked_tasks_come_back(mainstay):
    failing = plan(
        "failing",
        {
            "a": {**QUERY, "undo": QUERY},
            "b": {
                **QUERY,
                "verify": {"check": "feedback != ''", "attempts": 3},
            },
            "c": {**FAIL, "needs": ["a", "b"]},
            "d": {**QUERY, "needs": "c"},
        },
    )
    plan_id = await run_to_end(mainstay, failing)
    statuses = {task.name: task.status for task in await mainstay.store.tasks_of(plan_id)}
    assert statuses["a"] is TaskStatus.UNDONE
    await assert_comes_back(mainstay, plan_id)


async def test_sub_plans_come_back(mainstay):
    inner = {"name": "inner", "inputs": {"n": {"default": ""}}, "tasks": {"x": QUERY}}
    outer = plan(
        "outer",
        {"one": {"plan": "inner"}, "each": {"plan": "inner", "for_each": ["a", "b"]}},
        plans={"inner": inner},
    )
    plan_id = await run_to_end(mainstay, outer)
    children = await mainstay.store.find_plans(f"{plan_id}/")
    assert len(children) == 3
    await assert_comes_back(mainstay, plan_id, *children, together={"one", "each"})


async def test_a_chain_of_runs_comes_back_as_one_plan(mainstay):
    chain = plan(
        "chain", {f"t{n}": {**QUERY, "needs": [f"t{n - 1}"] if n else []} for n in range(30)}
    )
    plan_id = await run_to_end(mainstay, chain, options=PlanOptions(rollover_events=100))
    await assert_comes_back(mainstay, plan_id, runs=2)


async def test_a_plan_taken_up_again_comes_back(mainstay, tmp_path: Path):
    file = tmp_path / "later.txt"
    spec = plan(
        "again",
        {"a": QUERY, "b": {"tool": "fs.read", "with": {"path": str(file)}, "needs": "a"}},
    )
    plan_id = await run_to_end(mainstay, spec)
    file.write_text("now")
    run = await mainstay.take_up(plan_id)
    await run.result()
    row = await mainstay.store.get_plan(plan_id)
    assert row is not None
    assert row.status is PlanStatus.SUCCEEDED
    await assert_comes_back(mainstay, plan_id, runs=2)


async def test_a_plan_that_still_waits_comes_back_and_goes_on(mainstay):
    run = await mainstay.start(plan("asks", {"a": QUERY, "ask": {"needs": "a", "approval": True}}))

    async def asks() -> bool:
        return TaskStatus.ASKING in {task.status for task in await run.tasks()}

    await until(asks)
    await assert_comes_back(mainstay, run.id, is_over=False)
    await run.answer("ask", True, by="me")
    await run.result()
    await until(lambda: has_ended(mainstay, run.id))
    await assert_comes_back(mainstay, run.id)


async def test_a_plan_that_was_terminated_no_longer_seems_to_run(mainstay):
    run = await mainstay.start(plan("asks", {"ask": {"approval": True}}))

    async def asks() -> bool:
        return TaskStatus.ASKING in {task.status for task in await run.tasks()}

    await until(asks)
    await mainstay.temporal.get_workflow_handle(run.id).terminate("by hand")
    await rebuilt(mainstay, run.id)
    row = await run.row()
    assert row.status is PlanStatus.FAILED
    assert "terminated" in row.message


async def test_a_plan_that_the_server_does_not_know_is_not_found(mainstay):
    with pytest.raises(NotFound, match="plan/none/1"):
        [one async for one in rebuild(mainstay.temporal, mainstay.store, "plan/none/1")]
