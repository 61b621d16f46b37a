"""What a person, or the clock, may do to a running plan."""

from __future__ import annotations

from datetime import timedelta

import pytest
from plan_script import REFUSED, TRANSIENT, UNKNOWN, Script, each, question, task

from mainstay.decisions.control import check_request
from mainstay.schemas.directives import CancelAsked, Paused, Resumed, StopWork
from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.plan import ApprovalDefault
from mainstay.schemas.run import FailureKind, PlanStatus, SkipCause, TaskStatus

B_NEEDS_A = {"b": ["a"]}


def two(**more) -> Script:
    return Script(task("a", **more), task("b"), needs=B_NEEDS_A).start()


# Pause.


def test_pause_hands_out_nothing_new_and_lets_work_go_on():
    plan = two().note(Paused())
    assert plan.told == [("", "paused", "paused")]
    assert plan.stops == []
    assert plan.done("a").work == []
    assert plan.note(Resumed()).work == ["b"]
    assert plan.told == [("", "running", "resumed")]


def test_pausing_twice_or_resuming_what_runs_changes_nothing():
    plan = two().note(Paused())
    assert plan.note(Paused()).last == []
    plan.note(Resumed())
    assert plan.note(Resumed()).last == []


def test_paused_plan_does_not_fail_yet():
    plan = two().note(Paused()).fail("a")
    assert plan.finish is None
    assert plan.retry("a").note(Resumed()).work == ["a"]
    plan = two().note(Paused()).fail("a").note(Resumed())
    assert plan.finish is PlanStatus.FAILED


def test_paused_plan_that_has_nothing_left_succeeds():
    plan = Script(task("a")).start().note(Paused()).done("a")
    assert plan.finish is PlanStatus.SUCCEEDED


def test_back_off_that_ends_in_a_pause_rings_once_and_waits_for_the_end_of_the_pause():
    plan = Script(each("a")).start().prepared("a", items=2)
    plan.fail("a", TRANSIENT, start=0).note(Paused())
    assert plan.wait(1).work == []
    assert plan.alarm_seconds is None
    assert plan.note(Resumed()).work == ["a 0..0"]


def test_back_offs_that_end_one_after_another_in_a_pause_are_all_due_after_it():
    plan = Script(each("a")).start().prepared("a", items=2).fail("a", TRANSIENT, start=0)
    plan.now += timedelta(seconds=5)
    plan.fail("a", TRANSIENT, start=1).note(Paused()).wait(0)
    assert plan.alarm_seconds == 1
    assert plan.wait(1).alarm_seconds is None
    assert plan.note(Resumed()).work == ["a 0..0", "a 1..1"]


# Cancel.


def test_cancel_ends_at_once_what_is_not_being_done():
    plan = two().cancel(grace=60, reason="enough")
    assert plan.statuses == {"a": "running", "b": "cancelled"}
    assert plan.told == [("", "cancelling", "enough"), ("b", "cancelled", "the plan was cancelled")]
    assert (plan.stops, plan.alarm_seconds) == ([], 60)


def test_cancel_without_grace_stops_running_work_at_once():
    plan = two().cancel()
    assert plan.stops == [StopWork()]
    assert plan.alarm_seconds is None
    plan.fail("a", REFUSED)
    assert (plan.finish, plan.statuses["a"]) == (PlanStatus.CANCELLED, "cancelled")
    assert plan.state.cancel_reason == "cancelled"


def test_cancel_without_running_work_stops_nothing():
    plan = Script(question("a")).start().prepared("a").cancel()
    assert (plan.stops, plan.finish) == ([], PlanStatus.CANCELLED)


def test_work_is_stopped_when_the_grace_is_over_and_the_plan_was_cancelled():
    plan = two().cancel(grace=60)
    assert plan.wait(59).stops == []
    assert plan.wait(1).stops == [StopWork()]
    assert plan.alarm_seconds is None
    assert plan.wait(1).stops == []
    assert plan.fail("a", REFUSED).finish is PlanStatus.CANCELLED


def test_cancelling_again_can_only_shorten_the_grace():
    plan = two().cancel(grace=60)
    assert plan.cancel(grace=90).alarm_seconds == 60
    assert plan.cancel(grace=10).alarm_seconds == 10
    assert plan.cancel().stops == [StopWork()]
    assert plan.cancel(grace=5).alarm_seconds is None


