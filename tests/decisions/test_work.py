"""What becomes of a task when a piece of its work comes back."""

from __future__ import annotations

from datetime import timedelta

from plan_script import REFUSED, TRANSIENT, UNKNOWN, Script, each, question, task

from mainstay.schemas.directives import WorkEnded
from mainstay.schemas.outline import TaskKind
from mainstay.schemas.plan import RetrySpec
from mainstay.schemas.run import PlanStatus, SkipCause


def test_list_has_succeeded_when_all_its_items_are_done():
    plan = Script(each("a", batch=2)).start().prepared("a", items=3)
    plan.done("a", 0)
    assert (plan["a"].status, plan["a"].done) == ("running", 2)
    plan.done("a", 2)
    assert (plan["a"].status, plan["a"].done, plan.finish) == ("succeeded", 3, "succeeded")


def test_tolerated_items_count_as_done_and_as_errors():
    plan = Script(each("a", batch=3, continue_on_error=True)).start().prepared("a", items=3)
    plan.done("a", done=2, errors=1)
    assert (plan["a"].status, plan["a"].done, plan["a"].errors) == ("succeeded", 2, 1)


def test_end_of_a_plain_tool_is_put_on_record_by_its_activity_alone():
    assert Script(task("a")).start().done("a").told == []
    plan = Script(task("a", kind=TaskKind.PLAN)).start().prepared("a").done("a")
    assert plan.told == [("a", "succeeded", "")]
    plan = Script(each("a")).start().prepared("a").done("a")
    assert plan.told == [("a", "succeeded", "")]


def test_passing_failure_is_tried_again_after_a_back_off():
    plan = Script(task("a", retry=RetrySpec(attempts=3, factor=3))).start().fail("a", TRANSIENT)
    assert plan.told == [("a", "waiting", "attempt 1 of 3 failed: it broke")]
    assert plan["a"].reason == "it broke; tried again in 1.0s"
    assert plan.alarm_seconds == 1
    assert plan.wait(0.5).work == []
    assert plan.wait(0.5).work == ["a"]
    assert plan.flying("a").attempt == 2
    assert plan.fail("a", TRANSIENT).alarm_seconds == 3
    plan.wait(3).fail("a", TRANSIENT)
    assert (plan.finish, plan.state.failure.message) == (PlanStatus.FAILED, "it broke")
    assert plan.alarm_seconds is None


def test_retry_after_is_waited_for():
    plan = Script(task("a")).start().fail("a", TRANSIENT, retry_after=timedelta(seconds=90))
    assert plan.alarm_seconds == 90


def test_back_off_of_one_unit_lets_the_others_run():
    plan = Script(each("a")).start().prepared("a", items=2).fail("a", TRANSIENT, start=0)
    assert plan["a"].status == "running"
    plan.done("a", 1)
    assert plan["a"].status == "waiting"
    assert plan.wait(1).done("a", 0).finish is PlanStatus.SUCCEEDED


def test_preparing_is_tried_again_even_if_the_tool_must_not_be():
    plan = Script(each("a", retries=False)).start().fail("a", TRANSIENT)
    assert plan.wait(1).work == ["prepare a"]
    plan.prepared("a", items=1).fail("a", TRANSIENT)
    assert plan.finish is PlanStatus.FAILED


def test_failure_for_good_waits_for_what_is_being_done():
    plan = Script(each("a")).start().prepared("a", items=3)
    plan.fail("a", REFUSED, start=1, message="first").fail("a", start=0, message="second")
    assert (plan["a"].status, plan.finish) == ("running", None)
    plan.done("a", 2)
    assert plan["a"].failure.message == "first"
    assert plan.told[0] == ("a", "failed", "first")
    assert [unit.start for unit in plan["a"].failed_units] == [1, 0]
    assert plan.finish is PlanStatus.FAILED


def test_work_without_verdict_or_failure_has_failed():
    plan = Script(task("a")).start()
    plan.note(WorkEnded(0, plan.flying("a")))
    assert plan.state.failure.message == "it failed without a reason"


def test_unknown_outcome_stops_the_task_until_a_person_decides():
    plan = Script(each("a", retries=False, max_parallel=2)).start().prepared("a", items=4)
    plan.fail("a", UNKNOWN, start=0, message="who knows")
    assert plan.told == [("a", "unknown", "who knows")]
    assert plan.done("a", 1).work == []
    assert (plan["a"].status, plan.finish) == ("unknown", None)
    assert plan.retry("a").work == ["a 0..0", "a 2..2"]
    assert plan["a"].confirmed


