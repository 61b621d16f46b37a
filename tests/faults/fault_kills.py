"""Killing the worker, the server or both at a random moment of a run, and what came of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from random import Random
from typing import Any

from fault_rig import Rig
from fault_run import Run


class Victim(StrEnum):
    """What is killed."""

    WORKER = "worker"
    SERVER = "server"
    BOTH = "both"


@dataclass(frozen=True)
class Outcome:
    """One kill and its run, which has been judged.

    Attributes:
        moment: seconds after the start at which the kill came.
        seconds: how long the whole run took.
        doubles: calls that were made again; their effects were not.
    """

    round: int
    victim: Victim
    moment: float
    seconds: float
    doubles: int

    def as_row(self) -> dict[str, Any]:
        """Return it as JSON-like data."""
        return asdict(self)


async def undisturbed_seconds(rig: Rig) -> float:
    """Run the plan with nothing killed, judge it, and return how long it took."""
    begin = time.monotonic()
    run = await Run.start(rig, "undisturbed")
    result = await run.end()
    seconds = time.monotonic() - begin
    await run.judge(result)
    assert run.ledger.doubles == 0
    return seconds


async def strike(rig: Rig, victim: Victim) -> None:
    """Kill with SIGKILL, and start at once what was killed."""
    if victim is not Victim.SERVER:
        rig.workers[-1].kill()
    if victim is not Victim.WORKER:
        await rig.kill_server()
        await rig.start_server()
    if victim is not Victim.SERVER:
        rig.start_worker()


async def kill_once(
    rig: Rig, latest: float, number: int, victim: Victim, random: Random
) -> Outcome:
    """Run the plan, kill something at a random moment of it, and judge what was left.

    The moment is at most ``latest`` seconds after the start. A kill that came too late, because
    the run had ended, does not count: the plan is run again.
    """
    for attempt in range(5):
        moment = random.uniform(0.02, latest)
        begin = time.monotonic()
        run = await Run.start(rig, f"round-{number}-{attempt}")
        await asyncio.sleep(moment)
        hit = not await run.has_ended()
        await strike(rig, victim)
        result = await run.end()
        seconds = time.monotonic() - begin
        await run.judge(result)
        await rig.workers[-1].ready()
        if hit:
            return Outcome(number, victim, round(moment, 3), round(seconds, 3), run.ledger.doubles)
    raise AssertionError(f"round {number}: no kill came before the run's end")
