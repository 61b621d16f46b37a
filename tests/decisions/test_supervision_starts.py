"""How a supervisor comes up, restarts its children, and gives up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from supervisor_script import Team, backoff, failed, plan, policy, up
from team_world import START

from mainstay.decisions.supervision.backoff import wait
from mainstay.decisions.supervision.supervisor import is_at_boundary, next_alarm
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure
from mainstay.schemas.supervision import ChildExit, ChildPhase, ExitKind, SupervisorState
from mainstay.schemas.supervision_calls import Severity, SupervisionEventType
from mainstay.schemas.supervision_directives import (
    BecameReady,
    Exited,
    ShutDownAsked,
    StartChild,
    TerminateAsked,
    WasOpened,
    WasUnhealthy,
)
from mainstay.schemas.team import BackoffSpec

A, B, C = plan("a"), plan("b"), plan("c")


# Start-up.


def test_children_start_in_order_and_instances_of_a_plan_together():
    team = Team(policy(), A, plan("b", count=2), C)
    assert team.did == ["start a"]
    assert team.ready("a") == ["start b-1", "start b-2"]
    assert team.ready("b-2") == []
    assert team.ready("b-1") == ["start c"]
    assert team.ready("c") == ["ready"]
    assert team.state.life is LifeState.RUNNING


def test_a_supervisor_without_children_is_ready_at_once():
    assert Team(policy()).did == ["ready"]
    assert Team(policy("dynamic"), A).did == ["ready"]


def test_a_start_that_fails_in_the_start_up_undoes_what_was_started():
    team = Team(policy(), A, B, C)
    team.ready("a")
    assert team.exit("b", failed("no model")) == ["stop a"]
    assert team.directives[0].severity is Severity.HIGH  # type: ignore[union-attr]
    assert team.exit("a") == ["end failed"]
    assert team.state.reason == "child 'b' did not start: no model"


def test_a_refusal_fails_the_start_up_like_any_other_failure():
    assert Team(policy(), A).exit("a", "refused") == ["end failed"]


def test_a_child_that_was_ready_once_and_failed_in_the_start_up_is_restarted():
    team = Team(policy(), A, B)
    team.ready("a")
    assert team.exit("a", "failed") == ["start a"]
    team.exit("a", "failed")
    assert team.state.restarts_in_all == 2
    assert team.ready("a", "b") == ["ready"]


def test_an_end_that_is_no_failure_means_that_a_child_was_ready():
    team = Team(policy(), plan("a", "transient"), B)
    assert team.exit("a", "normal") == ["start b"]
    assert team.child("a").phase is ChildPhase.STOPPED


def test_a_team_file_that_cannot_be_read_ends_the_supervisor():
    team = Team(policy())
    team.state = SupervisorState()
    assert team.tell(WasOpened(problem="no such file")) == ["end failed"]
    assert team.reports[0].message == "no such file"


def test_adopted_children_go_on_with_their_incarnation():
    team = Team(policy())
    team.state = SupervisorState()
    team.tell(WasOpened(policy=policy(), plans=(A, B), alive=(("b", 4), ("gone", 1))))
    assert team.did == ["start a"]
    assert team.ready("a") == ["ready"]
    assert team.exit("b", "failed") == ["start b"]
    assert team.child("b").incarnation == 5


def test_adopted_children_of_a_dynamic_supervisor_follow_its_template():
    team = Team(policy())
    team.state = SupervisorState()
    template = plan("job", "transient")
    team.tell(WasOpened(policy=policy("dynamic"), plans=(template,), alive=(("j1", 2),)))
    assert team.phases() == {"j1": "running"}
    assert team.exit("j1", "normal") == ["close j1"]
    assert team.state.plans == (template,)


def test_what_is_opened_twice_or_too_late_changes_nothing():
    team = up(policy(), A)
    before = team.state
    team.tell(WasOpened(policy=policy("one_for_all"), plans=(B,)))
    assert team.state == before
    team.shut_down()
    assert team.tell(WasOpened(problem="too late")) == []


# Restarts.


@pytest.mark.parametrize(
    ("restart", "how", "did"),
    [
        ("permanent", "normal", ["start a"]),
        ("permanent", "shutdown", ["start a"]),
        ("permanent", "failed", ["start a"]),
        ("transient", "normal", []),
        ("transient", "shutdown", []),
        ("transient", "failed", ["start a"]),
        ("temporary", "normal", ["close a"]),
        ("temporary", "shutdown", ["close a"]),
        ("temporary", "failed", ["close a"]),
    ],
)
def test_the_restart_type_says_after_which_ends_a_child_is_started_again(restart, how, did):
    assert up(policy(), plan("a", restart)).exit("a", how) == did


def test_one_for_all_stops_in_reverse_and_starts_in_order():
    team = up(policy("one_for_all"), A, plan("b", count=2), C)
    assert team.exit("a", "failed") == ["stop c"]
    assert team.exit("c") == ["stop b-1", "stop b-2"]
    assert team.exit("b-1") == []
    assert team.exit("b-2") == ["start a"]
    assert team.ready("a") == ["start b-1", "start b-2"]
    assert team.ready("b-1", "b-2") == ["start c"]


def test_rest_for_one_leaves_alone_what_comes_before():
    team = up(policy("rest_for_one"), A, plan("b", count=2), C)
    assert team.exit("b-1", "failed") == ["stop c"]
    assert team.exit("c") == ["start b-1"]
    assert team.ready("b-1") == ["start c"]
    assert team.child("b-2").restarts == 0


def test_one_for_all_starts_again_what_stood_still_but_not_what_is_held():
    team = up(policy("one_for_all"), plan("a", "transient"), plan("b", "transient"), C)
    team.exit("a", "normal")
    team.exit("b", "refused")
    assert team.exit("c", "failed") == ["start a"]
    assert team.ready("a") == ["start c"]
    assert team.phases()["b"] == "stopped"


def test_a_temporary_child_is_forgotten_when_a_sibling_stops_it():
    team = up(policy("one_for_all"), A, plan("b", "temporary"))
    team.exit("a", "failed")
    assert team.directives[0].keeps is False  # type: ignore[union-attr]
    assert team.exit("b") == ["close b", "start a"]
    assert team.names == ["a"]
    assert len(team.state.plans) == 1


def test_a_sibling_that_dies_before_it_is_told_to_stop_does_not_count():
    team = up(policy("one_for_all", 1), A, B, C)
    team.exit("a", "failed")
    assert team.exit("b", "failed") == []
    assert team.exit("c") == ["start a"]
    assert team.state.restarts_in_all == 1


def test_terminate_all_restarts_nothing():
    team = up(policy("terminate_all"), A, plan("b", "transient"), C)
    assert team.exit("b", "normal") == []
    assert team.exit("a", "failed") == ["stop c"]
    assert team.exit("c") == ["end failed"]


def test_a_failure_that_no_restart_cures_holds_the_child_and_does_not_count():
    team = up(policy("one_for_all", 0), A, B)
    assert team.exit("a", failed("no such model", "InvalidInput")) == []
    held = team.child("a")
    assert held.is_held
    assert held.detail == "no such model"
    assert team.state.restarts == ()
    assert team.reports[0].severity is Severity.HIGH


def test_a_failure_without_a_description_is_restarted():
    bare = ChildExit(kind=ExitKind.FAILED)
    assert up(policy(), A).exit("a", bare) == ["start a"]


def test_what_is_told_twice_or_of_an_earlier_incarnation_is_not_heard():
    team = up(policy(), A)
    news = Exited("a", 1, failed())
    assert team.tell(news, news) == ["start a"]
    assert team.tell(news, BecameReady("a", 1), WasUnhealthy("a", 1, "hangs")) == []
    assert team.state.restarts_in_all == 1
    assert team.ready("a") == []
    assert team.tell(BecameReady("a", 2)) == []


def test_a_restart_is_told_so_and_put_on_record_with_its_reason():
    team = up(policy(), A)
    team.exit("a", failed("out of luck"))
    assert team.directives[0] == StartChild("a", 0, 2, is_restart=True)
    report = team.reports[0]
    assert (report.type, report.message) == (SupervisionEventType.AGENT_RESTARTED, "out of luck")


def test_an_unhealthy_child_is_killed_and_then_counts_as_failed():
    team = up(policy(), A)
    assert team.tell(WasUnhealthy("a", 1, "it hangs")) == ["kill a"]
    assert team.reports[0].type is SupervisionEventType.HEALTH_CHECK_FAILED
    assert team.tell(WasUnhealthy("a", 1, "it hangs")) == []
    assert team.exit("a", "normal") == ["start a"]
    assert team.state.restarts_in_all == 1
    assert team.child("a").detail == "it hangs"


def test_an_end_told_together_with_what_kills_the_child_leaves_nothing_to_kill():
    team = up(policy(), A)
    assert team.tell(WasUnhealthy("a", 1, "it hangs"), Exited("a", 1, failed())) == ["start a"]


# Intensity and escalation.


def test_never_restarts_more_than_intensity_times_in_a_period():
    team = up(policy(restarts=2), A, B)
    for _ in range(2):
        assert team.exit("a", "failed") == ["start a"]
        team.ready("a")
    assert team.exit("a", "failed") == ["stop b"]
    assert team.reports[0].severity is Severity.CRITICAL
    assert team.directives[1].keeps is True  # type: ignore[union-attr]
    assert team.exit("b") == ["end failed"]
    assert "more than 2 restarts within 5 s" in team.state.reason


def test_a_restart_exactly_one_window_ago_still_counts():
    team = up(policy(restarts=1), A)
    team.exit("a", "failed")
    team.now += timedelta(seconds=5)
    assert team.exit("a", "failed") == ["end failed"]
    team = up(policy(restarts=1), A)
    team.exit("a", "failed")
    team.now += timedelta(seconds=5.001)
    assert team.exit("a", "failed") == ["start a"]


def test_a_failed_start_in_a_restart_counts_and_is_tried_again():
    team = up(policy(restarts=2), A)
    assert team.exit("a", "failed") == ["start a"]
    assert team.exit("a", "failed") == ["start a"]
    assert team.exit("a", "failed") == ["end failed"]


def test_terminate_ends_as_if_the_supervisor_had_decided_to():
    team = up(policy(restarts=0, escalation="terminate"), A)
    assert team.exit("a", "failed") == ["end shutdown"]


def test_restart_restarts_all_children_once_with_a_clean_slate():
    team = up(policy(restarts=1, escalation="restart"), A, plan("b", "temporary"), C)
    team.exit("a", "failed")
    team.ready("a")
    assert team.exit("a", "failed") == ["stop c"]
    assert team.exit("c") == ["stop b"]
    assert team.exit("b") == ["close b", "start a"]
    assert team.ready("a") == ["start c"]
    assert team.exit("c", "failed") == ["start c"]
    assert team.exit("c", "failed") == ["stop a"]
    assert team.exit("a") == ["end failed"]


def test_restart_of_all_takes_along_what_backs_off():
    team = up(policy(restarts=1, escalation="restart"), plan("a", backoff=backoff(9)), B)
    team.exit("a", "failed")
    assert team.exit("b", "failed") == ["start a"]


def test_after_a_quiet_window_all_children_may_be_restarted_again():
    team = up(policy(restarts=1, escalation="restart"), A)
    for _ in range(2):
        team.exit("a", "failed")
        assert team.exit("a", "failed") == ["start a"]
        team.ready("a")
        team.wait(5.001)
    team = up(policy(restarts=1, escalation="restart"), A)
    for seconds in (0, 0, 4):
        team.wait(seconds)
        assert team.exit("a", "failed") == ["start a"]
        team.ready("a")
    team.wait(4)  # it was never quiet for a whole window
    assert team.exit("a", "failed") == ["end failed"]


# Back-off.


def test_a_child_waits_for_its_back_off_and_not_a_moment_longer():
    team = up(policy(), plan("a", backoff=backoff(2, factor=3)))
    assert team.exit("a", "failed") == []
    assert team.child("a").phase is ChildPhase.BACKING_OFF
    assert next_alarm(team.state) == START + timedelta(seconds=2)
    assert is_at_boundary(team.state)
    assert team.wait(1.999) == []
    assert team.wait(0.001) == ["start a"]
    assert not is_at_boundary(team.state)
    team.exit("a", "failed")
    assert team.wait(5.999) == []
    assert team.wait(0.001) == ["start a"]


def test_all_wait_for_the_back_off_of_the_one_that_failed():
    team = up(policy("one_for_all"), A, plan("b", backoff=backoff(2)))
    assert team.exit("b", "failed") == ["stop a"]
    assert team.exit("a") == []
    assert team.wait(2) == ["start a"]
    assert team.ready("a") == ["start b"]


def test_with_rest_for_one_those_before_start_while_a_later_one_backs_off():
    team = up(policy("rest_for_one"), A, plan("b", backoff=backoff(9)), C)
    team.exit("b", "failed")
    team.exit("c")
    assert team.exit("a", "failed") == ["start a"]
    assert team.ready("a") == []
    assert team.wait(9) == ["start b"]


def test_one_for_one_does_not_hold_up_others_while_one_backs_off():
    team = up(policy(), plan("a", backoff=backoff(9)), B)
    team.exit("a", "failed")
    assert team.exit("b", "failed") == ["start b"]


def test_the_back_off_begins_anew_after_a_long_run():
    team = up(policy(), plan("a", backoff=backoff(2, maximum=timedelta(seconds=6))))
    team.exit("a", "failed")
    team.wait(2)
    team.ready("a")
    team.wait(6)
    team.exit("a", "failed")
    assert team.child("a").failures == 2
    team.wait(4)
    team.ready("a")
    team.wait(6.001)
    team.tell(WasUnhealthy("a", 3, "it hangs"))
    team.exit("a")
    assert team.child("a").failures == 1


@pytest.mark.parametrize(
    ("failures", "dice", "seconds"),
    [(1, 0, 1), (2, 0, 2), (4, 0, 8), (7, 0, 60), (10_000, 0, 60), (2, 0.5, 2.5), (9, 1, 90)],
)
def test_the_wait_grows_up_to_its_maximum_with_a_share_at_random(failures, dice, seconds):
    spec = BackoffSpec(initial=timedelta(seconds=1), factor=2, jitter=0.5)
    assert wait(spec, failures, dice) == timedelta(seconds=seconds)


def test_without_an_initial_wait_there_is_none():
    assert wait(BackoffSpec(), 5, 0.9) == timedelta(0)


def test_the_dice_of_a_decision_make_the_jitter():
    spec = BackoffSpec(initial=timedelta(seconds=10), jitter=0.5)
    team = up(policy(), plan("a", backoff=spec))
    team.tell(Exited("a", 1, failed()), dice=0.5)
    assert next_alarm(team.state) == START + timedelta(seconds=12.5)


# Automatic shutdown.


def test_any_significant_end_shuts_the_supervisor_down():
    own = policy(auto_shutdown="any_significant")
    team = up(own, A, plan("b", "transient", significant=True), plan("c", "transient"))
    assert team.exit("c", "normal") == []
    assert team.exit("b", "failed") == ["start b"]
    team.ready("b")
    assert team.exit("b", "normal") == ["stop a"]
    assert team.exit("a") == ["end shutdown"]


def test_all_significant_waits_for_the_last_of_them():
    own = policy(auto_shutdown="all_significant")
    team = up(own, *(plan(name, "temporary", significant=True) for name in "ab"), C)
    assert team.exit("a", "failed") == ["close a"]
    assert team.exit("b", "normal") == ["close b", "stop c"]


def test_significant_children_that_others_stop_shut_nothing_down():
    own = policy("one_for_all", auto_shutdown="any_significant")
    team = up(own, A, plan("b", "transient", significant=True))
    team.exit("a", "failed")
    assert team.exit("b") == ["start a"]
    team.ready("a")
    team.ready("b")
    team.tell(TerminateAsked("b"))
    assert team.exit("b") == []
    assert team.state.life is LifeState.RUNNING


def test_news_may_name_a_failure_only_in_words():
    team = up(policy(), A)
    end = ChildExit(kind=ExitKind.FAILED, failure=Failure(message="x"), message="killed by hand")
    team.exit("a", end)
    assert team.child("a").detail == "killed by hand"


def test_nothing_happens_after_the_end():
    team = up(policy(), A)
    team.shut_down()
    team.exit("a")
    end = team.state
    assert team.tell(ShutDownAsked(), BecameReady("a", 1)) == []
    assert team.state == end