def test_failure_beside_an_unknown_outcome_does_not_hide_it():
    plan = Script(each("a", max_parallel=2)).start().prepared("a", items=4)
    plan.fail("a", UNKNOWN, start=0).fail("a", TRANSIENT, start=1)
    assert (plan["a"].status, plan.finish) == ("unknown", None)
    assert plan.retry("a").work == ["a 0..0", "a 1..1"]


def test_verify_sends_back_with_the_reason_in_a_new_round():
    plan = Script(task("a", rounds=3)).start().sent_back("a", "too short")
    assert plan.work == ["a"]
    assert plan.told == [("a", "pending", "sent back: too short")]
    assert (plan["a"].round, plan["a"].feedback) == (1, "too short")
    assert plan.done("a").finish is PlanStatus.SUCCEEDED


def test_verify_gives_up_after_its_rounds():
    plan = Script(task("a", rounds=2)).start().sent_back("a").sent_back("a", "bad")
    assert plan.state.failure.message == "task 'a' did not pass its check in 2 rounds: bad"
    plan = Script(task("a")).start().sent_back("a", "bad")
    assert plan.state.failure.message == "task 'a' did not pass its check in 1 round: bad"


def test_list_that_is_sent_back_is_prepared_and_done_anew():
    plan = Script(each("a", rounds=2, gathers=True)).start().prepared("a", items=2)
    plan.done("a", 0).done("a", 1).sent_back("a")
    assert plan.work == ["prepare a"]
    assert plan.prepared("a", items=3).work == ["a 0..0", "a 1..1", "a 2..2"]
    assert plan["a"].done == 0


def test_task_that_is_sent_back_is_not_asked_for_again():
    plan = Script(task("a", asks=True, rounds=2)).start().prepared("a").answer("a", True)
    plan.sent_back("a")
    assert plan.prepared("a").work == ["a"]


def test_condition_skips_before_or_with_the_work():
    for outline in (task("a"), task("a", prepares=True)):
        plan = Script(outline).start().not_met("a")
        assert plan.told == [("a", "skipped", "`if` is false")]
        assert plan["a"].skipped_by is SkipCause.CONDITION


def test_task_that_a_person_skips_ends_with_the_last_of_its_work():
    plan = Script(each("a"), task("b"), needs={"b": ["a"]}).start().prepared("a", items=3)
    plan.skip("a", by="ann").done("a", 0).fail("a", TRANSIENT, start=1)
    assert plan["a"].status == "running"
    plan.fail("a", REFUSED, start=2)
    assert plan.told[0] == ("a", "skipped", "skipped by ann")
    assert plan.work == ["b"]


def test_what_was_finished_in_the_grace_has_succeeded():
    plan = Script(task("a"), each("b"), each("c")).start()
    plan.prepared("b", items=2).prepared("c", items=2)
    plan.cancel(grace=60).done("a").done("b", 0).done("b", 1).done("c", 0).fail(
        "c", REFUSED, start=1
    )
    assert plan.statuses == {"a": "succeeded", "b": "succeeded", "c": "cancelled"}
    assert plan.finish is PlanStatus.CANCELLED


def test_what_is_only_prepared_or_not_gathered_in_the_grace_was_cancelled():
    plan = Script(each("a"), each("b", gathers=True), max_parallel=2).start()
    plan.prepared("b", items=1).cancel(grace=60).prepared("a", items=2).done("b")
    assert plan.statuses == {"a": "cancelled", "b": "cancelled"}
    plan.take_up()
    assert plan.work == ["prepare a", "gather b"]


def test_gathering_that_ends_in_the_grace_has_succeeded():
    plan = Script(each("a", gathers=True)).start().prepared("a", items=1).done("a")
    assert plan.cancel(grace=60).done("a").statuses == {"a": "succeeded"}


def test_check_that_fails_in_the_grace_is_made_again_when_taken_up():
    plan = Script(each("a", gathers=True, rounds=2)).start().prepared("a", items=1).done("a")
    plan.cancel(grace=60).sent_back("a")
    assert plan.statuses == {"a": "cancelled"}
    assert plan.take_up().work == ["gather a"]


def test_question_needs_no_further_work_once_it_is_answered():
    plan = Script(question("a")).start().prepared("a", message="?").answer("a", True, by="ann")
    assert plan.told[0] == ("a", "succeeded", "approved by ann")
