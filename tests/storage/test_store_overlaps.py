"""Two workers save the same items, because one was taken for dead: nothing is lost or doubled."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from mainstay.schemas.records import EventKind, OutputChunk, PlanEvent
from mainstay.storage import tables
from mainstay.storage.outputs import new_chunk, save_chunks
from mainstay.storage.queries import chunks as load_chunks
from mainstay.storage.store import Store

PLAN = "plan/p/1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def chunk_of(who: str, start: int, stop: int) -> tuple[OutputChunk, PlanEvent]:
    values = [f"{who}{item}" for item in range(start, stop)]
    chunk = OutputChunk(plan_id=PLAN, task="t", start=start, stop=stop, values=values)
    counted = PlanEvent(
        plan_id=PLAN,
        key=f"t/0/{start}/done",
        kind=EventKind.TASK_PROGRESS,
        at=NOW,
        task="t",
        count=stop - start,
    )
    return chunk, counted


async def test_longer_chunk_that_begins_alike_adds_only_what_is_new(store: Store) -> None:
    for who, stop in (("a", 1), ("b", 3)):
        chunk, counted = chunk_of(who, 0, stop)
        await store.save_chunk(chunk, [counted])
    found = await store.load_chunks(PLAN, "t", 0)
    assert [value for chunk in found for value in chunk.values] == ["a0", "b1", "b2"]
    counts = [event.count for event in await store.events_after(PLAN, 0)]
    assert counts == [1, 2]


async def test_errors_of_items_go_with_them(store: Store) -> None:
    first, _ = chunk_of("a", 1, 2)
    await store.save_chunk(first)
    second = OutputChunk(
        plan_id=PLAN, task="t", stop=3, values=[0, None, None], errors={1: "late", 2: "kept"}
    )
    await store.save_chunk(second)
    found = await store.load_chunks(PLAN, "t", 0)
    assert [(chunk.start, chunk.stop, chunk.errors) for chunk in found] == [
        (0, 1, {}),
        (1, 2, {}),
        (2, 3, {2: "kept"}),
    ]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=8))
def test_each_item_is_kept_and_counted_once_however_chunks_overlap(spans) -> None:
    engine = create_engine("sqlite://")
    tables.task_outputs.create(engine)
    told: list[PlanEvent] = []
    first: dict[int, str] = {}
    with engine.begin() as connection:
        for number, (start, length) in enumerate(spans):
            chunk, counted = chunk_of(f"{number}-", start, start + length)
            told += save_chunks(connection, [new_chunk(chunk, [counted])], [counted])
            for item, value in enumerate(chunk.values, start):
                first.setdefault(item, value)
        found = load_chunks(connection, PLAN, "t", 0, 0, None)
    engine.dispose()
    kept = [(i, value) for chunk in found for i, value in enumerate(chunk.values, chunk.start)]
    assert kept == sorted(first.items())
    assert sum(event.count for event in told) == len(first)
    assert len({event.key for event in told}) == len(told)
