"""What is read of threads, each on a connection of the caller's."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from mainstay.schemas.conversation import Entry, LiveText, Summary, ThreadRow
from mainstay.schemas.errors import NotFound
from mainstay.storage import tables
from mainstay.storage.changes import IN_LIMIT
from mainstay.storage.thread_rows import entry_from

_t, _e = tables.threads.c, tables.thread_entries.c


def no_thread(thread_id: str) -> NotFound:
    """Make the error for a thread that does not exist."""
    return NotFound(f"there is no thread {thread_id!r}", hint="`mainstay thread list`")


def thread(connection: Connection, thread_id: str) -> ThreadRow | None:
    """Return a thread's row."""
    query = select(tables.threads).where(_t.thread_id == thread_id)
    row = connection.execute(query).mappings().first()
    return ThreadRow(**row) if row is not None else None


def threads(connection: Connection, agent_id: str, limit: int) -> list[ThreadRow]:
    """Return an agent's threads, or all, those that were last written to first."""
    query = select(tables.threads).order_by(_t.updated_at.desc(), _t.thread_id).limit(limit)
    if agent_id:
        query = query.where(_t.agent_id == agent_id)
    return [ThreadRow(**row) for row in connection.execute(query).mappings()]


def entries(connection: Connection, thread_id: str, start: int, stop: int | None) -> list[Entry]:
    """Return entries by position, ``stop`` exclusive."""
    query = select(tables.thread_entries).where(_e.thread_id == thread_id, _e.position >= start)
    if stop is not None:
        query = query.where(_e.position < stop)
    found = connection.execute(query.order_by(_e.position)).mappings()
    return [entry_from(row) for row in found]


def entries_by_key(connection: Connection, thread_id: str, keys: Sequence[str]) -> dict[str, Entry]:
    """Return those entries of a thread that have one of some keys."""
    found: dict[str, Entry] = {}
    for first in range(0, len(keys), IN_LIMIT):
        query = select(tables.thread_entries).where(
            _e.thread_id == thread_id, _e.key.in_(keys[first : first + IN_LIMIT])
        )
        for row in connection.execute(query).mappings():
            found[row["key"]] = entry_from(row)
    return found


def entry(connection: Connection, thread_id: str, key: str) -> Entry | None:
    """Return the entry with a key."""
    return entries_by_key(connection, thread_id, [key]).get(key)


def summary(connection: Connection, thread_id: str) -> Summary | None:
    """Return the summary that reaches furthest."""
    s = tables.thread_summaries.c
    query = select(tables.thread_summaries).where(s.thread_id == thread_id)
    row = connection.execute(query.order_by(s.upto.desc()).limit(1)).mappings().first()
    return Summary(**row) if row is not None else None


def summaries(connection: Connection, thread_id: str) -> list[Summary]:
    """Return all summaries of a thread, the one that reaches least far first."""
    s = tables.thread_summaries.c
    query = select(tables.thread_summaries).where(s.thread_id == thread_id).order_by(s.upto)
    return [Summary(**row) for row in connection.execute(query).mappings()]


def live_text(connection: Connection, thread_id: str) -> LiveText | None:
    """Return what a model is saying in a thread just now."""
    query = select(tables.live_texts).where(tables.live_texts.c.thread_id == thread_id)
    row = connection.execute(query).mappings().first()
    return LiveText(**row) if row is not None else None
