"""A plan at a glance."""

from __future__ import annotations

from datetime import timedelta

from plan_script import TRANSIENT, UNKNOWN, Script, each, question, task

from mainstay.decisions.progress import MAX_NAMED, describe, progress
from mainstay.schemas.calls import PlanProgress
from mainstay.schemas.directives import Paused
from mainstay.schemas.run import PlanStatus, TaskStatus


def glance(plan: Script) -> PlanProgress:
    return progress("plan/p/r", plan.state, plan.shape)


def test_counts_tasks_by_status_and_names_what_runs():
    plan = Script(task("a"), each("b", batch=2), task("c"), needs={"c": ["a"]}).start()
    plan.prepared("b", items=7).done("b", 0)
    seen = glance(plan)
    assert seen.counts == {TaskStatus.RUNNING: 2, TaskStatus.PENDING: 1}
    assert seen.running == ("a", "b (2/7)")
    assert seen.waiting_for == ()


def test_says_what_is_waited_for_and_what_to_do():
    tasks = [question("a", deadline=timedelta(hours=2)), question("b"), task("c"), task("d")]
    plan = Script(*tasks).start().prepared("a", message="Ship?").prepared("b")
    plan.fail("c", UNKNOWN, message="who knows").fail("d", TRANSIENT).note(Paused())
    seen = glance(plan)
    assert seen.status is PlanStatus.PAUSED
    assert seen.waiting_for == (
        "paused; `mainstay resume` lets it go on",
        "a: asks for approval until 2026-01-01 14:00 UTC: Ship?",
        "b: asks for approval: Continue?",
        "c: outcome unknown: who knows; `mainstay retry` or `mainstay skip`",
        "d: it broke; tried again in 1.0s",
    )


def test_says_how_long_work_may_go_on_after_a_cancel():
    plan = Script(task("a")).start().cancel(grace=90)
    assert glance(plan).waiting_for == (
        "running work may go on until 12:01:30 UTC, then it is stopped",
    )


def test_stays_small_however_large_the_plan_is():
    plan = Script(*(task(f"t{n}") for n in range(MAX_NAMED + 5)), max_parallel=50).start()
    assert glance(plan).running == (*(f"t{n}" for n in range(MAX_NAMED)), "and more")


def test_exactly_as_many_as_are_named_are_not_more():
    plan = Script(*(task(f"t{n}") for n in range(MAX_NAMED)), max_parallel=50).start()
    assert glance(plan).running == tuple(f"t{n}" for n in range(MAX_NAMED))


def test_is_written_as_lines_for_the_web_ui():
    plan = Script(task("a"), question("b")).start().prepared("b", message="Ship?")
    assert describe(glance(plan)) == (
        "**running**: 1 running, 1 asking\n- waiting: b: asks for approval: Ship?\n- running: a"
    )
