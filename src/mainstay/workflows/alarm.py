"""One timer for everything that waits for a moment in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

SOON = timedelta(minutes=1)
"""What rings later may yet be of use for another turn."""


class Alarm:
    """Rings at the next moment something is due.

    Timers cost events of history, so there is at most one. It is set again only for an earlier
    moment; one that is no longer needed is left to ring, which does no harm. One that ``drops``
    gives up instead what would ring soon, because a step of the workflow costs more than that.
    """

    def __init__(self, ring: Callable[[], None], *, drops: bool = False) -> None:
        self._ring = ring
        self._drops = drops
        self._at: datetime | None = None
        self._timer: asyncio.Task[None] | None = None

    def set(self, moment: datetime | None) -> None:
        """Make sure that it rings at this moment, or soon if the moment is past."""
        if moment is None:
            self._drop()
            return
        if self._at is not None and self._at <= moment:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at = moment
        self._timer = asyncio.create_task(self._wait(moment))

    def _drop(self) -> None:
        if self._drops and self._timer and self._at and self._at - workflow.now() < SOON:
            self._timer.cancel()
            self._at = self._timer = None

    async def _wait(self, moment: datetime) -> None:
        await workflow.sleep(max(moment - workflow.now(), timedelta(milliseconds=1)))
        self._at = self._timer = None
        self._ring()
