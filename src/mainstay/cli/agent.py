"""``mainstay agent``: agents, one command a verb. This file spawns them."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_completion import complete_agent_file
from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import AGENTS

if TYPE_CHECKING:
    from mainstay.schemas.agent import AgentSpec

app = typer.Typer(help="Spawn agents, talk to them, steer them.", no_args_is_help=True)

PARTS = (
    "agent_look",
    "agent_talk",
    "agent_watch",
    "chat",
    "agent_steer",
    "agent_snapshot",
    "agent_files",
)
"""Modules with the other commands; each has a ``register(app)``."""

FileArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE|NAME",
        help="The agent's file, or its name in the catalogue.",
        autocompletion=complete_agent_file,
        show_default=False,
    ),
]
NameOption = Annotated[
    str,
    option("--name", metavar="NAME", help="Its name, instead of the one in its file."),
]
TeamOption = Annotated[str, option("--team", metavar="NAME", help="Its team; `main` by default.")]
ModelOption = Annotated[
    str,
    # MAINSTAY_MODEL is the default of files that name none: it must not win over those that do.
    typer.Option("--model", metavar="MODEL", help="Its model, instead of the one in its file."),
]
ThreadOption = Annotated[
    str, option("--thread", metavar="ID", help="A conversation that it goes on with.")
]
ParentOption = Annotated[
    str,
    option(
        "--parent",
        metavar="AGENT",
        help="An agent that pays for it too; `on_parent_end` in the file says what its end means.",
    ),
]
CatalogueOption = Annotated[
    Path,
    option("--catalogue", metavar="FOLDER", help="Where agents are looked for by name."),
]


@app.callback()
def agent() -> None:
    """Spawn agents, talk to them, steer them."""


@app.command()
def spawn(
    agent: FileArgument,
    name: NameOption = "",
    team: TeamOption = "",
    model: ModelOption = "",
    thread: ThreadOption = "",
    parent: ParentOption = "",
    catalogue: CatalogueOption = Path("agents"),
    tools: ToolsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an agent of a file; it lives until it is stopped. Prints its name."""
    from mainstay.cli.agent_files import load_spec, with_script

    spec = load_spec(agent, catalogue, tools or [])
    if model:
        spec = with_script(spec.model_copy(update={"model": model}), Path())
    asyncio.run(_spawn(spec, name, team, thread, parent, as_json))


def register(root: typer.Typer) -> None:
    """Add this family of commands."""
    for part in PARTS:
        import_module(f"mainstay.cli.{part}").register(app)
    root.add_typer(app, name="agent", rich_help_panel=AGENTS)


async def _spawn(
    spec: AgentSpec, name: str, team: str, thread: str, parent: str, as_json: bool
) -> None:
    from mainstay.cli.agent_reading import agents_online
    from mainstay.cli.printing import print_json
    from mainstay.connection import has_worker

    async with agents_online() as mainstay:
        above = (await mainstay.find_agent(parent)).agent_id if parent else None
        agent = await mainstay.spawn(
            spec, name or None, team=team, thread=thread or None, parent=above
        )
        row = await agent.row()
        if as_json:
            print_json(row)
        else:
            print(row.name)
        if not await has_worker(mainstay.temporal, mainstay.settings.task_queue):
            say("it begins when a worker runs; none does now")
            hint("`mainstay up`, or `mainstay worker`, runs one")
        else:
            hint(f"`mainstay agent chat {row.name}` talks to it")
