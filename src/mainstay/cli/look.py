"""``status`` and ``list``: where plans stand, from the records and from the plan itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.arguments import JsonOption, OptionalPlanIdArgument
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import LOOK
from mainstay.cli.printing import (
    format_span,
    format_time,
    one_line,
    print_json,
    print_state,
    print_table,
)
from mainstay.cli.waiting import MAX_NAMED, next_steps, waits

if TYPE_CHECKING:
    from mainstay.client import Mainstay
    from mainstay.schemas.calls import PlanProgress
    from mainstay.schemas.records import PlanRow, TaskRow
    from mainstay.schemas.run import PlanStatus

MAX_TASKS_SHOWN = 40
COUNTED_AT_MOST = 10_000
"""Newest plans that a summary counts."""

StatusOption = Annotated[
    list[str] | None,
    option(
        "--status",
        metavar="STATE",
        help="Only plans in this state: running, paused, failed, ...; may be repeated.",
        show_default=False,
    ),
]
NameOption = Annotated[str, option("--name", help="Only runs of the plan of this name.")]
LimitOption = Annotated[int, option("--limit", min=1, max=COUNTED_AT_MOST, help="At most so many.")]
SubPlansOption = Annotated[bool, option("--sub-plans", help="Sub-plans too.")]
AllOption = Annotated[bool, option("--all", help="Show every task.")]


def status(
    plan: OptionalPlanIdArgument = "", show_all: AllOption = False, as_json: JsonOption = False
) -> None:
    """Show where a plan stands and what it waits for; without ID, how many plans stand where."""
    asyncio.run(_status(plan, show_all, as_json) if plan else _overview(as_json))


def list_plans(
    statuses: StatusOption = None,
    name: NameOption = "",
    limit: LimitOption = 50,
    sub_plans: SubPlansOption = False,
    as_json: JsonOption = False,
) -> None:
    """List runs of plans, the newest first."""
    asyncio.run(_list(statuses or [], name, limit, sub_plans, as_json))


def register(root: typer.Typer) -> None:
    """Add these commands."""
    root.command(rich_help_panel=LOOK)(status)
    root.command("list", rich_help_panel=LOOK)(list_plans)


async def _status(text: str, show_all: bool, as_json: bool) -> None:
    from mainstay.agent_waits import agent_waits
    from mainstay.cli.reading import ask_plan, reading
    from mainstay.schemas.run import PLAN_ENDS

    async with reading() as mainstay:
        plan = mainstay.plan(await mainstay.find(text))
        row, tasks = await plan.row(), await plan.tasks()
        progress, why = await ask_plan(mainstay, plan, row)
        agents = [] if row.status in PLAN_ENDS else await agent_waits(mainstay.store, plan.id)
    waiting = [*waits(row, tasks), *(f"agent {one.agent}, which {one.reason}" for one in agents)]
    if as_json:
        print_json(
            {
                "plan": row,
                "tasks": tasks,
                "progress": progress,
                "waiting_for": waiting,
                "source": "plan" if progress else "records",
            }
        )
        return
    _print_plan(row, progress)
    _print_tasks(tasks, show_all)
    for line in waiting:
        print(f"waits for {one_line(line)}")
    if why:
        say(f"from the records: {why}")
    for step in (*next_steps(row, tasks), *(one.step for one in agents[:MAX_NAMED])):
        hint(step)


def _print_plan(row: PlanRow, progress: PlanProgress | None) -> None:
    state = (progress.status if progress else row.status).value
    print(row.plan_id)
    print_state("  state    ", state, f": {one_line(row.message)}" if row.message else "")
    print(f"  started  {format_time(row.started_at)}, {format_span(row.started_at, row.ended_at)}")
    print(f"  tasks    {row.tasks_done} of {row.tasks_total} ended")
    if row.parent_id:
        print(f"  part of  {row.parent_id}")


def _print_tasks(tasks: list[TaskRow], show_all: bool) -> None:
    shown = tasks if show_all else _most_interesting(tasks)
    print()
    print_table(
        ["state", "task", "work", "items", "attempt", "time", "message"],
        [
            [
                task.status.value,
                task.name,
                task.tool or task.kind,
                _items(task),
                str(task.attempt) if task.attempt > 1 else "",
                format_span(task.started_at, task.ended_at),
                task.message or task.last_line,
            ]
            for task in shown
        ],
        whole=["task"],
    )
    if len(shown) < len(tasks):
        counts = Counter(task.status.value for task in tasks)
        counted = ", ".join(f"{number} {state}" for state, number in counts.items())
        say(f"{len(shown)} of {len(tasks)} tasks shown ({counted}); --all shows them all")


def _most_interesting(tasks: list[TaskRow]) -> list[TaskRow]:
    """Return as many tasks as are shown, in their order: first go those that ended well."""
    if len(tasks) <= MAX_TASKS_SHOWN:
        return tasks
    dull = {"succeeded": 3, "skipped": 2, "pending": 1}
    ranked = sorted(tasks, key=lambda task: (dull.get(task.status.value, 0), task.position))
    return sorted(ranked[:MAX_TASKS_SHOWN], key=lambda task: task.position)


def _items(task: TaskRow) -> str:
    return "" if task.items_total is None else f"{task.items_done}/{task.items_total}"


async def _overview(as_json: bool) -> None:
    from mainstay.cli.reading import reading
    from mainstay.schemas.run import PLAN_ENDS

    async with reading() as mainstay:
        rows = [row for row in await mainstay.list(limit=COUNTED_AT_MOST) if not row.parent_id]
    counts = Counter(row.status.value for row in rows)
    unfinished = [row for row in rows if row.status not in PLAN_ENDS]
    if as_json:
        print_json({"counts": dict(counts), "unfinished": unfinished})
        return
    if not rows:
        say("there are no plans yet")
        hint("`mainstay init` writes one to start with")
        return
    for state, number in counts.most_common():
        print_state(f"{number:>6}  ", state)
    if unfinished:
        print()
        _print_rows(unfinished)


async def _list(statuses: list[str], name: str, limit: int, sub_plans: bool, as_json: bool) -> None:
    from mainstay.cli.reading import reading

    wanted = [_plan_status(status) for status in statuses]
    async with reading() as mainstay:
        rows = await _newest(mainstay, wanted, name, limit, sub_plans)
    if as_json:
        print_json(rows)
    elif rows:
        _print_rows(rows)
    else:
        say("no plans")


async def _newest(
    mainstay: Mainstay, statuses: list[PlanStatus], name: str, limit: int, sub_plans: bool
) -> list[PlanRow]:
    rows = await mainstay.list(
        statuses=statuses, name=name, limit=limit if sub_plans else COUNTED_AT_MOST
    )
    return [row for row in rows if sub_plans or not row.parent_id][:limit]


def _plan_status(text: str) -> PlanStatus:
    from mainstay.schemas.errors import InvalidInput
    from mainstay.schemas.run import PlanStatus

    try:
        return PlanStatus(text.lower())
    except ValueError:
        known = ", ".join(PlanStatus)
        raise InvalidInput(f"no plan is ever {text!r}", hint=f"the states are {known}") from None


def _print_rows(rows: list[PlanRow]) -> None:
    print_table(
        ["state", "id", "started", "time", "tasks", "message"],
        [
            [
                row.status.value,
                row.plan_id,
                format_time(row.started_at or row.created_at),
                format_span(row.started_at, row.ended_at),
                f"{row.tasks_done}/{row.tasks_total}",
                row.message,
            ]
            for row in rows
        ],
        whole=["id"],
    )
