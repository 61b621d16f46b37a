"""``mainstay team``: teams of agents, one command a verb. This file brings them up and down."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_arguments import ReasonOption
from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import AGENTS
from mainstay.cli.team_completion import complete_living_team, complete_team_file

if TYPE_CHECKING:
    from datetime import timedelta

    from mainstay.cli.session import Session
    from mainstay.settings import Settings
    from mainstay.team_handle import TeamHandle
    from mainstay.team_sight import Progress
    from mainstay.team_source import TeamFile

app = typer.Typer(
    help="Bring teams of agents up, look at them, take them down.", no_args_is_help=True
)

PARTS = ("team_look", "team_files")
"""Modules with the other commands; each has a ``register(app)``."""

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="The team's file.",
        autocompletion=complete_team_file,
        show_default=False,
    ),
]
LivingTeamArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEAM",
        help="The team's name.",
        autocompletion=complete_living_team,
        show_default=False,
    ),
]
NameOption = Annotated[
    str, option("--name", metavar="NAME", help="Its name, instead of the one in its file.")
]
WatchOption = Annotated[bool, option("--watch", "-w", help="Show it as a live tree, until Ctrl-C.")]
ModelOption = Annotated[
    str,
    # MAINSTAY_MODEL is the default of agents that name none: it must not win over those that do.
    typer.Option("--model", metavar="MODEL", help="The model of all its agents."),
]
CatalogueOption = Annotated[
    str,
    option(
        "--catalogue",
        "--agents",
        metavar="FOLDER",
        help="Where agents are looked for by name; `agents` beside the file, or here, by default.",
    ),
]
GraceOption = Annotated[
    str | None,
    option(
        "--grace",
        metavar="DURATION",
        help="Kill what still runs after so long: 30s, 5m. By default each has its `shutdown`.",
        show_default=False,
    ),
]
YesOption = Annotated[bool, option("--yes", "-y", help="Do not ask.")]


@app.callback()
def team() -> None:
    """Bring teams of agents up, look at them, take them down."""


@app.command()
def up(
    file: FileArgument,
    name: NameOption = "",
    model: ModelOption = "",
    catalogue: CatalogueOption = "",
    watch: WatchOption = False,
    tools: ToolsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a team up: its agents in their order, each under its supervisor.

    Without a server, or a worker, one runs here until Ctrl-C, and the team rests after that.
    """
    from mainstay.cli.plan import tool_specs
    from mainstay.settings import Settings
    from mainstay.team_client import compile_team
    from mainstay.team_source import load_team

    found = load_team(file, catalogue=catalogue, tools=tool_specs(tools), name=name, model=model)
    settings = Settings()
    compile_team(found.spec, settings, found.catalogue, found.find_agent)
    asyncio.run(_up(settings, found, tools or [], watch, as_json))


