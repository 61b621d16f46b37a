"""Turning what flows into what is stored, and back.

Identifiers are stored exactly or refused. Texts for people (messages, lines a tool printed) are
made storable: PostgreSQL knows no NUL and neither database knows half a surrogate pair. Values
that tools returned are kept without loss, because JSON writes such characters as escapes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from mainstay.decisions.projection import percentage, recorded_status
from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.schemas.limits import MAX_MESSAGE_CHARS, MAX_OUTPUT_BYTES
from mainstay.schemas.records import OutputChunk, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PlanStatus, TaskStatus

Values = dict[str, Any]
"""A row as a statement's parameters. Any: each column has its own type."""

MAX_IDENTIFIER_BYTES = 1000
"""Two of them fit into an entry of PostgreSQL's indexes, which ends at 2,704 bytes."""


def task_id(plan_id: str, name: str) -> UUID:
    """Return the id of a plan's task: the same whenever the records are made again."""
    return uuid5(NAMESPACE_URL, f"{plan_id}\n{name}")


def exact(text: str, what: str) -> str:
    """Check that an identifier can be stored as it is.

    Raises:
        InvalidInput: it has a NUL or half a surrogate pair, or more than 1,000 bytes.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} {text!r} is not valid Unicode") from None
    if "\0" in text:
        raise InvalidInput(f"{what} {text!r} contains a NUL character")
    if size > MAX_IDENTIFIER_BYTES:
        raise InvalidInput(
            f"{what} {text[:60]!r}... is {size} bytes long", hint="1,000 bytes are allowed"
        )
    return text


def shown(text: str) -> str:
    """Make a text for people storable and at most 500 characters long."""
    if len(text) > MAX_MESSAGE_CHARS:
        text = text[: MAX_MESSAGE_CHARS - 1] + "…"
    return storable_text(text)


def storable_text(text: str) -> str:
    """Make a text of any length storable: a sign for NUL, another for half a surrogate pair."""
    text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def storable_json(value: Any) -> Any:  # Any: JSON-like, whatever its shape
    """Make every text inside a JSON-like value storable."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, Mapping):
        return {storable_text(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value


def moment(at: datetime, what: str) -> datetime:
    """Check that a time has its zone.

    Raises:
        InvalidInput: it has none.
    """
    if at.tzinfo is None:
        raise InvalidInput(f"the time {at.isoformat()!r} of {what} has no time zone")
    return at


def storable_event(event: PlanEvent) -> PlanEvent:
    """Check an event, and make its message storable."""
    exact(event.plan_id, "plan")
    exact(event.key, "the event key")
    exact(event.task, "task")
    exact(event.ref, "the document key")
    moment(event.at, f"event {event.key!r}")
    message = shown(event.message)
    return event if message == event.message else event.model_copy(update={"message": message})


def event_values(event: PlanEvent) -> Values:
    """Return an event's row, without its number."""
    return {
        "plan_id": event.plan_id,
        "key": event.key,
        "kind": event.kind,
        "at": event.at,
        "task": event.task,
        "status": event.status.value if event.status is not None else "",
        "count": event.count,
        "total": event.total,
        "attempt": event.attempt,
        "message": event.message,
        "ref": event.ref,
    }


def event_from(row: Mapping[str, Any]) -> PlanEvent:  # Any: a row's columns, as in Values
    """Return the event that a row tells of."""
    values = dict(row)
    word = values.pop("status")
    status: TaskStatus | PlanStatus | None = None
    if word:
        status = TaskStatus(word) if values["task"] else PlanStatus(word)
    return PlanEvent(**values, status=status)


def plan_values(plan: PlanRow) -> Values:
    """Return a plan's row."""
    for key in (plan.plan_id, plan.name, plan.parent_id):
        exact(key, "plan")
    for key in (plan.plan_ref, plan.inputs_ref, plan.outputs_ref):
        exact(key, "the document key")
    moment(plan.created_at, f"plan {plan.plan_id!r}")
    return {**dict(plan), "message": shown(plan.message)}


def new_task_values(task: TaskRow, created_at: datetime) -> Values:
    """Return a task's row as it is first written."""
    exact(task.plan_id, "plan")
    exact(task.tool, "the tool")
    return {
        "task_id": task_id(task.plan_id, exact(task.name, "task")),
        "plan_id": task.plan_id,
        "name": task.name,
        "title": task.name[:200],
        "position": task.position,
        "kind": task.kind,
        "tool": task.tool,
        "priority": task.priority,
        "created_at": created_at,
        **task_values(task),
    }


def task_values(task: TaskRow) -> Values:
    """Return the columns of a task's row that events change."""
    seconds = None
    if task.started_at is not None and task.ended_at is not None:
        seconds = max(0, round((task.ended_at - task.started_at).total_seconds()))
    failed = task.status in (TaskStatus.FAILED, TaskStatus.UNDO_FAILED)
    return {
        "status": recorded_status(task.status),
        "state": task.status,
        "attempt": task.attempt,
        "retry_count": max(0, task.attempt - 1),
        "items_total": task.items_total,
        "items_done": task.items_done,
        "progress_percentage": percentage(task),
        "message": shown(task.message),
        "last_line": shown(task.last_line),
        "error_info": {"message": shown(task.message)} if failed else None,
        "assigned_at": task.started_at,
        "started_at": task.started_at,
        "completed_at": task.ended_at,
        "actual_duration_seconds": seconds,
    }


def chunk_values(chunk: OutputChunk) -> Values:
    """Return a chunk's row; its values become JSON in ASCII, which loses nothing.

    Raises:
        InvalidInput: a value is not JSON.
        LimitReached: it is larger than an output may be.
    """
    which = f"the output of task {chunk.task!r}"
    content = {"values": chunk.values, "errors": chunk.errors}
    try:
        body = json.dumps(content, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{which} is not JSON: {error}") from None
    return {
        "plan_id": exact(chunk.plan_id, "plan"),
        "task": exact(chunk.task, "task"),
        "round": chunk.round,
        "start": chunk.start,
        "stop": chunk.stop,
        "body": within_limit(body, which),
    }


def chunk_from(row: Mapping[str, Any]) -> OutputChunk:  # Any: a row's columns, as in Values
    """Return the chunk that a row keeps."""
    values = dict(row)
    return OutputChunk(**values, **json.loads(values.pop("body")))


def within_limit(body: bytes, what: str) -> bytes:
    """Check that something is not too large to be stored.

    Raises:
        LimitReached: it is.
    """
    if len(body) > MAX_OUTPUT_BYTES:
        raise LimitReached(
            f"{what} has {len(body):,} bytes, and {MAX_OUTPUT_BYTES:,} are allowed",
            hint="write it to a file, and return the file's name",
        )
    return body
