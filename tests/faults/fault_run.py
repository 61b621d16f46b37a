"""One run of the plan with effects: start it, answer its question, judge what it left."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fault_plan import ASKS, effects_plan, expected_names, expected_report
from fault_rig import Ledger, Rig, until

from mainstay.handle import PlanHandle
from mainstay.schemas.calls import PlanOptions, PlanResult
from mainstay.schemas.errors import MainstayError, Unavailable
from mainstay.schemas.records import EventKind
from mainstay.schemas.run import PlanStatus, TaskStatus

HEARTBEAT = timedelta(seconds=2)
END_SECONDS = 60.0
"""Longest a run may take, kills and restarts included; an undisturbed one takes a few seconds."""

ASK_SECONDS = 0.2


@dataclass
class Run:
    """A run that is going on, with somebody who answers its question."""

    rig: Rig
    handle: PlanHandle
    ledger: Ledger
    written: Path
    answering: asyncio.Task[None]

    @classmethod
    async def start(
        cls, rig: Rig, name: str, seconds: float = 0.05, report: Path | None = None
    ) -> Run:
        """Start the plan; each of its effects takes ``seconds``."""
        folder = rig.folder / name
        folder.mkdir()
        ledger = Ledger(folder / "ledger.db")
        written = report or folder / "report.md"
        inputs = {"ledger": str(ledger.path), "report": str(written)}
        options = PlanOptions(heartbeat_timeout=HEARTBEAT)
        handle = await rig.mainstay.start(effects_plan(seconds), inputs, run=name, options=options)
        return cls(rig, handle, ledger, written, asyncio.create_task(approve(handle)))

    async def end(self) -> PlanResult:
        """Wait for the end, however often the server goes away meanwhile."""
        try:
            async with asyncio.timeout(END_SECONDS):
                while True:
                    with suppress(Unavailable):
                        return await self.handle.result()
                    await asyncio.sleep(ASK_SECONDS)
        except TimeoutError:
            raise AssertionError(await self.describe()) from None
        finally:
            self.answering.cancel()

    async def reach(self, effects: int) -> None:
        """Wait until so many effects have happened."""
        await until(lambda: len(self.ledger.effects()) >= effects, f"{effects} effects")

    async def describe(self) -> str:
        """Say where the run stands and what its workers said, for a test that fails."""
        lines = []
        with suppress(MainstayError):
            lines.append(repr(await self.handle.progress()))
        lines += [repr(self.answering), *(repr(task) for task in await self.handle.tasks())]
        lines += [f"worker {worker.pid}: {worker.said()[-2000:]}" for worker in self.rig.workers]
        return "\n".join(lines)

    @property
    def report(self) -> bytes:
        """The report it wrote."""
        return self.written.read_bytes()

    async def has_ended(self) -> bool:
        """Whether it is on record that it ended."""
        row = await self.rig.mainstay.store.get_plan(self.handle.id)
        return row is not None and row.ended_at is not None

    async def judge(self, result: PlanResult) -> None:
        """Compare everything it left with what an undisturbed run leaves.

        Raises:
            AssertionError: something is missing, doubled or different.
        """
        assert result.status is PlanStatus.SUCCEEDED, result
        assert set(result.counts) == {TaskStatus.SUCCEEDED}
        assert self.ledger.effects() == sorted(expected_names())
        assert self.report == expected_report()
        outputs = await self.handle.outputs()
        assert outputs["marked"] == [n for n in expected_names() if n.startswith("item-")]
        assert outputs["signed"] is True
        assert outputs["sha256"] == hashlib.sha256(self.report).hexdigest()
        await self._judge_records(self.handle)
        await self._judge_records(self.rig.mainstay.plan(f"{self.handle.id}/part"))

    async def _judge_records(self, handle: PlanHandle) -> None:
        row, tasks = await handle.row(), await handle.tasks()
        assert row.status is PlanStatus.SUCCEEDED
        assert row.tasks_done == row.tasks_total == len(tasks), (row, tasks)
        for task in tasks:
            assert task.status is TaskStatus.SUCCEEDED, task
            assert task.attempt == 1, task  # a killed worker costs the plan no attempt
            assert task.items_total is None or task.items_done == task.items_total, task
        events = [event async for event in handle.events()]
        kinds = [event.kind for event in events]
        assert kinds.count(EventKind.PLAN_STARTED) == kinds.count(EventKind.PLAN_ENDED) == 1
        assert len({event.key for event in events}) == len(events)


async def approve(handle: PlanHandle) -> None:
    """Say yes as soon as the plan asks, and again when the yes may have been lost."""
    while True:
        # Refused until it asks; unavailable while something is dead.
        with suppress(MainstayError, TimeoutError):
            async with asyncio.timeout(2):
                await handle.answer(ASKS, approved=True, by="test")
        await asyncio.sleep(ASK_SECONDS)
