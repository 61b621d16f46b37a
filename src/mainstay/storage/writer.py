"""The one thread of a process that writes, and its queue.

Many small transactions are slow: on SQLite each waits for the lock, on PostgreSQL for the disk.
Whatever is queued while one transaction runs goes into the next one together (group commit), so
that the busier the process, the cheaper each write. A write returns after its commit.

A write that the database refuses must not take the others with it. Writes are first tried
together, merged into few statements; when one is refused, all is rolled back and each is done
again in a savepoint of its own, so that only the faulty one fails.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from mainstay.schemas.errors import Unavailable
from mainstay.storage.access import Mergeable
from mainstay.storage.changes import lock_all
from mainstay.storage.failures import AGAIN, error_code, is_data_fault, translate

T = TypeVar("T")

GROUP_WRITES = 1000
"""Most writes in one transaction."""

GROUP_BYTES = 16 * 1024 * 1024
"""About how much one transaction writes at most, so that a small write does not wait long."""

TRIES = 5
"""How often a transaction is begun that failed through no fault of its own."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that waits for its turn, and who waits for it."""

    work: Callable[[Connection], Any]  # Any: what it returns is the waiting caller's business
    locks: tuple[str, ...]
    weight: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


Outcome = tuple[Any, BaseException | None]
"""What a write returned (Any: see above), or why it failed."""


class Writer:
    """Runs writes in the order they came, several in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[Write | None] = SimpleQueue()
        self._connection: Connection | None = None
        self._gate = threading.Lock()
        self._closed = False
        # A daemon, so that a store that nobody closed does not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="mainstay-writer", daemon=True)
        self._thread.start()

    async def write(
        self, work: Callable[[Connection], T], locks: Iterable[str] = (), weight: int = 500
    ) -> T:
        """Run ``work`` in a transaction and return what it returned, after the commit.

        Args:
            work: gets the connection. It may be run again, so it acts on nothing else.
            locks: the ids of what it writes about; their locks are held.
            weight: about how many bytes it writes.

        Raises:
            InvalidInput: the database refuses the values.
            Unavailable: the database does not answer, is full, locked or read-only.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._gate:
            if self._closed:
                raise Unavailable("the store is closed", hint="open another one")
            self._queue.put(Write(work, tuple(locks), weight, loop, future))
        return await future

    def close(self) -> None:
        """Finish what is queued, then stop. Called twice, the second call only waits."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            first = self._queue.get()
            if first is None:
                break
            group, is_open = self._collect(first)
            _deliver(group, self._commit(group))
        self._disconnect()

    def _collect(self, first: Write) -> tuple[list[Write], bool]:
        group, weight = [first], first.weight
        while len(group) < GROUP_WRITES and weight < GROUP_BYTES:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                return group, False
            group.append(following)
            weight += following.weight
        return group, True

    def _commit(self, group: Sequence[Write]) -> list[Outcome]:
        failure: BaseException = Unavailable("nothing was tried")
        for _ in range(TRIES):
            is_committing = False
            try:
                connection = self._connect()
                with connection.begin() as transaction:
                    outcomes = _run_group(connection, group)
                    is_committing = True
                    transaction.commit()
                return outcomes
            except SQLAlchemyError as error:
                failure = _caused(translate(error, self._engine.url), error)
                if not self._may_repeat(error, is_committing):
                    break
            except BaseException as error:
                # Whatever it is, somebody waits for an answer, and the thread must live on.
                failure = error
                break
        return [(None, failure)] * len(group)

    def _may_repeat(self, error: SQLAlchemyError, is_committing: bool) -> bool:
        if error_code(error) in AGAIN:
            return True
        if is_data_fault(error):
            return False
        self._disconnect()
        # A connection that died before shows it only now. One that dies during the commit leaves
        # open whether it happened: the caller is told, and decides.
        is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        return is_lost and not is_committing

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None


def _run_group(connection: Connection, group: Sequence[Write]) -> list[Outcome]:
    lock_all(connection, (name for write in group for name in write.locks))
    if len(group) == 1:
        return [(group[0].work(connection), None)]
    savepoint = connection.begin_nested()
    try:
        outcomes = _run_merged(connection, group)
    except Exception as error:
        if isinstance(error, SQLAlchemyError) and not is_data_fault(error):
            raise
        savepoint.rollback()
        return [_run_alone(connection, write) for write in group]
    savepoint.commit()
    return outcomes


def _run_merged(connection: Connection, group: Sequence[Write]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for kind, some in groupby(group, _mergeable_kind):
        writes = list(some)
        if kind is not None:
            works = [write.work for write in writes if isinstance(write.work, kind)]
            outcomes += [(result, None) for result in kind.run_together(connection, works)]
        else:
            outcomes += [(write.work(connection), None) for write in writes]
    return outcomes


def _mergeable_kind(write: Write) -> type[Mergeable] | None:
    return type(write.work) if isinstance(write.work, Mergeable) else None


def _run_alone(connection: Connection, write: Write) -> Outcome:
    savepoint = connection.begin_nested()
    try:
        result = write.work(connection)
    except SQLAlchemyError as error:
        if not is_data_fault(error):
            raise
        savepoint.rollback()
        return None, _caused(translate(error, connection.engine.url), error)
    except Exception as error:
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return result, None


def _caused(failure: BaseException, cause: BaseException) -> BaseException:
    # What "raise ... from" does; it is raised later, in the task that waits for it.
    failure.__cause__ = cause
    return failure


def _deliver(group: Sequence[Write], outcomes: Sequence[Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Write, Outcome]]] = {}
    for write, outcome in zip(group, outcomes, strict=True):
        by_loop.setdefault(write.loop, []).append((write, outcome))
    for loop, settled in by_loop.items():
        # A loop that is closed has nobody waiting any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: Iterable[tuple[Write, Outcome]]) -> None:
    for write, (result, error) in settled:
        if write.future.done():
            continue
        if error is not None:
            write.future.set_exception(error)
        else:
            write.future.set_result(result)
