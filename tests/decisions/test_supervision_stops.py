"""How children are stopped, and what people may do to them at run time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from supervisor_script import Team, backoff, failed, plan, policy, up
from team_world import START

from mainstay.decisions.supervision.draft import KEPT_NAMES
from mainstay.decisions.supervision.supervisor import is_at_boundary, next_alarm
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ChildPhase, StopStep, SupervisorState
from mainstay.schemas.supervision_directives import (
    CloseChild,
    DeleteAsked,
    Exited,
    KillChild,
    RestartChildAsked,
    ShutDownAsked,
    StartAsked,
    TellToStop,
    TerminateAsked,
    WasUnhealthy,
)

MINUTE = timedelta(minutes=1)
A, B, C = plan("a"), plan("b"), plan("c")


# Stop steps and order.


def test_a_child_is_told_then_cancelled_then_killed():
    team = up(policy(), plan("a", shutdown=timedelta(seconds=9)))
    assert team.shut_down() == ["stop a"]
    assert team.directives[0] == TellToStop("a", 1, timedelta(seconds=9), keeps=False)
    assert next_alarm(team.state) == START + timedelta(seconds=9)
    assert team.wait(8.999) == []
    assert team.wait(0.001) == ["cancel a"]
    assert team.wait(1.999) == []
    assert team.wait(0.001) == ["kill a"]
    assert next_alarm(team.state) is None
    assert team.exit("a", "failed") == ["end stopped"]


def test_brutal_kill_kills_at_once():
    team = up(policy(), plan("a", shutdown=timedelta(0)))
    assert team.shut_down() == ["kill a"]
    assert team.child("a").stop_step is StopStep.KILLED


def test_infinity_never_goes_beyond_telling():
    team = up(policy(), plan("a", shutdown=None))
    assert team.shut_down() == ["stop a"]
    assert next_alarm(team.state) is None
    assert team.wait(10**6) == []


def test_children_are_stopped_in_reverse_group_by_group():
    team = up(policy(), A, plan("b", count=2), C)
    assert team.shut_down() == ["stop c"]
    assert not is_at_boundary(team.state)
    assert team.exit("c") == ["stop b-1", "stop b-2"]
    assert team.exit("b-2") == []
    assert team.exit("b-1") == ["stop a"]
    assert team.exit("a") == ["end stopped"]
    assert team.state.life is LifeState.TERMINATED


def test_a_dynamic_supervisor_stops_all_at_once():
    team = up(policy("dynamic"), plan("job"))
    team.tell(StartAsked(A), StartAsked(B))
    assert team.shut_down() == ["stop a", "stop b"]


def test_an_end_in_the_middle_of_the_start_up_stops_what_was_begun():
    team = Team(policy(), A, B, C)
    team.ready("a")
    assert team.shut_down() == ["stop b"]
    assert team.ready("b") == []
    assert team.exit("b") == ["stop a"]
    assert team.exit("a") == ["end stopped"]


def test_an_end_in_the_middle_of_a_restart_starts_nothing_any_more():
    team = up(policy("one_for_all"), A, B, plan("c", backoff=backoff(9)))
    team.exit("c", "failed")
    assert team.shut_down() == []
    assert team.exit("b") == ["stop a"]
    assert next_alarm(team.state) == START + MINUTE
    assert team.exit("a") == ["end stopped"]


def test_an_end_before_anything_is_there_ends_at_once():
    team = Team(policy())
    team.state = SupervisorState()
    assert team.shut_down() == ["end stopped"]


def test_a_hurried_end_kills_what_is_being_stopped_and_then_the_rest():
    team = up(policy(), A, plan("b", shutdown=None), plan("c", shutdown=timedelta(0)))
    team.shut_down(keeps=True)
    assert team.shut_down(keeps=True, is_hurried=True) == []
    assert team.exit("c") == ["kill b"]
    team = up(policy(), A, plan("b", shutdown=None))
    team.shut_down(keeps=True)
    assert team.shut_down(keeps=True, is_hurried=True) == ["kill b"]
    assert team.exit("b") == ["kill a"]
    assert team.directives[-1] == KillChild("a", 1, keeps=True)


def test_an_end_can_be_made_final_but_not_undone():
    team = up(policy(), A, B)
    team.shut_down(keeps=True)
    assert team.directives[0].keeps is True  # type: ignore[union-attr]
    team.tell(ShutDownAsked("for good"))
    team.tell(ShutDownAsked("again", keeps=True))
    team.exit("b")
    assert team.directives[-1] == TellToStop("a", 1, MINUTE, keeps=False)


@pytest.mark.parametrize(("restart", "keeps"), [("permanent", True), ("temporary", False)])
def test_an_unhealthy_child_keeps_its_mailbox_if_it_is_started_again(restart, keeps):
    team = up(policy("dynamic"), plan("job"))
    team.tell(StartAsked(plan("a", restart)))
    team.ready("a")
    team.tell(WasUnhealthy("a", 1, "it hangs"))
    assert KillChild("a", 1, keeps) in team.directives


# People's requests.


def test_an_added_child_starts_and_is_dropped_if_its_first_start_fails():
    team = up(policy("one_for_all"), A)
    assert team.tell(StartAsked(B)) == ["start b"]
    assert team.exit("b", "failed") == ["close b"]
    assert team.names == ["a"]
    assert len(team.state.plans) == 1
    assert team.state.restarts == ()


def test_an_added_child_is_restarted_once_it_was_ready():
    team = up(policy(), A)
    team.tell(StartAsked(B))
    team.ready("b")
    assert team.exit("b", "failed") == ["start b"]
    assert team.exit("b", "failed") == ["start b"]
    assert team.state.restarts_in_all == 2


def test_a_name_that_was_forgotten_goes_on_counting_its_incarnations():
    team = up(policy("dynamic"), plan("job", "temporary"))
    team.tell(StartAsked(plan("a", "temporary")))
    team.ready("a")
    team.exit("a", "normal")
    team.tell(StartAsked(plan("a", "temporary")))
    assert team.tell(Exited("a", 1, failed())) == []  # an old story
    assert team.child("a").incarnation == 2


def test_only_the_latest_forgotten_names_are_remembered():
    team = up(policy("dynamic"), plan("job", "temporary"))
    for number in range(KEPT_NAMES + 5):
        team.tell(StartAsked(plan(f"j{number}", "temporary")))
        team.exit(f"j{number}", "normal")
    assert len(team.state.forgotten) == KEPT_NAMES
    assert "j4" not in team.state.forgotten
    assert len(team.state.plans) == 1


def test_a_taken_name_adds_nothing():
    team = up(policy(), A)
    assert team.tell(StartAsked(A)) == []
    assert team.names == ["a"]


def test_a_terminated_child_keeps_its_plan_and_its_mailbox():
    team = up(policy(), A, B)
    assert team.tell(TerminateAsked("a")) == ["stop a"]
    assert team.directives[0].keeps is True  # type: ignore[union-attr]
    assert team.exit("a", "failed") == []
    assert team.phases() == {"a": "stopped", "b": "running"}
    assert team.tell(RestartChildAsked("a")) == ["start a"]
    assert team.ready("a") == []
    assert team.state.restarts == ()


def test_a_terminated_temporary_child_is_forgotten():
    team = up(policy(), A, plan("b", "temporary"))
    team.tell(TerminateAsked("b"))
    assert team.directives[0].keeps is False  # type: ignore[union-attr]
    assert team.exit("b") == ["close b"]
    assert team.names == ["a"]


def test_a_terminated_child_of_a_dynamic_supervisor_is_forgotten():
    team = up(policy("dynamic"), plan("job"))
    team.tell(StartAsked(plan("a", backoff=backoff(9))), StartAsked(B))
    team.ready("a", "b")
    team.tell(TerminateAsked("b"))
    assert team.exit("b") == ["close b"]
    team.exit("a", "failed")
    assert team.tell(TerminateAsked("a")) == ["close a"]
    assert team.names == []


def test_terminating_a_child_that_waits_ends_its_wait():
    team = up(policy(), plan("a", backoff=backoff(9)))
    team.exit("a", "failed")
    assert team.tell(TerminateAsked("a")) == []
    assert next_alarm(team.state) is None
    assert team.child("a").phase is ChildPhase.STOPPED


def test_a_start_up_goes_on_without_the_child_that_is_terminated_in_it():
    team = Team(policy(), A, B)
    team.tell(TerminateAsked("a"))
    assert team.exit("a") == []  # b started meanwhile: it does not wait for what is not wanted
    assert team.phases() == {"a": "stopped", "b": "starting"}
    assert team.ready("b") == ["ready"]


def test_what_is_asked_last_decides_about_a_child_that_is_being_stopped():
    team = up(policy("one_for_all"), A, B, C)
    team.exit("c", "failed")
    team.tell(TerminateAsked("b"), TerminateAsked("a"))
    team.exit("b")
    assert team.exit("a") == ["start c"]
    assert team.phases() == {"a": "stopped", "b": "stopped", "c": "starting"}


def test_a_terminated_child_that_still_stops_is_started_when_a_sibling_fails():
    team = up(policy("one_for_all"), A, B, plan("c", "temporary"))
    team.tell(TerminateAsked("b"), WasUnhealthy("c", 1, "it hangs"))
    team.exit("a", "failed")
    team.exit("b")
    assert team.exit("c") == ["close c", "start a"]
    assert team.ready("a") == ["start b"]


def test_a_request_in_the_middle_of_the_end_changes_nothing():
    team = up(policy(), A, B)
    team.shut_down()
    assert team.tell(TerminateAsked("a"), RestartChildAsked("a"), StartAsked(C)) == []


def test_a_running_child_is_restarted_on_request_without_being_counted():
    team = up(policy("one_for_all", 0), A, B)
    assert team.tell(RestartChildAsked("a")) == ["stop a"]
    assert team.exit("a") == ["start a"]
    assert team.state.restarts_in_all == 0
    assert team.exit("a", "failed") == ["stop b"]  # but its failed start is one too many


def test_a_start_that_a_person_asked_for_and_that_fails_leaves_the_child_stopped():
    team = up(policy(), plan("a", "transient"))
    team.exit("a", "normal")
    team.tell(RestartChildAsked("a"))
    assert team.exit("a", "failed") == []
    assert team.phases() == {"a": "stopped"}
    assert not team.child("a").is_held
    team.tell(RestartChildAsked("a"))
    team.exit("a", "refused")
    assert team.child("a").is_held


def test_a_held_child_runs_again_when_a_person_restarts_it():
    team = up(policy(), A)
    team.exit("a", "refused")
    assert team.tell(RestartChildAsked("a")) == ["start a"]
    assert not team.child("a").is_held
    team.ready("a")
    assert team.exit("a", "failed") == ["start a"]


def test_a_deleted_child_is_closed_and_the_places_of_later_ones_move_up():
    team = up(policy(), A, B)
    team.tell(TerminateAsked("a"))
    assert team.tell(DeleteAsked("a")) == []  # it is still stopping
    team.exit("a")
    assert team.tell(DeleteAsked("a")) == ["close a"]
    assert team.directives == [CloseChild("a", "it was deleted")]
    assert team.child("b").place == 0
    assert team.state.plans == (B,)


def test_a_plan_is_kept_as_long_as_one_of_its_children_is():
    team = up(policy(), plan("a", "temporary", count=2), B)
    team.exit("a-1", "normal")
    assert len(team.state.plans) == 2
    team.exit("a-2", "normal")
    assert team.state.plans == (B,)


@pytest.mark.parametrize("asked", [RestartChildAsked, DeleteAsked, TerminateAsked])
def test_a_request_for_nobody_changes_nothing(asked):
    team = up(policy(), A)
    before = team.state
    assert team.tell(asked("nobody")) == []
    assert team.state == before
