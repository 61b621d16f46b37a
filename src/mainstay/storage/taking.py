"""Taking messages out of a mailbox, and settling those that were worked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    Connection,
    Integer,
    RowMapping,
    Text,
    and_,
    bindparam,
    case,
    column,
    func,
    null,
    or_,
    select,
    table,
    update,
)

from mainstay.schemas.agent_run import message_entry_key
from mainstay.schemas.errors import MainstayError, NotFound
from mainstay.schemas.messages import MessageHeader, MessageStatus
from mainstay.schemas.run import Failure
from mainstay.storage import tables
from mainstay.storage.changes import IN_LIMIT
from mainstay.storage.message_rows import HEADER_COLUMNS, header_from
from mainstay.storage.rows import Values

EXPIRED = Failure(message="it expired before the agent took it")
"""What became of a message whose time to live was over."""


@dataclass(frozen=True, slots=True)
class Take:
    """What is asked for: the ``size`` most urgent messages, or ``only`` one, as ``batch``.

    ``reclaims`` puts back first what was delivered and never settled: the run that took it is
    lost, and the message it was working on counts that.
    """

    agent_id: str
    batch: int
    size: int
    now: datetime
    only: UUID | None = None
    reclaims: bool = False


def settle(
    connection: Connection, agent_id: str, changes: Sequence[Values], batch: int | None = None
) -> None:
    """Write down what became of messages that were delivered.

    Args:
        connection: in a transaction that holds the agent's lock.
        changes: what :func:`.message_rows.settlement_values` makes; PENDING puts back.
        batch: messages of this batch and later ones are left alone; None spares none.
    """
    which = {"of_agent": agent_id, "before": batch}
    ended = [{**c, **which} for c in changes if c["new_status"] is not MessageStatus.PENDING]
    if ended:
        connection.execute(_END, ended)
    put_back = [
        {"of_message": change["of_message"], **which}
        for change in changes
        if change["new_status"] is MessageStatus.PENDING
    ]
    if put_back:
        connection.execute(_PUT_BACK, put_back)


def take(connection: Connection, asked: Take) -> list[MessageHeader] | MainstayError:
    """Take a batch, or return it again; see :mod:`.mailboxes`.

    Returns:
        The messages, the most urgent first; or that there is no such agent.
    """
    which = {"of_agent": asked.agent_id}
    agent = connection.execute(_SELECT_TAKEN, which).first()
    if agent is None:
        return NotFound(f"there is no agent {asked.agent_id!r}")
    if agent.taken_batch is not None and asked.batch <= agent.taken_batch:
        again = connection.execute(_SELECT_BATCH, {**which, "of_batch": asked.batch})
        return [header_from(row) for row in again.mappings()]
    if asked.reclaims:
        _reclaim(connection, asked.agent_id)
    rows = _living(connection, asked)
    taken = rows[: asked.size]
    if taken:
        ids = [row["message_id"] for row in taken]
        connection.execute(_DELIVER, {"ids": ids, "of_batch": asked.batch, "at": asked.now})
    is_empty = len(rows) == len(taken)
    if is_empty and asked.only is not None:
        is_empty = connection.execute(_SELECT_ANY, which).first() is None
    told = {**which, "of_batch": asked.batch, "at": asked.now}
    connection.execute(_TAKEN_ALL if is_empty else _TAKEN, told)
    return [header_from(row) for row in taken]


def _reclaim(connection: Connection, agent_id: str) -> None:
    # Of all that was delivered the agent worked on one at a time: the one it began last.
    which = {"of_agent": agent_id}
    held = connection.execute(_SELECT_HELD, which).all()
    keys = {message_entry_key(str(row.message_id)): row.message_id for row in held}
    threads = {row.place for row in held}
    begun = connection.execute(_SELECT_BEGUN, {"keys": list(keys), "threads": list(threads)})
    latest = begun.first()
    connection.execute(_RECLAIM, which)
    if latest is not None:
        connection.execute(_COUNT_LOSS, {"of_message": keys[latest.key]})


def _living(connection: Connection, asked: Take) -> Sequence[RowMapping]:
    # One more than is asked for, to see whether something is left. Messages that have expired
    # are marked on the way, many at a time, until none is met.
    select_next = _SELECT_NEXT if asked.only is None else _SELECT_ONLY
    limit = asked.size + 1
    while True:
        rows = (
            connection.execute(
                select_next, {"of_agent": asked.agent_id, "most": limit, "of_message": asked.only}
            )
            .mappings()
            .all()
        )
        expired = [row["message_id"] for row in rows if row["expires_at"] <= asked.now]
        if not expired:
            return rows[: asked.size + 1]
        connection.execute(_EXPIRE, {"ids": expired, "at": asked.now})
        limit = max(limit, IN_LIMIT)


_a, _m = tables.agents.c, tables.messages.c
_entries = table("thread_entries", column("thread_id"), column("position"), column("text"))
_of_agent = _m.receiver_id == bindparam("of_agent")
_is_pending = _m.status == MessageStatus.PENDING
_listed = _m.message_id.in_(bindparam("ids", expanding=True))
_before = bindparam("before", type_=Integer)
_may_settle = and_(
    _m.message_id == bindparam("of_message"),
    _of_agent,
    _m.status == MessageStatus.DELIVERED,
    or_(_before.is_(None), _m.batch < _before),
)
_instead = bindparam("instead", type_=Text)
_text_of_entry = (
    select(_entries.c.text)
    .where(
        _entries.c.thread_id == bindparam("of_thread", type_=Text),
        _entries.c.position == bindparam("of_position", type_=Integer),
    )
    .scalar_subquery()
)
_END = (
    update(tables.messages)
    .where(_may_settle)
    .values(
        status=bindparam("new_status"),
        processed_at=bindparam("at"),
        answer=case((_instead != "", _instead), else_=func.coalesce(_text_of_entry, "")),
        failure=bindparam("new_failure"),
        error_message=bindparam("error"),
        answer_thread=bindparam("of_thread"),
        answer_position=bindparam("of_position"),
    )
)
_put_back = {
    "status": MessageStatus.PENDING,
    "batch": null(),
    "delivered_at": null(),
}
_PUT_BACK = update(tables.messages).where(_may_settle).values(**_put_back)
_RECLAIM = (
    update(tables.messages)
    .where(_of_agent, _m.status == MessageStatus.DELIVERED)
    .values(**_put_back)
)
_SELECT_HELD = (
    select(_m.message_id, case((_m.thread != "", _m.thread), else_=_a.thread).label("place"))
    .join_from(tables.messages, tables.agents, _m.receiver_id == _a.agent_id)
    .where(_of_agent, _m.status == MessageStatus.DELIVERED)
)
_e = tables.thread_entries.c
_SELECT_BEGUN = (
    select(_e.key)
    .where(
        _e.thread_id.in_(bindparam("threads", expanding=True)),
        _e.key.in_(bindparam("keys", expanding=True)),
    )
    .order_by(_e.at.desc())
    .limit(1)
)
_COUNT_LOSS = (
    update(tables.messages)
    .where(_m.message_id == bindparam("of_message"))
    .values(retry_count=_m.retry_count + 1)
)
_SELECT_TAKEN = select(_a.taken_batch).where(_a.agent_id == bindparam("of_agent"))
_header = (*HEADER_COLUMNS, _m.retry_count.label("losses"))
_in_order = (_m.priority, _m.number)
_SELECT_BATCH = (
    select(*_header)
    .where(_of_agent, _m.status == MessageStatus.DELIVERED, _m.batch == bindparam("of_batch"))
    .order_by(*_in_order)
)
_next = select(*_header, _m.expires_at).where(_of_agent, _is_pending).order_by(*_in_order)
_SELECT_NEXT = _next.limit(bindparam("most", type_=Integer))
_SELECT_ONLY = _next.where(_m.message_id == bindparam("of_message"))
_SELECT_ANY = select(_m.number).where(_of_agent, _is_pending).limit(1)
_DELIVER = (
    update(tables.messages)
    .where(_listed)
    .values(
        status=MessageStatus.DELIVERED, batch=bindparam("of_batch"), delivered_at=bindparam("at")
    )
)
_EXPIRE = (
    update(tables.messages)
    .where(_listed)
    .values(
        status=MessageStatus.EXPIRED,
        processed_at=bindparam("at"),
        answer=EXPIRED.message,
        error_message=EXPIRED.message,
        failure=EXPIRED.model_dump(mode="json"),
    )
)
# The row says when the agent's description changed, which is not now.
_TAKEN = (
    update(tables.agents)
    .where(_a.agent_id == bindparam("of_agent"))
    .values(
        taken_batch=bindparam("of_batch"),
        last_heartbeat=bindparam("at"),
        updated_at=_a.updated_at,
    )
)
_TAKEN_ALL = _TAKEN.values(bell_rung_at=null())
