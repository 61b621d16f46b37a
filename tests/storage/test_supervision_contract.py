"""What is kept about supervisors and their agents, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from agent_examples import ANNA, FAILED, PROCESSED, agent_row, message, settled, state_event
from record_examples import NOON, at
from team_examples import RUN, TEAM, child, member, noted, put, put_many, view

from mainstay.schemas.errors import InvalidInput, Refused
from mainstay.schemas.ids import supervisor_row_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Settlement
from mainstay.schemas.supervision_calls import Severity, SupervisionEventType
from mainstay.storage.columns import utc_now
from mainstay.storage.store import Store, open_store

INITIALIZING, RUNNING, ERROR = LifeState.INITIALIZING, LifeState.RUNNING, LifeState.ERROR
RESTARTING, TERMINATED = LifeState.RESTARTING, LifeState.TERMINATED
ROOT, LOWER = supervisor_row_id(TEAM, RUN), supervisor_row_id(TEAM, RUN, "left")
ANN = member("ann").agent_id


async def paths(store: Store, *args: object, **how: bool) -> list[str]:
    found = await store.supervisor_views(*args, **how)
    return [f"{one.team}/{one.path}" for one in found]


async def state_of(store: Store, agent: str) -> LifeState:
    row = await store.get_agent(agent)
    assert row is not None
    return row.state


async def test_a_supervisor_comes_back_as_it_was_put(store: Store) -> None:
    root = view(children=(child("anna", detail="na\u00efve"), child("bert", until=at(3))))
    lower = view("left", detail="two restarts", restarts=2, restarts_left=1)
    await store.put_supervisor(root, RUN, "", [])
    await store.put_supervisor(lower, RUN, ROOT, [])
    assert await store.supervisor_views(TEAM) == [root, lower]
    row = await store.get_agent(f"{TEAM}/@left")
    assert row is not None
    assert (row.agent_id, row.role, row.supervisor_id) == (LOWER, "supervisor", ROOT)
    assert (row.state, row.restarts, row.detail) == (RUNNING, 2, "two restarts")


async def test_the_latest_picture_of_a_supervisor_is_kept(store: Store) -> None:
    await put(store, "", life=INITIALIZING)
    changed = view(restarts=1, children=(child(),))
    for _ in range(2):
        await store.put_supervisor(changed, RUN, "", [])
    assert await store.supervisor_views() == [changed]
    row = await store.get_agent(ROOT)
    assert row is not None
    assert (row.state, row.previous) == (RUNNING, INITIALIZING)


async def test_a_supervisor_needs_a_parent_that_is_there_and_a_life(store: Store) -> None:
    with pytest.raises(InvalidInput, match="unknown parent"):
        await store.put_supervisor(view("left"), RUN, ROOT, [])
    with pytest.raises(InvalidInput, match="no life"):
        await store.put_supervisor(view(), "", "", [])
    assert await store.supervisor_views() == []


async def test_a_team_has_one_life_at_a_time(store: Store) -> None:
    await put(store, "", "left")
    with pytest.raises(Refused, match="'crew' is up already") as caught:
        await put(store, "", run="ffffffff")
    assert "mainstay team down crew" in caught.value.hint
    await put(store, "left", "", life=TERMINATED)
    await put(store, "", run="ffffffff")
    # What the ended life says late changes nothing.
    await put(store, "", life=TERMINATED)
    (found,) = await store.supervisor_views(TEAM)
    assert found.row_id == supervisor_row_id(TEAM, "ffffffff")


async def test_of_two_lives_that_begin_at_once_one_goes_on(url: str) -> None:
    stores = [await open_store(url) for _ in range(2)]
    runs = [f"{number:08x}" for number in range(10)]
    begun = (
        put(stores[number % 2], "", run=run, life=INITIALIZING) for number, run in enumerate(runs)
    )
    outcomes = await asyncio.gather(*begun, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["NoneType"] + ["Refused"] * 9
    assert len(await stores[0].supervisor_views(living=True)) == 1
    for one in stores:
        await one.close()


async def test_an_ended_supervisor_is_brought_back_by_a_new_beginning_alone(store: Store) -> None:
    await put(store, "", life=TERMINATED)
    await store.put_supervisor(view(), RUN, "", [noted("late")])
    assert await state_of(store, ROOT) is TERMINATED
    assert [event.key for event in await store.supervision_events(TEAM)] == ["late"]
    await put(store, "", life=INITIALIZING)
    await put(store, "")
    assert await state_of(store, ROOT) is RUNNING


async def test_nobody_sends_to_a_supervisor_and_no_list_of_agents_has_it(store: Store) -> None:
    await put(store, "", "left")
    await store.create_agent(member("ann"))
    await store.create_agent(agent_row(ANNA, name="crew/chief", role="supervisor"))
    with pytest.raises(Refused):
        await store.send_messages([message(receiver=ROOT)])
    assert {row.agent_id for row in await store.list_agents()} == {ANN, ANNA}
    assert await store.find_agents("crew/") == ["crew/ann", "crew/chief"]
    assert await store.count_agents() == {RUNNING: 2}
    found = await store.list_agents(role="supervisor")
    assert {row.agent_id for row in found} == {ROOT, LOWER, ANNA}


async def test_an_agent_keeps_its_supervisor(store: Store) -> None:
    with pytest.raises(InvalidInput, match="unknown supervisor"):
        await store.create_agent(member("ann"))
    await put(store, "", "left")
    await store.create_agent(member("ann"))
    await store.create_agent(member("bob", "left"))
    found = await store.list_agents(supervisor=LOWER)
    assert [(row.name, row.supervisor_id) for row in found] == [("crew/bob", LOWER)]


async def test_supervisors_are_found_by_team_path_and_life(store: Store) -> None:
    await put(store, "", "b", "a", "a/x", "ab")
    await put(store, "", team="other")
    assert await paths(store) == [f"crew/{one}" for one in ("", "a", "a/x", "ab", "b")] + ["other/"]
    assert await paths(store, TEAM, "", "a") == ["crew/a", "crew/a/x"]
    assert await paths(store, "nobody") == []
    await put(store, "a/x", "a", "ab", "b", "", life=TERMINATED)
    assert await paths(store, living=True) == ["other/"]
    await put(store, "", "c", run="ffffffff")
    assert await paths(store, TEAM) == ["crew/", "crew/c"]
    assert await paths(store) == ["crew/", "crew/c", "other/"]
    assert len(await paths(store, TEAM, RUN)) == 5
    assert await paths(store, TEAM, RUN, living=True) == []


async def test_agents_of_a_team_come_by_supervisor_and_name(store: Store) -> None:
    await put(store, "", "a", "a/x", "ab")
    for name, path in (("zoe", ""), ("bob", "a"), ("ann", "a"), ("kim", "a/x"), ("tom", "ab")):
        await store.create_agent(member(name, path))
    await store.create_agent(agent_row(ANNA, name="crew/loner"))
    names = [row.name for row in await store.team_agents(TEAM)]
    assert names == [f"crew/{one}" for one in ("zoe", "ann", "bob", "kim", "tom")]
    below = [row.name for row in await store.team_agents(TEAM, RUN, "a")]
    assert below == [f"crew/{one}" for one in ("ann", "bob", "kim")]
    await put(store, "ab", "a/x", "a", "", life=TERMINATED)
    await put(store, "", run="ffffffff")
    assert await store.team_agents(TEAM) == []
    assert len(await store.team_agents(TEAM, RUN)) == 5


async def test_events_are_kept_once_and_in_order(store: Store) -> None:
    subject = member("ann")
    told = [
        noted("1", subject_id=subject.agent_id, child="ann", message="died\0"),
        noted("2", type=SupervisionEventType.AGENT_SPAWNED, severity=Severity.LOW),
        noted("3", "left", at=at(-5)),
    ]
    await put(store, "", "left")
    for events in (told[:1], told, told):
        await store.put_supervisor(view(), RUN, "", events)
    # Two supervisors may use the same key, and one that has no row is put with who told of it.
    await store.put_supervisor(view("left"), RUN, ROOT, [noted("1", "left", at=at(1))])
    unknown = noted("4", supervisor_id=ANNA, at=at(2))
    await store.put_supervisor(view("left"), RUN, ROOT, [unknown, unknown])
    found = await store.supervision_events(TEAM)
    assert [event.key for event in found] == ["3", "1", "2", "1", "4"]
    assert found[1] == told[0].model_copy(update={"message": "died\u2400"})
    assert found[4] == unknown.model_copy(update={"supervisor_id": LOWER})
    assert [one.key for one in await store.supervision_events(TEAM, after=NOON)] == ["1", "4"]
    assert [one.key for one in await store.supervision_events(TEAM, limit=1)] == ["4"]
    assert await store.supervision_events("other") == []


async def test_a_refused_picture_leaves_no_events(store: Store) -> None:
    await put(store, "")
    with pytest.raises(Refused):
        await store.put_supervisor(view(run="ffffffff"), "ffffffff", "", [noted("1")])
    assert await store.supervision_events(TEAM) == []


async def with_team(store: Store) -> Store:
    """One that works on a message with another behind it, and one that is idle."""
    await put(store, "")
    for name in ("ann", "bob"):
        await store.create_agent(member(name))
    await store.send_messages([message("one", ANN), message("two", ANN, reply_workflow="w")])
    await store.take_batch(ANN, 1, 1, at(1))
    return store


async def test_those_left_to_start_again_keep_their_mailboxes(store: Store) -> None:
    await with_team(store)
    for seconds in (2, 3):
        await store.leave_agents([ANN, ROOT, ANNA], "killed", at(seconds))
    row = await store.get_agent(ANN)
    assert row is not None
    assert (row.state, row.restarts, row.detail) == (RESTARTING, 1, "killed")
    assert await state_of(store, ROOT) is RESTARTING
    (transition,) = await store.transitions_of(ANN)
    assert (transition.from_state, transition.trigger, transition.at) == (RUNNING, "killed", at(2))
    await store.send_messages([message("three", ANN)])
    headers = await store.settle_and_take(ANN, [], [], 2, 9, at(4), reclaims=True)
    assert len(headers) == 3


async def test_those_that_have_ended_are_not_left_to_start_again(store: Store) -> None:
    await with_team(store)
    await store.close_agents([ANN], "over", at(2))
    await store.leave_agents([ANN], "killed", at(3))
    assert await state_of(store, ANN) is TERMINATED


def told_of(left: list[Settlement]) -> list[tuple[str, str, str]]:
    return [(one.status, one.reply_workflow, one.failure.message) for one in left if one.failure]


async def test_closing_fails_what_is_left_and_refuses_more(store: Store) -> None:
    await with_team(store)
    ids = [ANN, member("bob").agent_id, ROOT, ANNA]
    left = await store.close_agents(ids, "the team is down", at(2))
    assert told_of(left) == [
        (FAILED, "", "the team is down"),
        (FAILED, "w", "the team is down"),
    ]
    assert await store.close_agents(ids, "again", at(3)) == left
    for agent in ids[:3]:
        assert await state_of(store, agent) is TERMINATED
    assert [one.life for one in await store.supervisor_views(TEAM)] == [TERMINATED]
    assert len(await store.transitions_of(ANN)) == 1
    (event,) = await store.agent_events_after(ANN, 0)
    assert (event.trigger, event.message, event.at) == ("closed", "the team is down", at(2))
    with pytest.raises(Refused):
        await store.send_messages([message(receiver=ANN)])
    assert await store.close_agents([], "nobody", at(4)) == []


async def test_what_an_agent_told_in_the_future_does_not_keep_it_from_being_closed(
    store: Store,
) -> None:
    await with_team(store)
    ahead = state_event("1", INITIALIZING, RUNNING, 3600, agent_id=ANN)
    await store.append_agent_events([ahead])
    await store.close_agents([ANN], "over", at(2))
    assert await state_of(store, ANN) is TERMINATED
    await put(store, "")
    await store.close_agents([ROOT], "over", NOON - timedelta(days=9))
    assert await state_of(store, ROOT) is TERMINATED


async def test_an_agent_that_starts_again_after_its_end_is_sent_messages_again(
    store: Store,
) -> None:
    await with_team(store)
    await store.close_agents([ANN, ROOT], "over", at(2))
    late = state_event("late", RUNNING, ERROR, 1, agent_id=ANN)
    await store.append_agent_events([late])
    with pytest.raises(Refused):
        await store.send_messages([message(receiver=ANN)])
    again = state_event("again", TERMINATED, RESTARTING, 3, agent_id=ANN)
    await store.append_agent_events([again])
    sent = await store.send_messages([message("three", ANN)])
    headers = await store.settle_and_take(ANN, [], [], 2, 9, at(4), reclaims=True)
    assert [one.id for one in headers] == [sent[0].message_id]


@pytest.mark.slow
async def test_a_thousand_agents_are_closed_at_once(store: Store) -> None:
    rows = await put_many(store, 1_000, [message()])
    ids = [row.agent_id for row in rows]
    await store.leave_agents(ids, "killed", utc_now())
    assert await store.count_agents(team=TEAM) == {RESTARTING: 1_000}
    assert len(await store.close_agents(ids, "down", utc_now())) == 1_000
    assert await store.count_agents(supervisor=ROOT) == {TERMINATED: 1_000}


async def test_settled_messages_are_not_failed_by_closing(store: Store) -> None:
    await with_team(store)
    (done,) = await store.take_batch(ANN, 1, 1, at(1))
    await store.settle_and_take(ANN, [settled(done.id, PROCESSED)], [], 2, 0, at(2))
    assert len(await store.close_agents([ANN], "over", at(3))) == 1
    assert (await store.get_message(done.id)).status is PROCESSED
