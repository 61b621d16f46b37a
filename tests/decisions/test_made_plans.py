"""Made plans, from their text to their end: each one ends, or says why it waits."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_world import World

from mainstay.decisions.outline import compile_outline
from mainstay.decisions.plan import next_alarm
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.validation import validate
from mainstay.decisions.progress import progress
from mainstay.schemas.directives import Ticked
from mainstay.schemas.run import PLAN_ENDS
from plan_strategies import TOOLS, as_yaml, valid_plans

SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large]
seeds = st.integers(0, 2**32 - 1)


def run(document: dict[str, Any], seed: int) -> None:
    """Read, check and compile a plan, and run it in a world that does as it likes."""
    plan = validate(read_plan(as_yaml(document), "made.yaml"), TOOLS).plan
    assert plan is not None
    world = World(compile_outline(plan, TOOLS), Random(seed))
    world.rage(world.random.choice([0, 10, 50]))
    if world.state.status not in PLAN_ENDS:
        world.decide(Ticked())  # hands out what a hold may have kept back
    if world.state.status not in PLAN_ENDS:
        summary = progress("plan/made/1", world.state, world.shape)
        alarm = next_alarm(world.state)
        assert summary.waiting_for or summary.running or world.state.in_flight or alarm
    world.behave()
    assert world.finish in PLAN_ENDS


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=SUPPRESSED)
@given(valid_plans(), seeds)
def test_a_made_plan_ends_or_says_why_it_waits(document: dict[str, Any], seed: int) -> None:
    run(document, seed)


@pytest.mark.deep
@settings(max_examples=2_000, deadline=None, suppress_health_check=SUPPRESSED)
@given(valid_plans(), seeds)
def test_each_of_two_thousand_plans_ends_or_says_why_it_waits(
    document: dict[str, Any], seed: int
) -> None:
    run(document, seed)
