"""Random plans in a random world: what must hold whatever happens."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_world import World

from mainstay.schemas.directives import CancelAsked, Paused, RetryAsked, SkipAsked, Ticked
from mainstay.schemas.outline import PlanOutline, TaskKind, TaskOutline
from mainstay.schemas.plan import ApprovalDefault, RetrySpec
from mainstay.schemas.priority import Level
from mainstay.schemas.run import PlanStatus, SkipCause, TaskStatus


@st.composite
def tasks(draw: st.DrawFn, position: int) -> TaskOutline:
    kind = draw(st.sampled_from([TaskKind.TOOL] * 6 + [TaskKind.PLAN, TaskKind.APPROVAL]))
    is_approval = kind is TaskKind.APPROVAL
    for_each = not is_approval and draw(st.booleans())
    asks = is_approval or draw(st.integers(0, 9)) == 0
    rounds = draw(st.sampled_from([1, 1, 1, 2, 3]))
    has_deadline = asks and draw(st.booleans())
    return TaskOutline(
        name=f"t{position}",
        kind=kind,
        needs=tuple(sorted(draw(st.sets(st.integers(0, position - 1), max_size=3))))
        if position
        else (),
        judges_needs=draw(st.integers(0, 4)) == 0,
        prepares=for_each or asks or kind is TaskKind.PLAN or draw(st.booleans()),
        for_each=for_each,
        batch=draw(st.integers(1, 3)) if for_each and kind is TaskKind.TOOL else 1,
        max_parallel=draw(st.sampled_from([None, 1, 2])),
        gathers=not is_approval
        and (for_each or kind is TaskKind.PLAN)
        and (rounds > 1 or draw(st.booleans())),
        asks=asks,
        deadline=timedelta(seconds=30) if has_deadline else None,
        default=draw(st.sampled_from([None, *ApprovalDefault])) if has_deadline else None,
        retry=RetrySpec(attempts=draw(st.integers(1, 3))),
        retries=draw(st.integers(0, 3)) > 0,
        continue_on_error=draw(st.integers(0, 4)) == 0,
        undoes=not is_approval and draw(st.integers(0, 2)) == 0,
        rounds=rounds,
        priority=draw(st.sampled_from(Level)),
    )


@st.composite
def outlines(draw: st.DrawFn) -> PlanOutline:
    count = draw(st.integers(1, 12))
    made = [draw(tasks(position)) for position in range(count)]
    # A task may stand before those it needs.
    order = draw(st.permutations(range(count)))
    place = {number: position for position, number in enumerate(order)}
    return PlanOutline(
        tasks=tuple(
            made[number].model_copy(update={"needs": tuple(place[n] for n in made[number].needs)})
            for number in order
        ),
        max_parallel=draw(st.integers(1, 4)),
        timeout=draw(st.sampled_from([None, None, None, timedelta(seconds=200)])),
    )


seeds = st.integers(0, 2**32 - 1)
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large]
quick = settings(max_examples=200, deadline=None, suppress_health_check=SUPPRESSED)
deep = settings(max_examples=5_000, deadline=None, suppress_health_check=SUPPRESSED)


def run_and_take_up(outline: PlanOutline, seed: int) -> None:
    world = World(outline, Random(seed))
    world.rage(world.random.choice([0, 20, 60, 200]))
    world.behave()
    world.check_ends_are_told()
    check_nothing_happens_after_the_end(world)
    if world.finish is not PlanStatus.SUCCEEDED:
        check_taken_up(world)


def check_nothing_happens_after_the_end(world: World) -> None:
    end = world.state
    world.decide(Ticked(), Paused(), CancelAsked("late", timedelta(0)))
    for position in range(len(end.tasks)):
        world.decide(RetryAsked(position), SkipAsked(position))
    assert world.state == end


def check_taken_up(world: World) -> None:
    world.take_up()
    world.behave()
    world.check_ends_are_told()
    assert world.finish is PlanStatus.SUCCEEDED or is_out_of_time(world)
    for position, task in enumerate(world.state.tasks):
        allowed = {TaskStatus.SUCCEEDED, TaskStatus.SKIPPED}
        if is_out_of_time(world):
            continue
        assert task.status in allowed
        if task.skipped_by is SkipCause.NEED:
            needs = world.outline.tasks[position].needs
            assert any(world.state.tasks[need].status is TaskStatus.SKIPPED for need in needs)


def is_out_of_time(world: World) -> bool:
    failure = world.state.failure
    return failure is not None and "longer than its timeout" in failure.message


@pytest.mark.slow
@quick
@given(outlines(), seeds)
def test_every_rule_holds_for_random_plans_in_a_random_world(outline, seed):
    run_and_take_up(outline, seed)


@pytest.mark.deep
@deep
@given(outlines(), seeds)
def test_every_rule_holds_for_many_random_plans_in_a_random_world(outline, seed):
    run_and_take_up(outline, seed)


@pytest.mark.slow
@quick
@given(outlines(), seeds)
def test_a_plan_succeeds_when_the_world_behaves(outline, seed):
    world = World(outline.model_copy(update={"timeout": None}), Random(seed))
    world.rage(0)
    world.behave()
    assert world.finish is PlanStatus.SUCCEEDED
    assert {task.status for task in world.state.tasks} == {TaskStatus.SUCCEEDED}
