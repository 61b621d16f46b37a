"""What is kept about agents, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from agent_examples import ANNA, BERT, agent_id, agent_row, message, state_event
from record_examples import NOON, at
from team_examples import put_many

from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind, AgentRow
from mainstay.schemas.errors import InvalidInput, Refused
from mainstay.schemas.lifecycle import LifeState, Transition
from mainstay.storage import families
from mainstay.storage.store import Store, open_store

INITIALIZING, RUNNING = LifeState.INITIALIZING, LifeState.RUNNING
ERROR, RESTARTING = LifeState.ERROR, LifeState.RESTARTING
TERMINATED = LifeState.TERMINATED


async def row_of(store: Store, agent: str = ANNA) -> AgentRow:
    found = await store.get_agent(agent)
    assert found is not None
    return found


def noted(key: str, which: str = ANNA, **fields: Any) -> AgentEvent:
    fields = {"kind": AgentEventKind.MODEL_ASKED, "at": NOON, **fields}
    return AgentEvent(agent_id=which, key=key, **fields)


async def test_an_agent_comes_back_as_it_was_created(store: Store) -> None:
    row = agent_row(
        name="team/anna",
        role="critic",
        previous=INITIALIZING,
        model="script:talk.yaml",
        description="na\u00efve \U0001f40d",
        thread="thread/1",
        spec_ref="specs/1",
        parent_id="plan/p/1",
        capabilities=("fs", "web"),
        detail="ready",
        restarts=2,
        errors=1,
        updated_at=at(3),
    )
    assert await store.create_agent(row) == row
    assert await store.create_agent(row.model_copy(update={"name": "other"})) == row
    assert await store.get_agent(ANNA) == await store.get_agent("team/anna") == row


async def test_an_unknown_agent_is_nobody(store: Store) -> None:
    await store.create_agent(agent_row())
    assert [await store.get_agent(name) for name in (BERT, "anna", "")] == [None] * 3


@pytest.mark.parametrize("fields", [{"role": "pirate"}, {"name": "a\0"}, {"capabilities": ("\0",)}])
async def test_an_agent_that_cannot_be_kept_exactly_is_refused(store: Store, fields) -> None:
    with pytest.raises(InvalidInput):
        await store.create_agent(agent_row(**fields))
    assert await store.list_agents() == []


async def test_a_name_belongs_to_one_living_agent(store: Store) -> None:
    await store.create_agent(agent_row(ANNA, name="one"))
    with pytest.raises(Refused, match="'one'"):
        await store.create_agent(agent_row(BERT, name="one"))
    assert await store.get_agent(BERT) is None
    await store.append_agent_events([state_event("e", RUNNING, TERMINATED)])
    assert (await row_of(store, "one")).agent_id == ANNA
    await store.create_agent(agent_row(BERT, name="one", created_at=at(-9)))
    assert (await row_of(store, "one")).agent_id == BERT
    third = agent_row(agent_id(3), name="one", created_at=at(-20), state=TERMINATED)
    await store.create_agent(third)
    await store.append_agent_events([state_event("e", RUNNING, TERMINATED, agent_id=BERT)])
    assert (await row_of(store, "one")).agent_id == ANNA


async def test_agents_need_no_name(store: Store) -> None:
    for number in range(3):
        await store.create_agent(agent_row(agent_id(number)))
    assert len(await store.list_agents()) == 3


async def test_of_many_that_claim_a_name_at_once_one_gets_it(url: str) -> None:
    stores = [await open_store(url) for _ in range(2)]
    claims = [
        stores[number % 2].create_agent(agent_row(agent_id(number), name="one"))
        for number in range(20)
    ]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AgentRow"] + ["Refused"] * 19
    for store in stores:
        await store.close()


LIFE = [
    state_event("1", None, INITIALIZING, 0, trigger="spawn"),
    state_event("2", INITIALIZING, RUNNING, 1, trigger="ready", duration_ms=1000, message="go"),
    state_event("3", RUNNING, ERROR, 2, trigger="failed", data={"try": 1}),
    state_event("4", ERROR, RESTARTING, 3),
    state_event("5", RESTARTING, RUNNING, 4, trigger="ready", duration_ms=5, message="again"),
]


async def test_changes_of_state_bring_the_row_up_to_date_once(store: Store) -> None:
    await store.create_agent(agent_row(state=INITIALIZING))
    for events in ([LIFE[0], LIFE[0]], LIFE, LIFE[2:4]):
        await store.append_agent_events(events)
    row = await row_of(store)
    assert (row.state, row.previous, row.detail) == (RUNNING, RESTARTING, "again")
    assert (row.restarts, row.errors, row.updated_at) == (1, 1, at(4))
    assert len(await store.agent_events_after(ANNA, 0)) == len(LIFE)


async def test_every_transition_is_kept_with_its_trigger_and_duration(store: Store) -> None:
    await store.create_agent(agent_row(state=INITIALIZING))
    await store.append_agent_events([*LIFE, *LIFE])
    found = await store.transitions_of(ANNA)
    assert found[0] == Transition(
        number=1,
        from_state=INITIALIZING,
        to_state=RUNNING,
        at=at(1),
        trigger="ready",
        duration_ms=1000,
    )
    assert [one.to_state for one in found] == [RUNNING, ERROR, RESTARTING, RUNNING]
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert await store.transitions_of(BERT) == []


async def test_a_change_that_is_told_late_does_not_turn_the_state_back(store: Store) -> None:
    await store.create_agent(agent_row(state=INITIALIZING))
    await store.append_agent_events(LIFE[3:])
    await store.append_agent_events(LIFE[:3])
    row = await row_of(store)
    assert (row.state, row.previous, row.restarts, row.errors) == (RUNNING, RESTARTING, 1, 1)
    states = [one.to_state for one in await store.transitions_of(ANNA)]
    assert states == [RUNNING, ERROR, RESTARTING, RUNNING]


async def test_events_that_came_before_the_row_are_not_lost(store: Store) -> None:
    await store.append_agent_events(LIFE)
    for _ in range(2):
        await store.create_agent(agent_row(state=INITIALIZING))
    row = await row_of(store)
    assert (row.state, row.restarts, row.errors) == (RUNNING, 1, 1)
    assert len(await store.transitions_of(ANNA)) == 4


async def test_events_of_agents_come_in_order_page_by_page(store: Store) -> None:
    for n in range(10):
        await store.append_agent_events([noted(f"{n}-{part}") for part in range(3)])
    await store.append_agent_events([noted("other", BERT), noted("0-0")])
    seen: list[AgentEvent] = []
    while page := await store.agent_events_after(ANNA, seen[-1].number if seen else 0, limit=4):
        assert len(page) <= 4
        seen += page
    assert [event.key for event in seen] == [f"{n}-{part}" for n in range(10) for part in range(3)]
    assert all(a.number < b.number for a, b in pairwise(seen))


async def test_an_event_comes_back_as_it_was_told(store: Store) -> None:
    told = noted(
        "k\u00e9y",
        kind=AgentEventKind.TOOL_ENDED,
        message_id=str(uuid4()),
        thread="thread/1",
        message="done",
        trigger="fs.read",
        duration_ms=12,
        data={"a": [1, None, {"b": "\u00e9"}]},
    )
    await store.append_agent_events([told])
    (found,) = await store.agent_events_after(ANNA, 0)
    assert found == told.model_copy(update={"number": found.number})


async def test_strange_events_become_storable_or_are_refused(store: Store) -> None:
    strange = noted("1", message="a\0" + "x" * 999, data={"\0": "\ud800"})
    await store.append_agent_events([strange])
    (found,) = await store.agent_events_after(ANNA, 0)
    assert found.message.startswith("a\u2400x")
    assert (len(found.message), found.data) == (500, {"\u2400": "\ufffd"})
    with pytest.raises(InvalidInput):
        await store.append_agent_events([noted("nul\0")])
    with pytest.raises(InvalidInput, match="no time zone"):
        await store.append_agent_events([noted("2", at=NOON.replace(tzinfo=None))])


async def test_a_watcher_misses_no_event_whoever_writes(url: str) -> None:
    stores = [await open_store(url) for _ in range(2)]
    told = 200

    async def tell(number: int) -> None:
        for part in range(told // 4):
            await stores[number % 2].append_agent_events([noted(f"{number}-{part}")])

    async def watch() -> list[str]:
        seen: list[AgentEvent] = []
        while len(seen) < told:
            last = seen[-1].number if seen else 0
            seen += await stores[0].agent_events_after(ANNA, last)
        return [event.key for event in seen]

    keys, *_ = await asyncio.wait_for(asyncio.gather(watch(), *(tell(n) for n in range(4))), 60)
    assert len(keys) == len(set(keys)) == told
    for store in stores:
        await store.close()


async def test_agents_are_listed_newest_first_and_filtered(store: Store) -> None:
    a, b, c = (agent_id(number) for number in range(1, 4))
    await store.create_agent(agent_row(a, name="team/a", capabilities=("fs", "web"), role="critic"))
    await store.create_agent(agent_row(b, name="team/b", created_at=at(2), parent_id="plan/p/1"))
    await store.create_agent(
        agent_row(c, name="Team/c", created_at=at(1), capabilities=("fs2",), state=ERROR)
    )

    async def listed(**how: Any) -> list[str]:
        return [row.agent_id for row in await store.list_agents(**how)]

    assert await listed() == [b, c, a]
    assert await listed(limit=1) == [b]
    assert await listed(states=[ERROR, TERMINATED]) == [c]
    assert await listed(role="critic") == [a]
    assert await listed(role="pirate") == []
    assert await listed(capability="fs") == [a]
    assert await listed(name_prefix="team/") == [b, a]
    assert await listed(name_prefix="team_") == []
    assert await listed(parent="plan/p/1", states=[RUNNING]) == [b]


async def test_agents_are_listed_and_counted_by_team_age_and_supervisor(store: Store) -> None:
    a, b, c, d = (agent_id(number) for number in range(1, 5))
    await store.create_agent(agent_row(a, name="crew/a", role="critic", capabilities=("fs",)))
    await store.create_agent(agent_row(b, name="crew/b", created_at=at(1), supervisor_id=a))
    await store.create_agent(agent_row(c, name="crews/c", created_at=at(2), state=ERROR))
    await store.create_agent(agent_row(d, created_at=at(3), parent_id="plan/p/1"))

    async def listed(**how: Any) -> list[str]:
        return [row.agent_id for row in await store.list_agents(**how)]

    assert await listed(team="crew") == [b, a]
    assert await listed(supervisor=a) == [b]
    assert await listed(created_after=at(1)) == [d, c]
    assert await listed(created_before=at(1)) == [a]
    assert await listed(created_after=NOON, created_before=at(2), team="crew") == [b]
    with pytest.raises(InvalidInput, match="no time zone"):
        await listed(created_after=NOON.replace(tzinfo=None))
    assert await store.count_agents() == {RUNNING: 3, ERROR: 1}
    assert await store.count_agents(team="crew") == {RUNNING: 2}
    assert await store.count_agents(role="critic", capability="fs") == {RUNNING: 1}
    assert await store.count_agents(parent="plan/p/1") == {RUNNING: 1}
    assert await store.count_agents(supervisor=a) == {RUNNING: 1}
    assert await store.count_agents(role="pirate") == {}


@pytest.mark.slow
async def test_a_thousand_agents_with_full_mailboxes_are_listed_in_a_moment(store: Store) -> None:
    await put_many(store, 1_000, [message() for _ in range(10)])
    began = asyncio.get_running_loop().time()
    found = await store.list_agents(team="crew")
    assert asyncio.get_running_loop().time() - began < 1
    assert [row.pending for row in found] == [10] * 1_000


async def test_names_of_living_agents_are_found_by_their_beginning(store: Store) -> None:
    for number, name in enumerate(("team/b", "team/a", "Team/c", "team%", "")):
        await store.create_agent(agent_row(agent_id(number), name=name))
    await store.create_agent(agent_row(agent_id(9), name="team/ended", state=TERMINATED))
    assert await store.find_agents("team/") == ["team/a", "team/b"]
    assert await store.find_agents("%") == []
    assert len(await store.find_agents("")) == 4


async def family(store: Store, **states: LifeState) -> dict[str, str]:
    """Store four generations, the first without a parent; returns their ids."""
    ids = {name: agent_id(number) for number, name in enumerate(("a", "b", "c", "d"), 1)}
    for number, (name, which) in enumerate(ids.items()):
        parent = agent_id(number) if number else ""
        state = states.get(name, RUNNING)
        await store.create_agent(
            agent_row(which, name=f"team/{name}", parent_id=parent, state=state)
        )
    return ids


async def test_living_children_are_found_by_their_parents(store: Store) -> None:
    a, b, c, d = (await family(store)).values()
    await store.create_agent(agent_row(agent_id(7), parent_id=a, state=ERROR, created_at=at(1)))
    await store.create_agent(agent_row(agent_id(8), parent_id=a, state=TERMINATED))
    await store.create_agent(agent_row(agent_id(9), parent_id="plan/p/1"))

    async def found(*parents: str) -> list[str]:
        return [row.agent_id for row in await store.living_children(parents)]

    assert await found(a) == [b, agent_id(7)]
    assert await found(c, a, c) == [b, agent_id(7), d]
    assert await found(d) == await found() == await found("") == []


@pytest.mark.parametrize(
    ("states", "parent"),
    [
        ({}, "b"),
        ({"b": TERMINATED}, "a"),
        ({"b": ERROR, "a": TERMINATED}, "b"),
        ({"b": TERMINATED, "a": TERMINATED}, ""),
    ],
)
async def test_an_orphan_goes_to_the_nearest_living_ancestor_and_says_so_once(
    store: Store, states: dict[str, LifeState], parent: str
) -> None:
    ids = await family(store, **states, c=TERMINATED)
    for seconds in (1, 2):
        await store.reparent_agents([ids["d"], ids["d"]], ids["c"], at(seconds))
    row = await row_of(store, ids["d"])
    assert (row.parent_id, row.state, row.updated_at) == (ids.get(parent, ""), RUNNING, NOON)
    [told] = await store.agent_events_after(ids["d"], 0)
    assert (told.at, told.trigger) == (at(1), "parent_ended")
    assert told.data == {"before": ids["c"], "parent": row.parent_id}


async def test_an_orphan_whose_ancestor_was_a_plan_has_no_parent(store: Store) -> None:
    await store.create_agent(agent_row(ANNA, parent_id="plan/p/1", state=TERMINATED))
    await store.create_agent(agent_row(BERT, parent_id=ANNA))
    await store.reparent_agents([BERT], ANNA, at(1))
    assert (await row_of(store, BERT)).parent_id == ""


async def test_who_has_ended_or_moved_keeps_its_parent(store: Store) -> None:
    ids = await family(store, c=TERMINATED, d=TERMINATED)
    await store.reparent_agents([ids["d"], ids["b"], agent_id(9)], ids["c"], at(1))
    await store.reparent_agents([ids["d"]], agent_id(9), at(1))
    await store.reparent_agents([], ids["c"], at(1))
    for child, parent in (("d", "c"), ("b", "a")):
        assert (await row_of(store, ids[child])).parent_id == ids[parent]
        assert await store.agent_events_after(ids[child], 0) == []


async def test_an_ancestor_that_ends_meanwhile_finds_the_orphan_to_be_its_own(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [await open_store(url) for _ in range(2)]
    ids = await family(stores[0], c=TERMINATED)
    has_moved, may_end, really = threading.Event(), threading.Event(), families.reparent

    def slowly(*args: Any) -> None:
        really(*args)
        has_moved.set()
        may_end.wait(10)

    async def end_boss() -> list[AgentRow]:
        await asyncio.to_thread(has_moved.wait, 10)
        over = state_event("e", RUNNING, TERMINATED, agent_id=ids["b"])
        closing = asyncio.create_task(stores[1].close_mailbox(ids["b"], [], [over], "over", at(1)))
        ended, _ = await asyncio.wait([closing], timeout=0.3)
        may_end.set()
        assert not ended
        await closing
        return await stores[1].living_children([ids["b"]])

    monkeypatch.setattr(families, "reparent", slowly)
    found, _ = await asyncio.gather(
        end_boss(), stores[0].reparent_agents([ids["d"]], ids["c"], at(1))
    )
    assert [row.agent_id for row in found] == [ids["d"]]
    for store in stores:
        await store.close()


async def test_waiting_messages_are_counted(store: Store) -> None:
    for which in (ANNA, BERT):
        await store.create_agent(agent_row(which))
    await store.send_messages([message() for _ in range(5)])
    await store.take_batch(ANNA, 1, 2, at(7))
    assert (await row_of(store)).pending == 3
    assert {row.agent_id: row.pending for row in await store.list_agents()} == {ANNA: 3, BERT: 0}
    assert (await row_of(store)).updated_at == NOON
