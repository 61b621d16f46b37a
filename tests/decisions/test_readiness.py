"""When a task may start, and what its end means for those that wait for it."""

from __future__ import annotations

import pytest
from plan_script import REFUSED, Script, each, task

from mainstay.schemas.run import PlanStatus, SkipCause, TaskStatus

CHAIN = {"b": ["a"], "c": ["b"]}


def chain(**more) -> Script:
    return Script(task("a", **more), task("b"), task("c"), needs=CHAIN).start()


def test_waits_until_every_task_it_needs_has_ended():
    plan = Script(task("a"), task("b"), task("c"), needs={"c": ["a", "b"]}).start()
    assert plan.work == ["a", "b"]
    assert plan.done("b").work == []
    assert plan.done("a").work == ["c"]


def test_starts_in_the_decision_in_which_its_last_need_ends():
    plan = chain()
    assert plan.done("a").work == ["b"]
    assert plan.done("b").work == ["c"]
    assert plan.done("c").finish is PlanStatus.SUCCEEDED


def test_need_that_is_named_twice_counts_once():
    plan = Script(task("a"), task("b"), needs={"b": ["a", "a"]}).start()
    assert plan.done("a").work == ["b"]
    assert plan.fail("b").finish is PlanStatus.FAILED


def test_need_that_failed_skips_those_behind_it_with_the_reason():
    plan = chain().fail("a")
    assert plan.statuses == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert plan.told == [
        ("a", "failed", "it broke"),
        ("b", "skipped", "needs a, which failed"),
        ("c", "skipped", "needs b, which was skipped"),
    ]
    assert plan["c"].skipped_by is SkipCause.NEED
    assert plan.finish is PlanStatus.FAILED


def test_need_that_failed_is_met_under_continue_on_error():
    plan = chain(continue_on_error=True).fail("a")
    assert plan.work == ["b"]
    assert plan.done("b").done("c").finish is PlanStatus.SUCCEEDED


def test_need_that_a_person_skipped_is_met():
    plan = chain().skip("a")
    assert plan.work == []
    assert plan.fail("a", REFUSED).work == ["b"]


def test_need_whose_condition_was_false_is_not_met():
    plan = chain().not_met("a")
    assert plan.statuses == {"a": "skipped", "b": "skipped", "c": "skipped"}
    assert plan.finish is PlanStatus.SUCCEEDED


def test_task_that_judges_its_needs_is_looked_at_although_one_failed():
    judge = task("b", judges_needs=True)
    plan = Script(task("a"), judge, task("c"), needs=CHAIN).start().fail("a")
    assert plan.work == ["b"]
    assert plan.done("b").work == ["c"]


def test_diamond_is_skipped_once():
    needs = {"b": ["a"], "c": ["a"], "d": ["b", "c"]}
    plan = Script(task("a"), task("b"), task("c"), task("d"), needs=needs).start().fail("a")
    assert [name for name, _, _ in plan.told] == ["a", "b", "c", "d"]
    assert plan.state.remaining == 0


def test_failed_list_keeps_what_is_needed_to_go_on():
    plan = Script(each("a", max_parallel=1)).start().prepared("a", items=3)
    plan.done("a", 0).fail("a", start=1)
    kept = plan["a"]
    assert (kept.items, kept.next_item, kept.done) == (3, 2, 1)
    assert [unit.start for unit in kept.failed_units] == [1]


def test_succeeded_task_keeps_nothing_but_its_round():
    plan = Script(task("a", rounds=2)).start().sent_back("a").done("a")
    kept = plan["a"].model_dump(exclude_defaults=True)
    assert kept == {"status": TaskStatus.SUCCEEDED, "round": 1}


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]])
def test_needs_may_end_in_any_order(order):
    plan = Script(task("a"), task("b"), task("c"), task("d"), needs={"d": "abc"}).start()
    for name in order:
        assert plan.work != ["d"]
        plan.done(name)
    assert plan.work == ["d"]


def test_needs_that_have_ended_are_not_looked_at_again():
    plan = Script(task("a"), task("b"), task("c"), task("d"), needs={"d": "abc"}).start()
    assert [plan.done(name)["d"].watch for name in "ac"] == [0, 1]


def test_task_that_ends_no_longer_waits_for_a_place():
    plan = Script(*(task(name) for name in "abcd"), max_parallel=1).start()
    assert plan.state.ready == (1, 2, 3)
    assert plan.skip("c").state.ready == (1, 3)


def test_plan_fails_for_its_first_failure():
    plan = Script(task("a"), task("b")).start().fail("b", message="one").fail("a", message="two")
    assert plan.state.failure.message == "one"


def test_task_may_need_one_that_stands_after_it():
    plan = Script(task("a"), task("b"), task("c"), needs={"a": ["b"], "b": ["c"]}).start()
    assert plan.work == ["c"]
    assert plan.done("c").done("b").work == ["a"]
