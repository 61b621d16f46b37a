"""``result`` and ``history``: what a plan gave back, and what happened in it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.arguments import JsonOption, PlanIdArgument
from mainstay.cli.options import option
from mainstay.cli.panels import LOOK
from mainstay.cli.printing import format_time, mark, one_line, print_json_line, to_json_text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mainstay.client import Mainstay
    from mainstay.handle import PlanHandle
    from mainstay.schemas.records import OutputChunk, PlanEvent, TaskRow


TaskArgument = Annotated[
    str,
    typer.Argument(
        metavar="[TASK]", help="Only what this task gave back, as its tool returned it."
    ),
]
OutputOption = Annotated[
    Path | None,
    option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write it to a file.",
        show_default=False,
    ),
]
RawOption = Annotated[bool, option("--raw", help="Print a text as it is, not as JSON.")]
TemporalOption = Annotated[
    bool,
    option(
        "--temporal",
        help="Temporal's own history of the newest run, as JSON for `mainstay replay`.",
    ),
]


def result(
    plan: PlanIdArgument,
    task: TaskArgument = "",
    output: OutputOption = None,
    raw: RawOption = False,
) -> None:
    """Print what a plan, or one of its tasks, gave back, as JSON."""
    asyncio.run(_result(plan, task, output, raw))


def history(
    plan: PlanIdArgument, as_json: JsonOption = False, temporal: TemporalOption = False
) -> None:
    """Show what happened in a plan, in order."""
    asyncio.run(_temporal_history(plan) if temporal else _history(plan, as_json))


def register(root: typer.Typer) -> None:
    """Add these commands."""
    for command in (result, history):
        root.command(rich_help_panel=LOOK)(command)


async def _result(text: str, task: str, output: Path | None, raw: bool) -> None:
    from mainstay.cli.reading import reading

    async with reading() as mainstay:
        plan = mainstay.plan(await mainstay.find(text))
        if not task:
            value = await _plan_outputs(mainstay, plan)
            with _open(output) as file:
                _write_value(file, value, raw)
            return
        row = await _task_row(plan, task)
        chunks = await mainstay.store.plan_output(plan.id, task)
    if not chunks:
        _give_nothing(task, row)
    with _open(output) as file:
        if row.items_total is None:
            _write_value(file, chunks[0].values[0], raw)
        else:
            _write_items(file, chunks)


async def _plan_outputs(mainstay: Mainstay, plan: PlanHandle) -> Any:  # Any: JSON
    from pydantic_core import from_json

    from mainstay.schemas.errors import NotFound, PlanFailed
    from mainstay.schemas.run import PLAN_ENDS, PlanStatus

    row = await plan.row()
    if row.status not in PLAN_ENDS:
        raise NotFound(
            f"plan {plan.id!r} has given nothing back yet: it is {row.status}",
            hint=f"`mainstay watch {plan.id}` waits for it; `mainstay result {plan.id} TASK`"
            " shows what a task gave back",
        )
    if row.status is not PlanStatus.SUCCEEDED:
        raise PlanFailed(
            f"plan {plan.id!r} is {row.status}" + (f": {row.message}" if row.message else ""),
            hint=f"`mainstay status {plan.id}` shows its tasks",
        )
    return from_json(await mainstay.store.get_document(row.outputs_ref))


async def _task_row(plan: PlanHandle, task: str) -> TaskRow:
    from mainstay.decisions.suggestions import did_you_mean
    from mainstay.schemas.errors import NotFound

    rows = {row.name: row for row in await plan.tasks()}
    if task not in rows:
        raise NotFound(
            f"plan {plan.id!r} has no task {task!r}",
            hint=did_you_mean(task, rows) or f"`mainstay status {plan.id}` shows them",
        )
    return rows[task]


def _give_nothing(task: str, row: TaskRow) -> None:
    from mainstay.schemas.errors import NotFound

    raise NotFound(f"task {task!r} has given nothing back", hint=f"it is {row.status}")


def _open(output: Path | None) -> AbstractContextManager[IO[str]]:
    from mainstay.schemas.errors import InvalidInput

    if output is None:
        return nullcontext(sys.stdout)
    try:
        return output.open("w", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InvalidInput(f"cannot write {str(output)!r}: {error.strerror}") from None


def _write_value(file: IO[str], value: Any, raw: bool) -> None:  # Any: JSON
    if raw and isinstance(value, str):
        file.write(value if value.endswith("\n") else f"{value}\n")
    else:
        file.write(to_json_text(value, indent=2) + "\n")


def _write_items(file: IO[str], chunks: list[OutputChunk]) -> None:
    """Write the items one a line, so that a million of them never are one text."""
    separator, written = "[\n", 0
    for chunk in chunks:
        # Two attempts, one of them taken for dead, can have stored the same items.
        for value in chunk.values[max(0, written - chunk.start) :]:
            file.write(f"{separator}{to_json_text(value)}")
            separator = ",\n"
        written = max(written, chunk.stop)
    file.write("\n]\n" if separator == ",\n" else "[]\n")


async def _history(text: str, as_json: bool) -> None:
    from mainstay.cli.reading import reading

    async with reading() as mainstay:
        plan_id = await mainstay.find(text)
        number = 0
        while events := await mainstay.store.events_after(plan_id, number):
            for event in events:
                number = event.number
                print_json_line(event) if as_json else print(_line(event))


def _line(event: PlanEvent) -> str:
    """Write an event: its time to the millisecond, whose it is, and what it says."""
    moment = f"{format_time(event.at)}.{event.at.microsecond // 1000:03d}"
    what = mark(event.status.value)[0] if event.status else event.kind.value
    parts = [f"{moment}  {what:<14} {event.task or '(plan)'}"]
    if event.count:
        parts.append(f"+{event.count} done")
    if event.total is not None:
        parts.append(f"of {event.total}")
    if event.attempt is not None and event.attempt > 1:
        parts.append(f"attempt {event.attempt}")
    if event.message:
        parts.append(one_line(event.message))
    return "  ".join(parts)


async def _temporal_history(text: str) -> None:
    from mainstay.cli.reading import steering

    async with steering() as mainstay:
        plan_id = await mainstay.find(text)
        fetched = await mainstay.temporal.get_workflow_handle(plan_id).fetch_history()
    print(fetched.to_json())
