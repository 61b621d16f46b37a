"""Following a plan until it ends, whatever way it is shown, and seeing to Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from mainstay.cli.interrupts import Interrupts, ask, catching
from mainstay.cli.messages import hint, say
from mainstay.cli.session import Session
from mainstay.handle import PlanHandle
from mainstay.schemas.calls import PlanResult
from mainstay.schemas.errors import NotFound, Unavailable
from mainstay.schemas.run import PLAN_ENDS, Failure

LAST_WORDS_SECONDS = 1.0
"""How long what is shown may take to catch up once the plan has ended."""

Work = Coroutine[Any, Any, None]  # Any: what a coroutine is sent and gives, both unused
Show = Callable[[Session, PlanHandle, asyncio.Event], Work]
"""Shows a plan until it is cancelled; returns when the event is set and all has been shown."""


class Left(Exception):
    """The person stopped watching; the plan has not ended.

    Attributes:
        exit_code: what a shell reports for the signal.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.exit_code = 128 + number


async def follow(opened: Session, plan: PlanHandle, show: Show, *asides: Work) -> PlanResult:
    """Show a plan until it ends.

    Args:
        opened: what the command works with.
        plan: the plan.
        show: how it is shown.
        asides: what is done meanwhile; stopped when the plan has ended.

    Raises:
        Left: the person stopped watching.
        Unavailable: the server ended or does not answer.
    """
    ending = asyncio.create_task(_ending(plan))
    tasks: list[asyncio.Task[Any]] = [ending]  # Any: tasks of several results
    tasks += [asyncio.create_task(_server_end(opened, plan)), *map(asyncio.create_task, asides)]
    try:
        with catching() as interrupts:
            while (number := await _watch(opened, plan, show, tasks, interrupts)) is not None:
                await _choose(opened, plan, number, interrupts)
            return ending.result()
    finally:
        await _stop(*tasks)


async def _watch(
    opened: Session,
    plan: PlanHandle,
    show: Show,
    tasks: list[asyncio.Task[Any]],  # Any: as above
    interrupts: Interrupts,
) -> signal.Signals | None:
    """Show the plan until it ends, or until a signal comes, which is returned."""
    ending = tasks[0]
    is_over = asyncio.Event()
    interrupt = asyncio.create_task(interrupts.next())
    showing = asyncio.create_task(show(opened, plan, is_over))
    try:
        waiting = {*tasks, interrupt, showing}
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if ending in done:
                is_over.set()
                await asyncio.wait([showing], timeout=LAST_WORDS_SECONDS)
                return None
            if interrupt in done:
                return interrupt.result()
            for task in done:
                task.result()
    finally:
        await _stop(interrupt, showing)


async def _choose(
    opened: Session, plan: PlanHandle, number: signal.Signals, interrupts: Interrupts
) -> None:
    """Ask what shall become of the plan: returns when it is to be watched on."""
    if number is signal.SIGINT:
        asking = asyncio.create_task(
            ask("\n[d] stop watching, the default; [c] cancel the plan; then Enter")
        )
        again = asyncio.create_task(interrupts.next())
        try:
            await asyncio.wait({asking, again}, return_when=asyncio.FIRST_COMPLETED)
            answer = asking.result() if asking.done() else ""
        finally:
            await _stop(asking, again)
        if answer.lower() in ("c", "cancel"):
            await plan.cancel("cancelled at the terminal")
            say("the plan is being cancelled; Ctrl-C again stops watching")
            return
    _say_what_becomes_of(opened, plan)
    raise Left(number)


def _say_what_becomes_of(opened: Session, plan: PlanHandle) -> None:
    if opened.work_ends_with_it:
        say("the plan stops here; what is done stays done")
        hint(f"`mainstay watch {plan.id}` or `mainstay up` takes it up")
    else:
        say("the plan goes on")
        hint(f"`mainstay watch {plan.id}` shows it again")


async def _ending(plan: PlanHandle) -> PlanResult:
    """Wait for the plan's end; what is on record does where the server has forgotten it."""
    try:
        return await plan.result()
    except NotFound:
        row = await plan.row()
        if row.status not in PLAN_ENDS:
            raise
        return PlanResult(
            plan_id=plan.id,
            status=row.status,
            outputs_ref=row.outputs_ref,
            failure=Failure(message=row.message) if row.message else None,
        )


async def _server_end(opened: Session, plan: PlanHandle) -> None:
    """Wait for the end of our own server; for nothing where it is another's."""
    if opened.server is not None:
        end = await opened.server.wait_ended()
        raise Unavailable(end.reason, hint=f"`mainstay watch {plan.id}` takes the plan up")


async def _stop(*tasks: asyncio.Task[Any]) -> None:  # Any: as above
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
