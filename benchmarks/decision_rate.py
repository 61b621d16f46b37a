"""How many decisions are made a second: pure functions, so this is all they cost."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.plans import diamond
from benchmarks.report import Finding, finding
from mainstay.decisions.draft import Shape
from mainstay.decisions.outline import compile_outline
from mainstay.decisions.plan import begin, decide
from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import Directive, DoWork, Event, Started, WorkEnded
from mainstay.schemas.outline import PlanOutline
from mainstay.tools.catalogue import load_catalogue

GOAL = 1_000
"""Decisions a second, on a plan of 1,000 tasks."""


async def measure(bench: Bench) -> list[Finding]:
    """Take a plan of 1,000 tasks through every decision from its start to its end."""
    outline = compile_outline(diamond(998), load_catalogue([]).specs())
    rates = [_rate(outline) for _ in range(bench.rounds)]
    claim = "decisions on a plan of 1,000 tasks"
    return [finding(claim, median(rates), "decisions/s", goal=GOAL, aim="at least")]


def _rate(outline: PlanOutline) -> float:
    shape, now = Shape.of(outline), datetime.now(UTC)
    state = begin(outline, now)
    waiting: list[Event] = [Started()]
    made, began = 0, perf_counter()
    while waiting:
        state, directives = decide(state, [waiting.pop(0)], shape, now)
        waiting += [_done(order) for order in directives if isinstance(order, DoWork)]
        made += 1
    if state.remaining:
        raise RuntimeError(f"{state.remaining} tasks were left over")
    return made / (perf_counter() - began)


def _done(order: Directive) -> Event:
    assert isinstance(order, DoWork)
    return WorkEnded(order.task, order.unit, verdict=Verdict(done=1))
