"""What the store does when the world fails it, and when several processes write at once."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from record_examples import PLAN, plan_row, task_event, task_row
from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError

from mainstay.schemas.errors import InvalidInput, MainstayError, Unavailable
from mainstay.schemas.records import OutputChunk, PlanEvent
from mainstay.schemas.run import TaskStatus
from mainstay.storage import connection
from mainstay.storage.connection import read_url
from mainstay.storage.store import Store, open_store

PROCESSES, OWN, SHARED = 2, 300, 100

# Writes events of its own and events that the other process writes too, in small groups.
WRITER = f"""
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from record_examples import task_event
from mainstay.schemas.records import EventKind
from mainstay.storage.store import open_store

async def main():
    store = await open_store(sys.argv[2])
    me = sys.argv[3]
    print("ready", flush=True)
    sys.stdin.readline()
    keys = [f"{{me}}-{{n}}" for n in range({OWN})] + [f"shared-{{n}}" for n in range({SHARED})]
    async def write(part):
        for key in keys[part::8]:
            await store.append_events([task_event(key, kind=EventKind.TASK_PROGRESS, count=1)])
    await asyncio.gather(*(write(part) for part in range(8)))
    print(sum([await store.mark_started(f"effect-{{n}}") for n in range({SHARED})]))
    await store.close()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_two_processes_write_everything_once_and_a_watcher_misses_nothing(
    store: Store, url: str
) -> None:
    await store.create_plan(plan_row(), [task_row()])
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(Path(__file__).parent), url, str(number),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        async with asyncio.timeout(30):
            assert await writer.stdout.readline() == b"ready\n"
    ends = asyncio.gather(*(writer.communicate(b"go\n") for writer in writers))
    seen: list[PlanEvent] = []
    async with asyncio.timeout(60):
        while not ends.done():
            seen += await store.events_after(PLAN, seen[-1].number if seen else 0)
    seen += await store.events_after(PLAN, seen[-1].number if seen else 0)
    outputs = await ends
    assert [errors for _, errors in outputs] == [b""] * PROCESSES
    assert sum(int(started) for started, _ in outputs) == SHARED
    assert seen == await store.events_after(PLAN, 0)
    assert len({event.key for event in seen}) == len(seen) == PROCESSES * OWN + SHARED
    (task,) = await store.tasks_of(PLAN)
    assert task.items_done == len(seen)


@contextmanager
def pragma(statement: str) -> Iterator[None]:
    """Let every new SQLite connection of this process begin with a pragma."""

    def run(dbapi: Any, _record: Any) -> None:
        dbapi.execute(f"PRAGMA {statement}")

    event.listen(Engine, "connect", run)
    try:
        yield
    finally:
        event.remove(Engine, "connect", run)


async def test_a_locked_database_is_unavailable_and_then_works_again(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(str(read_url(sqlite_url).database))) as other:
        other.execute("BEGIN IMMEDIATE")
        store = await open_store(sqlite_url)
        with pytest.raises(Unavailable, match="locked") as caught:
            await store.put_document("d", b"1")
        assert "another process" in caught.value.hint
        assert await store.get_plan(PLAN) is None
        other.rollback()
    await store.put_document("d", b"1")
    assert await store.get_document("d") == b"1"
    await store.close()


async def test_a_full_disk_is_unavailable_and_nothing_is_half_written(sqlite_url: str) -> None:
    with pragma("max_page_count=120"):
        store = await open_store(sqlite_url)
        await store.create_plan(plan_row(), [task_row()])
        big = OutputChunk(plan_id=PLAN, task="list", values=["x" * 2_000_000])
        with pytest.raises(Unavailable, match="full") as caught:
            await store.save_chunk(big, [task_event("1", TaskStatus.SUCCEEDED)])
        assert "make room" in caught.value.hint
        assert await store.plan_output(PLAN, "list") == []
        assert await store.events_after(PLAN, 0) == []
        await store.append_events([task_event("2", TaskStatus.FAILED)])
        assert [task.status for task in await store.tasks_of(PLAN)] == [TaskStatus.FAILED]
        await store.close()


