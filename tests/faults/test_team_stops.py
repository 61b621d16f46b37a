"""Agents that ignore their stop are gone in time, and nothing of a team is left after its end."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fault_rig import POLL_SECONDS, Ledger, Rig, running_rig, until
from team_crew import played
from team_shift import see_nothing_open

from mainstay.agent_driving import is_open
from mainstay.schemas.ids import team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ChildPhase, SupervisorEnd
from mainstay.team_handle import TeamHandle

RUN = "0123abcd"
SHUTDOWN_SECONDS = 0.5
KILL_SECONDS = 2.0
"""From the end of the ``shutdown`` time until an agent is killed."""

MARGIN_SECONDS = 2.0
"""For a busy machine."""

PROCESS_SECONDS = 5.0
"""Within so long a tool's process must be gone: a heartbeat, and the group's own grace."""

RUNNERS = ("slow-3", "slow-6", "brutal-1", "brutal-2")
"""Agents that run a program; it does not heed SIGTERM."""

END_SECONDS = 30.0
STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


async def test_agents_that_ignore_their_stop_are_gone_in_time_and_leave_nothing(tmp_path):
    async with running_rig(tmp_path / "rig") as rig:
        ledger = Ledger(tmp_path / "ledger.db")
        team = await busy_team(rig, ledger)
        seconds = await asyncio.gather(
            *(seconds_to_end(rig, team, f"slow-{n}") for n in (1, 2, 3)),
            seconds_to_end(rig, team, "brutal-1"),
        )
        assert max(seconds[:3]) <= SHUTDOWN_SECONDS + KILL_SECONDS + MARGIN_SECONDS
        assert min(seconds[:3]) >= SHUTDOWN_SECONDS
        assert seconds[3] <= MARGIN_SECONDS
        gone = ("slow-3", "brutal-1")
        await until(lambda: not any(map(processes, gone)), "tools' end", PROCESS_SECONDS)
        assert all(map(processes, ("slow-6", "brutal-2")))  # nobody else's process was hit
        began = time.monotonic()
        async with asyncio.timeout(END_SECONDS):
            result = await team.down()
        assert result.end is SupervisorEnd.STOPPED
        assert time.monotonic() - began <= SHUTDOWN_SECONDS + KILL_SECONDS + 2 * MARGIN_SECONDS
        await see_nothing_open(rig)
        await until(lambda: not processes(RUN), "tools' end", PROCESS_SECONDS)
        assert {row.state for row in (await team.sight()).agents} == {LifeState.TERMINATED}
        children = (await team.view()).children
        assert {child.phase for child in children} <= {ChildPhase.STOPPED}


async def busy_team(rig: Rig, ledger: Ledger) -> TeamHandle:
    """Bring a team up whose agents all do something that they do not leave off when told."""

    def process(name: str) -> dict[str, object]:
        return {"process.run": {"command": ["sh", "-c", STUBBORN, f"{RUN}-{name}"]}}

    deaf = {"ledger.put": {"ledger": str(ledger.path), "name": "deaf", "seconds": 600}}
    turns = [
        {"when": {"matches": "^think$"}, "say": "at last", "delay": "4m"},
        {"when": {"matches": "^be deaf$"}, "tools": [deaf]},
        *({"when": {"matches": f"^{name}$"}, "tools": [process(name)]} for name in RUNNERS),
    ]
    children = [
        {"name": "slow", "agent": "hand", "count": 6, "shutdown": f"{SHUTDOWN_SECONDS}s"},
        {"name": "brutal", "agent": "hand", "count": 2, "shutdown": "brutal_kill"},
    ]
    tools = ["process.run", "ledger.put"]
    team = await rig.mainstay.team_up(
        played("busy", rig.folder, turns, children, tools=tools), run=RUN
    )
    told = ["be deaf", "think", "slow-3", "be deaf", "think", "slow-6", "brutal-1", "brutal-2"]
    names = [*(f"slow-{n + 1}" for n in range(6)), "brutal-1", "brutal-2"]
    for name, text in zip(names, told, strict=True):
        await rig.mainstay.agent_handle(team_agent_id("busy", RUN, name)).send(text)
    await until(lambda: all(map(processes, RUNNERS)), "the tools' processes")
    await until(lambda: len(ledger.calls()) == 2, "the deaf tools")
    return team


async def seconds_to_end(rig: Rig, team: TeamHandle, name: str) -> float:
    """Have an agent stopped; returns how long it took until nothing of it was open."""
    began = time.monotonic()
    async with asyncio.timeout(END_SECONDS):
        await team.terminate_child(name)
        while await is_open(rig.mainstay.temporal, team_agent_id(team.name, RUN, name)):
            await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - began


def processes(marker: str) -> list[int]:
    """Return the processes in whose command line a word stands that begins so."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it may end meanwhile
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if any(word.startswith(marker_of(marker)) for word in words):
                    found.append(int(entry.name))
    return found


def marker_of(name: str) -> str:
    """Return what stands in the command line of an agent's process."""
    return name if name == RUN else f"{RUN}-{name}"
