"""A step of a sequence: from the moment one task is handed out to when the next is.

The moments are those of Temporal's history, so starting and ending a plan is not part of it.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from temporalio.api.enums.v1 import EventType

from benchmarks import bare
from benchmarks.bench import Bench
from benchmarks.plans import chain
from benchmarks.report import Finding, finding
from benchmarks.rig import Rig, rig, stock_rig
from mainstay.schemas import names

GOAL_MS = 9
GOAL_OF_STOCK = GOAL_MS / 51
"""Of what a step takes on a server that is not tuned."""
WARM_UP = 20
"""Steps of each run that are left out."""
SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
STEPS = {names.TASK_RUN, bare.ACTIVITY}


async def measure(bench: Bench) -> list[Finding]:
    """Run chains of ours, bare ones and some on a stock server in turn."""
    steps = bench.size(90, 40)
    ours: list[float] = []
    floor: list[float] = []
    stock: list[float] = []
    async with rig() as tuned, stock_rig() as plain:
        for _ in range(bench.rounds + 2):
            ours += await _ours_ms(tuned, steps)
            floor += await _floor_ms(tuned, steps)
            stock += await _ours_ms(plain, steps // 2 + WARM_UP)
    if bench.peers is None:
        bench.run_peers()
    others = bench.peers.step_milliseconds() if bench.peers else {}
    value, least, untuned = median(ours), median(floor), median(stock)
    how = f"median of {len(ours)} steps; {value - least:.1f} ms above the floor"
    peers = {"stock server": untuned, **others}
    return [
        finding(
            "a step of a sequence", value, "ms", goal=GOAL_MS, floor=least, peers=peers, note=how
        ),
        finding("the same, of a stock server's", value / untuned, "", goal=GOAL_OF_STOCK),
    ]


async def _ours_ms(made: Rig, steps: int) -> list[float]:
    _, run = await made.run(chain(steps))
    return await _intervals_ms(made, run)


async def _floor_ms(made: Rig, steps: int) -> list[float]:
    _, run = await made.run_bare(bare.SEQUENCE, steps)
    return await _intervals_ms(made, run)


async def _intervals_ms(made: Rig, run: str) -> list[float]:
    moments = [
        event.event_time.ToNanoseconds()
        for event in (await made.history_of(run)).events
        if event.event_type == SCHEDULED
        and event.activity_task_scheduled_event_attributes.activity_type.name in STEPS
    ]
    return [(after - before) / 1e6 for before, after in pairwise(moments)][WARM_UP:]
