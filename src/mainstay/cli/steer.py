"""Steering a plan: answer it, pause it, stop it, let it go on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.amounts import read_duration
from mainstay.cli.arguments import PlanIdArgument
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import STEER
from mainstay.cli.people import user_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence
    from datetime import timedelta

    from mainstay.client import Mainstay
    from mainstay.handle import PlanHandle
    from mainstay.schemas.records import TaskRow

UPDATE_SECONDS = 30.0
"""How long a plan may take to answer a request."""

TaskArgument = Annotated[
    str,
    typer.Argument(
        metavar="[TASK]", help="The task; may be left out when only one fits.", show_default=False
    ),
]
NamedTaskArgument = Annotated[
    str, typer.Argument(metavar="TASK", help="The task.", show_default=False)
]
CommentOption = Annotated[str, option("--comment", help="Why; kept with the answer.")]
ReasonOption = Annotated[str, option("--reason", help="Why; put on record.")]
GraceOption = Annotated[
    str | None,
    option(
        "--grace",
        metavar="DURATION",
        help="How long running tasks may go on: 30s, 5m. Without it they are stopped at once.",
        show_default=False,
    ),
]


def approve(plan: PlanIdArgument, task: TaskArgument = "", comment: CommentOption = "") -> None:
    """Say yes to a task that asks."""
    asyncio.run(_answer(plan, task, True, comment))


def reject(plan: PlanIdArgument, task: TaskArgument = "", comment: CommentOption = "") -> None:
    """Say no to a task that asks: it fails."""
    asyncio.run(_answer(plan, task, False, comment))


def pause(plan: PlanIdArgument) -> None:
    """Let a plan begin nothing new; what is being done goes on."""
    asyncio.run(_signal(plan, "pause"))


def resume(plan: PlanIdArgument) -> None:
    """Let a paused plan go on."""
    asyncio.run(_signal(plan, "resume"))


def cancel(plan: PlanIdArgument, grace: GraceOption = None, reason: ReasonOption = "") -> None:
    """Stop a plan, and undo what it did where its tasks say how."""
    asyncio.run(_cancel(plan, _duration(grace), reason))


def retry(plan: PlanIdArgument, task: TaskArgument = "") -> None:
    """Try a failed task again; a plan that has ended goes on where it failed."""
    asyncio.run(_retry(plan, task))


def skip(plan: PlanIdArgument, task: NamedTaskArgument, reason: ReasonOption = "") -> None:
    """Let a plan go on without a task, as if it had succeeded."""
    asyncio.run(_skip(plan, task, reason))


def register(root: typer.Typer) -> None:
    """Add these commands."""
    for command in (approve, reject, pause, resume, cancel, retry, skip):
        root.command(rich_help_panel=STEER)(command)


async def _answer(text: str, task: str, approved: bool, comment: str) -> None:
    from mainstay.cli.reading import steering

    async with steering() as mainstay:
        plan = await _running_plan(mainstay, text)
        name = task or _only_one(plan.id, await plan.tasks(), ["asking"], "asks")
        async with _patience(mainstay):
            said = await plan.answer(name, approved, by=user_name(), comment=comment)
    say(said)


async def _signal(text: str, verb: str) -> None:
    from mainstay.cli.reading import steering

    async with steering() as mainstay:
        plan = await _running_plan(mainstay, text)
        await (plan.pause() if verb == "pause" else plan.resume())
        say(f"asked {plan.id} to {verb}")
        await _warn_without_worker(mainstay)
    if verb == "pause":
        hint(f"`mainstay resume {plan.id}` lets it go on")


async def _cancel(text: str, grace: timedelta | None, reason: str) -> None:
    from mainstay.cli.reading import steering

    async with steering() as mainstay:
        plan = await _running_plan(mainstay, text)
        await plan.cancel(reason or f"cancelled by {user_name()}", grace)
        say(f"asked {plan.id} to stop")
        await _warn_without_worker(mainstay)
    hint(f"`mainstay watch {plan.id}` follows it to its end")


async def _retry(text: str, task: str) -> None:
    from mainstay.cli.reading import steering
    from mainstay.schemas.run import PLAN_ENDS

    async with steering() as mainstay:
        plan = mainstay.plan(await mainstay.find(text))
        if (await plan.row()).status in PLAN_ENDS:
            await mainstay.take_up(plan.id)
            say(f"{plan.id} goes on where it ended")
            await _warn_without_worker(mainstay)
        else:
            fitting = ["failed", "unknown", "waiting"]
            name = task or _only_one(plan.id, await plan.tasks(), fitting, "can be retried")
            async with _patience(mainstay):
                say(await plan.retry_task(name, by=user_name()))
    hint(f"`mainstay watch {plan.id}` follows it")


async def _skip(text: str, task: str, reason: str) -> None:
    from mainstay.cli.reading import steering

    async with steering() as mainstay:
        plan = await _running_plan(mainstay, text)
        async with _patience(mainstay):
            said = await plan.skip(task, by=user_name(), reason=reason)
    say(said)


async def _running_plan(mainstay: Mainstay, text: str) -> PlanHandle:
    """Find a plan that has not ended.

    Raises:
        Refused: it has.
    """
    from mainstay.schemas.errors import Refused
    from mainstay.schemas.run import PLAN_ENDS

    plan = mainstay.plan(await mainstay.find(text))
    status = (await plan.row()).status
    if status in PLAN_ENDS:
        again = f"`mainstay retry {plan.id}` lets it go on" if status != "succeeded" else ""
        raise Refused(f"plan {plan.id!r} has ended: {status}", hint=again)
    return plan


def _only_one(plan_id: str, tasks: Sequence[TaskRow], states: Collection[str], does: str) -> str:
    """Return the one task in some states.

    Raises:
        Refused: there is none.
        InvalidInput: there are several.
    """
    from mainstay.schemas.errors import InvalidInput, Refused

    fitting = [task.name for task in tasks if task.status in states]
    if not fitting:
        raise Refused(
            f"no task of {plan_id!r} {does}", hint=f"`mainstay status {plan_id}` shows them"
        )
    if len(fitting) > 1:
        shown = ", ".join(fitting[:8])
        raise InvalidInput(f"{len(fitting)} tasks of {plan_id!r} fit", hint=f"name one of {shown}")
    return fitting[0]


async def _warn_without_worker(mainstay: Mainstay) -> None:
    from mainstay.connection import has_worker

    if not await has_worker(mainstay.temporal, mainstay.settings.task_queue):
        say("it will when a worker runs; none does now")
        hint("`mainstay up`, or `mainstay worker`, runs one")


@asynccontextmanager
async def _patience(mainstay: Mainstay) -> AsyncIterator[None]:
    """Wait for a plan's answer, as long as there can be one.

    Raises:
        Unavailable: no worker runs, or none answers in time.
    """
    from mainstay.connection import has_worker
    from mainstay.schemas.errors import Unavailable

    again = "run one with `mainstay up` or `mainstay worker`, then ask again"
    queue = mainstay.settings.task_queue
    if not await has_worker(mainstay.temporal, queue):
        raise Unavailable(f"no worker serves the queue {queue!r}", hint=again)
    try:
        async with asyncio.timeout(UPDATE_SECONDS):
            yield
    except TimeoutError:
        raise Unavailable(f"no worker of the queue {queue!r} answers", hint=again) from None


def _duration(text: str | None) -> timedelta | None:
    return None if text is None else read_duration("--grace", text)
