"""``up``: a Temporal server and a worker in this terminal."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.arguments import ToolsOption
from mainstay.cli.messages import hint
from mainstay.cli.options import option
from mainstay.cli.panels import RUN

if TYPE_CHECKING:
    from mainstay.client import Mainstay
    from mainstay.devserver import DevServer
    from mainstay.settings import Settings

PortOption = Annotated[
    int | None,
    option(
        "--port",
        help="Where the server listens; 7233, or any free port when that is taken.",
        show_default=False,
    ),
]
UiPortOption = Annotated[
    int | None,
    option(
        "--ui-port",
        help="Where the Web UI is; 8233, or any free port when that is taken.",
        show_default=False,
    ),
]
DurabilityOption = Annotated[
    str | None,
    option(
        "--durability",
        metavar="normal|full",
        help="`full` also survives a power cut, at about 2.3 times the cost.",
        show_default=False,
    ),
]
NoUiOption = Annotated[
    bool, option("--no-ui", help="Start it without the Web UI.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel=RUN)(up)


def up(
    port: PortOption = None,
    ui_port: UiPortOption = None,
    durability: DurabilityOption = None,
    no_ui: NoUiOption = False,
    tools: ToolsOption = None,
) -> None:
    """Start a Temporal server and a worker here; Ctrl-C stops both."""
    from mainstay.settings import Settings

    changes: dict[str, Any] = {"durability": durability} if durability else {}  # Any: of Settings
    asyncio.run(_up(Settings(**changes), port, ui_port, not no_ui, tools or []))


async def _up(
    settings: Settings, port: int | None, ui_port: int | None, ui: bool, tools: list[str]
) -> None:
    from mainstay.cli.logs import log_to_file
    from mainstay.cli.serving import serve
    from mainstay.client import Mainstay

    began = time.monotonic()
    log_to_file(settings.data_dir)
    server = await _start_server(settings, port, ui_port, ui)
    try:
        async with await Mainstay.connect(settings, address=server.address) as mainstay:

            async def ready() -> None:
                await _introduce(mainstay, server, settings, time.monotonic() - began)

            await serve(mainstay.temporal, settings, tools, ready, server=server)
    finally:
        await server.stop()


async def _start_server(
    settings: Settings, port: int | None, ui_port: int | None, ui: bool
) -> DevServer:
    from mainstay.cli.session import start_own
    from mainstay.devserver import DEFAULT_PORT, DEFAULT_UI_PORT
    from mainstay.devserver.ports import is_free

    wanted = port if port is not None else DEFAULT_PORT if is_free(DEFAULT_PORT) else None
    return await start_own(settings, ui=ui, port=wanted, ui_port=ui_port or DEFAULT_UI_PORT)


async def _introduce(
    mainstay: Mainstay, server: DevServer, settings: Settings, seconds: float
) -> None:
    from mainstay.cli.session import unfinished

    lines = {
        "server": server.address,
        "Web UI": server.ui_url or "none",
        "data": str(settings.data_dir),
        "queue": settings.task_queue,
    }
    print(f"Mainstay is up, after {seconds:.1f} s")
    for name, value in lines.items():
        print(f"  {name:<8} {value}")
    for row in await unfinished(mainstay, limit=10):
        print(f"takes up {row.plan_id}: {row.tasks_done} of {row.tasks_total} tasks are done")
    print(end="", flush=True)
    hint("type `mainstay run PLAN` in another terminal; Ctrl-C stops this one")
