"""What a supervisor puts on record: its events, and its picture whenever that has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow

from mainstay.schemas import names
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.supervision import (
    ChildPhase,
    ChildView,
    SupervisorRequest,
    SupervisorState,
    SupervisorView,
)
from mainstay.schemas.supervision_calls import SupervisionEvent, SupervisorRecordCall
from mainstay.schemas.supervision_directives import Report
from mainstay.workflows.options import MACHINE_RETRY, RECORD_PAUSE, RECORD_TIMEOUT
from mainstay.workflows.supervisor_children import Children

BATCH = 100
"""Events that are stored at once."""

_UNSETTLED = frozenset({ChildPhase.STARTING, ChildPhase.STOPPING})


class SupervisorRecords:
    """Collects events and pictures, and has one activity at a time store them.

    Args:
        state: returns the supervisor's state as it is now.
        picture: returns what is shown of it; it costs more.
    """

    def __init__(
        self,
        request: SupervisorRequest,
        children: Children,
        state: Callable[[], SupervisorState],
        picture: Callable[[], SupervisorView],
    ) -> None:
        self._request = request
        self._children = children
        self._state = state
        self._picture = picture
        self._waiting: list[SupervisionEvent] = []
        self._stored: SupervisorState | None = None
        self._writer: asyncio.Task[None] | None = None
        self._hurries = False
        self._told = 0

    def note(self, report: Report) -> None:
        """Take an event."""
        self._told += 1
        child = report.child
        self._waiting.append(
            SupervisionEvent(
                supervisor_id=self._request.row_id,
                subject_id=self._children.row_id(child) if child else self._request.row_id,
                key=f"{workflow.info().run_id}/{self._told}",
                type=report.type,
                severity=report.severity,
                child=child,
                message=report.message[:MAX_MESSAGE_CHARS],
                at=workflow.now(),
            )
        )

    def flush_soon(self) -> None:
        """Store what is new: at once, or within a second while children come and go."""
        if self._writer is None and self._has_news():
            self._writer = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Wait until everything is on record."""
        self._hurries = True
        self.flush_soon()
        while self._writer is not None:
            await asyncio.shield(self._writer)
        self._hurries = False

    def _has_news(self) -> bool:
        return bool(self._waiting) or self._state() != self._stored

    def _may_write(self) -> bool:
        if self._hurries:
            return True
        return not any(child.phase in _UNSETTLED for child in self._state().children)

    async def _write(self) -> None:
        while self._has_news():
            if self._stored is not None and not self._may_write():
                await self._pause()
            state, view = self._state(), self._picture()
            batch = tuple(self._waiting[:BATCH])
            del self._waiting[: len(batch)]
            await workflow.execute_activity(
                names.SUPERVISOR_RECORD,
                SupervisorRecordCall(
                    view=view,
                    run=self._request.run,
                    parent_row=self._request.parent_row,
                    events=batch,
                ),
                start_to_close_timeout=RECORD_TIMEOUT,
                heartbeat_timeout=self._request.options.heartbeat_timeout,
                retry_policy=MACHINE_RETRY,
                summary="records",
            )
            self._stored = state
        self._writer = None

    async def _pause(self) -> None:
        try:
            await workflow.wait_condition(self._may_write, timeout=RECORD_PAUSE.total_seconds())
        except TimeoutError:
            return


def describe(view: SupervisorView) -> str:
    """Write a supervisor's state for the Web UI, as Markdown."""
    name = f"{view.team}/{view.path}" if view.path else view.team
    left = f"{view.restarts_left} of {view.max_restarts} restarts left"
    lines = [f"**{name}** is {view.life}: {view.strategy}, {left}"]
    if view.detail:
        lines.append(view.detail)
    lines.append("\n".join(_line(child) for child in view.children))
    return "\n\n".join(lines)


def _line(child: ChildView) -> str:
    held = ", held" if child.is_held else ""
    restarts = f", {child.restarts} restarts" if child.restarts else ""
    why = f": {child.detail}" if child.detail else ""
    return f"- {child.name} ({child.kind}, {child.restart}): {child.phase}{held}{restarts}{why}"
