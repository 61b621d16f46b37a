"""What one write changes, and how many of them are applied at once.

Everything is inserted with ON CONFLICT DO NOTHING, so that doing it again changes nothing, and
rows about plans and tasks are changed only by events that were really inserted.

Events are numbered by the database. PostgreSQL gives numbers when a row is inserted and shows rows
when they are committed, so that without care a watcher could see 8 before 7 and miss 7. Whoever
writes about a plan therefore holds that plan's lock until its transaction ends: a plan's events
appear in the order of their numbers. SQLite has one writer at a time anyway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Insert, Table, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from mainstay.decisions.projection import apply, apply_to_plan, done_change
from mainstay.schemas.records import EventKind, PlanEvent, PlanRow, TaskRow
from mainstay.storage import tables
from mainstay.storage.access import Mergeable
from mainstay.storage.outputs import NewChunk, save_chunks
from mainstay.storage.queries import PLAN_COLUMNS, TASK_COLUMNS, plan_events_of
from mainstay.storage.rows import (
    Values,
    event_values,
    new_task_values,
    plan_values,
    storable_event,
    task_id,
    task_values,
)

IN_LIMIT = 500
"""How many values one IN () gets."""


@dataclass(frozen=True, slots=True)
class Changes(Mergeable):
    """Things to be written in one transaction; ``tasks`` are those of ``plans``.

    Bodies are encoded already.
    """

    documents: tuple[Values, ...] = ()
    plans: tuple[PlanRow, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    chunks: tuple[NewChunk, ...] = ()
    events: tuple[PlanEvent, ...] = ()

    @property
    def plan_ids(self) -> Iterator[str]:
        """The plans whose locks it needs."""
        yield from (plan.plan_id for plan in self.plans)
        yield from (chunk.row["plan_id"] for chunk in self.chunks)
        yield from (event.plan_id for event in self.events)

    @property
    def weight(self) -> int:
        """About how many bytes it writes."""
        rows = chain(self.documents, (chunk.row for chunk in self.chunks))
        bodies = sum(len(row["body"]) for row in rows)
        return bodies + 500 * (len(self.tasks) + len(self.events) + 1)

    @classmethod
    def run_together(cls, connection: Connection, works: Sequence[Changes]) -> list[None]:
        """Write several as if they were one."""
        apply_changes(connection, merge(works))
        return [None] * len(works)


def storable(events: Iterable[PlanEvent]) -> tuple[PlanEvent, ...]:
    """Check events and make their messages storable."""
    return tuple(storable_event(event) for event in events)


def merge(several: Sequence[Changes]) -> Changes:
    """Put several writes into one, each kind in the order it came."""
    if len(several) == 1:
        return several[0]
    return Changes(
        **{
            field.name: tuple(chain.from_iterable(getattr(one, field.name) for one in several))
            for field in fields(Changes)
        }
    )


def lock_all(connection: Connection, ids: Iterable[str]) -> None:
    """Hold the locks of plans, agents, ... until the transaction ends; SQLite's BEGIN does.

    Called once in a transaction and with sorted keys, so that two writers cannot wait for each
    other.
    """
    if connection.dialect.name != "postgresql":
        return
    keys = sorted({_lock_key(id_) for id_ in ids})
    if keys:
        connection.execute(_LOCK, {"keys": keys})


_LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def _lock_key(id_: str) -> int:
    return int.from_bytes(blake2b(id_.encode(), digest_size=8).digest(), signed=True)


def insert_new(connection: Connection, table: Table) -> Insert:
    """Make an INSERT that leaves rows that are there already as they are."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def apply_changes(connection: Connection, changes: Changes) -> None:
    """Write changes; the caller holds the plans' locks and ends the transaction."""
    if changes.documents:
        connection.execute(insert_new(connection, tables.documents), list(changes.documents))
    if changes.plans:
        _create_plans(connection, changes.plans, changes.tasks)
    events: Sequence[PlanEvent] = changes.events
    if changes.chunks:
        events = save_chunks(connection, changes.chunks, events)
    if events:
        _project(connection, _insert_events(connection, events))


def write_plan(
    connection: Connection, plan: PlanRow, tasks: Sequence[TaskRow], events: Sequence[PlanEvent]
) -> None:
    """Delete what is known of a plan and write it again; its outputs and documents stay."""
    connection.execute(
        tables.plan_events.delete().where(tables.plan_events.c.plan_id == plan.plan_id)
    )
    connection.execute(tables.tasks.delete().where(tables.tasks.c.plan_id == plan.plan_id))
    connection.execute(tables.plans.delete().where(tables.plans.c.plan_id == plan.plan_id))
    apply_changes(connection, Changes(plans=(plan,), tasks=tuple(tasks), events=tuple(events)))


