"""How supervisors and their events are written, and turned back into what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from mainstay.schemas.errors import InvalidInput, MainstayError, Refused
from mainstay.schemas.ids import supervisor_name
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import SupervisorView
from mainstay.schemas.supervision_calls import SupervisionEvent
from mainstay.storage import tables
from mainstay.storage.changes import IN_LIMIT, insert_new
from mainstay.storage.rows import Values, exact, moment, shown, storable_json
from mainstay.storage.words import AgentType

BEGINNING = frozenset({LifeState.INITIALIZING, LifeState.TERMINATED})
"""What a supervisor that has ended may be said to be next."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a supervisor says of itself: its row, and when it says so."""

    values: Values
    team: str
    now: datetime

    @property
    def locks(self) -> set[str]:
        """What nobody else may write about in the meantime."""
        return {self.values["agent_id"], f"name of an agent: {self.values['name']}"}


def picture_of(view: SupervisorView, run: str, parent_row: str, now: datetime) -> Picture:
    """Return a supervisor's row.

    Raises:
        InvalidInput: it cannot be stored as it is.
    """
    if not run:
        raise InvalidInput(f"supervisor {view.supervisor_id!r} names no life of its team")
    place = {"team": view.team, "run": run, "path": view.path, "parent": parent_row}
    values = {
        "agent_id": exact(view.row_id, "supervisor"),
        "name": exact(supervisor_name(view.team, view.path), "the name of a supervisor"),
        "agent_type": AgentType.SUPERVISOR,
        "current_state": view.life,
        "supervisor_id": parent_row or None,
        "team": exact(view.team, "team"),
        "run": exact(run, "the life of a team"),
        "configuration": storable_json({"workflow_id": view.supervisor_id, **place}),
        "state_data": storable_json(view.model_dump(mode="json")),
        "restart_count": view.restarts,
        "detail": shown(view.detail),
        "is_closed": True,
        "updated_at": now,
    }
    return Picture(values, view.team, now)


def put_picture(connection: Connection, picture: Picture) -> MainstayError | None:
    """Write a supervisor's row, in a transaction that holds its locks.

    What is told late by a supervisor that has ended changes nothing: the next one under the same
    id begins with INITIALIZING.

    Returns:
        Why it is not written: another life of the team has not ended, or its parent is unknown.
    """
    values, now = picture.values, picture.now
    state = values["current_state"]
    which = {"of_agent": values["agent_id"], "of_name": values["name"]}
    if state is not LifeState.TERMINATED and connection.execute(_SELECT_OTHER, which).first():
        return Refused(
            f"team {picture.team!r} is up already",
            hint=f"end it first: mainstay team down {picture.team}",
        )
    present = connection.execute(_SELECT_PRESENT, which).first()
    if present is None:
        parent = values["supervisor_id"]
        if parent and not connection.execute(_SELECT_PRESENT, {"of_agent": parent}).first():
            return InvalidInput(f"supervisor {values['name']!r} has the unknown parent {parent!r}")
        row = {**values, "created_at": now, "state_since": now}
        connection.execute(insert_new(connection, tables.agents), row)
    elif present.current_state is not LifeState.TERMINATED or state in BEGINNING:
        changed = {"previous_state": present.current_state, "state_since": now}
        row = values if state is present.current_state else {**values, **changed}
        connection.execute(_UPDATE, {**which, **row})
    return None


def view_from(row: RowMapping) -> SupervisorView:
    """Return the supervisor that a row tells of; its state also tells how it was ended."""
    view = SupervisorView.model_validate(row["state_data"])
    if view.life is row["current_state"]:
        return view
    return view.model_copy(update={"life": row["current_state"], "detail": row["detail"]})


def insert_events(
    connection: Connection, events: Sequence[SupervisionEvent], otherwise: str = ""
) -> None:
    """Append events whose keys are new; known ones change nothing.

    An event can be told before the row of its subject is written, or after a limit kept it from
    being written, so who it is about is kept in any case.

    Args:
        connection: in a transaction that holds the locks of their supervisors.
        events: what is to be on record.
        otherwise: to whom those belong whose supervisor has no row. Without it they are dropped.

    Raises:
        InvalidInput: a key or an id cannot be kept exactly, or a time has no zone.
    """
    if not events:
        return
    involved = {one.supervisor_id for one in events} | {one.subject_id for one in events}
    last = _last_numbers(connection, sorted(involved | {otherwise}))
    rows = []
    for event in events:
        owner = event.supervisor_id if event.supervisor_id in last else otherwise
        if owner in last:
            last[owner] += 1
            subject = event.subject_id if event.subject_id in last else None
            rows.append(_event_values(event, owner, subject, last[owner]))
    if rows:
        connection.execute(insert_new(connection, tables.supervision_events), rows)


def event_from(row: RowMapping) -> SupervisionEvent:
    """Return the event that a row keeps."""
    return SupervisionEvent(
        supervisor_id=row["supervisor_id"],
        type=row["event_type"],
        severity=row["severity"],
        at=row["created_at"],
        **{name: row["event_data"].get(name, "") for name in _TEXTS},
    )


def _last_numbers(connection: Connection, agent_ids: Sequence[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for first in range(0, len(agent_ids), IN_LIMIT):
        found = connection.execute(_SELECT_NUMBERS, {"ids": agent_ids[first : first + IN_LIMIT]})
        numbers |= {row.agent_id: row.number for row in found}
    return numbers


def _event_values(event: SupervisionEvent, owner: str, subject: str | None, number: int) -> Values:
    key = exact(event.key, "the event key")
    texts = {"child": shown(event.child), "message": shown(event.message)}
    return {
        "event_id": event_id(event.supervisor_id, key),
        "supervisor_id": owner,
        "subject_agent_id": subject,
        "event_type": event.type,
        "severity": event.severity,
        "event_data": {
            "key": key,
            "subject_id": exact(event.subject_id, "the subject of an event"),
            **texts,
        },
        "created_at": moment(event.at, f"event {key!r}"),
        "number": number,
    }


def event_id(supervisor_id: str, key: str) -> UUID:
    """Return the id of a supervisor's event: the same whenever it is told."""
    return uuid5(NAMESPACE_URL, f"{supervisor_id}\n{key}")


_TEXTS = ("key", "subject_id", "child", "message")
_a, _e = tables.agents.c, tables.supervision_events.c
_of_agent = _a.agent_id == bindparam("of_agent")
_SELECT_PRESENT = select(_a.current_state).where(_of_agent)
_SELECT_OTHER = select(_a.agent_id).where(
    _a.name == bindparam("of_name"),
    _a.agent_id != bindparam("of_agent"),
    _a.current_state != LifeState.TERMINATED,
)
_UPDATE = update(tables.agents).where(_of_agent)
_last = (
    select(func.coalesce(func.max(_e.number), 0))
    .where(_e.supervisor_id == _a.agent_id)
    .scalar_subquery()
)
_SELECT_NUMBERS = select(_a.agent_id, _last.label("number")).where(
    _a.agent_id.in_(bindparam("ids", expanding=True))
)
