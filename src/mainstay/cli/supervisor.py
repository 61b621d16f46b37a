"""``mainstay supervisor``: the children of one supervisor, looked at and changed while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.agent_completion import complete_agent_file
from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import AGENTS
from mainstay.cli.team_completion import complete_child, complete_supervisor

if TYPE_CHECKING:
    from mainstay.client import Mainstay
    from mainstay.schemas.supervision import SupervisorView
    from mainstay.schemas.team import ChildSpec
    from mainstay.team_handle import TeamHandle

app = typer.Typer(help="Look at a supervisor's children, and change them.", no_args_is_help=True)

PlaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEAM[/PATH]",
        help="The supervisor: its team, and its path when it is not the root.",
        autocompletion=complete_supervisor,
        show_default=False,
    ),
]
ChildArgument = Annotated[
    str,
    typer.Argument(
        metavar="CHILD",
        help="The child's name.",
        autocompletion=complete_child,
        show_default=False,
    ),
]
AgentArgument = Annotated[
    str,
    typer.Argument(
        metavar="[FILE|NAME]",
        help="The agent's file, or its name in the catalogue; none below a dynamic supervisor.",
        autocompletion=complete_agent_file,
        show_default=False,
    ),
]
NameOption = Annotated[
    str, option("--name", metavar="NAME", help="The child's name; the agent's by default.")
]
RestartOption = Annotated[
    str, option("--restart", metavar="TYPE", help="permanent, transient or temporary.")
]
ShutdownOption = Annotated[
    str,
    option("--shutdown", metavar="TIME", help="Time to stop in: 30s, brutal_kill or infinity."),
]
ModelOption = Annotated[
    str,
    # MAINSTAY_MODEL is the default of files that name none: it must not win over those that do.
    typer.Option("--model", metavar="MODEL", help="Its model, instead of the one in its file."),
]
CatalogueOption = Annotated[
    Path,
    option("--catalogue", metavar="FOLDER", help="Where agents are looked for by name."),
]
KeepOption = Annotated[
    bool, option("--keep", help="Stop it only: `supervisor restart` starts it again.")
]


@app.callback()
def supervisor() -> None:
    """Look at a supervisor's children, and change them."""


@app.command()
def children(place: PlaceArgument, as_json: JsonOption = False) -> None:
    """List a supervisor's children in the order in which they are started, and count them."""
    asyncio.run(_children(place, as_json))


@app.command()
def add(
    place: PlaceArgument,
    agent: AgentArgument = "",
    name: NameOption = "",
    restart: RestartOption = "permanent",
    shutdown: ShutdownOption = "",
    model: ModelOption = "",
    catalogue: CatalogueOption = Path("agents"),
    tools: ToolsOption = None,
) -> None:
    """Add a child behind the others and start it. It is not written into the team's file."""
    from mainstay.cli.agent_files import load_spec, with_script

    if not agent:
        asyncio.run(_add(place, name))
        return
    spec = load_spec(agent, catalogue, tools or [])
    if model:
        spec = with_script(spec.model_copy(update={"model": model}), Path())
    asyncio.run(_add(place, name or spec.name, spec, _child(name, agent, restart, shutdown)))


@app.command()
def remove(place: PlaceArgument, child: ChildArgument, keep: KeepOption = False) -> None:
    """Stop a child and forget it."""
    asyncio.run(_remove(place, child, keep))


@app.command()
def restart(place: PlaceArgument, child: ChildArgument) -> None:
    """Start a stopped child, or stop and start a running one; this counts as no failure."""
    asyncio.run(_restart(place, child))


def register(root: typer.Typer) -> None:
    """Add this family of commands."""
    root.add_typer(app, name="supervisor", rich_help_panel=AGENTS)


