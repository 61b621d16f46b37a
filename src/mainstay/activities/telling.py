"""Putting on record that a task runs and that it is done, in as few writes as possible.

Most tools take milliseconds, and a write costs about as much. So that a task runs is written by
itself only when it takes long enough for somebody to see it; else together with its output.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import TracebackType

from temporalio import activity

from mainstay.activities.ports import Records
from mainstay.schemas.calls import TaskCall
from mainstay.schemas.records import EventKind, PlanEvent
from mainstay.schemas.run import TaskStatus

NOTICEABLE_SECONDS = 0.05
"""After this long it is worth a write of its own that a task runs."""


class TaskRecord:
    """What is put on record about one activity's work for a task.

    Leaving the block waits until everything is on record that began to be written.
    """

    def __init__(self, records: Records, call: TaskCall) -> None:
        self._records = records
        self._call = call
        self._waiting: PlanEvent | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._has_ended = False

    async def __aenter__(self) -> TaskRecord:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        rest = self.take()
        if self._writing is not None:
            await asyncio.shield(self._writing)
        if rest:
            await asyncio.shield(self._records.append_events(rest))

    def begin(self) -> None:
        """Put on record, soon, that the task runs."""
        self._waiting = self._event("running", TaskStatus.RUNNING)
        self._timer = asyncio.get_running_loop().call_later(NOTICEABLE_SECONDS, self._write)

    def take(self) -> list[PlanEvent]:
        """Return what still has to be written, for the caller to write it with something else."""
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, None
        return [waiting] if waiting is not None else []

    def take_end(self, message: str) -> list[PlanEvent]:
        """Return the same and that the task has succeeded."""
        self._has_ended = True
        return [*self.take(), self._event("done", TaskStatus.SUCCEEDED, message)]

    async def end(self, message: str) -> None:
        """Put on record that the task has succeeded, unless :meth:`take_end` did."""
        if not self._has_ended:
            await self._records.append_events(self.take_end(message))

    def _write(self) -> None:
        self._writing = asyncio.create_task(self._records.append_events(self.take()))

    def _event(self, what: str, status: TaskStatus, message: str = "") -> PlanEvent:
        """Make an event that is stored once for each time the activity was asked for."""
        info, call = activity.info(), self._call
        return PlanEvent(
            plan_id=call.plan_id,
            key=f"{info.workflow_run_id}/{info.activity_id}/{what}",
            kind=EventKind.TASK_STATUS,
            at=datetime.now(UTC),
            task=call.task,
            status=status,
            attempt=call.attempt,
            message=message,
        )
