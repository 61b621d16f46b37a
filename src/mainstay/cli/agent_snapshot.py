"""Keeping whole agents, bringing them back, and letting their conversations branch."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_arguments import AgentArgument
from mainstay.cli.agent_completion import complete_agent
from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.printing import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainstay.agent_handle import AgentHandle
    from mainstay.schemas.snapshots import Snapshot

KEPT = "snapshot/"
"""How the keys of snapshots in the database begin."""

OutputArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="Where to; zipped if it ends in .gz. Without it, into Mainstay's own database.",
        show_default=False,
    ),
]
ForceOption = Annotated[bool, option("--force", help="Write over a file that is there.")]
ListedArgument = Annotated[
    str,
    typer.Argument(metavar="[AGENT]", help="Only its own.", autocompletion=complete_agent),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE|KEY",
        help="A snapshot's file, or its key: `mainstay agent snapshots` lists them.",
        show_default=False,
    ),
]
NameOption = Annotated[str, option("--name", metavar="NAME", help="The new agent's name.")]
TeamOption = Annotated[str, option("--team", metavar="NAME", help="Its team, if it is another.")]
AtOption = Annotated[
    int | None,
    option(
        "--at",
        min=0,
        metavar="POSITION",
        help="Copy the entries before this one; all of them without it.",
        show_default=False,
    ),
]


def snapshot(agent: AgentArgument, file: OutputArgument = None, force: ForceOption = False) -> None:
    """Keep a whole agent as it stands: its file, conversations, messages, spending, memories."""
    from mainstay.schemas.errors import Refused

    if file is not None and file.exists() and not force:
        raise Refused(f"there is a file {str(file)!r} already", hint="--force writes over it")
    asyncio.run(_snapshot(agent, file))


def snapshots(agent: ListedArgument = "", as_json: JsonOption = False) -> None:
    """List the snapshots that are kept in the database."""
    asyncio.run(_snapshots(agent, as_json))


def restore(
    source: SourceArgument,
    name: NameOption = "",
    team: TeamOption = "",
    tools: ToolsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an agent of a snapshot, complete or not at all. Prints its name."""
    asyncio.run(_restore(source, name, team, tools or [], as_json))


def fork(
    agent: AgentArgument,
    name: NameOption = "",
    team: TeamOption = "",
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make another agent that goes on from a copy of the conversation. Prints its name."""
    asyncio.run(_fork(agent, name, team, at, as_json))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (snapshot, snapshots, restore, fork):
        app.command()(command)


async def _snapshot(agent: str, file: Path | None) -> None:
    from mainstay.agent_copies import pack_snapshot
    from mainstay.cli.agent_reading import agents_online

    async with agents_online() as mainstay:
        taken = await mainstay.snapshot(agent)
        if file is None:
            place = await mainstay.keep_snapshot(taken)
        else:
            place = str(file)
            body = pack_snapshot(taken, is_zipped=file.suffix == ".gz")
            await asyncio.to_thread(_write, file, body)
    print(place)
    entries = sum(thread.length for thread in taken.threads)
    say(f"{taken.name}: {entries} entries, {len(taken.waiting)} messages that wait")
    if taken.taken:
        say(f"{len(taken.taken)} of them are taken: a restored agent begins them again")
    hint(f"`mainstay agent restore {place} --name NEW` makes an agent of it")


async def _snapshots(agent: str, as_json: bool) -> None:
    from mainstay.cli.agent_reading import agents_online
    from mainstay.schemas.errors import NotFound

    async with agents_online() as mainstay:
        name = agent
        if agent:
            try:
                name = (await mainstay.find_agent(agent)).name
            except NotFound:
                name = agent if "/" in agent else f"main/{agent}"
        keys = await mainstay.kept_snapshots(name)
    if as_json:
        print_json(keys)
        return
    for key in keys:
        print(key)
    if not keys:
        say("no snapshots are kept in the database")
        hint("`mainstay agent snapshot AGENT` keeps one")


async def _restore(source: str, name: str, team: str, tools: Sequence[str], as_json: bool) -> None:
    from mainstay.cli.agent_reading import agents_online
    from mainstay.tools.catalogue import load_catalogue

    async with agents_online() as mainstay:
        if source.startswith(KEPT):
            taken = await mainstay.kept_snapshot(source)
        else:
            taken = await asyncio.to_thread(_read, source)
        known = load_catalogue([*mainstay.settings.tools, *tools]).specs()
        made = await mainstay.restore(taken, name or None, team=team, tools=known)
        await _show(made, as_json)


async def _fork(agent: str, name: str, team: str, at: int | None, as_json: bool) -> None:
    from mainstay.cli.agent_reading import agents_online

    async with agents_online() as mainstay:
        made = await mainstay.fork(agent, name or None, position=at, team=team)
        await _show(made, as_json)


async def _show(made: AgentHandle, as_json: bool) -> None:
    row = await made.row()
    if as_json:
        print_json(row)
        return
    print(row.name)
    hint(f"`mainstay agent chat {row.name}` talks to it")


def _read(source: str) -> Snapshot:
    from mainstay.agent_copies import unpack_snapshot
    from mainstay.schemas.errors import InvalidInput, NotFound

    path = Path(source)
    try:
        return unpack_snapshot(path.read_bytes(), source)
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {source!r}", hint="`mainstay agent snapshots` lists the kept ones"
        ) from None
    except OSError as error:
        raise InvalidInput(f"{source!r} cannot be read: {error.strerror or error}") from None


def _write(file: Path, body: bytes) -> None:
    from mainstay.schemas.errors import InvalidInput
    from mainstay.tools.atomic import write_atomically

    try:
        write_atomically(str(file), body, "")
    except OSError as error:
        raise InvalidInput(
            f"{str(file)!r} cannot be written: {error.strerror or error}",
            hint="name a file in a folder that is there",
        ) from None
