"""Many small items in one task: how many are done a second, durably.

At most one batch for each free place is done again after a kill: `tests/faults` proves it.
"""

from __future__ import annotations

from statistics import median

from benchmarks.bench import Bench
from benchmarks.plans import many_items
from benchmarks.report import Finding, finding
from benchmarks.rig import rig

GOAL = 5_000
"""Items a second."""
GOAL_TIMES = 5
"""Times the steps a second of the better of the others."""
BATCH = 500
MAX_PARALLEL = 2


async def measure(bench: Bench) -> list[Finding]:
    """Run a plan of 10,000 items, and the others' steps in between."""
    count = bench.size(10_000, 2_000)
    rates = []
    async with rig() as made:
        await made.run(many_items(BATCH, BATCH, MAX_PARALLEL))
        for _ in range(bench.rounds):
            bench.run_peers()
            seconds, _ = await made.run(many_items(count, BATCH, MAX_PARALLEL))
            rates.append(count / seconds)
    rate = median(rates)
    peers = bench.peers.steps_a_second() if bench.peers else {}
    how = f"{count:,} items in batches of {BATCH}, {MAX_PARALLEL} batches at once"
    found = [
        finding(
            "for_each, items done durably",
            rate,
            "items/s",
            goal=GOAL,
            aim="at least",
            peers=peers,
            note=bench.why_no_peers or how,
        )
    ]
    if peers:
        times = rate / max(peers.values())
        claim = "for_each, times the better of the others' steps"
        found.append(finding(claim, times, "times", goal=GOAL_TIMES, aim="at least"))
    return found