def test_cancel_ends_a_pause():
    plan = two().note(Paused()).cancel(grace=60)
    assert not plan.state.is_paused
    assert plan.note(Resumed()).last == []


def test_paused_is_not_said_of_a_plan_that_is_being_stopped():
    assert two().cancel(grace=60).note(Paused()).last == []


def test_cancelled_plan_begins_nothing():
    plan = Script(each("a", max_parallel=1), task("b")).start().prepared("a", items=3)
    plan.cancel(grace=60)
    assert plan.done("a").work == []
    assert plan["a"].status == "cancelled"


def test_plan_that_failed_before_it_was_cancelled_was_cancelled():
    plan = Script(task("a"), task("b")).start().fail("a").cancel()
    assert plan.fail("b", REFUSED).finish is PlanStatus.CANCELLED


# Timeout.


def test_plan_that_takes_too_long_is_stopped_and_has_failed():
    plan = Script(task("a"), timeout=timedelta(seconds=60)).start()
    assert plan.alarm_seconds == 60
    assert plan.wait(60).stops == [StopWork()]
    assert plan.fail("a", REFUSED).finish is PlanStatus.FAILED
    assert plan.state.failure.message == "the plan took longer than its timeout of 1m 00s"
    assert plan.alarm_seconds is None


def test_timeout_after_a_cancel_does_not_matter():
    plan = Script(task("a"), timeout=timedelta(seconds=60)).start().cancel(grace=90)
    assert plan.alarm_seconds == 90
    assert plan.wait(60).last == []
    assert plan.done("a").finish is PlanStatus.CANCELLED


# Answers.


def asking(**more) -> Script:
    return Script(question("a", **more), task("b"), needs=B_NEEDS_A).start().prepared("a")


def test_yes_lets_the_task_go_on_and_no_fails_it_as_refused():
    assert asking().answer("a", True).work == ["b"]
    plan = asking().answer("a", False, by="bob", comment="too soon")
    assert plan.told[0] == ("a", "failed", "rejected by bob: too soon")
    assert plan.state.failure.kind is FailureKind.REFUSED
    assert plan.finish is PlanStatus.FAILED


def test_task_that_works_after_its_question_tells_who_said_yes():
    plan = Script(task("a", asks=True)).start().prepared("a").answer("a", True)
    assert plan.work == ["a"]
    assert plan.told == [("a", "pending", "approved by somebody")]
    assert plan["a"].answer.approved


def test_only_a_task_that_asks_is_answered():
    plan = two()
    assert plan.answer("a", True).last == []
    assert asking().answer("a", True).answer("a", False).last == []


def test_no_is_tolerated_under_continue_on_error():
    assert asking(continue_on_error=True).answer("a", False).work == ["b"]


def test_deadline_answers_with_the_default():
    minute = timedelta(minutes=1)
    plan = asking(deadline=minute, default=ApprovalDefault.APPROVE)
    assert plan.alarm_seconds == 60
    assert plan.wait(60).work == ["b"]
    plan = asking(deadline=minute, default=ApprovalDefault.REJECT).wait(60)
    assert plan.told[0][2] == "rejected by the deadline: nobody answered within 1m 00s"
    assert plan.finish is PlanStatus.FAILED


def test_deadline_without_a_default_fails_the_task():
    plan = asking(deadline=timedelta(minutes=1)).wait(60)
    assert plan.state.failure.type == "LimitReached"
    assert plan.state.failure.message == "nobody answered within 1m 00s"


def test_answer_in_time_calls_the_deadline_off():
    plan = asking(deadline=timedelta(minutes=1)).answer("a", True)
    assert plan.alarm_seconds is None


# Retry.


def test_failed_task_is_retried_while_the_plan_runs():
    plan = Script(task("a"), task("b")).start().fail("a")
    assert plan.retry("a", by="ann").work == ["a"]
    assert plan.told == [("a", "pending", "retried by ann")]
    assert plan.state.failure is None
    assert plan.done("a").done("b").finish is PlanStatus.SUCCEEDED


def test_retry_does_not_wait_for_the_back_off():
    plan = Script(task("a")).start().fail("a", TRANSIENT).retry("a")
    assert plan.work == ["a"]
    assert plan.flying("a").attempt == 1
    assert plan.alarm_seconds is None


