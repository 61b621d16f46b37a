"""What a task leaves in Temporal's history: it is replayed, and it is limited."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.plans import chain, diamond, many_items
from benchmarks.report import Finding, finding
from benchmarks.rig import Rig, rig
from mainstay.schemas.plan import PlanSpec


async def measure(bench: Bench) -> list[Finding]:
    """Run one plan of each shape and weigh its history."""
    size = bench.size(200, 40)
    found: list[Finding] = []
    async with rig() as made:
        found += await _weigh(made, "task of a chain", chain(size), size)
        found += await _weigh(made, "task of a diamond", diamond(size - 2), size)
        items = many_items(10_000, 500, 2)
        found += await _weigh(made, "item of a for_each", items, 10_000)
    return found


async def _weigh(made: Rig, what: str, plan: PlanSpec, count: int) -> list[Finding]:
    _, run = await made.run(plan)
    history = await made.history_of(run)
    events, size = len(history.events), sum(event.ByteSize() for event in history.events)
    return [
        finding(
            f"history of one {what}", size / count, "bytes", note=f"{events / count:.3g} events"
        )
    ]
