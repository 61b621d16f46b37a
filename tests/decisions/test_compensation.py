"""How a plan takes back what it did."""

from __future__ import annotations

from datetime import timedelta

from plan_script import REFUSED, TRANSIENT, Script, each, question, task

from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import Ticked, WorkEnded
from mainstay.schemas.outline import TaskKind
from mainstay.schemas.plan import RetrySpec
from mainstay.schemas.run import PlanStatus


def failed(*tasks, **more) -> Script:
    """A plan whose tasks have succeeded one after another and whose last one, `bad`, failed."""
    names = [one.name for one in tasks]
    chain = {after: [before] for before, after in zip(names, [*names[1:], "bad"], strict=True)}
    plan = Script(*tasks, task("bad", judges_needs=True), needs=chain, **more).start()
    for one in tasks:
        if one.prepares:
            plan.prepared(one.name)
        plan.done(one.name)
    return plan.fail("bad")


def test_failed_plan_undoes_one_after_another_the_last_to_end_first():
    plan = failed(task("a", undoes=True), task("b"), task("c", undoes=True))
    assert plan.state.status is PlanStatus.UNDOING
    assert plan.told[-2:] == [("", "undoing", "undoing"), ("c", "undoing", "undoing")]
    assert plan.work == ["undo c"]
    plan.done("c")
    assert (plan.work, plan.told) == (
        ["undo a"],
        [("c", "undone", "undone"), ("a", "undoing", "undoing")],
    )
    assert plan.done("a").finish is PlanStatus.FAILED
    assert plan.statuses == {"a": "undone", "b": "succeeded", "c": "undone", "bad": "failed"}


def test_cancelled_plan_undoes_too():
    plan = Script(task("a", undoes=True), task("b"), needs={"b": ["a"]}).start().done("a")
    plan.cancel().fail("b", REFUSED)
    assert plan.work == ["undo a"]
    assert plan.done("a").finish is PlanStatus.CANCELLED


def test_plan_that_ran_out_of_time_undoes_and_has_failed():
    minute = timedelta(minutes=1)
    plan = Script(task("a", undoes=True), task("b"), timeout=minute).start().done("a").wait(60)
    assert plan.fail("b", REFUSED).work == ["undo a"]
    assert plan.alarm_seconds is None
    assert plan.done("a").finish is PlanStatus.FAILED


def test_order_is_that_of_the_ends_and_not_of_the_file():
    plan = Script(task("a", undoes=True), task("b", undoes=True), task("c")).start()
    assert plan.done("b").done("a").fail("c").work == ["undo a"]
    assert plan.done("a").work == ["undo b"]


def test_plan_that_succeeded_undoes_nothing():
    assert Script(task("a", undoes=True)).start().done("a").finish is PlanStatus.SUCCEEDED


def test_what_did_nothing_is_not_undone():
    nothing = [
        each("empty", undoes=True),
        task("sub", kind=TaskKind.PLAN, undoes=True),
        question("asked", undoes=True),
        task("skipped", undoes=True),
        task("broken", undoes=True),
    ]
    plan = Script(*nothing).start().prepared("empty", items=0).prepared("asked")
    plan.answer("asked", True).not_met("skipped").skip("sub").fail("broken").fail("sub", REFUSED)
    assert plan.finish is PlanStatus.FAILED


def test_items_of_a_list_are_undone_although_it_failed_or_was_not_reported():
    plan = Script(each("a", undoes=True, batch=5)).start().prepared("a", items=10)
    plan.fail("a", start=0).done("a", 5)
    assert plan.work == ["undo a"]
    assert (plan.flying("a").start, plan.flying("a").stop) == (0, 10)
    plan = Script(each("a", undoes=True, batch=5)).start().prepared("a", items=10)
    assert plan.fail("a", start=0).fail("a", start=5).work == ["undo a"]


def test_output_that_did_not_pass_its_check_is_undone():
    assert Script(task("a", undoes=True)).start().sent_back("a").work == ["undo a"]


def test_list_that_a_person_skipped_is_undone():
    plan = Script(each("a", undoes=True), task("b")).start().prepared("a", items=2)
    plan.done("a", 0).skip("a").fail("a", REFUSED).fail("b")
    assert plan.work == ["undo a"]
    assert plan.done("a").finish is PlanStatus.FAILED


def test_undo_is_tried_again_when_its_failure_may_pass():
    plan = failed(task("a", undoes=True, retry=RetrySpec(attempts=2), retries=False))
    plan.fail("a", TRANSIENT)
    assert plan.told == [("a", "undoing", "undo attempt 1 failed: it broke")]
    assert (plan.work, plan.alarm_seconds) == ([], 1)
    assert plan.wait(1).work == ["undo a"]
    assert plan.told == [("a", "undoing", "undo attempt 2")]
    assert plan.fail("a", TRANSIENT).finish is PlanStatus.FAILED
    assert plan.statuses["a"] == "undo_failed"


def test_undo_that_fails_for_good_is_told_and_the_others_go_on():
    plan = failed(task("a", undoes=True), task("b", undoes=True)).fail("b", message="no way back")
    assert plan.told[0] == ("b", "undo_failed", "no way back")
    assert plan.work == ["undo a"]
    assert plan.done("a").statuses == {"a": "undone", "b": "undo_failed", "bad": "failed"}


def test_undo_waits_while_the_run_is_about_to_continue_as_new():
    plan = failed(task("a", undoes=True), task("b", undoes=True))
    ended = WorkEnded(plan.position("b"), plan.flying("b"), verdict=Verdict())
    assert plan.note(ended, hold=True).work == []
    assert plan.note(Ticked()).work == ["undo a"]


def test_what_was_undone_is_done_again_in_a_new_round():
    plan = failed(task("a", undoes=True), each("b", undoes=True)).done("b").done("a").take_up()
    assert plan.work == ["a"]
    assert plan["a"].round == 1
    assert plan.done("a").work == ["prepare b"]
    assert plan.prepared("b").done("b").work == ["bad"]
    assert plan.done("bad").finish is PlanStatus.SUCCEEDED
