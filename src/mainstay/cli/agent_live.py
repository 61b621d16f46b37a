"""Waiting for an agent's answer while showing what it says and does meanwhile.

What a model is saying is shown in place, and taken away when the answer is there: a retry's words
thereby take the place of those of the attempt before. Only what is on record stays on the screen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from mainstay.cli.messages import can_show_symbols
from mainstay.cli.printing import one_line
from mainstay.cli.thread_words import printable, use_text
from mainstay.schemas.conversation import EntryKind
from mainstay.schemas.errors import MainstayError

if TYPE_CHECKING:
    from mainstay.agent_handle import AgentHandle
    from mainstay.client import Mainstay
    from mainstay.schemas.agent_calls import QuestionView
    from mainstay.schemas.conversation import Entry, LiveText
    from mainstay.schemas.messages import Message

Waiting = Coroutine[Any, Any, "Message"]  # Any: what a coroutine is sent, which is unused

REFRESH_SECONDS = 0.1
QUESTION_SECONDS = 1.0
"""How often an agent is asked whether it asks something."""
LONGEST_CALL = 100
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Asked(Exception):
    """The agent waits for an answer to a question of its own."""

    def __init__(self, question: QuestionView) -> None:
        super().__init__(question.question)
        self.question = question


@dataclass
class Awaited:
    """A message whose answer is waited for.

    Attributes:
        thread: the conversation it belongs to.
        position: where what was not shown yet begins; at first, the conversation's length.
    """

    agent: AgentHandle
    message_id: str
    thread: str
    position: int


async def about(mainstay: Mainstay, agent: AgentHandle, message_id: str) -> Awaited:
    """Note where a conversation stands, so that what comes next can be shown."""
    message = await mainstay.store.get_message(message_id)
    thread = message.thread or (await agent.row()).thread
    row = await mainstay.store.get_thread(thread)
    return Awaited(agent, message_id, thread, row.entries if row else 0)


async def wait_shown(
    mainstay: Mainstay,
    awaited: Awaited,
    console: Console,
    timeout: timedelta | None = None,
    answered: Sequence[str] = (),
) -> Message:
    """Wait for a message to end, showing on a terminal what its agent says and does.

    Args:
        mainstay: the client.
        awaited: what is waited for.
        console: where it is shown.
        timeout: how long to wait.
        answered: questions that were answered already.

    Raises:
        Asked: the agent asks something.
        MainstayError: nothing drives the agent, or the time is up.
    """
    async with _background(awaited.agent.wait(awaited.message_id, timeout)) as waiting:
        screen = _Screen(mainstay, awaited, console)
        with Live(console=console, auto_refresh=False, transient=True) as live:
            asked_at = time.monotonic()
            while not waiting.done():
                await screen.refresh(live)
                if time.monotonic() - asked_at > QUESTION_SECONDS:
                    await raise_question(awaited.agent, answered)
                    asked_at = time.monotonic()
                await asyncio.wait({waiting}, timeout=REFRESH_SECONDS)
            await screen.refresh(live)
            live.update(Text(""), refresh=True)
        return waiting.result()


async def wait_unseen(
    awaited: Awaited, timeout: timedelta | None = None, answered: Sequence[str] = ()
) -> Message:
    """Wait for a message to end where there is no terminal to show anything on.

    Raises:
        Asked: the agent asks something.
        MainstayError: nothing drives the agent, or the time is up.
    """
    async with _background(awaited.agent.wait(awaited.message_id, timeout)) as waiting:
        while not (await asyncio.wait({waiting}, timeout=QUESTION_SECONDS))[0]:
            await raise_question(awaited.agent, answered)
        return waiting.result()


async def raise_question(agent: AgentHandle, answered: Sequence[str] = ()) -> None:
    """See whether the agent waits for a person.

    Raises:
        Asked: it does.
    """
    with suppress(MainstayError):  # whether anything drives it is looked at elsewhere
        for question in (await agent.info()).questions:
            if question.use_id not in answered:
                raise Asked(question)


class _Screen:
    """What is on the screen: entries that stay, and below them what is being said."""

    def __init__(self, mainstay: Mainstay, awaited: Awaited, console: Console) -> None:
        self._mainstay = mainstay
        self._awaited = awaited
        self._console = console
        self._began = time.monotonic()
        self._symbols = can_show_symbols()

    async def refresh(self, live: Live) -> None:
        store, thread = self._mainstay.store, self._awaited.thread
        for entry in await store.load_entries(thread, self._awaited.position):
            self._awaited.position = entry.position + 1
            for line in entry_lines(entry):
                live.console.print(line)
        live.update(self._draw(await store.live_text(thread)), refresh=True)

    def _draw(self, said: LiveText | None) -> RenderableType:
        spent = time.monotonic() - self._began
        sign = SPINNER[int(spent * 10) % len(SPINNER)] if self._symbols else "..."
        again = f", attempt {said.attempt}" if said and said.attempt > 1 else ""
        status = Text(f"{sign} {spent:.0f}s{again}", style="dim")
        if said is None or not said.text:
            return status
        rows = max(self._console.height - 4, 3)
        text = Text(printable(said.text))
        lines = text.wrap(self._console, self._console.width)
        return Group(*lines[-rows:], status)


def entry_lines(entry: Entry) -> list[Text]:
    """Write what an agent did on its way to the answer; the answer itself is not among it."""
    if entry.kind is EntryKind.ASSISTANT and entry.uses:
        said = [Text(printable(entry.text))] if entry.text.strip() else []
        calls = [
            Text(f"  {use_text(use.name, use.arguments)[:LONGEST_CALL]}", style="dim")
            for use in entry.uses
        ]
        return said + calls
    if entry.kind is EntryKind.TOOL and entry.is_error:
        failed = one_line(entry.text)[:LONGEST_CALL]
        return [Text(f"  {entry.tool} failed: {failed}", style="red")]
    return []


@asynccontextmanager
async def _background(waiting: Waiting) -> AsyncIterator[asyncio.Task[Message]]:
    task = asyncio.create_task(waiting)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
