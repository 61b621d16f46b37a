"""``mainstay records``: the database in which plans are on record."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from mainstay.cli.arguments import JsonOption
from mainstay.cli.completion import complete_plan_id
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import SET_UP
from mainstay.cli.printing import print_json_line

app = typer.Typer(help="The records that status and list read.", no_args_is_help=True)

PlanOption = Annotated[
    str,
    option(
        "--plan",
        metavar="ID",
        help="Only this plan, by its whole id.",
        autocompletion=complete_plan_id,
    ),
]


@app.callback()
def records() -> None:
    """The records that status and list read."""


@app.command()
def rebuild(plan: PlanOption = "", as_json: JsonOption = False) -> None:
    """Make the records again from Temporal's history. What tasks gave back is left as it is."""
    asyncio.run(_rebuild(plan, as_json))


def register(root: typer.Typer) -> None:
    """Add this family of commands."""
    root.add_typer(app, name="records", rich_help_panel=SET_UP)


async def _rebuild(plan_id: str, as_json: bool) -> None:
    from mainstay.cli.reading import steering
    from mainstay.rebuild import rebuild as rebuild_records

    made = running = 0
    async with steering() as mainstay:
        async for one in rebuild_records(mainstay.temporal, mainstay.store, plan_id):
            made += not one.problem
            running += one.is_running
            if as_json:
                print_json_line(
                    {
                        "plan_id": one.plan_id,
                        "tasks": one.tasks,
                        "events": one.events,
                        "problem": one.problem,
                        "is_running": one.is_running,
                    }
                )
            else:
                print(f"{one.plan_id}: {one.problem or f'{one.tasks} tasks, {one.events} events'}")
    say(f"records of {made} plans made again")
    if running:
        hint(f"{running} of them still run: rebuild those again if their tasks look stale")
