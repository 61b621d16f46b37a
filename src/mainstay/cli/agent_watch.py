"""``agent watch``: what happens to an agent and what it does, line by line, until it ends."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_arguments import AgentArgument
from mainstay.cli.arguments import JsonOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.printing import mark, one_line, print_json_line

if TYPE_CHECKING:
    from mainstay.agent_handle import AgentHandle
    from mainstay.client import Mainstay
    from mainstay.schemas.agent_calls import AgentEvent

PAGE = 1000
LOOK_SECONDS = 3.0
"""How often it is looked whether anything drives the agent."""

LastOption = Annotated[
    int, option("--last", min=0, help="Begin with so many of the events there were.")
]
AllOption = Annotated[bool, option("--all", help="Begin at the beginning.")]


def watch(
    agent: AgentArgument,
    last: LastOption = 20,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Follow an agent until it ends; Ctrl-C stops watching, and the agent goes on."""
    asyncio.run(_watch(agent, None if show_all else last, as_json))


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(watch)


async def _watch(text: str, last: int | None, as_json: bool) -> None:
    from mainstay.cli.agent_reading import agents_online

    async with agents_online() as mainstay:
        agent = await mainstay.agent(text)
        number = 0
        for event in await _past(mainstay, agent.id, last):
            number = event.number
            _print(event, as_json)
        if last == 0:
            number = await _last_number(mainstay, agent.id)
        looking = asyncio.create_task(_tell_when_undriven(agent))
        try:
            async for event in agent.events(number):
                _print(event, as_json)
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking


async def _past(mainstay: Mainstay, agent_id: str, last: int | None) -> list[AgentEvent]:
    """Return the latest events; all of them for None."""
    kept: deque[AgentEvent] = deque(maxlen=last)
    number = 0
    while events := await mainstay.store.agent_events_after(agent_id, number, PAGE):
        kept.extend(events)
        number = events[-1].number
    return list(kept)


async def _last_number(mainstay: Mainstay, agent_id: str) -> int:
    events = await _past(mainstay, agent_id, 1)
    return events[-1].number if events else 0


async def _tell_when_undriven(agent: AgentHandle) -> None:
    """Say, once each time, that nothing drives the agent, and that something does again."""
    from mainstay.schemas.errors import AgentFailed, MainstayError

    told = ""
    while True:
        try:
            await agent.see_driven()
            if told:
                say("it is driven again")
            told = ""
        except AgentFailed:
            return
        except MainstayError as error:
            if error.message != told:
                told = error.message
                say(error.message)
                hint(error.hint)
        await asyncio.sleep(LOOK_SECONDS)


def _print(event: AgentEvent, as_json: bool) -> None:
    if as_json:
        print_json_line(event)
    else:
        print(event_line(event))
    sys.stdout.flush()


def event_line(event: AgentEvent) -> str:
    """Write an event on one line: its time, what happened, and to what."""
    what = event.kind.value.replace("_", " ")
    if event.to_state is not None:
        before = f"{event.from_state.value.lower()} -> " if event.from_state else ""
        what = f"{before}{mark(event.to_state.value.lower())[0]}"
    parts = [f"{event.at.astimezone():%H:%M:%S}", f"{what:<18}", one_line(event.message)]
    if event.trigger:
        parts.append(f"({one_line(event.trigger)})")
    return " ".join(part for part in parts if part).rstrip()
