"""One mailbox against a mailbox so simple that it must be right."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agent_examples import ANNA, PROCESSED, agent_row, message, settled
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from record_examples import NOON, at
from sqlalchemy import Connection, StaticPool, create_engine, select

from mainstay.schemas.messages import Message, MessageStatus
from mainstay.storage import tables
from mainstay.storage.agent_rows import agent_values, insert_agent
from mainstay.storage.message_rows import message_values, settlement_values
from mainstay.storage.sending import Send
from mainstay.storage.taking import Take, settle, take

PENDING, DELIVERED, EXPIRED = MessageStatus.PENDING, MessageStatus.DELIVERED, MessageStatus.EXPIRED


@dataclass
class SimpleMailbox:
    """Messages in the order of their arrival, and what became of each."""

    messages: list[Message] = field(default_factory=list)
    status: dict[str, MessageStatus] = field(default_factory=dict)
    batches: dict[int, list[str]] = field(default_factory=dict)
    is_rung: bool = False

    def send(self, sent: Message) -> tuple[bool, bool]:
        if sent.id in self.status:
            return False, False
        self.messages.append(sent)
        self.status[sent.id] = PENDING
        must_ring, self.is_rung = not self.is_rung, True
        return True, must_ring

    def take(self, batch: int, size: int, second: int) -> list[str]:
        waiting = [one for one in self.messages if self.status[one.id] is PENDING]
        waiting.sort(key=lambda one: one.priority)
        taken: list[str] = []
        for one in waiting:
            if one.ttl and one.created_at + one.ttl <= at(second):
                self.status[one.id] = EXPIRED
            elif len(taken) < size:
                self.status[one.id] = DELIVERED
                taken.append(one.id)
        self.batches[batch] = taken
        if not any(status is PENDING for status in self.status.values()):
            self.is_rung = False
        return taken


class MailboxMachine(RuleBasedStateMachine):
    """Sends, takes, retries and settlements in any order."""

    connection: Connection

    def __init__(self) -> None:
        super().__init__()
        self.simple = SimpleMailbox()
        self.second = 0
        self.batch = 0
        self.unsettled: list[str] = []
        self.sent: list[Message] = []

    @initialize()
    def open(self) -> None:
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        for table in (tables.agents, tables.messages, tables.agent_events):
            table.create(self.engine)
        self.connection = self.engine.connect()
        self.connection.exec_driver_sql(
            "CREATE TABLE thread_entries (thread_id TEXT, position INTEGER, text TEXT)"
        )
        insert_agent(self.connection, agent_values(agent_row()))

    def teardown(self) -> None:
        self.connection.close()
        self.engine.dispose()

    @rule(kinds=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=5))
    def send(self, kinds: list[tuple[int, int]]) -> None:
        first = len(self.sent)
        for number, (priority, seconds) in enumerate(kinds, first):
            self.sent.append(
                message(
                    id=str(UUID(int=number)),
                    priority=priority,
                    ttl=timedelta(seconds=seconds),
                    created_at=at(self.second),
                )
            )
        self._send(self.sent[first:])

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        self._send(data.draw(st.lists(st.sampled_from(self.sent), max_size=3)))

    def _send(self, messages: list[Message]) -> None:
        expected = [self.simple.send(one) for one in messages]
        if not messages:
            return
        receipts = Send(tuple(message_values(one) for one in messages), NOON)(self.connection)
        assert isinstance(receipts, list)
        assert [(one.is_new, one.must_ring) for one in receipts] == expected

    @rule(seconds=st.integers(1, 2))
    def wait(self, seconds: int) -> None:
        self.second += seconds

    @rule(size=st.integers(1, 4), data=st.data())
    def settle_and_take(self, size: int, data: st.DataObject) -> None:
        ends = {
            one: data.draw(st.sampled_from([PROCESSED, PENDING]))
            for one in self.unsettled
            if data.draw(st.booleans())
        }
        self.batch += 1
        for _ in range(data.draw(st.integers(1, 2))):
            self._settle(ends)
            found = self._take(size)
            if self.batch not in self.simple.batches:
                self.simple.status |= ends
                expected = self.simple.take(self.batch, size, self.second)
            assert found == expected
        self.unsettled = [one for one in self.unsettled if one not in ends] + expected

    @precondition(lambda self: self.batch)
    @rule(size=st.integers(1, 4), ago=st.integers(0, 2))
    def take_again(self, size: int, ago: int) -> None:
        batch = max(1, self.batch - ago)
        kept = self.simple.batches[batch]
        latest = {one: number for number, some in self.simple.batches.items() for one in some}
        assert self._take(size, batch) == [
            one for one in kept if self.simple.status[one] is DELIVERED and latest[one] == batch
        ]

    def _settle(self, ends: dict[str, MessageStatus]) -> None:
        changes = [settlement_values(settled(one, how), NOON) for one, how in ends.items()]
        settle(self.connection, ANNA, changes, self.batch)

    def _take(self, size: int, batch: int | None = None) -> list[str]:
        batch = self.batch if batch is None else batch
        headers = take(self.connection, Take(ANNA, batch, size, at(self.second)))
        assert isinstance(headers, list)
        return [header.id for header in headers]

    @invariant()
    def every_message_is_there_once_and_where_it_should_be(self) -> None:
        m = tables.messages.c
        found: Any = self.connection.execute(select(m.message_id, m.status, m.number))
        rows = {str(row.message_id): row for row in found}
        # A message that has expired is marked when it is met, not before.
        for one, status in self.simple.status.items():
            assert rows[one].status is status or (status is EXPIRED and rows[one].status is PENDING)
        assert len(rows) == len(self.simple.status)
        numbers = [rows[one.id].number for one in self.simple.messages]
        assert numbers == sorted(set(numbers))


MailboxMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestMailbox = pytest.mark.slow(MailboxMachine.TestCase)
