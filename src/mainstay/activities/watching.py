"""The last line a running tool printed, for whoever watches; best effort, never in history."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime

from mainstay.activities.failures import shorten
from mainstay.activities.ports import Records
from mainstay.schemas.errors import Unavailable
from mainstay.schemas.records import EventKind, PlanEvent

INTERVAL_SECONDS = 0.2
"""How often a watcher sees a new line at most."""


class LastLine:
    """Shows the lines of one task, leaving out those that come too fast to read."""

    def __init__(self, records: Records, plan_id: str, task: str) -> None:
        self._records = records
        self._plan_id = plan_id
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._shown_at = 0.0
        self._writing: set[asyncio.Task[None]] = set()

    def show(self, line: str) -> None:
        """Show a line. May be called from any thread."""
        now = time.monotonic()
        if line.strip() and now - self._shown_at >= INTERVAL_SECONDS:
            self._shown_at = now
            self._loop.call_soon_threadsafe(self._start, shorten(line.strip(), 200))

    def _start(self, line: str) -> None:
        task = asyncio.create_task(self._write(line))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, line: str) -> None:
        at = datetime.now(UTC)
        event = PlanEvent(
            plan_id=self._plan_id,
            key=f"{self._task}/line",
            kind=EventKind.TASK_OUTPUT,
            at=at,
            task=self._task,
            message=line,
        )
        # A line that nobody sees is no reason to fail.
        with contextlib.suppress(Unavailable):
            await self._records.append_events([event])
