"""What is put on record about a task that runs: one write for a quick one, two for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from temporalio.testing import ActivityEnvironment

from mainstay.activities import telling
from mainstay.activities.telling import TaskRecord
from mainstay.schemas.calls import TaskCall
from mainstay.schemas.records import PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import TaskStatus

CALL = TaskCall(plan_id="plan/p/1", plan_ref="plan/x", inputs_ref="inputs/x", task="build")


class Pages:
    """Records that remember each write, and say when the first has come."""

    def __init__(self) -> None:
        self.writes: list[list[TaskStatus]] = []
        self.written = asyncio.Event()

    async def create_plan(self, plan: PlanRow, tasks: Sequence[TaskRow]) -> None: ...

    async def append_events(self, events: Sequence[PlanEvent]) -> None:
        self.writes.append([TaskStatus(event.status) for event in events])
        self.written.set()


async def in_activity(work: Callable[[], object]) -> None:
    await ActivityEnvironment().run(work)


async def test_a_quick_task_is_recorded_in_one_write():
    pages = Pages()

    async def work() -> None:
        async with TaskRecord(pages, CALL) as record:
            record.begin()
            await record.end("")

    await in_activity(work)
    assert pages.writes == [[TaskStatus.RUNNING, TaskStatus.SUCCEEDED]]


async def test_a_slow_task_is_seen_to_run_before_it_ends(monkeypatch):
    monkeypatch.setattr(telling, "NOTICEABLE_SECONDS", 0)
    pages = Pages()

    async def work() -> None:
        async with TaskRecord(pages, CALL) as record:
            record.begin()
            await asyncio.wait_for(pages.written.wait(), 5)
            await record.end("")

    await in_activity(work)
    assert pages.writes == [[TaskStatus.RUNNING], [TaskStatus.SUCCEEDED]]


async def test_what_was_written_with_the_output_is_not_written_again():
    pages = Pages()

    async def work() -> None:
        async with TaskRecord(pages, CALL) as record:
            record.begin()
            await pages.append_events(record.take_end(""))
            await record.end("")

    await in_activity(work)
    assert pages.writes == [[TaskStatus.RUNNING, TaskStatus.SUCCEEDED]]


async def test_a_quick_failure_leaves_the_start_on_record():
    pages = Pages()

    async def work() -> None:
        async with TaskRecord(pages, CALL) as record:
            record.begin()
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await in_activity(work)
    assert pages.writes == [[TaskStatus.RUNNING]]
