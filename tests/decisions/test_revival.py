"""How a task that ended gets another chance, alone or with its whole plan."""

from __future__ import annotations

from datetime import timedelta

import pytest
from plan_script import PERMANENT, REFUSED, TRANSIENT, UNKNOWN, Script, each, question, task

from mainstay.schemas.directives import Paused
from mainstay.schemas.plan import RetrySpec
from mainstay.schemas.run import PlanStatus


def test_units_that_failed_are_done_again_and_no_others():
    plan = Script(each("a", batch=2), task("b")).start().prepared("a", items=6)
    plan.done("a", 0).fail("a", start=2).done("a", 4).retry("a")
    assert plan.work == ["a 2..3"]
    assert plan.flying("a").attempt == 1
    assert plan.done("a").statuses["a"] == "succeeded"
    assert plan["a"].done == 6


def test_retried_task_has_all_its_attempts_again():
    retry = RetrySpec(attempts=2)
    plan = Script(task("a", retry=retry), task("b")).start()
    plan.fail("a", TRANSIENT).wait(1).fail("a", TRANSIENT).retry("a").fail("a", TRANSIENT)
    assert plan.wait(1).work == ["a"]
    assert plan.done("a").done("b").finish is PlanStatus.SUCCEEDED


def test_preparation_that_failed_is_made_again():
    plan = Script(each("a"), task("b")).start().fail("a").retry("a")
    assert plan.work == ["prepare a"]


def test_output_that_did_not_pass_its_check_begins_a_new_round():
    plan = Script(task("a", rounds=2), task("b")).start().sent_back("a").sent_back("a").retry("a")
    assert (plan["a"].round, plan["a"].feedback) == (2, "")
    assert plan.work == ["a"]


def test_what_is_tried_again_in_its_round_is_told_the_same():
    plan = Script(task("a", rounds=3), task("b")).start().sent_back("a", "longer").fail("a")
    assert plan.retry("a")["a"].feedback == "longer"


def test_question_that_was_answered_with_no_is_asked_again():
    plan = Script(question("a"), task("b")).start().prepared("a", message="Go?")
    assert plan.answer("a", False).retry("a").work == ["prepare a"]
    assert plan["a"].round == 0
    assert plan.prepared("a", message="Go?").told == [("a", "asking", "Go?")]
    assert plan.answer("a", True).statuses["a"] == "succeeded"


def test_question_that_was_answered_with_yes_is_not_asked_again():
    plan = Script(task("a", asks=True), task("b")).start().prepared("a")
    assert plan.answer("a", True).fail("a").retry("a").work == ["a"]


def test_failure_that_is_tolerated_does_not_fail_a_plan_in_which_another_is_retried():
    tolerated = task("a", continue_on_error=True)
    plan = Script(tolerated, task("b"), task("c")).start().fail("a").fail("b").retry("b")
    assert plan.done("b").done("c").finish is PlanStatus.SUCCEEDED


def test_those_that_were_skipped_because_of_it_wait_again():
    needs = {"b": ["a"], "c": ["b"], "d": ["x"]}
    tasks = [task(name) for name in "abcdx"]
    plan = Script(*tasks, needs=needs).start().fail("a").retry("a")
    assert plan.told == [("b", "pending", ""), ("c", "pending", ""), ("a", "pending", "retried")]
    assert plan.done("a").done("b").done("c").done("x").done("d").finish is PlanStatus.SUCCEEDED


def test_condition_that_was_false_because_of_it_is_looked_at_again():
    judge = task("b", judges_needs=True)
    plan = Script(task("a"), judge, task("x"), needs={"b": ["a"]}).start().fail("a").not_met("b")
    assert plan.retry("a").statuses["b"] == "pending"
    assert plan.done("a").work == ["b"]


def test_what_a_person_skipped_stays_skipped():
    plan = Script(task("a"), task("b"), task("x"), needs={"b": ["a"]}).start().skip("b")
    assert plan.fail("a").retry("a").statuses["b"] == "skipped"


def test_those_that_wait_for_it_and_others_wait_again():
    needs = {"c": ["a", "b"]}
    plan = Script(task("a"), task("b"), task("c"), needs=needs).start().fail("a").retry("a")
    assert plan.done("b").work == []
    assert plan.done("a").work == ["c"]
    plan = Script(task("a"), task("b"), task("c"), needs=needs).start().fail("b").retry("b")
    assert plan.done("a").work == []
    assert plan.done("b").work == ["c"]


def test_one_that_waits_for_a_place_waits_again_for_its_need():
    tasks = [task("a", continue_on_error=True), task("x"), task("b")]
    plan = Script(*tasks, needs={"b": ["a"]}, max_parallel=2).start().note(Paused()).fail("a")
    assert plan.state.ready == (2,)
    assert plan.retry("a").state.ready == (0,)


def test_one_that_has_begun_goes_on():
    tasks = [task("a", continue_on_error=True), task("b")]
    plan = Script(*tasks, needs={"b": ["a"]}).start().fail("a")
    assert plan.retry("a").statuses == {"a": "running", "b": "running"}


