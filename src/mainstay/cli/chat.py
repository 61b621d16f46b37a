"""``agent chat``: a conversation with an agent at the terminal.

The prompt is read while nothing else runs; each line then runs to its end. So Ctrl-C at the prompt
clears the line, Ctrl-C while an answer is awaited stops waiting, and Ctrl-D leaves.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_arguments import LivingAgentArgument
from mainstay.cli.messages import hint, say, tell_error
from mainstay.cli.options import option
from mainstay.schemas.errors import MainstayError

if TYPE_CHECKING:
    from mainstay.cli.chat_talk import Chat

HISTORY_LINES = 1_000
ThreadOption = Annotated[
    str,
    option("--thread", metavar="ID", help="A conversation other than the agent's own."),
]


def chat(agent: LivingAgentArgument, thread: ThreadOption = "") -> None:
    """Talk with an agent; /help shows what else can be typed."""
    from mainstay.settings import Settings

    file = Settings().data_dir / "chat_history"
    with asyncio.Runner() as runner, _Lines(file) as lines:
        closing = AsyncExitStack()
        opened = runner.run(_open(closing, agent, thread))
        try:
            _converse(runner, opened, lines)
        finally:
            runner.run(closing.aclose())


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(chat)


async def _open(closing: AsyncExitStack, agent: str, thread: str) -> Chat:
    from mainstay.cli.agent_reading import agents_online
    from mainstay.cli.chat_talk import open_chat

    try:
        mainstay = await closing.enter_async_context(agents_online())
        return await open_chat(mainstay, agent, thread)
    except BaseException:
        await closing.aclose()
        raise


def _converse(runner: asyncio.Runner, opened: Chat, lines: _Lines) -> None:
    """Read lines and act on each, until the person leaves."""
    say(f"you talk with {opened.name}; /help shows what else can be typed, Ctrl-D leaves")
    while not opened.is_over:
        try:
            line = lines.read(opened.prompt)
        except KeyboardInterrupt:
            say("")
            continue
        if line is None:
            break
        try:
            runner.run(opened.act(line))
        except KeyboardInterrupt:
            say("\nstopped waiting; the agent goes on")
            hint("/wait waits for its answer again, /pause lets it pause")
        except MainstayError as error:
            tell_error(error)


class _Lines:
    """Lines that a person types, with editing and history where the terminal has them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._is_terminal = bool(sys.stdin and sys.stdin.isatty())

    def __enter__(self) -> _Lines:
        if self._is_terminal:
            import readline

            with suppress(OSError):
                readline.read_history_file(self._file)
            readline.set_history_length(HISTORY_LINES)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_terminal:
            return
        import readline

        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # What was said to an agent is the person's own.
            os.close(os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600))
            readline.write_history_file(self._file)

    def read(self, prompt: str) -> str | None:
        r"""Read what is typed next; a line that ends in ``\`` goes on. None at the end."""
        parts: list[str] = []
        while True:
            try:
                part = input(("... " if parts else prompt) if self._is_terminal else "")
            except EOFError:
                return "\n".join(parts) if parts else None
            if not part.endswith("\\"):
                return "\n".join([*parts, part])
            parts.append(part.removesuffix("\\"))
