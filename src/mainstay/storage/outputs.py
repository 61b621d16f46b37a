"""Keeping what tasks returned: each item once, also when two workers did it.

A worker that was taken for dead may come back and save items that its successor saves, too, in
chunks that are cut differently. The first to save an item wins, because a later task may have read
it already; what is new in the second one's chunk is kept, and only that is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, bindparam, select

from mainstay.schemas.records import OutputChunk, PlanEvent
from mainstay.storage import tables
from mainstay.storage.rows import Values, chunk_from, chunk_values

_o = tables.task_outputs.c
_OVERLAPPING = select(_o.start, _o.stop).where(
    _o.plan_id == bindparam("plan_id"),
    _o.task == bindparam("task"),
    _o.round == bindparam("round"),
    _o.start < bindparam("stop"),
    _o.stop > bindparam("start"),
)
_SPAN = ("plan_id", "task", "round", "start", "stop")


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk's row, and the keys of the events that count its items."""

    row: Values
    counted_by: frozenset[str]


Recount = dict[tuple[str, str], PlanEvent | None]
"""By plan and key, what an event has to be replaced with; None leaves it out."""


def new_chunk(chunk: OutputChunk, events: Sequence[PlanEvent]) -> NewChunk:
    """Encode a chunk.

    Raises:
        InvalidInput: a value is not JSON.
        LimitReached: it is larger than an output may be.
    """
    return NewChunk(chunk_values(chunk), frozenset(event.key for event in events if event.count))


def save_chunks(
    connection: Connection, chunks: Sequence[NewChunk], events: Sequence[PlanEvent]
) -> list[PlanEvent]:
    """Insert what is new in some chunks; return the events, with what they count corrected."""
    recount: Recount = {}
    for new in chunks:
        missing = _missing(connection, new.row)
        if len(missing) == new.row["stop"] - new.row["start"] > 0:
            connection.execute(tables.task_outputs.insert(), new.row)
            continue
        for row in _pieces(new.row, missing):
            connection.execute(tables.task_outputs.insert(), row)
        recount |= _recount(new, missing, events)
    if not recount:
        return list(events)
    corrected = (recount.get((event.plan_id, event.key), event) for event in events)
    return [event for event in corrected if event is not None]


def _missing(connection: Connection, row: Values) -> list[int]:
    """Return the items of a chunk that are not kept yet, in order."""
    missing = set(range(row["start"], row["stop"]))
    for start, stop in connection.execute(_OVERLAPPING, {name: row[name] for name in _SPAN}):
        missing.difference_update(range(start, stop))
    return sorted(missing)


def _pieces(row: Values, missing: Sequence[int]) -> Iterator[Values]:
    """Cut the missing items out of a chunk: one row for each run of consecutive ones."""
    chunk = chunk_from(row)
    # In a run, what an item and its place among the missing differ by does not change.
    for _, run in groupby(enumerate(missing), lambda pair: pair[1] - pair[0]):
        items = [item for _, item in run]
        piece = {
            "start": items[0],
            "stop": items[-1] + 1,
            "values": [chunk.values[item - chunk.start] for item in items],
            "errors": {item: chunk.errors[item] for item in items if item in chunk.errors},
        }
        yield chunk_values(chunk.model_copy(update=piece))


def _recount(new: NewChunk, missing: Sequence[int], events: Sequence[PlanEvent]) -> Recount:
    plan_id = new.row["plan_id"]
    mine = [event for event in events if event.plan_id == plan_id and event.key in new.counted_by]
    if not missing:
        return {(plan_id, event.key): None for event in mine}
    # The old key may be that of the first one's event, which counted the items that it saved.
    return {
        (plan_id, event.key): event.model_copy(
            update={"key": f"{event.key}/{missing[0]}", "count": len(missing)}
        )
        for event in mine
    }