def test_retried_task_waits_for_a_need_that_is_retried():
    tasks = [task("a", continue_on_error=True), task("b"), task("x")]
    plan = Script(*tasks, needs={"b": ["a"]}).start().fail("a").fail("b").retry("a")
    assert plan.retry("b").work == []
    assert plan.done("a").work == ["b"]


@pytest.mark.parametrize(("kind", "is_allowed"), [(PERMANENT, True), (UNKNOWN, True)])
def test_person_who_retries_allows_to_begin_again(kind, is_allowed):
    plan = Script(task("a", retries=False), task("b")).start().fail("a", kind).retry("a")
    assert plan["a"].confirmed is is_allowed


def test_what_was_stopped_by_a_cancel_is_not_allowed_to_begin_again():
    plan = Script(task("a", retries=False)).start().cancel().fail("a", UNKNOWN).take_up()
    assert plan.work == ["a"]
    assert not plan["a"].confirmed


def test_retry_beside_work_that_goes_on_hands_out_what_failed():
    plan = Script(each("a")).start().prepared("a", items=2).fail("a", UNKNOWN, start=0)
    assert plan.retry("a").work == ["a 0..0"]
    assert plan.done("a", 0).done("a", 1).finish is PlanStatus.SUCCEEDED


def test_retried_list_is_undone_once():
    plan = Script(each("a", undoes=True), task("b")).start().prepared("a", items=1).fail("a")
    assert plan.retry("a").done("a").fail("b").work == ["undo a"]
    assert plan.state.undoable == (0,)


# Taking a whole plan up again.


def test_taken_up_plan_does_what_did_not_succeed():
    needs = {"b": ["a"], "c": ["b"]}
    plan = Script(*(task(name) for name in "abcd"), needs=needs).start().done("a").fail("b")
    plan.done("d").take_up()
    assert plan.work == ["b"]
    assert plan.state.failure is None
    assert plan.done("b").done("c").finish is PlanStatus.SUCCEEDED


def test_taking_up_is_told():
    plan = Script(task("a"), task("b"), needs={"b": ["a"]}).start().fail("a")
    told = plan.take_up().all
    assert [(one.task, one.status.value, one.message) for one in told if hasattr(one, "message")][
        -2:
    ] == [(1, "pending", ""), (0, "pending", "taken up again")]


def test_cancelled_plan_is_taken_up():
    plan = Script(task("a"), each("b"), task("c"), needs={"b": ["a"]}, max_parallel=2).start()
    plan.done("a").prepared("b", items=3).done("c").cancel(grace=60, reason="enough")
    plan.done("b", 0).fail("b", REFUSED, start=1)
    assert plan.finish is PlanStatus.CANCELLED
    plan.take_up()
    assert (plan.state.is_cancelled, plan.state.cancel_reason) == (False, "")
    assert plan.work == ["b 1..1", "b 2..2"]
    assert plan.done("b", 1).done("b", 2).finish is PlanStatus.SUCCEEDED


def test_taken_up_task_is_skipped_at_once_when_its_needs_say_so():
    needs = {"c": ["a", "b"], "d": ["c"]}
    plan = Script(*(task(name) for name in "abcd"), needs=needs).start().not_met("a")
    plan.cancel(grace=60).done("b")
    assert plan.statuses["c"] == plan.statuses["d"] == "cancelled"
    plan.take_up()
    assert plan.statuses["c"] == plan.statuses["d"] == "skipped"
    assert plan.finish is PlanStatus.SUCCEEDED


def test_skip_of_a_taken_up_task_reaches_those_that_stand_before_it():
    needs = {"a": ["b"], "b": ["c", "d"]}
    plan = Script(*(task(name) for name in "abcd"), needs=needs).start().not_met("c")
    plan.cancel(grace=60).done("d").take_up()
    assert plan.statuses["a"] == plan.statuses["b"] == "skipped"


def test_taken_up_plan_has_its_whole_time_again():
    plan = Script(task("a"), timeout=timedelta(seconds=60)).start().wait(60).fail("a", REFUSED)
    plan.now += timedelta(hours=1)
    assert plan.take_up().alarm_seconds == 60
    assert Script(task("a")).start().fail("a").take_up().alarm_seconds is None


def test_task_waits_for_a_need_that_was_undone():
    plan = Script(task("a", undoes=True), each("b"), needs={"b": ["a"]}).start().done("a")
    plan.prepared("b", items=2).fail("b", start=0).done("b", 1).done("a")
    assert plan.statuses == {"a": "undone", "b": "failed"}
    assert plan.take_up().work == ["a"]
    assert plan.done("a").work == ["b 0..0"]


def test_undo_that_failed_is_followed_by_a_new_round():
    plan = Script(task("a", undoes=True), task("b")).start().done("a").fail("b").fail("a")
    plan.take_up()
    assert plan.work == ["a", "b"]
    assert plan["a"].round == 1


def test_plan_whose_reasons_were_left_behind_still_knows_that_it_fails():
    plan = Script(task("a"), task("b"), task("c")).start().fail("a").fail("b")
    light = [one.model_copy(update={"failure": None}) for one in plan.state.tasks]
    plan.state = plan.state.model_copy(update={"tasks": tuple(light)})
    plan.retry("a")
    assert plan.state.failure.message == "task 'b' failed"
    assert plan.done("a").done("c").finish is PlanStatus.FAILED
