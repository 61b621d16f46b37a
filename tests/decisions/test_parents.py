"""What becomes of children whose parent has ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mainstay.decisions.agents.parents import ParentEnd, at_parent_end, next_parent, orphaned
from mainstay.schemas.agent import AgentSpec, LimitsSpec, OnParentEnd
from mainstay.schemas.agent_calls import AgentEventKind, AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ShutDown

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ENDED = LifeState.TERMINATED
ORPHAN, STOP, CASCADE = OnParentEnd.ORPHAN, OnParentEnd.STOP, OnParentEnd.CASCADE


def row(which: str, parent: str = "boss", state: LifeState = LifeState.RUNNING) -> AgentRow:
    return AgentRow(
        agent_id=which,
        name=f"team/{which}",
        state=state,
        parent_id=parent,
        created_at=NOON,
        updated_at=NOON,
    )


def spec(choice: OnParentEnd = ORPHAN) -> AgentSpec:
    return AgentSpec(name="a", on_parent_end=choice, limits=LimitsSpec(stop=timedelta(seconds=7)))


BOSS = row("boss", "", ENDED)
REASON = "its parent 'team/boss' has ended"


def test_an_agent_whose_file_says_nothing_goes_on():
    assert at_parent_end(BOSS, [(row("a"), AgentSpec(name="a"))]) == ParentEnd(orphans=("a",))


@pytest.mark.parametrize(("choice", "seconds"), [(STOP, 7), (CASCADE, 0)])
def test_who_stops_keeps_its_own_grace_and_who_cascades_has_none(choice, seconds):
    order = ShutDown(reason=REASON, grace=timedelta(seconds=seconds), keeps=False)
    found = at_parent_end(BOSS, [(row("a"), spec(choice))])
    assert found == ParentEnd(told=(("a", order),))


def test_each_child_does_what_its_own_file_says_in_order():
    choices = {"a": STOP, "b": ORPHAN, "c": CASCADE, "d": ORPHAN}
    found = at_parent_end(BOSS, [(row(which), spec(choice)) for which, choice in choices.items()])
    assert found.orphans == ("b", "d")
    assert [which for which, _ in found.told] == ["a", "c"]


@pytest.mark.parametrize("choice", OnParentEnd)
def test_who_has_ended_or_is_no_child_any_more_is_left_alone(choice):
    others = [row("a", state=ENDED), row("b", "other"), row("c", "")]
    assert at_parent_end(BOSS, [(one, spec(choice)) for one in others]) == ParentEnd()


@pytest.mark.parametrize("state", [one for one in LifeState if one is not ENDED])
def test_the_nearest_ancestor_that_lives_in_whatever_state_takes_orphans_in(state):
    near, far = row("near", state=state), row("far")
    assert next_parent([row("gone", state=ENDED), near, far]) == near


def test_without_a_living_ancestor_nobody_takes_orphans_in():
    assert next_parent([]) is None
    assert next_parent([row("gone", state=ENDED)]) is None


def test_the_record_says_who_was_the_parent_and_who_is():
    told = orphaned("a", BOSS, row("chief"), NOON)
    assert told.message == f"{REASON}; its parent is 'team/chief' now"
    assert (told.agent_id, told.key, told.at) == ("a", "parent_ended/boss", NOON)
    assert told.data == {"before": "boss", "parent": "chief"}
    # It changes no state.
    assert (told.kind, told.from_state, told.to_state) == (AgentEventKind.STATE, None, None)


def test_the_record_says_when_there_is_no_parent_any_more():
    nameless = BOSS.model_copy(update={"name": ""})
    told = orphaned("a", nameless, None, NOON)
    assert told.message == "its parent 'boss' has ended; it has none now"
    assert told.data == {"before": "boss", "parent": ""}
