"""The plan's own turns, its alarm, its names, and what deciding costs in large plans."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from plan_script import NOW, TRANSIENT, Script, each, question, task

from mainstay.decisions.draft import Shape
from mainstay.decisions.plan import begin, decide, next_alarm
from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import DoWork, Finish, Started, WorkEnded
from mainstay.schemas.outline import PlanOutline, TaskOutline
from mainstay.schemas.run import PlanStatus


def test_plan_finishes_once_with_the_last_of_its_tasks():
    plan = Script(task("a"), task("b")).start().done("a")
    assert plan.finish is None
    assert plan.done("b").last == [Finish(PlanStatus.SUCCEEDED)]
    assert plan.note(Started()).last == []


def test_events_are_taken_in_the_order_they_came():
    plan = Script(task("a"), task("b"), needs={"b": ["a"]}).start()
    ended = WorkEnded(0, plan.flying("a"), verdict=Verdict(done=1))
    plan.note(ended)
    assert plan.statuses == {"a": "succeeded", "b": "running"}


def test_decision_leaves_the_state_it_was_given_as_it_was():
    plan = Script(task("a")).start()
    before = plan.state.model_copy(deep=True)
    given = plan.state
    plan.done("a")
    assert given == before


def test_alarm_is_the_earliest_of_everything_that_waits():
    hour = timedelta(hours=1)
    plan = Script(
        task("a"), question("b", deadline=timedelta(seconds=30)), each("c"), timeout=hour
    ).start()
    assert plan.alarm_seconds == 3600
    assert plan.prepared("b").alarm_seconds == 30
    assert plan.fail("a", TRANSIENT).alarm_seconds == 1
    plan.prepared("c", items=2).fail("c", TRANSIENT, start=0)
    plan.now += timedelta(seconds=0.5)
    assert plan.fail("c", TRANSIENT, start=1).alarm_seconds == 0.5
    assert plan.wait(0.5).work == ["a", "c 0..0"]
    assert plan.alarm_seconds == 0.5
    assert plan.wait(0.5).work == ["c 1..1"]
    assert plan.alarm_seconds == 28.5


def test_everything_whose_time_has_come_is_seen_to_at_once():
    plan = Script(task("a"), task("b"), question("c", deadline=timedelta(seconds=1))).start()
    plan.prepared("c").fail("a", TRANSIENT).fail("b", TRANSIENT)
    assert plan.wait(60).work == ["a", "b"]
    assert plan.statuses["c"] == "failed"
    assert plan.alarm_seconds is None


def test_plan_without_anything_to_wait_for_has_no_alarm():
    assert next_alarm(Script(task("a")).start().state) is None


# What it costs. Calls of functions are counted instead of seconds, which depend on the machine.


def calls_during(work: Callable[[], None]) -> int:
    count = 0

    def on_event(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def run_through(outline: PlanOutline) -> None:
    shape = Shape.of(outline)
    state, directives = decide(begin(outline, NOW), [Started()], shape, NOW)
    queue = [one for one in directives if isinstance(one, DoWork)]
    for work in queue:
        ended = WorkEnded(work.task, work.unit, verdict=Verdict(done=1))
        state, directives = decide(state, [ended], shape, NOW)
        next_alarm(state)
        queue += [one for one in directives if isinstance(one, DoWork)]
    assert state.status is PlanStatus.SUCCEEDED


def independent(size: int) -> list[TaskOutline]:
    return [task(f"t{n}") for n in range(size)]


def chain(size: int) -> list[TaskOutline]:
    return [task(f"t{n}", needs=(n - 1,) if n else ()) for n in range(size)]


def fan_in(size: int) -> list[TaskOutline]:
    return [*independent(size), task("last", needs=tuple(range(size)))]


def fan_out(size: int) -> list[TaskOutline]:
    return [task("first"), *(task(f"t{n}", needs=(0,)) for n in range(size))]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [independent, chain, fan_in, fan_out])
def test_work_of_deciding_grows_in_proportion_to_the_plan(shape):
    small = calls_during(lambda: run_through(PlanOutline(tasks=tuple(shape(200)))))
    large = calls_during(lambda: run_through(PlanOutline(tasks=tuple(shape(2000)))))
    assert large < 12 * small


@pytest.mark.slow
def test_work_of_deciding_grows_in_proportion_to_the_needs():
    def layers(width: int) -> PlanOutline:
        count = width * width
        before = (
            tuple(range(n // width * width - width, n // width * width)) if n >= width else ()
            for n in range(count)
        )
        return PlanOutline(tasks=tuple(task(f"t{n}", needs=of) for n, of in enumerate(before)))

    narrow, wide = layers(10), layers(40)
    small = calls_during(lambda: run_through(narrow))
    large = calls_during(lambda: run_through(wide))
    needs = [sum(len(one.needs) for one in plan.tasks) for plan in (narrow, wide)]
    assert large / small < needs[1] / needs[0]


@pytest.mark.slow
def test_many_that_back_off_cost_no_more_each():
    def flaky(size: int) -> Callable[[], None]:
        plan = Script(*(task(f"t{n}") for n in range(size)), max_parallel=size).start()

        def fail_all() -> None:
            for n in range(size):
                plan.now += timedelta(milliseconds=1)
                plan.fail(f"t{n}", TRANSIENT)
                assert plan.alarm_seconds is not None
            while plan.state.timed:
                plan.wait(plan.alarm_seconds or 0)

        return fail_all

    assert calls_during(flaky(1000)) < 15 * calls_during(flaky(100))


@pytest.mark.deep
@pytest.mark.parametrize("shape", [independent, chain, fan_in, fan_out])
def test_ten_thousand_tasks_are_decided_on(shape):
    run_through(PlanOutline(tasks=tuple(shape(10_000))))
