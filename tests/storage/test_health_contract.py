"""What the databases know of agents' health."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from agent_examples import FAILED, PROCESSED, message, settled, state_event
from record_examples import at
from team_examples import RUN, TEAM, member, put, put_many

from mainstay.schemas.agent import AgentSpec, LimitsSpec
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.supervision_calls import HealthFacts
from mainstay.storage.store import Store

RUNNING, RESTARTING = LifeState.RUNNING, LifeState.RESTARTING
ANN = member("ann").agent_id


@pytest.fixture
async def team(store: Store) -> Store:
    """A team of two that run since the first second."""
    await put(store, "")
    for name in ("ann", "bob"):
        row = member(name)
        await store.create_agent(row)
        begun = state_event("1", LifeState.INITIALIZING, RUNNING, 1, agent_id=row.agent_id)
        await store.append_agent_events([begun])
    return store


class Work:
    """What an agent does, batch by batch."""

    def __init__(self, store: Store, agent: str = ANN) -> None:
        self.store, self.agent, self.batch = store, agent, 0

    async def take(self, seconds: float, texts: int = 1) -> list[str]:
        await self.store.send_messages([message(receiver=self.agent) for _ in range(texts)])
        self.batch += 1
        headers = await self.store.take_batch(self.agent, self.batch, 9, at(seconds))
        return [header.id for header in headers]

    async def end(self, ids: Sequence[str], how: MessageStatus, seconds: float) -> None:
        self.batch += 1
        ended = [settled(one, how) for one in ids]
        await self.store.settle_and_take(self.agent, ended, [], self.batch, 0, at(seconds))


async def facts(store: Store, sample: int = 5) -> dict[str, HealthFacts]:
    return {one.name: one for one in await store.health_facts(TEAM, RUN, sample)}


async def test_idle_agents_that_did_well_are_not_told_of(team: Store) -> None:
    work = Work(team)
    assert await facts(team) == {}
    await work.end(await work.take(2), PROCESSED, 3)
    await team.send_messages([message(receiver=ANN)])
    assert await facts(team) == {}


async def test_an_agent_that_works_is_told_of_with_the_beginning_of_its_work(team: Store) -> None:
    work = Work(team)
    for seconds in (7, 9):
        await work.take(seconds)
    (fact,) = (await facts(team)).values()
    assert fact == HealthFacts(
        agent_id=ANN,
        name="crew/ann",
        state=RUNNING,
        oldest_delivered_at=at(7),
        turn_timeout=timedelta(hours=1),
    )


async def test_messages_taken_together_wait_for_one_another(team: Store) -> None:
    work = Work(team)
    first, *_ = await work.take(2, texts=3)
    await work.end([first], PROCESSED, 60)
    assert (await facts(team))["crew/ann"].oldest_delivered_at == at(60)


async def test_work_begins_anew_with_the_state_of_the_agent(team: Store) -> None:
    await Work(team).take(2)
    await team.leave_agents([ANN], "hung", at(90))
    fact = (await facts(team))["crew/ann"]
    assert (fact.state, fact.oldest_delivered_at) == (RESTARTING, at(90))


async def test_a_turn_may_take_as_long_as_the_agents_file_says(team: Store) -> None:
    spec = AgentSpec(name="kim", limits=LimitsSpec(turn_timeout=timedelta(minutes=7)))
    await team.put_document("spec/kim", spec.model_dump_json().encode())
    await team.put_document("spec/tom", b'{"limits": 7}')
    for name in ("kim", "tom", "zoe"):
        row = member(name, spec_ref=f"spec/{name}")
        await team.create_agent(row)
        await Work(team, row.agent_id).take(2)
    found = await facts(team)
    minutes = [found[f"crew/{name}"].turn_timeout.total_seconds() / 60 for name in ("kim", "tom")]
    assert minutes == [7, 60]
    assert found["crew/zoe"].turn_timeout == timedelta(hours=1)


async def test_failures_count_among_the_latest_messages(team: Store) -> None:
    work = Work(team)
    for second, how in enumerate((FAILED, FAILED, PROCESSED, FAILED, PROCESSED), 2):
        await work.end(await work.take(second), how, second)
    for sample, expected in ((5, (5, 3)), (2, (2, 1)), (99, (5, 3))):
        fact = (await facts(team, sample))["crew/ann"]
        assert (fact.processed, fact.failed) == expected
        assert fact.oldest_delivered_at is None
    assert await facts(team, 1) == {}


async def test_latest_are_those_that_ended_last_not_those_that_came_last(team: Store) -> None:
    work = Work(team)
    early, *later = await work.take(2, texts=3)
    await work.end(later, PROCESSED, 3)
    await work.end([early], FAILED, 4)
    assert (await facts(team, 1))["crew/ann"].failed == 1


async def test_failures_before_a_restart_are_not_held_against_the_agent(team: Store) -> None:
    work = Work(team)
    for second in range(2, 7):
        await work.end(await work.take(second), FAILED, second)
    assert (await facts(team))["crew/ann"].failed == 5
    await team.leave_agents([ANN], "too many failures", at(8))
    begun = state_event("2", RESTARTING, RUNNING, 9, agent_id=ANN)
    await team.append_agent_events([begun])
    assert await facts(team) == {}
    await work.end(await work.take(10), FAILED, 10)
    fact = (await facts(team))["crew/ann"]
    assert (fact.processed, fact.failed) == (1, 1)


async def test_other_teams_other_lives_and_ended_agents_are_not_told_of(team: Store) -> None:
    await Work(team).take(2)
    assert await team.health_facts("other", RUN, 5) == []
    assert await team.health_facts(TEAM, "ffffffff", 5) == []
    ended = state_event("2", RUNNING, LifeState.TERMINATED, 3, agent_id=ANN)
    await team.append_agent_events([ended])
    assert await facts(team) == {}


@pytest.mark.slow
async def test_a_thousand_idle_agents_are_looked_at_in_a_moment(store: Store) -> None:
    done = message(status=PROCESSED, processed_at=at(2))
    await put_many(store, 1_000, [done] * 9 + [message()])
    began = asyncio.get_running_loop().time()
    assert await store.health_facts(TEAM, RUN, 5) == []
    assert asyncio.get_running_loop().time() - began < 0.5
