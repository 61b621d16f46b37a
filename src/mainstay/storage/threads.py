"""Threads: conversations that only grow, and whose every write is idempotent by key.

Positions are given inside the transaction that appends, which holds the thread's lock: they are
dense from 0, whoever writes at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from mainstay.schemas.agent_calls import AgentEvent
from mainstay.schemas.conversation import Entry, LiveText, Summary, ThreadRow, Usage
from mainstay.schemas.errors import NotFound
from mainstay.storage import appending, tables, thread_queries
from mainstay.storage.access import Access
from mainstay.storage.agent_events import insert_agent_events, storable_events
from mainstay.storage.changes import insert_new
from mainstay.storage.charging import charge, new_charge
from mainstay.storage.columns import utc_now
from mainstay.storage.rows import Values, exact
from mainstay.storage.thread_rows import entry_values, live_values, summary_values, thread_values

ROW_BYTES = 500
"""About how many bytes a row has beside its texts."""


class ThreadStore(Access):
    """Conversations."""

    async def create_thread(self, thread: ThreadRow) -> None:
        """Insert a thread without entries; a no-op when it is known."""
        row = thread_values(thread)

        def insert(connection: Connection) -> None:
            connection.execute(insert_new(connection, tables.threads), row)

        await self._write(insert, (_lock(thread.thread_id),))

    async def get_thread(self, thread_id: str) -> ThreadRow | None:
        """Return a thread's row."""
        return await self._read(thread_queries.thread, thread_id)

    async def list_threads(self, agent_id: str = "", limit: int = 50) -> list[ThreadRow]:
        """Return an agent's threads, or everybody's, those that were last written to first."""
        return await self._read(thread_queries.threads, agent_id, limit)

    async def append_entries(self, thread_id: str, entries: Sequence[Entry]) -> list[Entry]:
        """Append entries at the end, in one transaction; known keys change nothing.

        Returns:
            All of them with their positions, as they are stored.

        Raises:
            NotFound: there is no such thread.
            InvalidInput: an entry cannot be stored.
            LimitReached: an entry is too large.
        """
        rows = [entry_values(thread_id, entry) for entry in entries]
        return await self._decide(
            lambda connection: appending.append(connection, thread_id, rows),
            (_lock(thread_id),),
            _weight(rows),
        )

    async def find_entry(self, thread_id: str, key: str) -> Entry | None:
        """Return the entry with a key."""
        return await self._read(thread_queries.entry, thread_id, key)

    async def load_entries(
        self, thread_id: str, start: int = 0, stop: int | None = None
    ) -> list[Entry]:
        """Return entries by position, ``stop`` exclusive."""
        return await self._read(thread_queries.entries, thread_id, start, stop)

    async def keep_answer(
        self,
        thread_id: str,
        entry: Entry,
        charge_key: str,
        accounts: Sequence[str],
        usage: Usage,
        events: Sequence[AgentEvent] = (),
        *,
        model: str = "",
    ) -> Entry:
        """Append an answer, charge for it, silence its live text and append events.

        All in one transaction. With a key that is known, nothing happens and the kept entry is
        returned.

        Args:
            thread_id: which thread.
            entry: the answer.
            charge_key: names the charge.
            accounts: who pays, the nearest first.
            usage: what it took.
            events: what to put on record.
            model: the model as the provider names it, for the charge.

        Raises:
            NotFound: there is no such thread.
            InvalidInput: something of it cannot be stored.
            LimitReached: the entry is too large.
        """
        row = entry_values(thread_id, entry)
        cost = new_charge(charge_key, accounts, usage, model)
        told = storable_events(events)

        def keep(connection: Connection) -> Entry | NotFound:
            kept = thread_queries.entry(connection, thread_id, entry.key)
            if kept is not None:
                return kept
            appended = appending.append(connection, thread_id, [row])
            if isinstance(appended, NotFound):
                return appended
            charge(connection, cost)
            appending.silence(connection, thread_id)
            insert_agent_events(connection, told)
            return appended[0]

        locks = {_lock(thread_id), *cost.locks, *(event.agent_id for event in told)}
        return await self._decide(keep, locks, _weight([row]) + ROW_BYTES * (1 + len(told)))

    async def latest_summary(self, thread_id: str) -> Summary | None:
        """Return the summary that reaches furthest."""
        return await self._read(thread_queries.summary, thread_id)

    async def summaries_of(self, thread_id: str) -> list[Summary]:
        """Return all summaries of a thread, the one that reaches least far first."""
        return await self._read(thread_queries.summaries, thread_id)

    async def keep_summary(
        self,
        thread_id: str,
        summary: Summary,
        charge_key: str,
        accounts: Sequence[str],
        usage: Usage,
        *,
        model: str = "",
    ) -> None:
        """Store a summary and charge for it, once under the key of its charge.

        Of two summaries that reach equally far the first stays; both were made, and are charged.

        Raises:
            NotFound: there is no such thread.
        """
        row = summary_values(thread_id, summary)
        cost = new_charge(charge_key, accounts, usage, model)

        def keep(connection: Connection) -> NotFound | None:
            if thread_queries.thread(connection, thread_id) is None:
                return thread_queries.no_thread(thread_id)
            if charge(connection, cost):
                connection.execute(insert_new(connection, tables.thread_summaries), row)
            return None

        await self._decide(keep, (_lock(thread_id), *cost.locks), ROW_BYTES + len(row["text"]))

    async def show_live(self, text: LiveText) -> None:
        """Show what a model is saying; a later attempt takes the place of an earlier one.

        Nothing is shown for an answer that is kept already, or in a thread that does not exist.
        """
        weight = ROW_BYTES + len(live_values(text)["text"])
        await self._write(
            lambda connection: appending.show(connection, text), (_lock(text.thread_id),), weight
        )

    async def live_text(self, thread_id: str) -> LiveText | None:
        """Return what a model is saying in a thread just now, if it is."""
        return await self._read(thread_queries.live_text, thread_id)

    async def fork_thread(
        self, source: str, position: int, new_id: str, title: str = ""
    ) -> ThreadRow:
        """Copy what stands before a position to a new thread, which belongs to nobody yet.

        Pins and summaries that lie wholly before it are copied too. Done again with the same
        arguments, it returns the thread that is there.

        Raises:
            NotFound: there is no such thread.
            InvalidInput: it has no such position, or ``new_id`` is another thread.
        """
        now = utc_now()
        new = ThreadRow(
            thread_id=new_id,
            title=title,
            parent=source,
            forked_at=position,
            created_at=now,
            updated_at=now,
        )
        thread_values(new)
        return await self._decide(
            lambda connection: appending.fork(connection, source, position, new),
            (_lock(new_id),),
        )

    async def hand_over_thread(self, thread_id: str, agent_id: str) -> ThreadRow:
        """Give a thread to another agent; returns its row.

        Raises:
            NotFound: there is no such thread.
        """
        exact(agent_id, "agent")
        return await self._decide(
            lambda connection: appending.hand_over(connection, thread_id, agent_id),
            (_lock(thread_id),),
        )


def _lock(thread_id: str) -> str:
    return f"thread {thread_id}"


def _weight(rows: Iterable[Values]) -> int:
    return sum(ROW_BYTES + len(row["text"]) + len(row["body"]) for row in rows)
