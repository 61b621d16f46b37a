"""Everything that is read, each on a connection of the caller's."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, or_, select

from mainstay.schemas.errors import NotFound
from mainstay.schemas.records import OutputChunk, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PlanStatus
from mainstay.storage import tables
from mainstay.storage.rows import chunk_from, event_from

_t = tables.tasks.c
PLAN_COLUMNS = tuple(tables.plans.c[name] for name in PlanRow.model_fields)
TASK_COLUMNS = (
    _t.plan_id,
    _t.name,
    _t.position,
    _t.kind,
    _t.tool,
    _t.state.label("status"),
    _t.priority,
    _t.attempt,
    _t.items_total,
    _t.items_done,
    _t.message,
    _t.last_line,
    _t.started_at,
    _t.completed_at.label("ended_at"),
)

FOUND_AT_MOST = 100
"""How many ids a search by prefix returns."""


def document(connection: Connection, key: str) -> bytes:
    """Return a document's text."""
    d = tables.documents.c
    body: bytes | None = connection.execute(select(d.body).where(d.key == key)).scalar()
    if body is None:
        raise NotFound(
            f"there is no document {key!r} in this database",
            hint="client and workers must use one database: compare their MAINSTAY_DATABASE_URL "
            "and MAINSTAY_DATA_DIR",
        )
    return body


def documents(connection: Connection, prefix: str) -> list[str]:
    """Return the keys of documents that begin with a text, sorted."""
    d = tables.documents.c
    query = select(d.key).where(func.substr(d.key, 1, len(prefix)) == prefix)
    return list(connection.execute(query.order_by(d.key).limit(FOUND_AT_MOST)).scalars())


def chunks(
    connection: Connection, plan_id: str, task: str, round_: int, start: int, stop: int | None
) -> list[OutputChunk]:
    """Return the chunks that overlap ``[start, stop)``, in the order of their items."""
    o = tables.task_outputs.c
    query = select(tables.task_outputs).where(
        o.plan_id == plan_id, o.task == task, o.round == round_, o.stop > start
    )
    if stop is not None:
        query = query.where(o.start < stop)
    found = connection.execute(query.order_by(o.start)).mappings()
    return [chunk_from(dict(row)) for row in found]


def last_round(connection: Connection, plan_id: str, task: str) -> int:
    """Return the newest round of a task that has outputs; 0 when none has."""
    o = tables.task_outputs.c
    query = select(func.max(o.round)).where(o.plan_id == plan_id, o.task == task)
    return connection.execute(query).scalar() or 0


def plan(connection: Connection, plan_id: str) -> PlanRow | None:
    """Return a plan's row."""
    query = select(*PLAN_COLUMNS).where(tables.plans.c.plan_id == plan_id)
    row = connection.execute(query).mappings().first()
    return PlanRow(**row) if row is not None else None


def plans(
    connection: Connection, statuses: Iterable[PlanStatus], name: str, limit: int
) -> list[PlanRow]:
    """Return plans, newest first; all statuses and names when none is given."""
    p = tables.plans.c
    query = select(*PLAN_COLUMNS).order_by(p.created_at.desc(), p.plan_id.desc()).limit(limit)
    wanted = tuple(statuses)
    if wanted:
        query = query.where(p.status.in_(wanted))
    if name:
        query = query.where(p.name == name)
    return [PlanRow(**row) for row in connection.execute(query).mappings()]


def plan_ids(connection: Connection, prefix: str) -> list[str]:
    """Return the ids that begin with a text, ``plan/`` left out or not, sorted."""
    p = tables.plans.c
    starts = (prefix, f"plan/{prefix}")
    query = select(p.plan_id).where(
        or_(*(p.plan_id.startswith(start, autoescape=True) for start in starts))
    )
    found = connection.execute(query.order_by(p.created_at.desc()).limit(FOUND_AT_MOST)).scalars()
    # SQLite's LIKE takes upper and lower case for the same.
    return sorted(plan_id for plan_id in found if plan_id.startswith(starts))


def tasks(connection: Connection, plan_id: str) -> list[TaskRow]:
    """Return a plan's tasks by their position."""
    query = select(*TASK_COLUMNS).where(_t.plan_id == plan_id).order_by(_t.position, _t.name)
    return [TaskRow(**row) for row in connection.execute(query).mappings()]


def plan_events_of(
    connection: Connection, plan_id: str, number: int = 0, limit: int | None = None
) -> list[PlanEvent]:
    """Return a plan's events after a number, in the order of their numbers."""
    e = tables.plan_events.c
    query = select(tables.plan_events).where(e.plan_id == plan_id, e.number > number)
    found = connection.execute(query.order_by(e.number).limit(limit)).mappings()
    return [event_from(dict(row)) for row in found]