async def test_a_read_only_database_is_unavailable_but_can_be_read(sqlite_url: str) -> None:
    with pragma("query_only=ON"):
        store = await open_store(sqlite_url)
        with pytest.raises(Unavailable, match="readonly") as caught:
            await store.put_document("d", b"1")
        assert "writable" in caught.value.hint
        assert await store.list_plans() == []
        await store.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are not the records you are looking for" * 50)
    with pytest.raises(Unavailable, match=r"notes\.txt.*not a database") as caught:
        await open_store(f"sqlite:///{path}")
    assert caught.value.hint


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file/below"):
        await open_store(f"sqlite:///{tmp_path}/file/below/records.db")


BAD_URLS = {
    "sqlite://": "in memory",
    "sqlite:///:memory:": "in memory",
    "mysql://u:s3cret-word@h/d": "'mysql'",
    "s3cret-word": "cannot be read",
    "postgresql://u:s3cret-word@h:port/d": "cannot be read",
}


@pytest.mark.parametrize(("text", "part"), BAD_URLS.items(), ids=BAD_URLS.values())
async def test_a_bad_url_is_refused_without_showing_a_password(text: str, part: str) -> None:
    with pytest.raises(InvalidInput, match=part) as caught:
        await open_store(text)
    assert caught.value.hint
    assert "s3cret-word" not in _all_text(caught.value)


async def test_a_server_that_is_not_there_is_unavailable_without_showing_a_password(
    tmp_path: Path,
) -> None:
    with pytest.raises(Unavailable, match="'records' on") as caught:
        await open_store(f"postgresql://u:s3cret-word@/records?host={tmp_path}")
    assert caught.value.hint
    assert "s3cret-word" not in _all_text(caught.value)


async def test_a_database_that_does_not_exist_is_named(postgres_folder: Path) -> None:
    with pytest.raises(Unavailable, match="'missing'"):
        await open_store(f"postgres://tester:s3cret-word@/missing?host={postgres_folder}")


async def test_a_refused_record_is_not_shown(store: Store, kind: str) -> None:
    with pytest.raises(InvalidInput, match="ck_plans_priority") as caught:
        await store.create_plan(plan_row(priority=9, inputs_ref="private-words"), [])
    assert "private-words" not in str(caught.value)
    assert isinstance(caught.value.__cause__, IntegrityError)
    if kind == "sqlite":  # PostgreSQL itself tells it, in a detail that we leave to the cause.
        assert "private-words" not in _all_text(caught.value)


def _all_text(error: BaseException) -> str:
    text = f"{error} {error!r} {getattr(error, 'hint', '')}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text + (_all_text(cause) if cause is not None else "")


@pytest.mark.postgres
async def test_cut_connections_are_made_again(postgres_url: str, postgres_folder: Path) -> None:
    store = await open_store(postgres_url)
    await store.create_plan(plan_row(), [task_row()])
    await store.tasks_of(PLAN)
    with psycopg.connect(
        host=str(postgres_folder), user="tester", dbname="postgres", autocommit=True
    ) as other:
        cut = other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'mainstay' AND datname = %s",
            [read_url(postgres_url).database],
        ).fetchall()
    assert len(cut) == 2
    await store.append_events([task_event("1", TaskStatus.SUCCEEDED)])
    assert [task.status for task in await store.tasks_of(PLAN)] == [TaskStatus.SUCCEEDED]
    await store.close()


async def test_a_closed_store_finishes_what_it_accepted_and_takes_no_more(url: str) -> None:
    store = await open_store(url)
    writes = [asyncio.ensure_future(store.put_document(f"d{n}", b"x")) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    await store.close()
    uses: list[Callable[[], Any]] = [lambda: store.put_document("e", b""), store.list_plans]
    for use in uses:
        with pytest.raises(Unavailable, match="closed"):
            await use()
    again = await open_store(url)
    assert await again.get_document("d49") == b"x"
    await again.close()


async def test_a_caller_who_gives_up_does_no_harm(store: Store) -> None:
    waiting = [asyncio.ensure_future(store.put_document(f"d{n}", b"x")) for n in range(20)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:2]] == [asyncio.CancelledError, type(None)]
    assert await store.get_document("d19") == b"x"


async def test_a_bug_in_one_write_reaches_its_caller_and_no_other(store: Store) -> None:
    def fail(_connection: object) -> None:
        raise ZeroDivisionError

    good = store.put_document("d", b"1")
    outcomes = await asyncio.gather(good, store._writer.write(fail), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ZeroDivisionError]
    with pytest.raises(ZeroDivisionError):
        await store._writer.write(fail)
    assert await store.get_document("d") == b"1"
    assert not issubclass(ZeroDivisionError, MainstayError)
