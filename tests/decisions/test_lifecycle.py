"""Which states an agent's life goes through, and how long it may stay in each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.decisions.agents.lifecycle import (
    OVERDUE,
    TRANSITIONS,
    begin,
    is_overdue,
    move,
    overdue_move,
)
from mainstay.schemas.agent import LimitsSpec
from mainstay.schemas.errors import Refused
from mainstay.schemas.lifecycle import (
    KEPT_TRANSITIONS,
    EndReason,
    Lifecycle,
    LifeState,
    PauseReason,
)

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMITS = LimitsSpec()

SPECIFIED = {
    "INITIALIZING": {"RUNNING", "ERROR", "TERMINATED"},
    "RUNNING": {"PAUSED", "STOPPING", "ERROR", "RESTARTING"},
    "PAUSED": {"RUNNING", "STOPPING", "ERROR"},
    "STOPPING": {"TERMINATED", "ERROR"},
    "ERROR": {"RESTARTING", "TERMINATED"},
    "RESTARTING": {"INITIALIZING", "ERROR", "TERMINATED"},
    "TERMINATED": set(),
}
SECONDS = {"INITIALIZING": 30, "PAUSED": 3600, "STOPPING": 60, "RESTARTING": 45}

PATHS = {
    "INITIALIZING": "",
    "RUNNING": "RUNNING",
    "PAUSED": "RUNNING PAUSED",
    "STOPPING": "RUNNING STOPPING",
    "TERMINATED": "TERMINATED",
    "ERROR": "ERROR",
    "RESTARTING": "ERROR RESTARTING",
}


def live(path: str, limits: LimitsSpec = LIMITS) -> Lifecycle:
    """A life that went through some states."""
    life = begin(START, limits)
    for state in path.split():
        life = move(life, LifeState(state), START, limits, trigger="test")
    return life


@pytest.mark.parametrize("wish", LifeState)
@pytest.mark.parametrize("state", LifeState)
def test_life_changes_exactly_as_the_specification_allows(state, wish):
    life = live(PATHS[state])
    if wish in SPECIFIED[state]:
        assert move(life, wish, START, LIMITS, trigger="x").state is wish
    else:
        with pytest.raises(Refused) as caught:
            move(life, wish, START, LIMITS, trigger="x")
        assert f"is {state} cannot become {wish}" in caught.value.message
        assert all(allowed in caught.value.message for allowed in SPECIFIED[state])
        assert caught.value.hint


def test_refusal_names_state_and_wish_and_what_is_allowed():
    with pytest.raises(Refused) as caught:
        move(live("RUNNING PAUSED"), LifeState.RESTARTING, START, LIMITS, trigger="restart")
    assert caught.value.message == (
        "an agent that is PAUSED cannot become RESTARTING: "
        "from PAUSED it may become RUNNING or STOPPING or ERROR"
    )


@pytest.mark.parametrize("state", LifeState)
def test_each_state_lasts_as_long_as_the_specification_says(state):
    life = live(PATHS[state])
    expected = START + timedelta(seconds=SECONDS[state]) if state in SECONDS else None
    assert life.until == expected


def test_length_of_a_state_is_policy():
    limits = LimitsSpec(initialize=1, pause=2, stop=3, restart=4)
    lasts = {state: live(PATHS[state], limits).until for state in SECONDS}
    assert [(until - START).total_seconds() for until in lasts.values()] == [1, 2, 3, 4]


def test_grace_takes_the_place_of_the_time_of_a_state_that_has_one():
    life = live("RUNNING")
    for grace in (timedelta(0), timedelta(seconds=7)):
        stopping = move(life, LifeState.STOPPING, START, LIMITS, trigger="stop", grace=grace)
        assert stopping.until == START + grace
    failed = move(life, LifeState.ERROR, START, LIMITS, trigger="x", grace=timedelta(seconds=7))
    assert failed.until is None


def test_state_is_overdue_from_its_very_end():
    life = live("RUNNING PAUSED")
    assert not is_overdue(life, life.until - timedelta(microseconds=1))
    assert is_overdue(life, life.until)
    assert not is_overdue(live("RUNNING"), START + timedelta(days=3650))


@pytest.mark.parametrize(
    ("state", "becomes", "trigger"),
    [
        ("INITIALIZING", "ERROR", "initialize_timeout"),
        ("PAUSED", "RUNNING", "auto_resume"),
        ("STOPPING", "TERMINATED", "force_stop"),
        ("RESTARTING", "ERROR", "restart_timeout"),
    ],
)
def test_state_that_lasts_too_long_becomes_what_the_specification_says(state, becomes, trigger):
    assert overdue_move(live(PATHS[state])) == (LifeState(becomes), trigger)


def test_exactly_the_states_with_a_time_become_something_and_by_an_allowed_move():
    assert set(OVERDUE) == {state for state in LifeState if live(PATHS[state]).until}
    assert all(to in TRANSITIONS[state] for state, (to, _) in OVERDUE.items())


def test_transition_tells_what_led_to_it_and_how_long_the_state_before_had_lasted():
    later = START + timedelta(seconds=2, microseconds=345_999)
    life = move(begin(START, LIMITS), LifeState.RUNNING, later, LIMITS, trigger="opened")
    (transition,) = life.transitions
    assert transition.model_dump(mode="json") == {
        "number": 1,
        "from_state": "INITIALIZING",
        "to_state": "RUNNING",
        "at": "2026-01-01T12:00:02.345999Z",
        "trigger": "opened",
        "duration_ms": 2345,
    }
    assert (life.previous, life.since) == (LifeState.INITIALIZING, later)


def test_clock_that_was_set_back_makes_no_negative_duration():
    life = move(live("RUNNING"), LifeState.ERROR, START - timedelta(hours=1), LIMITS, trigger="x")
    assert life.transitions[-1].duration_ms == 0


def test_pause_has_a_reason_until_it_is_over():
    reason = PauseReason.RESOURCE_CONSTRAINT
    life = move(
        live("RUNNING"), LifeState.PAUSED, START, LIMITS, trigger="budget", pause_reason=reason
    )
    assert life.pause_reason is reason
    life = move(life, LifeState.RUNNING, START, LIMITS, trigger="resume", pause_reason=reason)
    assert life.pause_reason is None


def test_reason_of_a_stop_is_kept_to_the_end_unless_another_is_given():
    stopping = move(
        live("RUNNING"),
        LifeState.STOPPING,
        START,
        LIMITS,
        trigger="stop",
        end_reason=EndReason.MANUAL,
    )
    ended = move(stopping, LifeState.TERMINATED, START, LIMITS, trigger="stopped")
    assert ended.end_reason is EndReason.MANUAL
    forced = move(
        stopping,
        LifeState.TERMINATED,
        START,
        LIMITS,
        trigger="force_stop",
        end_reason=EndReason.TIMEOUT,
    )
    assert forced.end_reason is EndReason.TIMEOUT
    failed = move(stopping, LifeState.ERROR, START, LIMITS, trigger="x")
    assert failed.end_reason is None


def test_detail_is_that_of_the_latest_change():
    life = move(live("RUNNING"), LifeState.ERROR, START, LIMITS, trigger="x", detail="no model")
    assert life.detail == "no model"
    assert move(life, LifeState.RESTARTING, START, LIMITS, trigger="restart").detail == ""


@given(st.lists(st.integers(0, 3), max_size=2 * KEPT_TRANSITIONS + 50))
def test_every_change_is_counted_and_the_latest_hundred_are_kept(picks):
    life, walked = begin(START, LIMITS), [LifeState.INITIALIZING]
    for pick in picks:
        allowed = [to for to in TRANSITIONS[life.state] if to is not LifeState.TERMINATED]
        allowed = allowed or [LifeState.TERMINATED]
        life = move(life, allowed[pick % len(allowed)], START, LIMITS, trigger="t")
        walked.append(life.state)
        if not TRANSITIONS[life.state]:
            break
    steps = list(pairwise(walked))
    kept = [(t.from_state, t.to_state) for t in life.transitions]
    assert kept == steps[-KEPT_TRANSITIONS:]
    assert [t.number for t in life.transitions] == list(range(1, len(steps) + 1))[-len(kept) :]
    assert life.count == len(steps)
    assert life.restarts == walked.count(LifeState.RESTARTING)


def test_no_more_than_a_hundred_transitions_are_kept():
    life = live("RUNNING " + "PAUSED RUNNING " * KEPT_TRANSITIONS)
    assert len(life.transitions) == KEPT_TRANSITIONS
    assert life.count == life.transitions[-1].number == 2 * KEPT_TRANSITIONS + 1
