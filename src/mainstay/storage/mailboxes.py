"""Mailboxes: messages by receiver, which are sent, taken in batches and settled.

A message is PENDING until it is taken, DELIVERED until it is settled, and then it has ended. It is
taken by a batch, whose number the receiver counts upwards; the agent's row keeps the last one.
Asked for a batch that was taken already, the same messages come again, and a settlement only
concerns messages of earlier batches: so a take that is tried again, or that comes late from a
worker that was given up, changes nothing.

The bell of an agent is rung by the first message that finds it silent, and stays so until a take
leaves nothing behind. Sending and taking hold the receiver's lock, so that no message can slip in
between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from mainstay.schemas.agent_calls import AgentEvent
from mainstay.schemas.errors import InvalidInput, MainstayError
from mainstay.schemas.messages import (
    Message,
    MessageHeader,
    MessageStatus,
    SendReceipt,
    Settlement,
)
from mainstay.storage import message_queries
from mainstay.storage.access import Access
from mainstay.storage.agent_events import insert_agent_events, storable_events
from mainstay.storage.closing import close
from mainstay.storage.columns import utc_now
from mainstay.storage.message_rows import message_key, message_values, settlement_values
from mainstay.storage.rows import exact, moment
from mainstay.storage.sending import Send
from mainstay.storage.taking import Take, settle, take

T = TypeVar("T")

ROW_BYTES = 500
"""About how many bytes a message's row has beside its text."""


class MailboxStore(Access):
    """Messages by receiver.

    ``messages_per_second`` is how many one agent may send; 0 sets no limit.
    """

    messages_per_second: int = 0

    async def send_messages(self, messages: Sequence[Message]) -> list[SendReceipt]:
        """Insert messages in one transaction; ids that are known already change nothing.

        ``must_ring`` is true for one message of each receiver whose bell was not rung yet; the
        bell counts as rung from then on, until a take of the receiver's leaves nothing behind.

        Raises:
            NotFound: a receiver does not exist.
            Refused: a receiver has ended, or is ending.
            InvalidInput: a message cannot be stored, or its sender is no agent.
            LimitReached: a text is too large, or an agent sends too much; see :mod:`.rates`.
        """
        rows = tuple(message_values(message) for message in messages)
        if not rows:
            return []
        send = Send(rows, utc_now(), self.messages_per_second)
        weight = sum(row["bytes"] + ROW_BYTES for row in rows)
        outcome: list[SendReceipt] | MainstayError
        outcome = await self._write(send, send.locks, weight)
        return _returned(outcome)

    async def take_batch(
        self, agent_id: str, batch: int, size: int, now: datetime, *, only: str = ""
    ) -> list[MessageHeader]:
        """Take the next messages, most urgent first, then by arrival.

        The same ``batch`` returns the same messages again. Expired ones are marked so and left
        out. The bell is silenced when the mailbox is empty afterwards.

        Raises:
            NotFound: there is no such agent.
        """
        return await self.settle_and_take(agent_id, (), (), batch, size, now, only=only)

    async def settle_and_take(
        self,
        agent_id: str,
        settled: Sequence[Settlement],
        events: Sequence[AgentEvent],
        batch: int,
        size: int,
        now: datetime,
        *,
        only: str = "",
        reclaims: bool = False,
    ) -> list[MessageHeader]:
        """Settle, append events, and :meth:`take_batch`, in one transaction; 0 only settles.

        With ``reclaims``, what was delivered before and never settled is put back first: whoever
        took it is lost.

        An answer's text is copied to its message, so that whoever waits for it reads one row.
        """
        if size < 0:
            raise InvalidInput(f"a batch of {size} messages cannot be taken")
        wanted = message_key(only) if only else None
        asked = Take(exact(agent_id, "agent"), batch, size, moment(now, "a take"), wanted, reclaims)
        changes = [settlement_values(one, now) for one in settled]
        told = storable_events(events)

        def work(connection: Connection) -> list[MessageHeader] | MainstayError:
            settle(connection, agent_id, changes, batch)
            insert_agent_events(connection, told)
            return take(connection, asked)

        weight = ROW_BYTES * (size + len(changes) + len(told))
        return _returned(await self._write(work, _ids(agent_id, told), weight))

    async def close_mailbox(
        self,
        agent_id: str,
        settled: Sequence[Settlement],
        events: Sequence[AgentEvent],
        reason: str,
        now: datetime,
    ) -> list[Settlement]:
        """Settle, then let everything that is left fail with the reason; returns what failed.

        From then on sending to this agent is refused. Closed again, it returns the same. What had
        expired before is among it, as EXPIRED.
        """
        exact(agent_id, "agent")
        moment(now, "the closing of a mailbox")
        changes = [settlement_values(one, now) for one in settled]
        told = storable_events(events)

        def work(connection: Connection) -> list[Settlement]:
            settle(connection, agent_id, changes)
            insert_agent_events(connection, told)
            return close(connection, [agent_id], reason, now)

        weight = ROW_BYTES * (1 + len(changes) + len(told))
        return await self._write(work, _ids(agent_id, told), weight)

    async def get_message(self, message_id: str) -> Message:
        """Return a message.

        Raises:
            NotFound: there is none.
        """
        return await self._read(message_queries.message, message_key(message_id))

    async def messages_of(
        self, agent_id: str, statuses: Iterable[MessageStatus] = (), limit: int = 100
    ) -> list[Message]:
        """Return the messages to an agent, the latest first; all statuses when none is given."""
        return await self._read(message_queries.messages_of, agent_id, tuple(statuses), limit)

    async def unanswered_bells(self, rung_before: datetime, limit: int = 100) -> list[str]:
        """Return agents whose bell was rung before a moment and that still have messages."""
        return await self._read(message_queries.unanswered_bells, rung_before, limit)


def _ids(agent_id: str, events: Iterable[AgentEvent]) -> set[str]:
    return {agent_id, *(event.agent_id for event in events)}


def _returned(outcome: T | MainstayError) -> T:
    if isinstance(outcome, MainstayError):
        raise outcome
    return outcome
