"""Which work is handed out, in which order, and how much of it at once."""

from __future__ import annotations

import pytest
from plan_script import PERMANENT, TRANSIENT, UNKNOWN, Script, each, question, task

from mainstay.decisions import dispatch
from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import Paused, Resumed, WorkEnded
from mainstay.schemas.outline import TaskKind
from mainstay.schemas.priority import Level
from mainstay.schemas.run import PlanStatus


def test_never_more_at_once_than_the_plan_allows():
    plan = Script(*(task(name) for name in "abcde"), max_parallel=2).start()
    assert plan.work == ["a", "b"]
    assert plan.done("b").work == ["c"]
    assert plan.state.in_flight == 2


def test_never_more_of_one_task_than_it_allows():
    plan = Script(each("a", max_parallel=2), task("b")).start()
    plan.prepared("a", items=5)
    assert plan.work == ["a 0..0", "a 1..1"]
    assert plan.done("a", 1).work == ["a 2..2"]


def test_unit_that_is_due_again_also_counts_against_its_task():
    plan = Script(each("a", max_parallel=1)).start().prepared("a", items=2)
    plan.fail("a", TRANSIENT)
    assert plan.work == []
    assert plan["a"].status == "waiting"
    assert plan.wait(1).work == ["a 0..0"]
    assert plan.done("a").work == ["a 1..1"]


def test_most_urgent_first_and_then_in_the_order_of_the_file():
    urgent = [Level.LOW, Level.NORMAL, Level.CRITICAL, Level.NORMAL]
    tasks = [task(f"t{n}", priority=level) for n, level in enumerate(urgent)]
    plan = Script(*tasks, max_parallel=1).start()
    order = []
    while plan.work:
        order += plan.work
        plan.done(plan.work[0])
    assert order == ["t2", "t1", "t3", "t0"]


@pytest.mark.parametrize("hold", [True, False])
def test_nothing_is_handed_out_while_held_or_paused(hold):
    plan = Script(task("a"), task("b"), needs={"b": ["a"]}, max_parallel=1).start()
    if not hold:
        plan.note(Paused())
    ended = WorkEnded(plan.position("a"), plan.flying("a"), verdict=Verdict(done=1))
    assert plan.note(ended, hold=hold).work == []
    assert plan.note(Resumed()).work == ["b"]


def test_list_is_handed_out_in_order_and_in_batches():
    plan = Script(each("a", batch=4)).start()
    assert plan.work == ["prepare a"]
    assert plan.prepared("a", items=10).work == ["a 0..3", "a 4..7", "a 8..9"]
    assert plan.done("a", 8).done("a", 0).done("a", 4).finish is PlanStatus.SUCCEEDED


def test_prepared_then_asked_then_done_then_gathered():
    steps = each("a", asks=True, gathers=True)
    plan = Script(steps).start()
    assert plan.work == ["prepare a"]
    plan.prepared("a", items=2, message="Go on?")
    assert (plan.work, plan.told) == ([], [("a", "asking", "Go on?")])
    assert plan.answer("a", True).work == ["a 0..0", "a 1..1"]
    assert plan.done("a", 0).work == []
    assert plan.done("a", 1).work == ["gather a"]
    assert plan.done("a", message="2 items").told == [("a", "succeeded", "2 items")]
    assert plan.finish is PlanStatus.SUCCEEDED


def test_asking_takes_no_place():
    plan = Script(question("a"), task("b"), task("c"), max_parallel=2).start()
    assert plan.prepared("a").work == ["c"]
    assert plan["a"].status == "asking"
    assert plan.state.in_flight == 2


def test_empty_list_succeeds_without_work():
    plan = Script(each("a"), task("b"), needs={"b": ["a"]}).start().prepared("a", items=0)
    assert plan.work == ["b"]


def test_empty_list_is_gathered_when_it_must_be():
    plan = Script(each("a", gathers=True)).start().prepared("a", items=0)
    assert plan.work == ["gather a"]


def test_sub_plan_is_prepared_and_gathered_like_a_list():
    plan = Script(task("a", kind=TaskKind.PLAN, gathers=True)).start()
    assert plan.work == ["prepare a"]
    assert plan.prepared("a").work == ["a"]
    assert plan.done("a").work == ["gather a"]


def test_units_that_backed_off_come_before_new_ones():
    plan = Script(each("a", max_parallel=2)).start().prepared("a", items=5)
    assert plan.fail("a", TRANSIENT, start=0).work == []
    assert plan.done("a", 1).work == ["a 2..2", "a 3..3"]
    assert plan.wait(5).work == []
    assert plan.done("a", 3).work == ["a 0..0"]


def test_place_of_a_unit_that_backs_off_stays_empty_until_another_comes_back_well():
    plan = Script(each("a", max_parallel=2)).start().prepared("a", items=5)
    assert plan.fail("a", TRANSIENT, start=0).fail("a", TRANSIENT, start=1).work == []
    assert plan.wait(1).work == ["a 0..0", "a 1..1"]
    assert plan.done("a", 0).work == ["a 2..2"]


def test_nothing_new_of_a_task_after_a_failure_for_good():
    plan = Script(each("a", max_parallel=2)).start().prepared("a", items=5)
    assert plan.fail("a", start=0).work == []
    assert plan["a"].status == "running"
    assert plan.done("a", 1).work == []
    assert plan.finish is PlanStatus.FAILED


def test_unit_that_backs_off_does_not_come_back_after_a_failure_for_good():
    plan = Script(each("a", max_parallel=3)).start().prepared("a", items=3)
    plan.fail("a", TRANSIENT, start=0).fail("a", start=1)
    assert plan.wait(60).work == []
    assert plan.done("a", 2).finish is PlanStatus.FAILED
    assert [unit.start for unit in plan["a"].failed_units] == [1, 0]


def test_no_new_units_while_very_many_back_off(monkeypatch):
    monkeypatch.setattr(dispatch, "MAX_BACKING_OFF", 2)
    plan = Script(each("a", max_parallel=2)).start().prepared("a", items=9)
    plan.done("a", 0).fail("a", TRANSIENT, start=1).done("a", 2).fail("a", TRANSIENT, start=3)
    assert plan.done("a", 4).work == []
    assert plan["a"].status == "waiting"
    assert plan.wait(60).work == ["a 1..1", "a 3..3"]


def test_task_that_waits_for_a_place_but_has_nothing_left_is_passed_over():
    plan = Script(each("a", max_parallel=3), task("b"), max_parallel=2).start()
    plan.prepared("a", items=3)
    assert plan.state.ready == (0,)
    plan.fail("a", start=0)
    assert plan.state.ready == ()


@pytest.mark.parametrize("kind", [PERMANENT, UNKNOWN])
def test_task_that_failed_for_good_no_longer_waits_for_a_place(kind):
    plan = Script(each("a", max_parallel=2)).start().prepared("a", items=9).note(Paused())
    plan.done("a", 0)
    assert plan.state.ready == (0,)
    assert plan.fail("a", kind, start=1).state.ready == ()
