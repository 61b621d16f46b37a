"""Writing to threads, each inside a transaction that holds the thread's lock."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, literal, select, update

from mainstay.schemas.conversation import Entry, LiveText, ThreadRow
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.storage import tables, thread_queries
from mainstay.storage.changes import insert_new
from mainstay.storage.columns import utc_now
from mainstay.storage.rows import Values
from mainstay.storage.thread_rows import entry_from, live_values, thread_values

_t, _e, _s, _l = (
    tables.threads.c,
    tables.thread_entries.c,
    tables.thread_summaries.c,
    tables.live_texts.c,
)


def append(
    connection: Connection, thread_id: str, rows: Sequence[Values]
) -> list[Entry] | NotFound:
    """Append entries; those whose keys are known are left as they are.

    Args:
        connection: in a transaction that holds the thread's lock.
        thread_id: which thread.
        rows: what :func:`.thread_rows.entry_values` makes.

    Returns:
        All of them as they are stored, in the order of ``rows``; or that there is no thread.
    """
    # The row's lock, too: positions are given from what it says.
    length: int | None = connection.execute(
        select(_t.entries).where(_t.thread_id == thread_id).with_for_update()
    ).scalar()
    if length is None:
        return thread_queries.no_thread(thread_id)
    known = thread_queries.entries_by_key(connection, thread_id, [row["key"] for row in rows])
    new: list[Values] = []
    for row in rows:
        if row["key"] not in known:
            new.append({**row, "position": length + len(new)})
            known[row["key"]] = entry_from(new[-1])
    if new:
        connection.execute(tables.thread_entries.insert(), new)
        connection.execute(
            update(tables.threads)
            .where(_t.thread_id == thread_id)
            .values(entries=length + len(new), updated_at=utc_now())
        )
    return [known[row["key"]] for row in rows]


def silence(connection: Connection, thread_id: str) -> None:
    """Forget what a model was saying."""
    connection.execute(tables.live_texts.delete().where(_l.thread_id == thread_id))


def show(connection: Connection, live: LiveText) -> None:
    """Show what a model is saying, unless something later is there.

    A worker that was taken for dead may go on talking: an answer that is kept already, a later
    attempt at the same answer and a later text of the same attempt are not overwritten.
    """
    if thread_queries.thread(connection, live.thread_id) is None:
        return
    if thread_queries.entry(connection, live.thread_id, live.key) is not None:
        return
    present = thread_queries.live_text(connection, live.thread_id)
    if present is not None and _is_later(present, live):
        return
    silence(connection, live.thread_id)
    connection.execute(tables.live_texts.insert(), live_values(live))


def _is_later(present: LiveText, live: LiveText) -> bool:
    if present.key == live.key and present.attempt != live.attempt:
        return present.attempt > live.attempt
    return present.at > live.at


def fork(
    connection: Connection, source: str, position: int, new: ThreadRow
) -> ThreadRow | NotFound | InvalidInput:
    """Copy what stands before a position to a new thread; it may be there from an earlier try.

    Args:
        connection: in a transaction that holds the new thread's lock.
        source: the thread to copy.
        position: the first entry that is not copied.
        new: the new thread's row.
    """
    origin = thread_queries.thread(connection, source)
    if origin is None:
        return thread_queries.no_thread(source)
    if not 0 <= position <= origin.entries:
        return InvalidInput(
            f"thread {source!r} has no position {position}",
            hint=f"its {origin.entries} entries can be forked at 0 to {origin.entries}",
        )
    inserted = connection.execute(
        insert_new(connection, tables.threads).returning(_t.thread_id), thread_values(new)
    ).scalar()
    if inserted is None:
        present = thread_queries.thread(connection, new.thread_id)
        if present is None or (present.parent, present.forked_at) != (source, position):
            return InvalidInput(
                f"thread {new.thread_id!r} exists already, and is no fork of {source!r} at"
                f" position {position}",
                hint="choose another id",
            )
        return present
    _copy(connection, source, position, new.thread_id)
    return new.model_copy(update={"entries": position})


def _copy(connection: Connection, source: str, position: int, target: str) -> None:
    for table, is_copied in (
        (tables.thread_entries, (_e.thread_id == source) & (_e.position < position)),
        (tables.thread_summaries, (_s.thread_id == source) & (_s.upto <= position)),
    ):
        names = [column.name for column in table.columns]
        columns = [literal(target) if name == "thread_id" else table.c[name] for name in names]
        connection.execute(table.insert().from_select(names, select(*columns).where(is_copied)))
    connection.execute(
        update(tables.threads).where(_t.thread_id == target).values(entries=position)
    )


def hand_over(connection: Connection, thread_id: str, agent_id: str) -> ThreadRow | NotFound:
    """Give a thread to another agent."""
    connection.execute(
        update(tables.threads)
        .where(_t.thread_id == thread_id)
        .values(agent_id=agent_id, updated_at=utc_now())
    )
    return thread_queries.thread(connection, thread_id) or thread_queries.no_thread(thread_id)
