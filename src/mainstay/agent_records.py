"""What is on record about one agent: nothing here needs a server or a worker."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from mainstay.agent_start import account_of, load_spec
from mainstay.schemas.agent import AgentSpec, BudgetSpec
from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind, AgentRow
from mainstay.schemas.budgets import Account
from mainstay.schemas.conversation import Entry, EntryKind, LiveText
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.lifecycle import LifeState
from mainstay.storage.store import Store

POLL_SECONDS = 0.1
"""How often events are looked for while an agent is being followed."""


class AgentRecords:
    """The records of an agent."""

    def __init__(self, store: Store, agent_id: str) -> None:
        self.id = agent_id
        self._store = store

    async def row(self) -> AgentRow:
        """Return what is on record about the agent.

        Raises:
            NotFound: there is no such agent.
        """
        row = await self._store.get_agent(self.id)
        if row is None:
            raise NotFound(f"there is no agent {self.id!r}", hint="`mainstay agent list`")
        return row

    async def spec(self) -> AgentSpec:
        """Return its file as it was stored when it was spawned."""
        return await load_spec(self._store, (await self.row()).spec_ref)

    async def account(self) -> Account:
        """Return what it may spend, and has spent.

        Raises:
            NotFound: its account was never opened.
        """
        accounts = await self._store.get_accounts([account_of(self.id)])
        if not accounts:
            raise NotFound(f"agent {self.id!r} has no account", hint="was it spawned?")
        return accounts[0]

    async def raise_budget(self, limits: BudgetSpec) -> None:
        """Give it new limits, in place of the old ones; it goes on when they allow it."""
        await self._store.set_limits(account_of(self.id), limits)

    async def entries(self, start: int = 0, stop: int | None = None) -> list[Entry]:
        """Return its conversation by position, ``stop`` exclusive."""
        return await self._store.load_entries((await self.row()).thread, start, stop)

    async def live_text(self, thread: str = "") -> LiveText | None:
        """Return what its model is saying just now, if it is."""
        return await self._store.live_text(thread or (await self.row()).thread)

    async def pin(self, text: str, thread: str = "") -> Entry:
        """Add a fact to a conversation, its own by default, that the model is always sent.

        Raises:
            InvalidInput: there is no text.
        """
        if not text.strip():
            raise InvalidInput("there is nothing to pin", hint="write the fact in a sentence")
        entry = Entry(
            key=f"pin/{hashlib.sha256(text.encode()).hexdigest()[:32]}",
            kind=EntryKind.PIN,
            text=text,
            author="person",
            tokens=len(text) // 4 + 1,
            at=datetime.now(UTC),
        )
        place = thread or (await self.row()).thread
        return (await self._store.append_entries(place, [entry]))[0]

    async def events(self, after: int = 0) -> AsyncIterator[AgentEvent]:
        """Follow the agent: yield what happened, then what happens, until it has ended.

        Args:
            after: leave out events up to this number; 0 begins at the beginning.
        """
        number, is_over = after, False
        while True:
            events = await self._store.agent_events_after(self.id, number, 1000)
            for event in events:
                number = event.number
                if event.kind is AgentEventKind.STATE:
                    is_over = event.to_state is LifeState.TERMINATED
                yield event
            if events:
                continue
            if is_over or (await self.row()).state is LifeState.TERMINATED:
                return
            await asyncio.sleep(POLL_SECONDS)