def _create_plans(
    connection: Connection, plans: Sequence[PlanRow], tasks: Sequence[TaskRow]
) -> None:
    created = {plan.plan_id: plan.created_at for plan in plans}
    statement = insert_new(connection, tables.plans).returning(tables.plans.c.plan_id)
    new_plans = set(connection.execute(statement, [plan_values(p) for p in plans]).scalars())
    known = _known_tasks(connection, sorted(created))
    new = {(t.plan_id, t.name): t for t in tasks if (t.plan_id, t.name) not in known}
    if new:
        rows = [new_task_values(task, created[task.plan_id]) for task in new.values()]
        connection.execute(insert_new(connection, tables.tasks), rows)
    # Events that came before their row must not be lost for it.
    early = [
        event
        for plan_id in sorted(new_plans | {plan_id for plan_id, _ in new})
        for event in plan_events_of(connection, plan_id)
        if (event.plan_id, event.task) in new or (not event.task and event.plan_id in new_plans)
    ]
    if early:
        _project(connection, early)


def _known_tasks(connection: Connection, plan_ids: Sequence[str]) -> set[tuple[str, str]]:
    t = tables.tasks.c
    known: set[tuple[str, str]] = set()
    for plan_id in plan_ids:
        names = connection.execute(select(t.name).where(t.plan_id == plan_id)).scalars()
        known |= {(plan_id, name) for name in names}
    return known


def _insert_events(connection: Connection, events: Sequence[PlanEvent]) -> list[PlanEvent]:
    # What a tool prints changes a row and leaves no event behind: there is too much of it.
    kept = [event for event in events if event.kind is not EventKind.TASK_OUTPUT]
    fresh: set[tuple[str, str]] = set()
    if kept:
        e = tables.plan_events
        statement = insert_new(connection, e).returning(e.c.plan_id, e.c.key)
        found = connection.execute(statement, [event_values(event) for event in kept])
        fresh = {(plan_id, key) for plan_id, key in found}
    changed = []
    for event in events:
        if event.kind is EventKind.TASK_OUTPUT:
            changed.append(event)
        elif (event.plan_id, event.key) in fresh:
            fresh.remove((event.plan_id, event.key))
            changed.append(event)
    return changed


def _project(connection: Connection, events: Sequence[PlanEvent]) -> None:
    of_plans = [event for event in events if not event.task]
    of_tasks = [event for event in events if event.task]
    done = _project_tasks(connection, of_tasks) if of_tasks else {}
    for plan_id, change in done.items():
        if change:
            connection.execute(_ADD_DONE, {"of_plan": plan_id, "change": change})
    if of_plans:
        _project_plans(connection, of_plans)


def _project_tasks(connection: Connection, events: Sequence[PlanEvent]) -> dict[str, int]:
    ids = {(event.plan_id, event.task): task_id(event.plan_id, event.task) for event in events}
    before = _load_tasks(connection, list(ids.values()))
    after = dict(before)
    for event in events:
        key = (event.plan_id, event.task)
        if key in after:
            after[key] = apply(after[key], event)
    changed = [
        {"of_task": ids[key], **task_values(task)}
        for key, task in sorted(after.items())
        if task != before[key]
    ]
    if changed:
        connection.execute(_UPDATE_TASK, changed)
    done: dict[str, int] = defaultdict(int)
    for key, task in after.items():
        done[key[0]] += done_change(before[key].status, task.status)
    return done


def _load_tasks(
    connection: Connection,
    ids: Sequence[Any],  # Any: UUIDs, as the column's type wants them
) -> dict[tuple[str, str], TaskRow]:
    rows: dict[tuple[str, str], TaskRow] = {}
    for first in range(0, len(ids), IN_LIMIT):
        found = connection.execute(_SELECT_TASKS, {"ids": ids[first : first + IN_LIMIT]})
        for row in found.mappings():
            rows[row["plan_id"], row["name"]] = TaskRow(**row)
    return rows


def _project_plans(connection: Connection, events: Sequence[PlanEvent]) -> None:
    ids = sorted({event.plan_id for event in events})
    rows: dict[str, PlanRow] = {}
    for first in range(0, len(ids), IN_LIMIT):
        found = connection.execute(_SELECT_PLANS, {"ids": ids[first : first + IN_LIMIT]})
        rows |= {row["plan_id"]: PlanRow(**row) for row in found.mappings()}
    for event in events:
        if event.plan_id in rows:
            rows[event.plan_id] = apply_to_plan(rows[event.plan_id], event)
    if rows:
        connection.execute(
            _UPDATE_PLAN,
            [
                {
                    "of_plan": plan.plan_id,
                    "status": plan.status,
                    "message": plan.message,
                    "outputs_ref": plan.outputs_ref,
                    "started_at": plan.started_at,
                    "ended_at": plan.ended_at,
                }
                for plan in rows.values()
            ],
        )


_SELECT_TASKS = select(*TASK_COLUMNS).where(
    tables.tasks.c.task_id.in_(bindparam("ids", expanding=True))
)
_SELECT_PLANS = select(*PLAN_COLUMNS).where(
    tables.plans.c.plan_id.in_(bindparam("ids", expanding=True))
)
_UPDATE_TASK = update(tables.tasks).where(tables.tasks.c.task_id == bindparam("of_task"))
_UPDATE_PLAN = update(tables.plans).where(tables.plans.c.plan_id == bindparam("of_plan"))
_ADD_DONE = (
    update(tables.plans)
    .where(tables.plans.c.plan_id == bindparam("of_plan"))
    .values(tasks_done=tables.plans.c.tasks_done + bindparam("change"))
)
