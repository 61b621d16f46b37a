"""Saying yes, by itself, to the tasks of a run that ask: what ``run --approve`` does."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from mainstay.cli.messages import say
from mainstay.client import Mainstay
from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.run import PLAN_ENDS, PlanStatus, TaskStatus

POLL_SECONDS = 0.2
BY = "mainstay run --approve"
MAX_PLANS = 500


async def approve_all(mainstay: Mainstay, plan_id: str, tasks: Collection[str] = ()) -> None:
    """Approve the asking tasks of a plan and its sub-plans until cancelled.

    Args:
        mainstay: the client.
        plan_id: the plan.
        tasks: only tasks of these names; all when empty.
    """
    seen: dict[str, int] = {}
    while True:
        for one in await _unfinished_parts(mainstay, plan_id):
            seen[one] = await _approve_new(mainstay, one, seen.get(one, 0), tasks)
        await asyncio.sleep(POLL_SECONDS)


async def _unfinished_parts(mainstay: Mainstay, plan_id: str) -> list[str]:
    running = [status for status in PlanStatus if status not in PLAN_ENDS]
    rows = await mainstay.list(statuses=running, limit=MAX_PLANS)
    return [row.plan_id for row in rows if f"{row.plan_id}/".startswith(f"{plan_id}/")]


async def _approve_new(
    mainstay: Mainstay, plan_id: str, number: int, tasks: Collection[str]
) -> int:
    """Answer what was asked after an event; return the number of the last event seen."""
    for event in await mainstay.store.events_after(plan_id, number):
        number = event.number
        if event.status is not TaskStatus.ASKING or (tasks and event.task not in tasks):
            continue
        try:
            await mainstay.plan(plan_id).answer(event.task, True, by=BY)
        except (Refused, NotFound):
            continue  # somebody was quicker, or the plan has ended
        say(f"approved {event.task} by itself (--approve): {event.message or 'Continue?'}")
    return number
