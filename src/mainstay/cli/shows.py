"""The ways in which a plan is shown while it runs: a picture, lines, JSON, or nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live

from mainstay.cli.display import Screen, Sight, clean, draw
from mainstay.cli.follow import Show
from mainstay.cli.messages import can_show_symbols
from mainstay.cli.printing import mark, print_json_line
from mainstay.cli.session import Session
from mainstay.connection import has_worker
from mainstay.handle import PlanHandle
from mainstay.schemas.errors import NotFound
from mainstay.schemas.records import EventKind, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PLAN_ENDS, PlanStatus

REFRESH_SECONDS = 0.1
REFRESH_SHARE = 5
"""A picture may take a fifth of the time: a plan of ten thousand tasks is drawn less often."""
STILL_SECONDS = 5.0
"""After so long without any change it is looked whether there is a worker at all."""
MAX_SUB_PLANS = 20
SETTLE_SECONDS = 1.0
"""How long after the last event a plan may take to be over."""

NO_WORKER = "no worker serves the plans: start one with `mainstay worker`"


def choose_show(*, as_json: bool, watch: bool = True) -> Show:
    """Choose how a plan is shown: as asked, else a picture on a terminal and lines on a pipe."""
    if not watch:
        return _nothing
    if as_json:
        return _json
    return _picture if Console().is_terminal and not Console().is_dumb_terminal else _lines


async def _nothing(opened: Session, plan: PlanHandle, is_over: asyncio.Event) -> None:
    return None


async def _json(opened: Session, plan: PlanHandle, is_over: asyncio.Event) -> None:
    def tell(event: PlanEvent) -> None:
        print_json_line(event)
        sys.stdout.flush()

    await _each_event(plan, is_over, tell)


async def _lines(opened: Session, plan: PlanHandle, is_over: asyncio.Event) -> None:
    lines = EventLines()

    def tell(event: PlanEvent) -> None:
        print(lines.write(event), flush=True)

    await _each_event(plan, is_over, tell)


async def _each_event(
    plan: PlanHandle, is_over: asyncio.Event, tell: Callable[[PlanEvent], None]
) -> None:
    number = 0
    while True:
        async for event in plan.events(number):
            number = event.number
            tell(event)
        with suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), SETTLE_SECONDS)
        if is_over.is_set():
            return
        # A plan that is just being taken up has an end among its earlier events: there are more.


class EventLines:
    """Writes events as lines, and counts the items that are done."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._totals: dict[str, int] = {}

    def write(self, event: PlanEvent) -> str:
        """Write an event: its time, whose it is, what happened."""
        what = mark(event.status.value)[0] if event.status else ""
        if event.total is not None and event.task:
            self._totals[event.task] = event.total
        if event.kind is EventKind.TASK_PROGRESS:
            done = self._done[event.task] = self._done.get(event.task, 0) + event.count
            total = self._totals.get(event.task)
            what = what or (f"{done:,}/{total:,}" if total is not None else f"{done:,} done")
        parts = [f"{event.at.astimezone():%H:%M:%S}", f"{what:<14}", event.task or event.plan_id]
        if event.attempt is not None and event.attempt > 1:
            parts.append(f"attempt {event.attempt}")
        if event.message:
            parts.append(clean(event.message, Screen(80, 24, can_show_symbols())))
        return " ".join(parts).rstrip()


async def _picture(opened: Session, plan: PlanHandle, is_over: asyncio.Event) -> None:
    """Draw the plan in place until it is over."""
    console = Console(highlight=False, emoji=False)
    sights = _Sights(opened, plan)
    symbols = can_show_symbols()  # asked before Live puts itself in the place of stdout
    with Live(
        console=console, auto_refresh=False, redirect_stderr=sys.stderr.isatty(), transient=False
    ) as live:
        while True:
            was_over, began = is_over.is_set(), time.monotonic()
            sight = await sights.take()
            if sight is not None:
                screen = Screen(console.width, console.height - 1, symbols)
                live.update(draw(sight, datetime.now(UTC), screen), refresh=True)
            if was_over:
                return
            spent = time.monotonic() - began
            with suppress(TimeoutError):
                pause = max(REFRESH_SECONDS, REFRESH_SHARE * spent)
                await asyncio.wait_for(is_over.wait(), pause)


class _Sights:
    """Takes in what there is to see of a plan, and notices when nothing moves."""

    def __init__(self, opened: Session, plan: PlanHandle) -> None:
        self._opened = opened
        self._plan = plan
        self._last: tuple[PlanRow, list[TaskRow]] | None = None
        self._moved_at = time.monotonic()
        self._note = ""

    async def take(self) -> Sight | None:
        """Return what there is to see; None while the plan has no records yet."""
        try:
            seen = (await self._plan.row(), await self._plan.tasks())
        except NotFound:
            return None
        if seen != self._last:
            self._last, self._moved_at, self._note = seen, time.monotonic(), ""
        elif time.monotonic() - self._moved_at > STILL_SECONDS:
            self._moved_at = time.monotonic()
            self._note = await self._missing_worker()
        has_sub_plans = any(task.kind == "plan" for task in seen[1])
        sub_plans = await self._sub_plans() if has_sub_plans else []
        return Sight(*seen, sub_plans=sub_plans, note=self._note)

    async def _sub_plans(self) -> list[tuple[PlanRow, list[TaskRow]]]:
        """Return the sub-plans, at any depth, that have not ended."""
        running = [status for status in PlanStatus if status not in PLAN_ENDS]
        mainstay = self._opened.mainstay
        rows = await mainstay.list(statuses=running, limit=200)
        below = [row for row in rows if row.plan_id.startswith(f"{self._plan.id}/")]
        return [(row, await mainstay.plan(row.plan_id).tasks()) for row in below[:MAX_SUB_PLANS]]

    async def _missing_worker(self) -> str:
        mainstay = self._opened.mainstay
        if self._opened.has_own_worker:
            return ""
        try:
            served = await has_worker(mainstay.temporal, mainstay.settings.task_queue)
        except Exception as error:  # whatever it is, watching goes on
            return f"the Temporal server does not answer ({type(error).__name__})"
        return "" if served else NO_WORKER
