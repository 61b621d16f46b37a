"""Closing the mailboxes of agents that end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, bindparam, null, select, update

from mainstay.schemas.messages import MessageStatus, Settlement
from mainstay.schemas.run import Failure, FailureKind
from mainstay.storage import tables
from mainstay.storage.changes import IN_LIMIT
from mainstay.storage.rows import shown
from mainstay.storage.taking import EXPIRED

CLOSED = -1
"""The batch of messages that were left when a mailbox was closed."""


def close(
    connection: Connection, agent_ids: Sequence[str], reason: str, now: datetime
) -> list[Settlement]:
    """Let everything that is left in mailboxes fail, and refuse what is sent from now on.

    Args:
        connection: in a transaction that holds the agents' locks.
        agent_ids: whose mailboxes they are.
        reason: why, for those who wait for an answer.
        now: what has expired by then counts as expired.

    Returns:
        What was left, the same when they are closed again.
    """
    failure = Failure(
        kind=FailureKind.REFUSED, type="Refused", message=shown(reason) or "the agent has ended"
    )
    left: list[Settlement] = []
    for first in range(0, len(agent_ids), IN_LIMIT):
        ids = {"of_agents": agent_ids[first : first + IN_LIMIT]}
        connection.execute(_END_EXPIRED, {**ids, "at": now, **_why(EXPIRED)})
        connection.execute(_END_LEFT, {**ids, "at": now, **_why(failure)})
        connection.execute(_CLOSE, ids)
        left += [_settlement(row) for row in connection.execute(_SELECT_LEFT, ids).mappings()]
    return left


def _settlement(row: RowMapping) -> Settlement:
    return Settlement(
        message_id=str(row["message_id"]),
        status=row["status"],
        thread=row["thread"],
        failure=row["failure"],
        reply_workflow=row["reply_workflow"],
    )


def _why(failure: Failure) -> dict[str, object]:
    return {"why": failure.message, "new_failure": failure.model_dump(mode="json")}


_a, _m = tables.agents.c, tables.messages.c
_of_agents = _m.receiver_id.in_(bindparam("of_agents", expanding=True))
_end = (
    update(tables.messages)
    .where(_of_agents)
    .values(
        processed_at=bindparam("at"),
        answer=bindparam("why"),
        error_message=bindparam("why"),
        failure=bindparam("new_failure"),
        batch=CLOSED,
    )
)
_END_EXPIRED = _end.where(
    _m.status == MessageStatus.PENDING, _m.expires_at <= bindparam("at")
).values(status=MessageStatus.EXPIRED)
_END_LEFT = _end.where(_m.status.in_([MessageStatus.PENDING, MessageStatus.DELIVERED])).values(
    status=MessageStatus.FAILED
)
_CLOSE = (
    update(tables.agents)
    .where(_a.agent_id.in_(bindparam("of_agents", expanding=True)))
    .values(is_closed=True, bell_rung_at=null(), updated_at=_a.updated_at)
)
_SELECT_LEFT = (
    select(_m.message_id, _m.status, _m.thread, _m.failure, _m.reply_workflow)
    .where(_of_agents, _m.batch == CLOSED)
    .order_by(_m.receiver_id, _m.priority, _m.number)
)