async def _children(place: str, as_json: bool) -> None:
    from mainstay.cli.printing import print_json
    from mainstay.cli.reading import reading
    from mainstay.cli.team_look import tell_driving
    from mainstay.cli.team_reading import count_children, look, split_place

    name, path = split_place(place)
    async with reading() as mainstay:
        team = mainstay.team(name)
        view = await team.view(path)
        driving = await look(mainstay, team)
    counts = count_children(view)
    if as_json:
        print_json({"supervisor": place, "counts": counts, "children": list(view.children)})
        return
    _print_children(view)
    print(
        f"{counts.specs:,} in all, {counts.active:,} active: "
        f"{counts.workers:,} agents, {counts.supervisors:,} supervisors"
    )
    tell_driving(name, driving)


def _print_children(view: SupervisorView) -> None:
    from mainstay.cli.amounts import format_age
    from mainstay.cli.printing import print_table

    print_table(
        ["state", "child", "kind", "restart", "restarts", "since", "id", "detail"],
        [
            [
                "held" if child.is_held else child.phase.value.replace("_", " "),
                child.name,
                child.kind.value,
                child.restart.value + (", significant" if child.significant else ""),
                f"{child.restarts:,}",
                format_age(child.since),
                child.id,
                child.detail,
            ]
            for child in view.children
        ],
        whole=["child"],
    )


def _child(name: str, agent: str, restart: str, shutdown: str) -> ChildSpec:
    from pydantic import ValidationError

    from mainstay.schemas.errors import InvalidInput
    from mainstay.schemas.team import ChildSpec

    written: dict[str, Any] = {"agent": agent, "restart": restart}  # Any: what a file may hold
    written |= {"name": name} if name else {}
    written |= {"shutdown": shutdown} if shutdown else {}
    try:
        return ChildSpec.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"--{first['loc'][0]} {first['input']!r}: {first['msg']}") from None


@asynccontextmanager
async def _found(place: str) -> AsyncIterator[tuple[Mainstay, TeamHandle, str]]:
    """Connect, and find a supervisor that can be asked.

    Raises:
        NotFound: there is none.
        Refused: it has ended.
        Unavailable: no worker would hear of it.
    """
    from mainstay.cli.agent_reading import agents_online
    from mainstay.cli.team_reading import split_place
    from mainstay.connection import has_worker
    from mainstay.schemas.errors import Refused, Unavailable

    name, path = split_place(place)
    async with agents_online() as mainstay:
        team = mainstay.team(name)
        if (await team.view(path)).life == "TERMINATED":
            raise Refused(
                f"supervisor {place!r} has ended", hint=f"`mainstay team events {name}` tells why"
            )
        if not await has_worker(mainstay.temporal, mainstay.settings.task_queue):
            raise Unavailable(
                f"no worker serves team {name!r}, so nobody hears this",
                hint="run one with `mainstay up` or `mainstay worker`, then ask again",
            )
        yield mainstay, team, path


async def _add(
    place: str, name: str, spec: Any = None, child: ChildSpec | None = None
) -> None:  # Any: an AgentSpec
    from mainstay.cli.people import user_name

    async with _found(place) as (mainstay, team, path):
        plan = await mainstay.plan_child(spec, child) if spec is not None else None
        say(await team.start_child(path, name=name, plan=plan, by=user_name()))
        hint(f"`mainstay supervisor children {place}` shows them all")


async def _remove(place: str, child: str, keep: bool) -> None:
    from mainstay.cli.people import user_name
    from mainstay.schemas.supervision import ChildPhase

    async with _found(place) as (_, team, path):
        children = await team.which_children(path)
        phase = next((one.phase for one in children if one.name == child), None)
        if keep or phase is not ChildPhase.STOPPED:
            say(await team.terminate_child(child, path, by=user_name()))
        if keep:
            hint(f"`mainstay supervisor restart {place} {child}` starts it again")
        elif any(one.name == child for one in await team.which_children(path)):
            say(await team.delete_child(child, path, by=user_name()))


async def _restart(place: str, child: str) -> None:
    from mainstay.cli.people import user_name

    async with _found(place) as (_, team, path):
        say(await team.restart_child(child, path, by=user_name()))
