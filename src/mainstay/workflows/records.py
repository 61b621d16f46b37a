"""Putting on record what happened in a workflow itself, in batches and in the background."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import accumulate

from temporalio import workflow

from mainstay.schemas import names
from mainstay.schemas.calls import RecordCall
from mainstay.schemas.directives import Tell
from mainstay.schemas.limits import MAX_INLINE_BYTES, MAX_MESSAGE_CHARS
from mainstay.schemas.records import PlanEvent
from mainstay.workflows.options import MACHINE_RETRY, RECORD_TIMEOUT

EVENT_BYTES = 300
"""About what an event needs beside its message and its task's name."""


class RecordKeeper:
    """Collects events, and has one activity at a time store them."""

    def __init__(self, plan_id: str, silence: timedelta) -> None:
        self._plan_id = plan_id
        self._silence = silence
        self._waiting: list[PlanEvent] = []
        self._writer: asyncio.Task[None] | None = None
        self._told = 0

    def tell(self, told: Tell, task: str) -> None:
        """Put something on record, soon."""
        self._told += 1
        run = workflow.info().run_id
        self._waiting.append(
            PlanEvent(
                plan_id=self._plan_id,
                key=f"{run}/{self._told}",
                kind=told.kind,
                at=workflow.now(),
                task=task,
                status=told.status,
                attempt=told.attempt,
                message=told.message[:MAX_MESSAGE_CHARS],
            )
        )
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Wait until everything is on record."""
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = _split(self._waiting)
            await workflow.execute_activity(
                names.RECORD,
                RecordCall(plan_id=self._plan_id, events=tuple(batch)),
                start_to_close_timeout=RECORD_TIMEOUT,
                heartbeat_timeout=self._silence,
                retry_policy=MACHINE_RETRY,
                summary="records",
            )
        self._writer = None


def _split(events: list[PlanEvent]) -> tuple[list[PlanEvent], list[PlanEvent]]:
    """Part off as many events as may cross the boundary inline, at least one."""
    sizes = accumulate(
        EVENT_BYTES + len(event.plan_id) + len(event.message.encode()) + len(event.task)
        for event in events
    )
    count = next((n for n, size in enumerate(sizes) if size > MAX_INLINE_BYTES), len(events))
    count = max(1, count)
    return events[:count], events[count:]
