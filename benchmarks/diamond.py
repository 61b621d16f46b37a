"""A plan of 1,000 tasks: one, then 998 at once, then one."""

from __future__ import annotations

from statistics import median

from benchmarks import bare
from benchmarks.bench import Bench
from benchmarks.plans import diamond
from benchmarks.report import Finding, finding
from benchmarks.rig import rig


async def measure(bench: Bench) -> list[Finding]:
    """Run the plan and as many bare activities in turn."""
    width = bench.size(998, 98)
    ours, floor = [], []
    async with rig() as made:
        await made.run(diamond(20))
        await made.run_bare(bare.PARALLEL, 20)
        for _ in range(bench.rounds):
            ours.append((await made.run(diamond(width)))[0])
            floor.append((await made.run_bare(bare.PARALLEL, width + 2))[0])
    if bench.peers is None:
        bench.run_peers()
    peers = bench.peers.diamond_seconds() if bench.peers else {}
    value, tasks = median(ours), width + 2
    return [
        finding(f"diamond of {tasks:,} tasks", value, "s", floor=median(floor), peers=peers),
        finding(
            f"diamond of {tasks:,} tasks, tasks done",
            tasks / value,
            "tasks/s",
            floor=tasks / median(floor),
            peers={name: tasks / seconds for name, seconds in peers.items()},
        ),
    ]