def test_retry_of_what_runs_or_has_succeeded_changes_nothing():
    plan = Script(task("a"), task("b")).start().done("b")
    assert plan.retry("a").last == []
    assert plan.retry("b").last == []


def test_retry_that_finds_a_need_unmet_lets_those_that_wait_go_on():
    plan = Script(
        task("a", continue_on_error=True),
        task("b"),
        task("c", judges_needs=True),
        needs={"b": ["a"], "c": ["b"]},
    ).start()
    plan.fail("a", REFUSED).fail("b", UNKNOWN)
    plan.retry("a").not_met("a").retry("b")
    assert plan["b"].status is TaskStatus.SKIPPED
    assert plan["c"].status is TaskStatus.RUNNING


def test_plan_still_fails_for_the_other_task_when_one_is_retried():
    plan = Script(task("a"), task("b"), task("c")).start()
    plan.fail("a", message="one").fail("b", message="two").retry("a")
    assert plan.state.failure.message == "two"
    assert plan.done("a").done("c").finish is PlanStatus.FAILED


# Skip.


def test_each_unfinished_task_can_be_skipped():
    plan = Script(task("a"), task("b"), needs=B_NEEDS_A).start()
    assert plan.skip("b", reason="no need").told == [("b", "skipped", "no need")]
    plan = asking().skip("a", by="ann")
    assert (plan.told[0], plan.work) == (("a", "skipped", "skipped by ann"), ["b"])
    plan = two().fail("a", TRANSIENT).skip("a")
    assert (plan.told[0], plan.work) == (("a", "skipped", "skipped"), ["b"])
    assert two().fail("a", UNKNOWN).skip("a").work == ["b"]


def test_failed_task_that_is_skipped_lets_the_plan_succeed():
    plan = Script(task("a"), task("b"), task("c"), needs=B_NEEDS_A).start().fail("a").skip("a")
    assert plan["a"].skipped_by is SkipCause.PERSON
    assert plan.work == ["b"]
    assert plan.done("b").done("c").finish is PlanStatus.SUCCEEDED


def test_skipping_what_is_being_done_stops_it_first():
    plan = two().skip("a")
    assert (plan.stops, plan.work) == ([StopWork(0)], [])
    assert plan.skip("a").last == []
    assert plan.retry("a").last == []
    assert plan.done("a").work == ["b"]
    assert plan.statuses["a"] == "skipped"


def test_skipped_list_begins_no_further_items():
    plan = Script(each("a", max_parallel=2)).start().prepared("a", items=9)
    plan.fail("a", TRANSIENT, start=0).skip("a")
    assert plan.alarm_seconds is None
    assert plan.wait(60).work == []
    assert plan.fail("a", REFUSED).finish is PlanStatus.SUCCEEDED


def test_skip_of_what_has_ended_changes_nothing():
    plan = Script(task("a"), task("b")).start().done("b")
    assert plan.skip("b").last == []


# Once a plan is being stopped, and requests from outside.


def test_nothing_can_be_answered_retried_or_skipped_while_a_plan_is_being_stopped():
    plan = Script(task("a"), task("b"), task("c")).start().fail("a").cancel(grace=60)
    for ask in (plan.retry, plan.skip):
        assert ask("a").last == []
        assert ask("b").last == []
    assert plan.answer("b", True).last == []


def test_request_names_a_task_that_exists_and_can_do_it():
    plan = Script(task("a"), task("b")).start().fail("a")
    assert check_request(plan.state, plan.shape, "retry", "a") == 0
    with pytest.raises(NotFound, match="no task 'x'") as missing:
        check_request(plan.state, plan.shape, "retry", "x")
    assert missing.value.hint == "its tasks are a, b"
    with pytest.raises(Refused, match="task 'b' is running: cannot retry") as refused:
        check_request(plan.state, plan.shape, "retry", "b")
    assert refused.value.hint == "a task can when it is failed, unknown, waiting"


def test_request_is_refused_while_the_task_is_being_skipped():
    plan = two().skip("a")
    with pytest.raises(Refused, match="task 'a' is being skipped: cannot skip"):
        check_request(plan.state, plan.shape, "skip", "a")


def test_request_is_refused_while_the_plan_is_being_stopped():
    plan = two().note(CancelAsked("", timedelta(60)))
    with pytest.raises(Refused, match="the plan is cancelling"):
        check_request(plan.state, plan.shape, "skip", "a")
