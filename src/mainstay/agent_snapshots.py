"""The client's methods that keep whole agents, bring them back, and let conversations branch."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import NamedTuple

from mainstay.agent_client import AgentClient, full_agent_name
from mainstay.agent_copies import copy_agent, pack_snapshot, unpack_snapshot, write_agent
from mainstay.agent_driving import is_open
from mainstay.agent_handle import AgentHandle
from mainstay.agent_start import load_request, load_spec, start_agent
from mainstay.decisions.agents.snapshots import see_tools
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.agent_run import AgentCounts
from mainstay.schemas.budgets import Account
from mainstay.schemas.conversation import Usage
from mainstay.schemas.errors import LimitReached, Unavailable
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.snapshots import Snapshot

MAX_WAITING = 10_000
"""Most messages that a snapshot holds; an agent with more is to work first."""

LOOKS = 20
"""How often a busy agent is looked at until it held still for as long as copying it takes."""


class _Moving(NamedTuple):
    """What changes whenever an agent does anything."""

    messages: list[Message]
    account: Account
    row: AgentRow


class AgentSnapshots(AgentClient):
    """What :class:`mainstay.Mainstay` offers about snapshots."""

    async def snapshot(self, agent: str) -> Snapshot:
        """Copy a whole agent as it stands, whether it lives or has ended.

        A message that is being worked on is copied as one that waits.

        Args:
            agent: its id or its name.

        Raises:
            NotFound: there is no such agent.
            LimitReached: more waits in its mailbox than a snapshot holds.
            Unavailable: it never held still; pause it first.
        """
        handle = await self.agent(agent)
        for _ in range(LOOKS):
            before = await self._moving_parts(handle)
            counts = await self._counts_of(handle, before.row, before.account.spent)
            found = await copy_agent(
                self.store, before.row, before.account, before.messages, counts
            )
            if await self._moving_parts(handle) == before:
                return found
        raise Unavailable(
            f"agent {agent!r} is too busy to be copied whole",
            hint="`mainstay agent pause` it, and resume it after the snapshot",
        )

    async def restore(
        self,
        snapshot: Snapshot,
        name: str | None = None,
        *,
        team: str = "",
        tools: Collection[str] | None = None,
        agent_id: str | None = None,
    ) -> AgentHandle:
        """Make an agent of a snapshot, complete or not at all; returns when it has begun.

        It has a new id, copies of the conversations and of the messages that wait, and as little
        left to spend. What its team remembers already under a key stays.

        Args:
            snapshot: see :func:`unpack_snapshot`.
            name: by default the one it had; unique among the living.
            team: by default the one it had.
            tools: the names of all tools there are; None leaves that to the worker, which does
                not let an agent begin whose tools are missing.
            agent_id: makes restoring repeatable: the same id again changes nothing.

        Raises:
            InvalidInput: something of it is missing; nothing was restored.
            Refused: an agent of that name is alive.
        """
        source = f"{snapshot.name} of {snapshot.taken_at:%Y-%m-%d %H:%M:%S}"
        if tools is not None:
            see_tools(snapshot, tools, source)
        old_team, _, old_name = snapshot.name.partition("/")
        full = full_agent_name(name or old_name, team or ("" if "/" in (name or "") else old_team))
        made = agent_id or f"agent-{uuid.uuid4()}"
        await write_agent(self.store, snapshot, made, full)
        await start_agent(self.temporal, self.store, made, self.settings.task_queue)
        return self.agent_handle(made)

    async def fork(
        self,
        agent: str,
        name: str | None = None,
        *,
        position: int | None = None,
        team: str = "",
        agent_id: str | None = None,
    ) -> AgentHandle:
        """Make another agent of the same file that goes on from a copy of the conversation.

        Args:
            agent: the one to fork; it goes on undisturbed.
            name: by default its name and ``-fork``.
            position: copy what stands before this entry; by default all there is.
            team: by default the same.
            agent_id: makes forking repeatable: the same id again changes nothing.

        Raises:
            NotFound: there is no such agent.
            InvalidInput: its conversation has no such position.
            Refused: an agent of that name is alive.
        """
        row = await self.find_agent(agent)
        old_team, _, old_name = row.name.partition("/")
        new_name = name or f"{old_name}-fork"
        full = full_agent_name(new_name, team or ("" if "/" in new_name else old_team))
        if position is None:
            thread = await self.store.get_thread(row.thread)
            position = thread.entries if thread else 0
        made = agent_id or f"agent-{uuid.uuid4()}"
        copied = await self.store.fork_thread(row.thread, position, f"thread/{made}", full)
        request = await load_request(self.store, row.agent_id)
        return await self.spawn(
            await load_spec(self.store, row.spec_ref),
            full,
            thread=copied.thread_id,
            options=request.options,
            agent_id=made,
        )

    async def keep_snapshot(self, snapshot: Snapshot) -> str:
        """Keep a snapshot in the database, and return the key that it is found under."""
        key = f"snapshot/{snapshot.name}/{snapshot.taken_at:%Y%m%dT%H%M%S.%fZ}"
        await self.store.put_document(key, pack_snapshot(snapshot, is_zipped=True))
        return key

    async def kept_snapshot(self, key: str) -> Snapshot:
        """Return a snapshot that is kept in the database.

        Raises:
            NotFound: none has that key.
            InvalidInput: it is not whole.
        """
        return unpack_snapshot(await self.store.get_document(key), key)

    async def kept_snapshots(self, name: str = "") -> list[str]:
        """Return up to 100 keys of kept snapshots, of an agent ``team/name`` or of all, sorted."""
        return await self.store.find_documents(f"snapshot/{name}/" if name else "snapshot/")

    async def _moving_parts(self, handle: AgentHandle) -> _Moving:
        unended = (MessageStatus.PENDING, MessageStatus.DELIVERED)
        messages = await self.store.messages_of(handle.id, unended, MAX_WAITING + 1)
        if len(messages) > MAX_WAITING:
            raise LimitReached(
                f"more than {MAX_WAITING:,} messages wait for agent {handle.id!r}",
                hint="let it work on some of them before the snapshot",
            )
        return _Moving(messages, await handle.account(), await handle.row())

    async def _counts_of(self, handle: AgentHandle, row: AgentRow, spent: Usage) -> AgentCounts:
        """Return what an agent has done: it knows best itself, and its records do if it cannot."""
        if await is_open(self.temporal, row.agent_id):
            try:
                info = await handle.info()
                return AgentCounts(messages=info.messages, failed=info.failed, usage=info.usage)
            except Unavailable:
                pass  # no worker answers
        return AgentCounts(messages=spent.turns, failed=row.errors, usage=spent)
