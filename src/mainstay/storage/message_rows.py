"""Turning messages into rows of a mailbox, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import RowMapping

from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.schemas.messages import (
    MAX_MESSAGE_BYTES,
    Message,
    MessageHeader,
    MessageStatus,
    Settlement,
)
from mainstay.storage import tables
from mainstay.storage.rows import Values, exact, moment, shown, storable_json, storable_text
from mainstay.storage.words import RoutingType

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a message expires that has no time to live: a moment that every time zone still has."""

MAX_TYPE_CHARS = 50
"""Source: specification 003, 14.1.3."""

_m = tables.messages.c
HEADER_COLUMNS = (
    _m.message_id,
    _m.message_type,
    _m.sender_id,
    _m.sender_name,
    _m.reply_workflow,
    _m.correlation,
    _m.thread,
    _m.accounts,
    _m.output_schema_ref,
    _m.priority,
    _m.bytes,
)


def message_key(message_id: str) -> UUID:
    """Read a message's id.

    Raises:
        InvalidInput: it is not a UUID.
    """
    try:
        return UUID(message_id)
    except ValueError:
        raise InvalidInput(f"the message id {message_id!r} is not a UUID") from None


def message_values(message: Message) -> Values:
    """Return a message's row as it is first written, without its number.

    Raises:
        InvalidInput: it cannot be stored as it is.
        LimitReached: its text is too large.
    """
    text = storable_text(message.text)
    size = len(text.encode())
    which = f"message {message.id!r}"
    if size > MAX_MESSAGE_BYTES:
        raise LimitReached(
            f"{which} has {size:,} bytes, and {MAX_MESSAGE_BYTES:,} are allowed",
            hint="write it to a file, and send the file's name",
        )
    if len(message.type) > MAX_TYPE_CHARS:
        raise InvalidInput(f"{which} has a type longer than {MAX_TYPE_CHARS} characters")
    return {
        "message_id": message_key(message.id),
        "sender_id": message.sender or None,
        "receiver_id": message.receiver,
        "message_type": exact(message.type, "the type of a message"),
        "correlation_id": _uuid_or_none(message.correlation),
        "routing_type": RoutingType.TARGET,
        "priority": int(message.priority),
        "ttl_seconds": ceil(message.ttl.total_seconds()),
        "payload": storable_json(message.payload),
        "status": MessageStatus.PENDING,
        "created_at": moment(message.created_at, which),
        "expires_at": _expires_at(message),
        "text": text,
        "bytes": size,
        "sender_name": shown(message.sender_name),
        "correlation": exact(message.correlation, "the correlation"),
        "reply_workflow": exact(message.reply_workflow, "workflow"),
        "thread": exact(message.thread, "thread"),
        "accounts": [exact(account, "account") for account in message.accounts],
        "output_schema_ref": exact(message.output_schema_ref, "the document key"),
    }


def message_from(row: RowMapping) -> Message:
    """Return the message that a row keeps."""
    is_lasting = row["expires_at"] == NEVER
    return Message(
        **{name: row[name] for name in Message.model_fields if name in row},
        id=str(row["message_id"]),
        receiver=row["receiver_id"] or "",
        type=row["message_type"],
        sender=row["sender_id"] or "",
        ttl=timedelta(0) if is_lasting else row["expires_at"] - row["created_at"],
    )


def header_from(row: RowMapping) -> MessageHeader:
    """Return what a workflow is told of a message."""
    return MessageHeader(
        **{name: row[name] for name in MessageHeader.model_fields if name in row},
        id=str(row["message_id"]),
        type=row["message_type"],
        sender=row["sender_id"] or "",
    )


def settlement_values(settled: Settlement, now: datetime) -> Values:
    """Return what a settlement changes in its message's row.

    The names are those of the statement's parameters. The text of an answer is not among them:
    it is copied from the thread by the statement itself.
    """
    failure = settled.failure
    message = shown(failure.message) if failure is not None else ""
    return {
        "of_message": message_key(settled.message_id),
        "new_status": settled.status,
        "at": now,
        "of_thread": exact(settled.thread, "thread"),
        "of_position": settled.position,
        "instead": message,
        "new_failure": storable_json(failure.model_dump(mode="json")) if failure else None,
        "error": message or None,
    }


def _expires_at(message: Message) -> datetime:
    return message.created_at.astimezone(UTC) + message.ttl if message.ttl else NEVER


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
