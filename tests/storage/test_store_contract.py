"""What every store does, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_examples import NOON, PLAN, at, plan_event, plan_row, task_event, task_row

from mainstay.decisions.projection import fold
from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound
from mainstay.schemas.limits import MAX_OUTPUT_BYTES
from mainstay.schemas.records import EventKind, OutputChunk, PlanEvent
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.storage.store import Store, open_store

RUNNING, SUCCEEDED, FAILED = TaskStatus.RUNNING, TaskStatus.SUCCEEDED, TaskStatus.FAILED


async def test_a_document_is_kept_and_never_changed(store: Store) -> None:
    await store.put_document("plans/1", b"first \x00\xff")
    await store.put_document("plans/1", b"second")
    assert await store.get_document("plans/1") == b"first \x00\xff"


async def test_documents_are_found_by_how_their_keys_begin(store: Store) -> None:
    for key in ("snapshot/b/2", "snapshot/B/1", "snapshot/b/1", "snapshot_b", "plans/1"):
        await store.put_document(key, b"")
    assert await store.find_documents("snapshot/b/") == ["snapshot/b/1", "snapshot/b/2"]
    assert len(await store.find_documents("")) == 5


async def test_a_missing_document_is_not_found_and_named(store: Store) -> None:
    with pytest.raises(NotFound, match="'plans/9'"):
        await store.get_document("plans/9")


async def test_a_chunk_is_kept_once_and_its_events_count_once(store: Store) -> None:
    await store.create_plan(plan_row(), [task_row(items_total=4)])
    chunk = OutputChunk(
        plan_id=PLAN, task="list", start=0, stop=2, values=[1, None], errors={1: "e"}
    )
    done = task_event("list/0", kind=EventKind.TASK_PROGRESS, count=2)
    await store.save_chunk(chunk, [done])
    await store.save_chunk(chunk.model_copy(update={"values": [7, 7]}), [done])
    assert await store.load_chunks(PLAN, "list", 0) == [chunk]
    assert [task.items_done for task in await store.tasks_of(PLAN)] == [2]


async def test_chunks_that_overlap_a_range_come_in_order(store: Store) -> None:
    for start in (4, 0, 2):
        chunk = OutputChunk(plan_id=PLAN, task="t", start=start, stop=start + 2, values=[start, 0])
        await store.save_chunk(chunk)
    await store.save_chunk(OutputChunk(plan_id=PLAN, task="t", round=3, values=["new"]))

    async def starts(start: int, stop: int | None) -> list[int]:
        return [chunk.start for chunk in await store.load_chunks(PLAN, "t", 0, start, stop)]

    assert await starts(0, None) == [0, 2, 4]
    assert await starts(1, 3) == [0, 2]
    assert await starts(2, 4) == [2]
    assert [chunk.round for chunk in await store.plan_output(PLAN, "t")] == [3]
    assert len(await store.plan_output(PLAN, "t", 0)) == 3
    assert await store.plan_output(PLAN, "other") == []


async def test_a_large_chunk_is_kept_whole(store: Store) -> None:
    value = "0123456789abcdefghij" * 1024 * 1024
    await store.save_chunk(OutputChunk(plan_id=PLAN, task="t", values=[value]))
    (found,) = await store.load_chunks(PLAN, "t", 0)
    assert found.values == [value]


async def test_what_is_too_large_is_refused_with_its_size(store: Store) -> None:
    with pytest.raises(LimitReached, match="67,108,865 bytes"):
        await store.put_document("plans/1", bytes(MAX_OUTPUT_BYTES + 1))


STRANGE = [
    "na\u00efve \U0001f40d",
    "nul \0 inside",
    "half \ud800 pair",
    {"k\0": ["\udfff"]},
    1e308,
    None,
]


async def test_strange_values_are_kept_without_loss(store: Store) -> None:
    chunk = OutputChunk(plan_id=PLAN, task="t", stop=6, values=STRANGE, errors={5: "\0\ud800"})
    await store.save_chunk(chunk)
    assert await store.load_chunks(PLAN, "t", 0) == [chunk]


async def test_a_value_that_is_not_json_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="task 't' is not JSON"):
        await store.save_chunk(OutputChunk(plan_id=PLAN, task="t", values=[b"bytes"]))


async def test_strange_messages_become_readable(store: Store) -> None:
    await store.create_plan(plan_row(), [task_row()])
    await store.append_events(
        [task_event("1", FAILED, message="a\0b \ud800 \U0001f40d ä" + "x" * 999)]
    )
    (event,) = await store.events_after(PLAN, 0)
    assert event.message.startswith("a\u2400b \ufffd \U0001f40d äx")
    assert len(event.message) == 500
    (task,) = await store.tasks_of(PLAN)
    assert task.message == event.message


@pytest.mark.parametrize(
    "key", ["nul\0", "half\ud800", "x" * 1001], ids=["nul", "surrogate", "long"]
)
async def test_an_identifier_that_cannot_be_kept_exactly_is_refused(store: Store, key: str) -> None:
    with pytest.raises(InvalidInput):
        await store.put_document(key, b"")
    with pytest.raises(InvalidInput):
        await store.append_events([task_event(key)])
    with pytest.raises(InvalidInput):
        await store.create_plan(plan_row(), [task_row(key)])
    with pytest.raises(InvalidInput):
        await store.mark_started(key)
    assert await store.get_plan(PLAN) is None


async def test_the_longest_identifiers_are_kept(store: Store) -> None:
    name, key = "ä" * 500, "\U0001f40d" * 250
    await store.append_events([task_event(key, RUNNING, task=name, plan_id=name)])
    assert [event.key for event in await store.events_after(name, 0)] == [key]


async def test_an_effect_starts_once_until_it_is_cleared(store: Store) -> None:
    assert await store.mark_started("a") is True
    assert await store.mark_started("a") is False
    assert await store.mark_started("b") is True
    await store.clear_started("a")
    await store.clear_started("unknown")
    assert await store.mark_started("a") is True
    assert await store.mark_started("b") is False


async def test_of_many_at_once_one_starts_an_effect(store: Store) -> None:
    assert sum(await asyncio.gather(*(store.mark_started("a") for _ in range(50)))) == 1


async def test_a_plan_is_created_once_and_later_tasks_are_added(store: Store) -> None:
    plan = plan_row(
        tasks_total=2, parent_id="plan/parent/1", priority=0, plan_ref="p", inputs_ref="i"
    )
    first = task_row("first", tool="fs.list", kind="tool", priority=4, items_total=9)
    await store.create_plan(plan, [first])
    await store.append_events([task_event("1", SUCCEEDED, task="first")])
    await store.create_plan(plan, [first, task_row("second", position=1)])
    found = await store.tasks_of(PLAN)
    assert [(task.name, task.status) for task in found] == [
        ("first", SUCCEEDED),
        ("second", TaskStatus.PENDING),
    ]
    assert found[0].model_copy(update={"status": first.status, "ended_at": None}) == first
    assert await store.get_plan(PLAN) == plan.model_copy(update={"tasks_done": 1})


async def test_a_task_of_another_plan_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="'list' is not of plan"):
        await store.create_plan(plan_row(), [task_row(plan_id="plan/other/1")])


async def test_a_known_event_changes_nothing(store: Store) -> None:
    await store.create_plan(plan_row(), [task_row()])
    once = task_event("1", SUCCEEDED, count=3, at=at(5))
    await store.append_events([once, once])
    await store.append_events([task_event("1", FAILED, count=100, at=at(9)), once])
    (task,) = await store.tasks_of(PLAN)
    assert (task.status, task.items_done, task.ended_at) == (SUCCEEDED, 3, at(5))
    assert [
        event.model_copy(update={"number": 0}) for event in await store.events_after(PLAN, 0)
    ] == [once]
    plan = await store.get_plan(PLAN)
    assert plan is not None
    assert plan.tasks_done == 1


async def test_events_that_came_before_their_rows_are_not_lost(store: Store) -> None:
    ended = plan_event("p", PlanStatus.SUCCEEDED, kind=EventKind.PLAN_ENDED, at=at(9), ref="out")
    await store.append_events([task_event("1", SUCCEEDED, at=at(5)), ended])
    await store.create_plan(plan_row(tasks_total=1), [task_row()])
    await store.create_plan(plan_row(tasks_total=1), [task_row()])
    plan = await store.get_plan(PLAN)
    assert plan is not None
    assert (plan.status, plan.tasks_done, plan.ended_at, plan.outputs_ref) == (
        PlanStatus.SUCCEEDED,
        1,
        at(9),
        "out",
    )
    (task,) = await store.tasks_of(PLAN)
    assert (task.status, task.ended_at) == (SUCCEEDED, at(5))


async def test_what_a_tool_prints_is_its_last_line_and_no_event(store: Store) -> None:
    await store.create_plan(plan_row(), [task_row()])
    lines = [task_event("o", kind=EventKind.TASK_OUTPUT, message=f"line {n}") for n in range(3)]
    await store.append_events(lines)
    assert [task.last_line for task in await store.tasks_of(PLAN)] == ["line 2"]
    assert await store.events_after(PLAN, 0) == []


async def test_events_come_in_order_page_by_page(store: Store) -> None:
    for n in range(10):
        await store.append_events([task_event(f"{n}-{part}") for part in range(3)])
    await store.append_events([task_event("other", plan_id="plan/other/1")])
    seen: list[PlanEvent] = []
    while page := await store.events_after(PLAN, seen[-1].number if seen else 0, limit=4):
        assert len(page) <= 4
        seen += page
    assert [event.key for event in seen] == [f"{n}-{part}" for n in range(10) for part in range(3)]
    assert all(a.number < b.number for a, b in pairwise(seen))


async def test_a_status_comes_back_as_the_enum_it_belongs_to(store: Store) -> None:
    await store.append_events([plan_event("p", PlanStatus.RUNNING), task_event("t", RUNNING)])
    kinds = [type(event.status) for event in await store.events_after(PLAN, 0)]
    assert kinds == [PlanStatus, TaskStatus]


ZONES = [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))]


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("moment", [NOON, datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)], ids=str)
async def test_a_moment_comes_back_equal_and_in_utc(
    store: Store, zone: timezone, moment: datetime
) -> None:
    await store.create_plan(plan_row(created_at=moment.astimezone(zone)), [])
    plan = await store.get_plan(PLAN)
    assert plan is not None
    assert plan.created_at == moment
    assert plan.created_at.utcoffset() == timedelta(0)


async def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        await store.append_events([task_event("1", at=NOON.replace(tzinfo=None))])
    with pytest.raises(InvalidInput, match="no time zone"):
        await store.create_plan(plan_row(created_at=NOON.replace(tzinfo=None)), [])


async def test_plans_are_listed_newest_first_and_filtered(store: Store) -> None:
    ended = {"status": PlanStatus.FAILED}
    await store.create_plan(plan_row("plan/a/1", name="a", created_at=at(1)), [])
    await store.create_plan(plan_row("plan/b/1", name="b", created_at=at(3)), [])
    await store.create_plan(plan_row("plan/a/2", name="a", created_at=at(2), **ended), [])

    async def listed(**how: Any) -> list[str]:
        return [plan.plan_id for plan in await store.list_plans(**how)]

    assert await listed() == ["plan/b/1", "plan/a/2", "plan/a/1"]
    assert await listed(limit=1) == ["plan/b/1"]
    assert await listed(name="a") == ["plan/a/2", "plan/a/1"]
    assert await listed(statuses=[PlanStatus.FAILED]) == ["plan/a/2"]
    assert await listed(statuses=[PlanStatus.RUNNING], name="a") == ["plan/a/1"]


async def test_plans_are_found_by_the_beginning_of_their_id(store: Store) -> None:
    for plan_id in ("plan/a_b/1", "plan/axb/1", "plan/A_b/2", "plan/a_b/10"):
        await store.create_plan(plan_row(plan_id), [])
    assert await store.find_plans("plan/a_b/1") == ["plan/a_b/1", "plan/a_b/10"]
    assert await store.find_plans("a_") == ["plan/a_b/1", "plan/a_b/10"]
    assert await store.find_plans("%") == []
    assert len(await store.find_plans("")) == 4


async def test_a_plan_that_is_written_again_is_as_if_it_were_new(store: Store) -> None:
    plan, tasks = plan_row(tasks_total=1), [task_row()]
    await store.create_plan(plan, [task_row(), task_row("gone", position=1)])
    await store.append_events([task_event("1", FAILED), task_event("2", SUCCEEDED, task="gone")])
    await store.save_chunk(OutputChunk(plan_id=PLAN, task="list", values=["kept"]))
    (last,) = (await store.events_after(PLAN, 0))[-1:]
    events = [task_event("1", RUNNING), task_event("3", SUCCEEDED, at=at(3))]
    await store.replace_plan(plan, tasks, events)
    await store.replace_plan(plan, tasks, events)
    found = await store.events_after(PLAN, 0)
    assert [event.key for event in found] == ["1", "3"]
    assert found[0].number > last.number
    assert (await store.get_plan(PLAN), await store.tasks_of(PLAN)) == fold(plan, tasks, events)
    assert len(await store.plan_output(PLAN, "list")) == 1


async def test_one_bad_write_does_not_take_the_others_with_it(store: Store) -> None:
    await store.create_plan(plan_row(), [task_row()])
    good = [store.append_events([task_event(f"{n}", count=1)]) for n in range(20)]
    bad = store.create_plan(plan_row("plan/bad/1", priority=9), [])
    worse = store.append_events([plan_event("x", TaskStatus.ASKING)])  # type: ignore[arg-type]
    outcomes = await asyncio.gather(*good, bad, worse, *good[:0], return_exceptions=True)
    assert outcomes[:20] == [None] * 20
    assert [type(outcome) for outcome in outcomes[20:]] == [InvalidInput, InvalidInput]
    assert "'plan/audit/1' the status" in str(outcomes[21])
    assert (await store.tasks_of(PLAN))[0].items_done == 20
    assert await store.get_plan("plan/bad/1") is None
    assert len(await store.events_after(PLAN, 0)) == 20


async def test_writes_of_one_caller_keep_their_order_under_load(store: Store) -> None:
    names = [f"t{n}" for n in range(40)]
    await store.create_plan(
        plan_row(tasks_total=40), [task_row(n, position=i) for i, n in enumerate(names)]
    )

    async def live(name: str) -> None:
        for n, status in enumerate((TaskStatus.PREPARING, RUNNING, FAILED, RUNNING, SUCCEEDED)):
            await store.append_events([task_event(f"{name}/{n}", status, task=name, at=at(n))])

    await asyncio.gather(*(live(name) for name in names))
    assert {task.status for task in await store.tasks_of(PLAN)} == {SUCCEEDED}
    plan = await store.get_plan(PLAN)
    assert plan is not None
    assert plan.tasks_done == 40


NAMES = ("a", "b", "c")
EVENTS = st.one_of(
    st.builds(
        lambda name, status, seconds, count, total, attempt, message, kind: task_event(
            "", status, name, at=at(seconds), count=count, total=total, attempt=attempt,
            message=message, kind=kind,
        ),
        st.sampled_from((*NAMES, "unknown")),
        st.none() | st.sampled_from(TaskStatus),
        st.integers(0, 9),
        st.integers(-2, 5),
        st.none() | st.integers(0, 9),
        st.none() | st.integers(1, 3),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
        st.sampled_from((EventKind.TASK_STARTED, EventKind.TASK_STATUS, EventKind.TASK_PROGRESS)),
    ),
    st.builds(
        lambda status, seconds, kind: plan_event("", status, at=at(seconds), kind=kind),
        st.none() | st.sampled_from(PlanStatus),
        st.integers(0, 9),
        st.sampled_from((EventKind.PLAN_STARTED, EventKind.PLAN_STATUS, EventKind.PLAN_ENDED)),
    ),
)  # fmt: skip


@pytest.mark.slow
def test_rows_are_a_fold_of_the_events(url: str) -> None:
    with asyncio.Runner() as runner:
        store = runner.run(open_store(url))

        @settings(
            max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.lists(st.lists(EVENTS, max_size=6), max_size=4), st.booleans(), st.integers(0, 3))
        def check(batches: list[list[PlanEvent]], together: bool, created_after: int) -> None:
            runner.run(_compare(store, batches, together, created_after))

        try:
            check()
        finally:
            runner.run(store.close())


async def _compare(
    store: Store, batches: list[list[PlanEvent]], together: bool, created_after: int
) -> None:
    plan_id = f"plan/p/{uuid4()}"
    numbers = iter(range(1000))
    batches = [
        [e.model_copy(update={"plan_id": plan_id, "key": f"k{next(numbers)}"}) for e in batch]
        for batch in batches
    ]
    plan = plan_row(plan_id, tasks_total=3)
    tasks = [task_row(name, plan_id, position=n) for n, name in enumerate(NAMES)]
    writes = [store.append_events(batch) for batch in batches]
    writes.insert(min(created_after, len(writes)), store.create_plan(plan, tasks))
    if together:
        await asyncio.gather(*writes)
    else:
        for write in writes:
            await write
    told = await store.events_after(plan_id, 0)
    assert [event.key for event in told] == [event.key for batch in batches for event in batch]
    rows = (await store.get_plan(plan_id), await store.tasks_of(plan_id))
    assert rows == fold(plan, tasks, told)
