"""What is read of mailboxes, each on a connection of the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from mainstay.schemas.errors import NotFound
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.storage import tables
from mainstay.storage.message_rows import message_from

_a, _m = tables.agents.c, tables.messages.c


def message(connection: Connection, key: UUID) -> Message:
    """Return a message."""
    query = select(tables.messages).where(_m.message_id == key)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"there is no message {str(key)!r}")
    return message_from(row)


def messages_of(
    connection: Connection, agent_id: str, statuses: Sequence[MessageStatus], limit: int
) -> list[Message]:
    """Return the messages to an agent, the latest first; all statuses when none is given."""
    query = select(tables.messages).where(_m.receiver_id == agent_id)
    if statuses:
        query = query.where(_m.status.in_(statuses))
    found = connection.execute(query.order_by(_m.number.desc()).limit(limit)).mappings()
    return [message_from(row) for row in found]


def unanswered_bells(connection: Connection, rung_before: datetime, limit: int) -> list[str]:
    """Return agents whose bell was rung before a moment and that still have messages."""
    waiting = (
        select(_m.number)
        .where(_m.receiver_id == _a.agent_id, _m.status == MessageStatus.PENDING)
        .exists()
    )
    query = select(_a.agent_id).where(_a.bell_rung_at < rung_before, waiting)
    return list(connection.execute(query.order_by(_a.bell_rung_at).limit(limit)).scalars())
