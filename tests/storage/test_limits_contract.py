"""How many agents there may be, and how often they may do things, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from fractions import Fraction

import pytest
from agent_examples import ANNA, BERT, agent_id, agent_row, message, state_event
from hypothesis import given
from hypothesis import strategies as st
from record_examples import NOON, at
from team_examples import RUN, TEAM, member, put

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import InvalidInput, LimitReached, Refused
from mainstay.schemas.ids import supervisor_row_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision_calls import (
    AgentLimits,
    Severity,
    SupervisionEvent,
    SupervisionEventType,
)
from mainstay.settings import Settings
from mainstay.storage.rates import pace
from mainstay.storage.store import Store, open_store

RUNNING, TERMINATED = LifeState.RUNNING, LifeState.TERMINATED
NONE = AgentLimits(agents=None, children=None, depth=None)
ROOT = supervisor_row_id(TEAM, RUN)


def limited(**fields: object) -> AgentLimits:
    return NONE.model_copy(update=fields)


async def fill(store: Store, limits: AgentLimits, *rows: AgentRow) -> list[str]:
    """Create agents until a limit is reached; returns what was said, and its hint."""
    for row in rows:
        try:
            assert await store.create_agent(row, limits) == row
        except LimitReached as error:
            assert await store.get_agent(row.agent_id) is None
            return [row.name, error.message, error.hint]
    return []


async def end(store: Store, row: AgentRow) -> None:
    ended = state_event("end", RUNNING, TERMINATED, 1, agent_id=row.agent_id)
    await store.append_agent_events([ended])


def crew(count: int, **fields: object) -> list[AgentRow]:
    return [member(f"a{number}", **fields) for number in range(count)]


async def test_agents_are_limited_in_all(store: Store) -> None:
    await put(store, "", "left")
    rows = [*crew(2), agent_row(ANNA, name="main/anna", state=LifeState.ERROR)]
    last = agent_row(BERT, name="main/bert")
    name, said, hint = await fill(store, limited(agents=3), *rows, last)
    assert (name, "limit 'agents' of 3 is reached" in said) == ("main/bert", True)
    assert "MAINSTAY_LIMITS__AGENTS" in hint
    # The same id again is no new one, and one that has ended makes room.
    assert await fill(store, limited(agents=3), *rows) == []
    await end(store, rows[0])
    assert await fill(store, limited(agents=3), last) == []


async def test_without_limits_everybody_is_let_in(store: Store) -> None:
    for limits in (None, NONE):
        for number in range(3):
            row = agent_row(agent_id(number + 9 * (limits is None)))
            await store.create_agent(row, limits)
    assert await store.count_agents() == {RUNNING: 6}
    assert await fill(store, limited(agents=7), agent_row(agent_id(20))) == []
    assert len(await fill(store, limited(agents=0), agent_row(agent_id(21)))) == 3


async def test_agents_of_a_team_are_limited(store: Store) -> None:
    others = [agent_row(ANNA, name="main/a"), *(agent_row(agent_id(n)) for n in range(2, 5))]
    await put(store, "")
    name, said, hint = await fill(store, limited(team_agents=2), *others, *crew(3))
    assert (name, "'team_agents' of 2" in said) == ("crew/a2", True)
    assert "limits: agents:" in hint


async def test_roles_are_limited_in_all_and_in_a_team(store: Store) -> None:
    await put(store, "")
    critics = [member(f"c{number}", role="critic") for number in range(2)]
    other = agent_row(ANNA, name="main/c", role="critic")
    limits = limited(roles={"critic": 2}, team_roles={"critic": 1, "worker": 3})
    name, said, hint = await fill(store, limits, *crew(3), *critics)
    assert (name, "'team_roles' of 1" in said) == ("crew/c1", True)
    assert "limits: roles: critic:" in hint
    assert await fill(store, limits, other) == []
    name, said, hint = await fill(store, limits, agent_row(BERT, name="main/d", role="critic"))
    assert "limit 'roles' of 2" in said
    assert "MAINSTAY_LIMITS__ROLES__CRITIC" in hint.upper()


async def test_children_of_a_supervisor_and_of_a_parent_are_limited(store: Store) -> None:
    await put(store, "", "left")
    limits = limited(children=2)
    elsewhere = [member("b1", "left"), agent_row(BERT, name="main/b")]
    name, said, hint = await fill(store, limits, *elsewhere, *crew(3))
    assert (name, "'children' of 2" in said) == ("crew/a2", True)
    assert "MAINSTAY_LIMITS__CHILDREN" in hint
    own = [agent_row(agent_id(n), name=f"main/{n}", parent_id=BERT) for n in range(3, 6)]
    assert (await fill(store, limits, *own))[0] == "main/5"
    both = member("b2", "left", parent_id=BERT)
    assert (await fill(store, limits, both))[0] == "crew/b2"


async def test_depth_is_the_longest_chain_of_supervisors_and_parents(store: Store) -> None:
    await put(store, "", "a", "a/b")
    assert await fill(store, limited(depth=4), member("deep", "a/b")) == []
    _, said, hint = await fill(store, limited(depth=3), member("deeper", "a/b"))
    assert "'depth' of 3" in said
    assert "MAINSTAY_LIMITS__DEPTH" in hint
    # A chain of parents under one supervisor grows, too.
    rows = [member("p0", "", parent_id="plan/p/1")]
    for number in range(1, 4):
        rows.append(member(f"p{number}", "", parent_id=rows[-1].agent_id))
    assert (await fill(store, limited(depth=4), *rows))[0] == "crew/p3"
    assert await fill(store, limited(depth=1), agent_row(ANNA)) == []


async def test_a_taken_name_is_refused_whatever_the_limits(store: Store) -> None:
    await store.create_agent(agent_row(ANNA, name="main/a"), limited(agents=2))
    with pytest.raises(Refused, match="'main/a'"):
        await store.create_agent(agent_row(BERT, name="main/a"), limited(agents=2))
    assert await store.supervision_events("main") == []


@pytest.fixture
async def stores(store: Store, url: str) -> AsyncIterator[list[Store]]:
    """Three workers on one database."""
    others = [await open_store(url) for _ in range(2)]
    yield [store, *others]
    for other in others:
        await other.close()


async def test_limits_are_exact_however_many_workers_create_at_once(stores: list[Store]) -> None:
    await put(stores[0], "", "left")
    limits = AgentLimits(agents=30, children=11, team_roles={"critic": 3})
    rows = [member(f"c{number}", role="critic") for number in range(10)]
    rows += crew(20) + [member(f"b{number}", "left") for number in range(20)]
    rows += [agent_row(agent_id(number), name=f"main/{number}") for number in range(20)]
    outcomes = await asyncio.gather(
        *(stores[number % 3].create_agent(row, limits) for number, row in enumerate(rows)),
        return_exceptions=True,
    )
    created = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome == row]
    refused = [outcome for outcome in outcomes if isinstance(outcome, LimitReached)]
    assert (len(created), len(refused)) == (30, len(rows) - 30)
    assert len([row for row in created if row.role == "critic"]) <= 3
    for supervisor in (ROOT, supervisor_row_id(TEAM, RUN, "left")):
        assert len([row for row in created if row.supervisor_id == supervisor]) <= 11
    assert await stores[0].count_agents() == {RUNNING: 30}


async def test_coming_near_a_limit_and_reaching_it_is_on_record_once(store: Store) -> None:
    await put(store, "")
    limits = limited(children=5, warn_at=0.8)
    rows = crew(6)
    for _ in range(2):
        assert (await fill(store, limits, *rows))[0] == "crew/a5"
    low, high = await store.supervision_events(TEAM)
    assert low == SupervisionEvent(
        supervisor_id=ROOT,
        subject_id=rows[3].agent_id,
        key=f"limit/children/low/{rows[3].agent_id}",
        type=SupervisionEventType.RESOURCE_LIMIT_EXCEEDED,
        severity=Severity.LOW,
        child="crew/a3",
        message="4 of 5: children come to a limit",
        at=low.at,
    )
    assert (high.severity, high.subject_id, high.child) == (
        Severity.HIGH,
        rows[5].agent_id,
        "crew/a5",
    )
    assert "'children' of 5" in high.message


async def test_what_nobody_supervises_is_on_record_with_its_parent_or_itself(store: Store) -> None:
    limits = limited(agents=3, warn_at=0.5)
    chief = agent_row(ANNA, name="main/chief")
    own = agent_row(BERT, name="main/own", parent_id="plan/p/1")
    third = agent_row(agent_id(3), name="main/third")
    fourth = [
        agent_row(agent_id(4), name="main/fourth", parent_id=ANNA),
        agent_row(agent_id(5), name="main/fifth"),
    ]
    assert await fill(store, limits, chief, own, third) == []
    for row in fourth:
        assert (await fill(store, limits, row))[0] == row.name
    low, high = await store.supervision_events("main")
    assert (low.severity, low.supervisor_id, low.child) == (Severity.LOW, BERT, "main/own")
    assert (high.severity, high.supervisor_id, high.child) == (Severity.HIGH, ANNA, "main/fourth")


async def test_depth_is_on_record_for_the_first_child_alone(store: Store) -> None:
    await put(store, "", "a", "a/b")
    rows = [member(f"d{number}", "a/b") for number in range(3)]
    assert await fill(store, limited(depth=5, warn_at=0.8), *rows) == []
    assert [event.child for event in await store.supervision_events(TEAM)] == ["crew/d0"]


# Rates.

SECOND = timedelta(seconds=1)


async def test_a_rate_is_kept_by_all_workers_together(stores: list[Store]) -> None:
    calls = (one.check_rate("tools/a", SECOND * 60, 6, NOON) for one in stores * 4)
    waits = await asyncio.gather(*calls)
    assert sorted(waits, key=bool) == [None] * 6 + [SECOND * 10] * 6
    assert await stores[0].check_rate("tools/b", SECOND * 60, 6, NOON) is None
    assert await stores[1].check_rate("tools/a", SECOND * 60, 6, at(10)) is None
    assert await stores[2].check_rate("tools/a", SECOND * 60, 6, at(10)) == SECOND * 10


async def test_no_limit_and_no_thing_use_nothing_up(store: Store) -> None:
    for most, amount in ((0, 9), (1, 0)):
        assert await store.check_rate("x", SECOND, most, NOON, amount) is None
    assert await store.check_rate("x", SECOND, 1, NOON) is None
    for most, amount in ((-1, 1), (1, -1)):
        with pytest.raises(InvalidInput, match="negative"):
            await store.check_rate("x", SECOND, most, NOON, amount)


@given(
    most=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 9)), min_size=1, max_size=60),
)
def test_never_more_than_allowed_are_done_in_any_time(most: int, steps) -> None:
    until, now, done = None, NOON, []
    for milliseconds, amount in steps:
        now += timedelta(milliseconds=milliseconds)
        new, wait = pace(until, SECOND, most, amount, now)
        if wait is None:
            done.append((now, amount))
            until = new
        else:
            assert new == until
            # Who waits as long as told is let through, and not a moment earlier.
            assert pace(until, SECOND, most, 1, now + wait)[1] is None
            assert pace(until, SECOND, most, 1, now + wait - timedelta.resolution)[1] is not None
    for first, (begin, _) in enumerate(done):
        for last in range(first, len(done)):
            before = sum(amount for _, amount in done[first:last])
            seconds = Fraction((done[last][0] - begin) // timedelta.resolution + len(done), 10**6)
            assert before <= (seconds + 1) * most - 1


async def test_an_agent_sends_no_more_than_allowed_in_a_second(url: str) -> None:
    store = await open_store(url, messages_per_second=3)
    for which in (ANNA, BERT):
        await store.create_agent(agent_row(which))
    sent = [message(str(number), BERT, sender=ANNA) for number in range(3)]
    for one in sent:
        await store.send_messages([one])
    # What is known already, and what people send, is not held back.
    assert not (await store.send_messages(sent))[0].is_new
    await store.send_messages([message(receiver=BERT) for _ in range(9)])
    await store.send_messages([message(receiver=BERT, sender=BERT)])
    with pytest.raises(LimitReached, match=f"'{ANNA}' sends more than 3 messages") as caught:
        await asyncio.gather(
            *(store.send_messages([message(receiver=BERT, sender=ANNA)]) for _ in range(50))
        )
    assert "MAINSTAY_MESSAGES_PER_SECOND" in caught.value.hint
    await store.close()


async def test_without_a_limit_an_agent_sends_what_it_likes(store: Store) -> None:
    await store.create_agent(agent_row(ANNA))
    for _ in range(30):
        await store.send_messages([message(receiver=ANNA, sender=ANNA)])
    assert len(await store.messages_of(ANNA)) == 30


# Settings.


def test_limits_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().limits == AgentLimits()
    monkeypatch.setenv("MAINSTAY_LIMITS__AGENTS", "5000")
    monkeypatch.setenv("MAINSTAY_LIMITS__ROLES__CRITIC", "3")
    monkeypatch.setenv("MAINSTAY_MESSAGES_PER_SECOND", "20")
    monkeypatch.setenv("MAINSTAY_TOOL_CALLS_PER_MINUTE", "30")
    settings = Settings()
    assert settings.limits == AgentLimits(agents=5000, roles={"critic": 3})
    assert (settings.messages_per_second, settings.tool_calls_per_minute) == (20, 30)


def test_a_limit_can_be_lifted_and_must_make_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSTAY_LIMITS", '{"agents": null}')
    monkeypatch.setenv("MAINSTAY_LIMITS__CHILDREN", "7")
    assert Settings().limits == AgentLimits(agents=None, children=7)
    monkeypatch.setenv("MAINSTAY_LIMITS__DEPTH", "-1")
    with pytest.raises(ValueError, match="depth"):
        Settings()
