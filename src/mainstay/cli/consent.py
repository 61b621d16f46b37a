"""Asking whoever started a goal whether a plan that was made for it may run."""

from __future__ import annotations

import asyncio
import sys

from mainstay.cli.interrupts import ask
from mainstay.cli.messages import hint, say
from mainstay.cli.people import user_name
from mainstay.client import Mainstay
from mainstay.handle import PlanHandle
from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.run import PLAN_ENDS, PlanStatus, TaskStatus

CONSENT = "consent"
"""The task of a goal's plan that asks."""
SUMMARY = "summary"
"""The task whose output says what the plan does."""

POLL_SECONDS = 0.2
MAX_PLANS = 500
YES = frozenset({"y", "yes"})
NO = frozenset({"n", "no", ""})


async def ask_for_consent(mainstay: Mainstay, plan_id: str) -> None:
    """Show each plan that is made for a goal, and ask about it, until cancelled.

    Without a terminal it is only shown, with the commands that answer.
    """
    asked: set[str] = set()
    while True:
        for one in await _attempts(mainstay, plan_id):
            plan = mainstay.plan(one)
            if one not in asked and await _is_asking(plan):
                asked.add(one)
                await _ask(mainstay, plan)
        await asyncio.sleep(POLL_SECONDS)


async def _attempts(mainstay: Mainstay, plan_id: str) -> list[str]:
    running = [status for status in PlanStatus if status not in PLAN_ENDS]
    rows = await mainstay.list(statuses=running, limit=MAX_PLANS)
    return [row.plan_id for row in rows if row.parent_id == plan_id]


async def _is_asking(plan: PlanHandle) -> bool:
    return any(
        row.name == CONSENT and row.status is TaskStatus.ASKING for row in await plan.tasks()
    )


async def _ask(mainstay: Mainstay, plan: PlanHandle) -> None:
    chunks = await mainstay.store.plan_output(plan.id, SUMMARY)
    say(f"\nThis plan was made:\n\n{chunks[0].values[0]}\n")
    hint(f"`mainstay result {plan.id} draft` shows all of it")
    hint(f"`mainstay approve {plan.id} {CONSENT}` runs it")
    hint(f"`mainstay reject {plan.id} {CONSENT} --comment TEXT` has it made again")
    if not can_ask():
        return
    said = await ask("Run it? [y] yes; [n] no, the default; or say what must change; then Enter")
    agrees = said.lower() in YES
    comment = "" if agrees or said.lower() in NO else said
    try:
        await plan.answer(CONSENT, agrees, by=user_name(), comment=comment)
    except (Refused, NotFound) as error:
        say(error.message)


def can_ask() -> bool:
    """Tell whether a person is at the terminal."""
    return bool(sys.stdin and sys.stdin.isatty())