@app.command()
def down(
    team: LivingTeamArgument,
    grace: GraceOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    tools: ToolsOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a team: all of its agents, in the reverse of the order in which they were started."""
    from mainstay.cli.amounts import read_duration

    within = None if grace is None else read_duration("--grace", grace)
    asyncio.run(_down(team, within, reason, yes, tools or [], as_json))


def register(root: typer.Typer) -> None:
    """Add this family of commands."""
    for part in PARTS:
        import_module(f"mainstay.cli.{part}").register(app)
    root.add_typer(app, name="team", rich_help_panel=AGENTS)


async def _up(
    settings: Settings, found: TeamFile, tools: list[str], watch: bool, as_json: bool
) -> None:
    from mainstay.cli.session import open_session

    async with open_session(settings, need_worker=True, tools=tools) as opened:
        team = await opened.mainstay.team_up(
            found.spec, catalogue=found.catalogue, find_agent=found.find_agent, wait=False
        )
        say(f"team {team.name} is coming up")
        if watch:
            await _until_interrupted(opened, team, shows=True, as_json=as_json)
            return
        await _wait_ready(team)
        await _show(opened, team, as_json)
        if opened.work_ends_with_it:
            say("the team works as long as this command runs; Ctrl-C lets it rest")
            await _until_interrupted(opened, team, shows=False)


async def _wait_ready(team: TeamHandle) -> None:
    """Wait until the team is up, and tell how far it is meanwhile."""
    from mainstay.cli.progress_line import ProgressLine

    with ProgressLine() as line:

        def tell(progress: Progress) -> None:
            total = "" if progress.total is None else f" of {progress.total:,}"
            line.show(f"{progress.ready:,}{total} agents are ready")

        tell((await team.wait_ready(tell)).progress(team.size))


async def _show(opened: Session, team: TeamHandle, as_json: bool) -> None:
    """Print the team and what can be done with it next."""
    from mainstay.cli.printing import print_json, stdout
    from mainstay.cli.team_reading import team_data
    from mainstay.cli.team_watch import print_picture, take_picture

    picture = await take_picture(opened.mainstay, team)
    if as_json:
        print_json(team_data(picture.sight, picture.tasks, await team.driving()))
        return
    print_picture(picture, stdout())
    agent = next((row.name for row in picture.sight.agents), None)
    if agent is not None:
        hint(f'`mainstay agent ask {agent} "..."` gives one of them work')
    hint(f"`mainstay team tree {team.name} --watch` shows it live, `team down {team.name}` ends it")


async def _until_interrupted(
    opened: Session, team: TeamHandle, *, shows: bool, as_json: bool = False
) -> None:
    """Let the team work until Ctrl-C, its own end or that of our server; show it, or be silent."""
    from mainstay.cli.interrupts import catching
    from mainstay.cli.team_watch import watch_team

    async def show() -> None:
        await team.wait_seen()
        await watch_team(opened.mainstay, team, as_json=as_json)

    with catching() as interrupts:
        interrupt = asyncio.create_task(interrupts.next())
        showing = asyncio.create_task(show() if shows else _end_of(team))
        ending = asyncio.create_task(_server_end(opened, team))
        tasks = {interrupt, showing, ending}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {interrupt}:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    if interrupt in done:
        _say_what_becomes_of(opened, team)
        raise typer.Exit(128 + interrupt.result())


async def _end_of(team: TeamHandle) -> None:
    result = await team.wait_end()
    say(f"team {team.name} has ended: {result.reason or result.end}")


async def _server_end(opened: Session, team: TeamHandle) -> None:
    from mainstay.schemas.errors import Unavailable

    if opened.server is None:
        await asyncio.Event().wait()
    else:
        end = await opened.server.wait_ended()
        raise Unavailable(end.reason, hint=f"`mainstay up` lets team {team.name!r} go on")


def _say_what_becomes_of(opened: Session, team: TeamHandle) -> None:
    if opened.work_ends_with_it:
        say(f"\nteam {team.name} rests; nothing of it is lost")
        hint(f"`mainstay up` lets it go on, `mainstay team down {team.name}` ends it")
    else:
        say(f"\nteam {team.name} goes on")
        hint(f"`mainstay team tree {team.name} --watch` shows it again")


async def _down(
    name: str,
    grace: timedelta | None,
    reason: str,
    yes: bool,
    tools: list[str],
    as_json: bool,
) -> None:
    from mainstay.cli.confirm import confirm
    from mainstay.cli.printing import print_json
    from mainstay.cli.progress_line import ProgressLine
    from mainstay.cli.reading import reading
    from mainstay.cli.session import open_session
    from mainstay.schemas.errors import NotFound
    from mainstay.settings import Settings

    async with reading() as mainstay:
        sight = await mainstay.team(name).sight()
        if sight.is_over:
            raise NotFound(
                f"team {name!r} has ended already", hint="`mainstay team list` shows the others"
            )
        alive = sight.progress().alive
        await confirm(f"End team {name!r} with its {_agents(alive)}?", yes)
    async with open_session(Settings(), need_worker=True, tools=tools, ui=False) as opened:
        with ProgressLine() as line:

            def tell(progress: Progress) -> None:
                line.show(f"{_agents(progress.alive)} left")

            result = await opened.mainstay.team(name).down(reason, grace, tell)
    if as_json:
        print_json(result)
    else:
        print(f"team {name} has ended: {result.reason or result.end}")


def _agents(number: int) -> str:
    return f"{number:,} agent" if number == 1 else f"{number:,} agents"
