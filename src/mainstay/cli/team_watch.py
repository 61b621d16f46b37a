"""Following a team: a picture that is drawn in place, lines on a pipe, or JSON."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live

from mainstay.agent_driving import Driving
from mainstay.cli.display import Screen
from mainstay.cli.messages import can_show_symbols
from mainstay.cli.printing import format_time, one_line, print_json_line
from mainstay.cli.team_reading import DRIVING_NOTES, look, team_data
from mainstay.cli.team_tree import ENDLESS, Picture, counts_of, draw
from mainstay.client import Mainstay
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.supervision_calls import SupervisionEvent
from mainstay.team_handle import TeamHandle
from mainstay.team_sight import TeamSight

REFRESH_SECONDS = 0.25
"""A picture is drawn at most four times a second."""
REFRESH_SHARE = 5
"""A picture may take a fifth of the time: a large team is drawn less often."""
DRIVING_SECONDS = 3.0
"""How often it is looked whether anything drives the team."""
MAX_TASKS = 60
"""Agents whose present task is read; no screen shows more."""
LONGEST_TASK = 200


async def watch_team(
    mainstay: Mainstay, team: TeamHandle, path: str | None = None, *, as_json: bool = False
) -> None:
    """Show a team until it has ended, or until cancelled.

    Raises:
        NotFound: there is no such team.
    """
    if as_json:
        await _json(mainstay, team, path)
    elif Console().is_terminal and not Console().is_dumb_terminal:
        await _picture(mainstay, team, path)
    else:
        await _lines(mainstay, team, path)


async def take_picture(
    mainstay: Mainstay, team: TeamHandle, path: str | None = None, note: str = ""
) -> Picture:
    """Read what there is to see of a team."""
    sight = await team.sight(path)
    return Picture(sight, await tasks_of(mainstay, sight), note)


async def tasks_of(mainstay: Mainstay, sight: TeamSight) -> dict[str, str]:
    """Return what agents work on just now: the message that each was given."""
    working = [row.agent_id for row in sight.agents if row.state is LifeState.RUNNING and row.batch]
    delivered = (MessageStatus.DELIVERED,)
    found = await asyncio.gather(
        *(mainstay.store.messages_of(one, delivered, 10) for one in working[:MAX_TASKS])
    )
    return {
        agent_id: _first(messages)
        for agent_id, messages in zip(working, found, strict=False)
        if messages
    }


def print_picture(picture: Picture, console: Console) -> None:
    """Print a team once, all of it."""
    screen = Screen(console.width, ENDLESS, can_show_symbols())
    for line in draw(picture, datetime.now(UTC), screen).renderables:
        console.print(line, soft_wrap=True)


def event_line(event: SupervisionEvent) -> str:
    """Write an event on one line: its time, how bad it is, what happened, to whom."""
    what = event.type.value.lower().replace("_", " ")
    parts = [
        format_time(event.at),
        f"{event.severity.value.lower():<8}",
        f"{what:<20}",
        one_line(event.child),
        one_line(event.message),
    ]
    return " ".join(part for part in parts if part).rstrip()


def _first(messages: Sequence[Message]) -> str:
    urgent = min(messages, key=lambda one: (one.priority, one.number))
    return one_line(urgent.text[:LONGEST_TASK])


class _Notes:
    """Says what keeps a team from going on; it is looked at beside the drawing."""

    def __init__(self, mainstay: Mainstay, team: TeamHandle) -> None:
        self._mainstay = mainstay
        self._team = team
        self._note = ""
        self._looking: asyncio.Task[None] | None = None

    def take(self) -> str:
        """Return the note of the latest look."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return self._note

    async def _look(self) -> None:
        with suppress(MainstayError):
            self._note = DRIVING_NOTES.get(await look(self._mainstay, self._team), "")
        await asyncio.sleep(DRIVING_SECONDS)

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()


async def _picture(mainstay: Mainstay, team: TeamHandle, path: str | None) -> None:
    console = Console(highlight=False, emoji=False)
    symbols = can_show_symbols()  # asked before Live puts itself in the place of stdout
    live = Live(
        console=console, auto_refresh=False, redirect_stderr=sys.stderr.isatty(), transient=False
    )
    with live, closing(_Notes(mainstay, team)) as notes:
        while True:
            began = time.monotonic()
            picture = await take_picture(mainstay, team, path, notes.take())
            screen = Screen(console.width, console.height - 1, symbols)
            live.update(draw(picture, datetime.now(UTC), screen), refresh=True)
            if _is_over(picture.sight):
                return
            spent = time.monotonic() - began
            await asyncio.sleep(max(REFRESH_SECONDS, REFRESH_SHARE * spent))


async def _lines(mainstay: Mainstay, team: TeamHandle, path: str | None) -> None:
    """Print what happens, line by line: the events, and how many agents are how."""
    told, seen = "", set[str]()
    with closing(_Notes(mainstay, team)) as notes:
        while True:
            sight = await team.sight(path)
            for event in await team.events():
                if event.key not in seen:
                    seen.add(event.key)
                    print(event_line(event), flush=True)
            said = _summary(sight, notes.take())
            if said != told:
                told = said
                print(f"{format_time(datetime.now(UTC))} {said}", flush=True)
            if _is_over(sight):
                return
            await asyncio.sleep(REFRESH_SECONDS)


def _summary(sight: TeamSight, note: str) -> str:
    counts = ", ".join(f"{number:,} {state}" for state, number in sorted(counts_of(sight).items()))
    said = f"{sight.team}: {sight.supervisors[0].life.value.lower()}; {counts or 'no agents'}"
    return f"{said}; {note}" if note else said


async def _json(mainstay: Mainstay, team: TeamHandle, path: str | None) -> None:
    last: object = None
    while True:
        picture = await take_picture(mainstay, team, path)
        data = team_data(picture.sight, picture.tasks, Driving.UNSEEN)
        data.pop("driving")
        if data != last:
            last = data
            print_json_line(data)
            sys.stdout.flush()
        if _is_over(picture.sight):
            return
        await asyncio.sleep(REFRESH_SECONDS)


def _is_over(sight: TeamSight) -> bool:
    return sight.supervisors[0].life is LifeState.TERMINATED
