"""``worker``: serve the plans of a Temporal server that runs elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.arguments import ToolsOption
from mainstay.cli.messages import say
from mainstay.cli.options import option
from mainstay.cli.panels import RUN

if TYPE_CHECKING:
    from mainstay.settings import Settings

MaxActivitiesOption = Annotated[
    int, option("--max-activities", min=1, max=10_000, help="Pieces of work done at once.")
]


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel=RUN)(worker)


def worker(tools: ToolsOption = None, max_activities: MaxActivitiesOption = 100) -> None:
    """Serve the plans of the configured Temporal server until stopped."""
    from mainstay.settings import Settings

    asyncio.run(_worker(Settings(), tools or [], max_activities))


async def _worker(settings: Settings, tools: list[str], max_activities: int) -> None:
    from mainstay.cli.logs import log_to_file
    from mainstay.cli.serving import serve
    from mainstay.connection import configured_address, connect

    log_to_file(settings.data_dir)
    address = configured_address(settings)
    client = await connect(settings, address=address)

    async def ready() -> None:
        say(f"serving the queue {settings.task_queue} of {address}; Ctrl-C stops")

    await serve(client, settings, tools, ready, max_activities=max_activities)
