"""The store: what activities write and what clients read, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from mainstay.schemas.errors import InvalidInput, Unavailable
from mainstay.schemas.records import OutputChunk, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PlanStatus
from mainstay.storage import queries, tables
from mainstay.storage.accounts import AccountStore
from mainstay.storage.agents import AgentStore
from mainstay.storage.changes import Changes, insert_new, storable, write_plan
from mainstay.storage.columns import utc_now
from mainstay.storage.connection import Durability, make_folder, open_engine, read_url
from mainstay.storage.failures import translate
from mainstay.storage.mailboxes import MailboxStore
from mainstay.storage.memories import MemoryStore
from mainstay.storage.migrate import migrate_engine
from mainstay.storage.outputs import new_chunk
from mainstay.storage.protection import ProtectionStore
from mainstay.storage.rows import (
    exact,
    new_task_values,
    plan_values,
    within_limit,
)
from mainstay.storage.supervision import SupervisionStore
from mainstay.storage.threads import ThreadStore
from mainstay.storage.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
"""Reads at the same time in one process; each has a connection of its own."""


async def open_store(
    url: str, *, durability: Durability = "normal", messages_per_second: int = 0
) -> Store:
    """Open a database, made or brought to the present schema first when it needs to be.

    Args:
        url: an SQLAlchemy URL: ``sqlite:////path/file.db`` or ``postgresql+psycopg://...``.
        durability: ``full`` also survives a power cut on SQLite; PostgreSQL decides for itself.
        messages_per_second: how many messages one agent may send; 0 sets no limit.

    Raises:
        InvalidInput: the URL is wrong, or a newer version of Mainstay made the database.
        Unavailable: the database does not answer or cannot be written.
    """
    return await asyncio.to_thread(Store, url, durability, messages_per_second)


class Store(
    MailboxStore,
    AgentStore,
    SupervisionStore,
    ThreadStore,
    AccountStore,
    ProtectionStore,
    MemoryStore,
):
    """Documents, outputs and records. Safe to use from many tasks at once, and from many loops."""

    def __init__(
        self, url: str, durability: Durability = "normal", messages_per_second: int = 0
    ) -> None:
        """Open it; blocks, so call :func:`open_store` from a coroutine."""
        self.messages_per_second = messages_per_second
        self._url = read_url(url)
        make_folder(self._url)
        writing = open_engine(self._url, writes=True, connections=1, durability=durability)
        try:
            migrate_engine(writing)
        except BaseException:
            writing.dispose()
            raise
        self._writing = writing
        self._reading = open_engine(self._url, writes=False, connections=READERS)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="mainstay-reader")
        self._writer = Writer(writing)

    async def close(self) -> None:
        """Finish what is queued, then let the database go. Twice is once."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        self._writing.dispose()
        self._reading.dispose()

    async def put_document(self, key: str, body: bytes) -> None:
        """Store a document; a no-op when the key is known. At most 64 MiB."""
        within_limit(body, f"document {key!r}")
        row = {"key": exact(key, "the document key"), "body": body, "bytes": len(body)}
        await self._change(Changes(documents=({**row, "created_at": utc_now()},)))

    async def get_document(self, key: str) -> bytes:
        """Return a document.

        Raises:
            NotFound: no document has that key.
        """
        return await self._read(queries.document, exact(key, "the document key"))

    async def find_documents(self, prefix: str) -> list[str]:
        """Return up to 100 keys of documents that begin with a text, sorted."""
        return await self._read(queries.documents, prefix)

    async def save_chunk(self, chunk: OutputChunk, events: Sequence[PlanEvent] = ()) -> None:
        """Store a chunk and append events, in one transaction.

        Items that are kept already stay as they are and are not counted again. A no-op for known
        events.
        """
        told = storable(events)
        await self._change(Changes(chunks=(new_chunk(chunk, told),), events=told))

    async def load_chunks(
        self, plan_id: str, task: str, round_: int, start: int = 0, stop: int | None = None
    ) -> list[OutputChunk]:
        """Return the chunks that overlap ``[start, stop)``, in the order of their items."""
        return await self._read(queries.chunks, plan_id, task, round_, start, stop)

    async def plan_output(
        self, plan_id: str, task: str, round_: int | None = None
    ) -> list[OutputChunk]:
        """Return all of what a task returned, in one round or in the newest."""
        if round_ is None:
            round_ = await self._read(queries.last_round, plan_id, task)
        return await self.load_chunks(plan_id, task, round_)

    async def mark_started(self, key: str) -> bool:
        """Note that an effect that cannot be repeated begins; False when it had begun before."""
        row = {"key": exact(key, "the effect key"), "started_at": utc_now()}

        def insert(connection: Connection) -> bool:
            statement = insert_new(connection, tables.effects).returning(tables.effects.c.key)
            return connection.execute(statement, row).scalar() is not None

        return await self._writer.write(insert)

    async def clear_started(self, key: str) -> None:
        """Forget such a note, because a person allowed another attempt."""
        statement = tables.effects.delete().where(tables.effects.c.key == key)

        def delete(connection: Connection) -> None:
            connection.execute(statement)

        await self._writer.write(delete)

    async def create_plan(self, plan: PlanRow, tasks: Sequence[TaskRow]) -> None:
        """Insert a plan and its tasks; a no-op for those already known."""
        await self._change(Changes(plans=(_checked(plan, tasks),), tasks=tuple(tasks)))

    async def append_events(self, events: Sequence[PlanEvent]) -> None:
        """Append events and bring the rows up to date; known events change nothing.

        What a tool printed (TASK_OUTPUT) only becomes the task's last line.
        """
        if events:
            await self._change(Changes(events=storable(events)))

    async def replace_plan(
        self, plan: PlanRow, tasks: Sequence[TaskRow], events: Sequence[PlanEvent]
    ) -> None:
        """Write a plan's rows and events again, in one transaction; outputs and documents stay.

        ``plan`` and ``tasks`` are as they were before the first of ``events``. The events get new,
        higher numbers, so that a watcher is told all of them again.
        """
        rows, told = tuple(tasks), storable(events)
        _checked(plan, rows)

        def replace(connection: Connection) -> None:
            write_plan(connection, plan, rows, told)

        weight = 500 * (len(rows) + len(told))
        await self._writer.write(replace, (plan.plan_id,), weight)

    async def get_plan(self, plan_id: str) -> PlanRow | None:
        """Return a plan's row, or None when the plan is not known."""
        return await self._read(queries.plan, plan_id)

    async def list_plans(
        self, *, statuses: Iterable[PlanStatus] = (), name: str = "", limit: int = 50
    ) -> list[PlanRow]:
        """Return plans, newest first; all statuses and names when none is given."""
        return await self._read(queries.plans, statuses, name, limit)

    async def find_plans(self, prefix: str) -> list[str]:
        """Return up to 100 ids that begin with a text, sorted; ``plan/`` may be left out."""
        return await self._read(queries.plan_ids, prefix)

    async def tasks_of(self, plan_id: str) -> list[TaskRow]:
        """Return a plan's tasks by their position."""
        return await self._read(queries.tasks, plan_id)

    async def events_after(self, plan_id: str, number: int, limit: int = 1000) -> list[PlanEvent]:
        """Return a plan's events after a number, in the order of their numbers.

        A plan's events become visible in that order, whoever wrote them, so a watcher that asks
        for what came after the last one it saw misses none. Numbers have gaps.
        """
        return await self._read(queries.plan_events_of, plan_id, number, limit)

    async def _change(self, changes: Changes) -> None:
        await self._writer.write(changes, changes.plan_ids, changes.weight)

    async def _write(
        self, work: Callable[[Connection], T], locks: Iterable[str] = (), weight: int = 500
    ) -> T:
        return await self._writer.write(work, locks, weight)

    async def _read(
        self,
        query: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        def read() -> T:
            try:
                with self._reading.connect() as connection:
                    return query(connection, *args, **kwargs)
            except SQLAlchemyError as error:
                raise translate(error, self._url) from error

        try:
            waiting = asyncio.get_running_loop().run_in_executor(self._readers, read)
        except RuntimeError:
            raise Unavailable("the store is closed", hint="open another one") from None
        return await waiting


def _checked(plan: PlanRow, tasks: Sequence[TaskRow]) -> PlanRow:
    plan_values(plan)
    for task in tasks:
        new_task_values(task, plan.created_at)
        if task.plan_id != plan.plan_id:
            raise InvalidInput(f"task {task.name!r} is not of plan {plan.plan_id!r}")
    return plan
