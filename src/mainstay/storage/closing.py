"""Closing the mailbox of an agent that ends."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, null, select, update

from mainstay.schemas.messages import MessageStatus, Settlement
from mainstay.schemas.run import Failure, FailureKind
from mainstay.storage import tables
from mainstay.storage.rows import shown
from mainstay.storage.taking import EXPIRED

CLOSED = -1
"""The batch of messages that were left when a mailbox was closed."""


def close(connection: Connection, agent_id: str, reason: str, now: datetime) -> list[Settlement]:
    """Let everything that is left in a mailbox fail, and refuse what is sent from now on.

    Args:
        connection: in a transaction that holds the agent's lock.
        agent_id: whose mailbox it is.
        reason: why, for those who wait for an answer.
        now: what has expired by then counts as expired.

    Returns:
        What was left, the same when it is closed again.
    """
    failure = Failure(
        kind=FailureKind.REFUSED, type="Refused", message=shown(reason) or "the agent has ended"
    )
    which = {"of_agent": agent_id, "at": now}
    connection.execute(_END_EXPIRED, {**which, **_why(EXPIRED)})
    connection.execute(_END_LEFT, {**which, **_why(failure)})
    connection.execute(_CLOSE, {"of_agent": agent_id})
    left = connection.execute(_SELECT_LEFT, {"of_agent": agent_id})
    return [
        Settlement(
            message_id=str(row.message_id),
            status=row.status,
            thread=row.thread,
            failure=row.failure,
            reply_workflow=row.reply_workflow,
        )
        for row in left
    ]


def _why(failure: Failure) -> dict[str, object]:
    return {"why": failure.message, "new_failure": failure.model_dump(mode="json")}


_a, _m = tables.agents.c, tables.messages.c
_of_agent = _m.receiver_id == bindparam("of_agent")
_end = (
    update(tables.messages)
    .where(_of_agent)
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
    .where(_a.agent_id == bindparam("of_agent"))
    .values(is_closed=True, bell_rung_at=null(), updated_at=_a.updated_at)
)
_SELECT_LEFT = (
    select(_m.message_id, _m.status, _m.thread, _m.failure, _m.reply_workflow)
    .where(_of_agent, _m.batch == CLOSED)
    .order_by(_m.priority, _m.number)
)
