"""``mainstay thread``: conversations, which outlive the agents that had them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_completion import complete_agent
from mainstay.cli.amounts import format_age
from mainstay.cli.arguments import JsonOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import AGENTS
from mainstay.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from mainstay.client import Mainstay
    from mainstay.schemas.conversation import ThreadRow

app = typer.Typer(help="Look at conversations, export and fork them.", no_args_is_help=True)

ThreadArgument = Annotated[
    str,
    typer.Argument(
        metavar="THREAD|AGENT",
        help="A thread's id, or an agent for its own.",
        autocompletion=complete_agent,
        show_default=False,
    ),
]
AgentOption = Annotated[
    str,
    option("--agent", metavar="AGENT", help="Only its own.", autocompletion=complete_agent),
]
LimitOption = Annotated[int, option("--limit", min=1, max=10_000, help="At most so many.")]
LastOption = Annotated[int, option("--last", min=1, help="At most so many entries.")]
AllOption = Annotated[bool, option("--all", help="Every entry.")]
OutputOption = Annotated[
    Path | None,
    option("--output", "-o", metavar="FILE", help="Write it to a file.", show_default=False),
]
AtOption = Annotated[
    int | None,
    option(
        "--at",
        min=0,
        metavar="POSITION",
        help="Take the entries before this one; all of them without it.",
        show_default=False,
    ),
]
TitleOption = Annotated[str, option("--title", help="What to call the new one.")]


@app.callback()
def thread() -> None:
    """Look at conversations, export and fork them."""


@app.command("list")
def list_threads(
    agent: AgentOption = "", limit: LimitOption = 50, as_json: JsonOption = False
) -> None:
    """List conversations, the latest first."""
    asyncio.run(_list(agent, limit, as_json))


@app.command()
def show(
    thread: ThreadArgument,
    last: LastOption = 40,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a conversation: who said what, and which tools were used."""
    asyncio.run(_show(thread, None if show_all or as_json else last, as_json))


@app.command()
def export(
    thread: ThreadArgument, output: OutputOption = None, as_json: JsonOption = False
) -> None:
    """Write a whole conversation as Markdown, or with --json one entry a line."""
    asyncio.run(_export(thread, output, as_json))


@app.command()
def fork(
    thread: ThreadArgument,
    at: AtOption = None,
    title: TitleOption = "",
    as_json: JsonOption = False,
) -> None:
    """Begin a new conversation with the entries of another. Prints the new one's id."""
    asyncio.run(_fork(thread, at, title, as_json))


def register(root: typer.Typer) -> None:
    """Add this family of commands."""
    root.add_typer(app, name="thread", rich_help_panel=AGENTS)


async def _find(mainstay: Mainstay, text: str) -> ThreadRow:
    """Return the thread that a text means: its own id, or an agent's.

    Raises:
        NotFound: neither is known.
    """
    from mainstay.schemas.errors import NotFound

    row = await mainstay.store.get_thread(text)
    if row is not None:
        return row
    try:
        agent = await mainstay.find_agent(text)
    except NotFound:
        raise NotFound(
            f"there is no thread and no agent {text!r}", hint="`mainstay thread list` shows them"
        ) from None
    row = await mainstay.store.get_thread(agent.thread)
    if row is None:
        raise NotFound(f"the thread of {agent.name!r} is not there: {agent.thread!r}")
    return row


async def _list(agent: str, limit: int, as_json: bool) -> None:
    from mainstay.cli.reading import reading

    async with reading() as mainstay:
        owner = (await mainstay.find_agent(agent)).agent_id if agent else ""
        rows = await mainstay.store.list_threads(owner, limit)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("no threads")
        return
    print_table(
        ["thread", "title", "entries", "age", "forked from"],
        [
            [
                row.thread_id,
                row.title,
                str(row.entries),
                format_age(row.updated_at),
                f"{row.parent} at {row.forked_at}" if row.parent else "",
            ]
            for row in rows
        ],
        whole=["thread"],
    )


async def _show(text: str, last: int | None, as_json: bool) -> None:
    from mainstay.cli.reading import reading
    from mainstay.cli.thread_words import entry_text

    async with reading() as mainstay:
        row = await _find(mainstay, text)
        first = 0 if last is None else max(0, row.entries - last)
        entries = await mainstay.store.load_entries(row.thread_id, first)
        said = await mainstay.store.live_text(row.thread_id)
    if as_json:
        print_json({"thread": row, "entries": entries, "live": said})
        return
    if first:
        say(f"the last {len(entries)} of {row.entries} entries; --all shows them all")
    for entry in entries:
        print(entry_text(entry))
    if said is not None and said.text:
        say("a model is saying more just now")
    if not entries:
        say(f"nothing was said in {row.thread_id} yet")


async def _export(text: str, output: Path | None, as_json: bool) -> None:
    from mainstay.cli.printing import to_json_text
    from mainstay.cli.reading import reading
    from mainstay.cli.thread_words import to_markdown

    async with reading() as mainstay:
        row = await _find(mainstay, text)
        entries = await mainstay.store.load_entries(row.thread_id)
    body = (
        "".join(f"{to_json_text(entry)}\n" for entry in entries)
        if as_json
        else to_markdown(row, entries)
    )
    if output is None:
        print(body, end="")
        return
    _write(output, body)
    say(f"wrote {len(entries)} entries to {output}")


def _write(file: Path, body: str) -> None:
    from mainstay.schemas.errors import InvalidInput

    try:
        file.write_text(body, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{str(file)!r} cannot be written: {error.strerror}") from None


async def _fork(text: str, at: int | None, title: str, as_json: bool) -> None:
    import uuid

    from mainstay.cli.reading import reading

    async with reading() as mainstay:
        row = await _find(mainstay, text)
        position = row.entries if at is None else at
        made = await mainstay.store.fork_thread(
            row.thread_id, position, f"thread/{uuid.uuid4()}", title
        )
    if as_json:
        print_json(made)
        return
    print(made.thread_id)
    hint(f"`mainstay agent spawn FILE --thread {made.thread_id}` lets an agent go on from it")
