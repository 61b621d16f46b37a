"""A step of a sequence: what each task of a chain adds, here and on a server as it comes."""

from __future__ import annotations

from statistics import median

from benchmarks import bare
from benchmarks.bench import Bench
from benchmarks.plans import chain
from benchmarks.report import Finding, finding
from benchmarks.rig import Rig, rig, stock_rig

GOAL_MS = 9
GOAL_OF_STOCK = 0.2
"""Of what a step takes on a server that is not tuned."""
WARM_UP = 20


async def measure(bench: Bench) -> list[Finding]:
    """Run chains of ours, bare ones and the others' in turn."""
    steps = bench.size(100, 40)
    ours, floor, stock = [], [], []
    async with rig() as tuned, stock_rig() as plain:
        for made in (tuned, plain):
            await made.run(chain(WARM_UP))
            await made.run_bare(bare.SEQUENCE, WARM_UP)
        for _ in range(bench.rounds + 2):
            ours.append(await _step_ms(tuned, steps))
            floor.append(await tuned.run_bare(bare.SEQUENCE, steps) * 1000 / steps)
        for _ in range(bench.rounds):
            stock.append(await _step_ms(plain, steps // 2))
    value, least = median(ours), median(floor)
    if bench.peers is None:
        bench.run_peers()
    peers = bench.peers.step_milliseconds() if bench.peers else {}
    peers = {"stock server": median(stock), **peers}
    how = f"median of {len(ours)} chains of {steps} tasks; {value - least:.1f} ms above the floor"
    return [
        finding(
            "a step of a sequence",
            value,
            "ms",
            goal=GOAL_MS,
            floor=least,
            peers=peers,
            note=how,
        ),
        finding("the same, of a stock server's", value / median(stock), "", goal=GOAL_OF_STOCK),
    ]


async def _step_ms(made: Rig, steps: int) -> float:
    seconds, _ = await made.run(chain(steps))
    return seconds * 1000 / steps
