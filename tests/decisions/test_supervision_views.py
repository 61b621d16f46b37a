"""What is shown of a supervisor, and which requests are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from supervisor_script import Team, backoff, plan, policy, up

from mainstay.decisions.supervision.intensity import seen_at
from mainstay.decisions.supervision.view import (
    check_delete,
    check_restart,
    check_start,
    check_terminate,
    count_children,
    view,
)
from mainstay.schemas.errors import InvalidInput, NotFound, Refused
from mainstay.schemas.ids import team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ChildCounts, ChildKind, ChildPlan, SupervisorRequest
from mainstay.schemas.supervision_directives import StartAsked, TerminateAsked
from mainstay.schemas.team import Strategy

A, B = plan("a"), plan("b")
BELOW = ChildPlan(name="low", kind=ChildKind.SUPERVISOR)


def request(path: str = "") -> SupervisorRequest:
    return SupervisorRequest(
        supervisor_id="supervisor/t", row_id="agent-x", team="t", run="ab", path=path, team_ref="r"
    )


def test_a_view_shows_who_runs_and_how_many_restarts_are_left():
    team = up(policy(restarts=2), plan("a", backoff=backoff(9)), BELOW)
    team.exit("a", "failed")
    seen = view(team.state, request(), team.now)
    assert (seen.life, seen.strategy) == (LifeState.RUNNING, Strategy.ONE_FOR_ONE)
    assert (seen.max_restarts, seen.restarts_left, seen.restarts) == (2, 1, 1)
    first, second = seen.children
    assert first.id == team_agent_id("t", "ab", "a")
    assert (first.phase, first.detail) == ("backing_off", "it broke")
    assert first.until == team.now + timedelta(seconds=9)
    assert second.id == "supervisor/t/low"
    assert view(team.state, request("up"), team.now).children[1].id == "supervisor/t/up/low"


def test_restarts_are_left_again_when_the_window_has_passed():
    team = up(policy(restarts=2), A)
    team.exit("a", "failed")
    seen, later = view(team.state, request(), team.now), team.now + timedelta(seconds=5.001)
    assert seen_at(seen, team.now) == seen
    assert view(team.state, request(), later).restarts_left == 2
    assert seen_at(seen, later) == view(team.state, request(), later)


def test_children_are_counted_as_otp_counts_them():
    team = up(policy(), A, plan("b", count=3), BELOW)
    team.tell(TerminateAsked("a"))
    team.exit("a")
    expected = ChildCounts(specs=5, active=4, supervisors=1, workers=4)
    assert count_children(team.state) == expected


def test_a_view_names_the_reason_for_the_end():
    team = up(policy(), A)
    team.shut_down()
    seen = view(team.state, request(), team.now)
    assert (seen.life, seen.detail) == (LifeState.STOPPING, "enough")


def test_a_name_that_is_taken_cannot_be_started():
    team = up(policy(), plan("a", count=2), B)
    check_start(team.state, plan("a"))
    with pytest.raises(Refused, match="'b' already, and it is running"):
        check_start(team.state, B)
    with pytest.raises(Refused, match="'a-1' already, and it is running"):
        check_start(team.state, plan("a", count=2))
    team.tell(TerminateAsked("b"))
    team.exit("b")
    with pytest.raises(Refused, match="'b' already, and it is stopped"):
        check_start(team.state, B)


def test_significant_children_need_a_supervisor_that_shuts_down_and_an_end():
    team = up(policy(auto_shutdown="any_significant"), A)
    check_start(team.state, plan("b", "transient", significant=True))
    with pytest.raises(InvalidInput, match="permanent"):
        check_start(team.state, plan("b", significant=True))
    with pytest.raises(InvalidInput, match="never shuts itself down"):
        check_start(up(policy(), A).state, plan("b", "transient", significant=True))


def test_nothing_is_started_before_or_after_the_supervisor_runs():
    starting = Team(policy(), A)
    with pytest.raises(Refused, match="still starting"):
        check_start(starting.state, B)
    ending = up(policy(), A)
    ending.shut_down()
    with pytest.raises(Refused, match="STOPPING"):
        check_restart(ending.state, "a")


def test_restarted_is_what_runs_or_is_stopped():
    team = up(policy("one_for_all"), A, B, plan("c", backoff=backoff(9)))
    check_restart(team.state, "a")
    team.exit("c", "failed")
    for name, phase in {"a": "about to be stopped", "b": "stopping", "c": "backing off"}.items():
        with pytest.raises(Refused, match=f"{name!r} is {phase}"):
            check_restart(team.state, name)
    team.tell(TerminateAsked("c"))
    check_restart(team.state, "c")


def test_deleted_is_what_is_stopped():
    team = up(policy(), A)
    with pytest.raises(Refused, match="running: only a stopped one"):
        check_delete(team.state, "a")
    team.tell(TerminateAsked("a"))
    team.exit("a")
    check_delete(team.state, "a")


@pytest.mark.parametrize("check", [check_restart, check_delete])
def test_a_dynamic_supervisor_restarts_and_deletes_nothing_on_request(check):
    team = up(policy("dynamic"), plan("job"))
    team.tell(StartAsked(A))
    team.ready("a")
    with pytest.raises(Refused, match="dynamic"):
        check(team.state, "a")
    check_terminate(team.state, "a")


@pytest.mark.parametrize("check", [check_terminate, check_restart, check_delete])
def test_a_name_that_nobody_has_is_not_found(check):
    team = up(policy(), plan("reviewer"))
    with pytest.raises(NotFound, match="no child 'reviewr'") as refusal:
        check(team.state, "reviewr")
    assert "reviewer" in refusal.value.hint
    with pytest.raises(NotFound) as refusal:
        check(team.state, "x")
    assert "supervisor children" in refusal.value.hint
