"""What breakers and rates do, on SQLite and on PostgreSQL, for several workers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from record_examples import NOON, at
from sqlalchemy import event

from mainstay.schemas.budgets import Breaker, BreakerState
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.storage.store import Store, open_store

OPENED = Breaker(name="openai", state=BreakerState.OPEN, failures=5, opened_at=NOON)


@pytest.fixture
async def other(store: Store, url: str) -> AsyncIterator[Store]:
    """Another store on the same database, as another worker has it."""
    opened = await open_store(url)
    yield opened
    await opened.close()


def count_failure(breaker: Breaker) -> Breaker:
    return breaker.model_copy(update={"failures": breaker.failures + 1})


async def test_a_breaker_is_changed_for_all_workers(store: Store, other: Store) -> None:
    closed = Breaker(name="openai")
    assert await store.change_breaker("openai", lambda _: OPENED) == (closed, OPENED)
    assert await other.change_breaker("openai", lambda one: one) == (OPENED, OPENED)
    probing = OPENED.model_copy(update={"state": BreakerState.HALF_OPEN, "probe_at": at(60)})
    assert await other.change_breaker("openai", lambda _: probing) == (OPENED, probing)
    assert await store.list_breakers() == [probing]


async def test_no_failure_is_lost_when_two_workers_count_at_once(
    store: Store, other: Store
) -> None:
    changes = await asyncio.gather(
        *(one.change_breaker("tool", count_failure) for one in (store, other) * 30)
    )
    assert sorted(old.failures for old, _ in changes) == list(range(60))
    assert [one.failures for one in await store.list_breakers()] == [60]


async def test_of_two_workers_that_probe_at_once_one_is_let_through(
    store: Store, other: Store
) -> None:
    await store.change_breaker("openai", lambda _: OPENED)

    def probe(breaker: Breaker) -> Breaker:
        if breaker.state is not BreakerState.OPEN:
            return breaker
        return breaker.model_copy(update={"state": BreakerState.HALF_OPEN, "probe_at": NOON})

    changes = await asyncio.gather(
        *(one.change_breaker("openai", probe) for one in (store, other) * 10)
    )
    assert sum(old != new for old, new in changes) == 1


async def test_a_breaker_that_stays_as_it_is_costs_no_write(store: Store) -> None:
    begun: list[object] = []
    event.listen(store._writing, "begin", begun.append)
    closed = Breaker(name="openai")
    assert await store.change_breaker("openai", lambda one: one) == (closed, closed)
    assert begun == []
    assert await store.list_breakers() == []


async def test_a_change_that_fails_changes_nothing(store: Store) -> None:
    calls: list[Breaker] = []

    def change(breaker: Breaker) -> Breaker:
        calls.append(breaker)
        if len(calls) > 1:
            raise RuntimeError("killed")
        return OPENED

    with pytest.raises(RuntimeError, match="killed"):
        await store.change_breaker("openai", change)
    assert await store.list_breakers() == []


async def test_a_breaker_keeps_the_name_it_is_kept_under(store: Store) -> None:
    _, new = await store.change_breaker("tool/a", lambda _: OPENED)
    assert new.name == "tool/a"
    assert await store.list_breakers() == [new]


async def test_a_breaker_is_reset_by_name(store: Store) -> None:
    for name in ("b", "a"):
        await store.change_breaker(name, count_failure)
    assert [one.name for one in await store.list_breakers()] == ["a", "b"]
    assert await store.reset_breaker("a") == Breaker(name="a", failures=1)
    assert [one.name for one in await store.list_breakers()] == ["b"]
    with pytest.raises(NotFound, match="'a'"):
        await store.reset_breaker("a")


async def test_callers_of_all_workers_queue_one_behind_the_other(
    store: Store, other: Store
) -> None:
    waits = await asyncio.gather(
        *(one.reserve("openai", 60, 0, 0, NOON) for one in (store, other) * 10)
    )
    seconds = sorted(wait.total_seconds() for wait in waits)
    assert seconds == [0.0] * 7 + [float(n) for n in range(1, 14)]


async def test_a_place_is_taken_on_both_meters(store: Store) -> None:
    assert await store.reserve("openai", 600, 6_000, 3_000, NOON) == timedelta(0)
    assert await store.reserve("openai", 600, 6_000, 3_000, NOON) == timedelta(seconds=24)
    assert await store.reserve("openai", 600, 0, 0, NOON) == timedelta(seconds=18.1)
    assert await store.reserve("anthropic", 600, 6_000, 3_000, NOON) == timedelta(0)


async def test_without_a_limit_nobody_waits(store: Store) -> None:
    for _ in range(3):
        assert await store.reserve("openai", 0, 0, 10**9, NOON) == timedelta(0)


async def test_a_negative_rate_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="negative"):
        await store.reserve("openai", -1, 0, 0, NOON)
