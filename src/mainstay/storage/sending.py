"""Putting messages into mailboxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select, update

from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import (
    InvalidInput,
    LimitReached,
    MainstayError,
    NotFound,
    Refused,
)
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import SendReceipt
from mainstay.storage import tables
from mainstay.storage.access import Mergeable
from mainstay.storage.changes import IN_LIMIT, insert_new
from mainstay.storage.rates import SECOND, rate_lock, rate_of, take_turns
from mainstay.storage.rows import Values

ENDING = frozenset({LifeState.STOPPING, LifeState.TERMINATED})
"""States in which an agent is sent nothing any more."""


@dataclass(frozen=True, slots=True)
class Send(Mergeable):
    """Messages that are sent together: all of them, or none.

    Attributes:
        rows: the messages, without their numbers.
        now: when bells are rung.
        most: messages that an agent may send in a second; 0 sets no limit.
    """

    rows: tuple[Values, ...]
    now: datetime
    most: int = 0

    @property
    def locks(self) -> set[str]:
        """What nobody else may write about in the meantime: its receivers, its senders' rates."""
        receivers = {row["receiver_id"] for row in self.rows}
        return receivers | {rate_lock(rate_of(sender)) for sender in self._senders}

    @property
    def _senders(self) -> list[str]:
        """The agent that sent each message, if there is a limit for agents."""
        return [row["sender_id"] for row in self.rows if row["sender_id"] and self.most]

    @classmethod
    def run_together(
        cls, connection: Connection, works: Sequence[Send]
    ) -> list[list[SendReceipt] | MainstayError]:
        """Put messages behind those that are there, and ring where nobody rang yet.

        Returns:
            For each piece of work what came of its messages, or why none of them was sent. Such
            a refusal is a value, because an exception would undo what is written with it.
        """
        agents = _load_agents(connection, [row for work in works for row in work.rows])
        refusals = [
            _refusal(connection, work.rows, agents) or _hold_back(connection, work)
            for work in works
        ]
        sent = [work for work, refusal in zip(works, refusals, strict=True) if refusal is None]
        fresh = _insert(connection, _numbered([row for work in sent for row in work.rows], agents))
        outcomes: list[list[SendReceipt] | MainstayError] = []
        rung: list[Values] = []
        for work, refusal in zip(works, refusals, strict=True):
            if refusal is None:
                outcomes.append([_receipt(row, fresh, agents, rung, work.now) for row in work.rows])
            else:
                outcomes.append(refusal)
        if rung:
            connection.execute(_RING, rung)
        return outcomes


def _receipt(
    row: Values,
    fresh: set[UUID],
    agents: Mapping[str, Values],
    rung: list[Values],
    now: datetime,
) -> SendReceipt:
    # A message that stands there twice is new once, and a bell is rung by the first that is new.
    message_id, receiver = row["message_id"], agents[row["receiver_id"]]
    is_new = message_id in fresh
    fresh.discard(message_id)
    must_ring = is_new and not receiver["is_rung"]
    if must_ring:
        receiver["is_rung"] = True
        rung.append({"of_agent": receiver["agent_id"], "now": now})
    return SendReceipt(message_id=str(message_id), is_new=is_new, must_ring=must_ring)


def _load_agents(connection: Connection, rows: Sequence[Values]) -> dict[str, Values]:
    involved = {row["receiver_id"] for row in rows} | {row["sender_id"] for row in rows} - {None}
    ids = sorted(involved)
    agents: dict[str, Values] = {}
    for first in range(0, len(ids), IN_LIMIT):
        found = connection.execute(_SELECT_AGENTS, {"ids": ids[first : first + IN_LIMIT]})
        agents |= {row["agent_id"]: dict(row) for row in found.mappings()}
    return agents


def _refusal(
    connection: Connection, rows: Sequence[Values], agents: Mapping[str, Values]
) -> MainstayError | None:
    reasons = {row["message_id"]: _reason(row, agents) for row in rows}
    if not any(reasons.values()):
        return None
    # What was sent before stays sent, whatever became of its receiver.
    known = _known(connection, list(reasons))
    return next((why for key, why in reasons.items() if why and key not in known), None)


def _reason(row: Values, agents: Mapping[str, Values]) -> MainstayError | None:
    sender, receiver = row["sender_id"], agents.get(row["receiver_id"])
    if receiver is None:
        return NotFound(
            f"there is no agent {row['receiver_id']!r}", hint="list them with: mainstay agent list"
        )
    if receiver["is_closed"] or receiver["current_state"] in ENDING:
        return Refused(
            f"agent {receiver['name'] or receiver['agent_id']!r} takes no more messages: it has"
            " ended or is ending",
            hint="send to another agent, or spawn it again",
        )
    if sender is not None and sender not in agents:
        return InvalidInput(f"the sender {sender!r} of a message is no agent")
    return None


def _hold_back(connection: Connection, work: Send) -> LimitReached | None:
    if not work._senders:
        return None
    known = _known(connection, [row["message_id"] for row in work.rows])
    fresh = {row["message_id"]: row["sender_id"] for row in work.rows}
    amounts = Counter(sender for key, sender in fresh.items() if sender and key not in known)
    for sender, amount in sorted(amounts.items()):
        wait = take_turns(connection, rate_of(sender), SECOND, work.most, amount, work.now)
        if wait is not None:
            return LimitReached(
                f"agent {sender!r} sends more than {work.most} messages a second",
                hint=f"send less, try again in {format_duration(wait)}, or raise"
                " MAINSTAY_MESSAGES_PER_SECOND for all processes",
            )
    return None


def _known(connection: Connection, message_ids: Sequence[UUID]) -> set[UUID]:
    known: set[UUID] = set()
    for first in range(0, len(message_ids), IN_LIMIT):
        ids = {"ids": message_ids[first : first + IN_LIMIT]}
        known |= set(connection.execute(_SELECT_KNOWN, ids).scalars())
    return known


def _numbered(rows: Iterable[Values], agents: Mapping[str, Values]) -> list[Values]:
    numbered = []
    for row in rows:
        receiver = agents[row["receiver_id"]]
        receiver["last_number"] += 1
        numbered.append({**row, "number": receiver["last_number"]})
    return numbered


def _insert(connection: Connection, rows: Sequence[Values]) -> set[UUID]:
    if not rows:
        return set()
    statement = insert_new(connection, tables.messages).returning(_m.message_id)
    # One row alone is spared the way that many rows take, which is slower.
    parameters: Any = rows[0] if len(rows) == 1 else rows  # Any: one row or several
    return set(connection.execute(statement, parameters).scalars())


_a, _m = tables.agents.c, tables.messages.c
_last_number = (
    select(func.coalesce(func.max(_m.number), 0))
    .where(_m.receiver_id == _a.agent_id)
    .scalar_subquery()
)
_SELECT_AGENTS = select(
    _a.agent_id,
    _a.name,
    _a.current_state,
    _a.is_closed,
    _a.bell_rung_at.is_not(None).label("is_rung"),
    _last_number.label("last_number"),
).where(_a.agent_id.in_(bindparam("ids", expanding=True)))
_SELECT_KNOWN = select(_m.message_id).where(_m.message_id.in_(bindparam("ids", expanding=True)))
# The row says when the agent's description changed, which is not now.
_RING = (
    update(tables.agents)
    .where(_a.agent_id == bindparam("of_agent"))
    .values(bell_rung_at=bindparam("now"), updated_at=_a.updated_at)
)
