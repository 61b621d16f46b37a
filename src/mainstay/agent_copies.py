"""Whole agents: read out of storage, written into it, and as bytes between the two."""

from __future__ import annotations

import gzip
import io
import json
import uuid
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic_core import to_json

from mainstay.agent_start import account_of, load_request, load_spec, request_ref, spec_ref_of
from mainstay.decisions.agents.snapshots import (
    copy_thread,
    messages_for,
    read_snapshot,
    seal,
    state_for,
)
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.agent_run import AgentCounts, AgentRequest
from mainstay.schemas.budgets import Account
from mainstay.schemas.conversation import Entry, EntryKind, ThreadRow, Usage
from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.snapshots import Memory, Snapshot, ThreadCopy
from mainstay.storage.store import Store

MAX_MEMORIES = 10_000
MAX_THREADS = 1_000

MAX_SNAPSHOT_BYTES = 1024 * 1024 * 1024
"""Largest snapshot, unpacked."""

APPENDED_AT_ONCE = 200
"""Entries that are written in one transaction."""

_GZIP = b"\x1f\x8b"


def pack_snapshot(snapshot: Snapshot, *, is_zipped: bool = False) -> bytes:
    """Write a snapshot as JSON with its checksum, zipped if so wished; the same one alike."""
    body = json.dumps(seal(snapshot), indent=None if is_zipped else 1).encode()
    return gzip.compress(body, mtime=0) if is_zipped else body + b"\n"


def unpack_snapshot(body: bytes, source: str) -> Snapshot:
    """Read a snapshot, zipped or not, of today's version or an older one.

    Args:
        body: what :func:`pack_snapshot` wrote.
        source: names the file or the document, for messages.

    Raises:
        InvalidInput: it is none, was changed, comes from a newer version, or is not whole.
        LimitReached: it is larger than a snapshot can be.
    """
    try:
        if body.startswith(_GZIP):
            with gzip.open(io.BytesIO(body)) as unzipped:
                body = unzipped.read(MAX_SNAPSHOT_BYTES + 1)
        if len(body) > MAX_SNAPSHOT_BYTES:
            raise LimitReached(
                f"the snapshot {source!r} has more than {MAX_SNAPSHOT_BYTES:,} bytes",
                hint="no snapshot is that large",
            )
        data = json.loads(body)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"the snapshot {source!r} cannot be read: {error}",
            hint="fetch it again from where it came; nothing was restored",
        ) from None
    return read_snapshot(data, source)


async def copy_agent(
    store: Store,
    row: AgentRow,
    account: Account,
    messages: Sequence[Message],
    counts: AgentCounts,
) -> Snapshot:
    """Read all that belongs to an agent.

    Args:
        store: where it is.
        row: the agent.
        account: what it may spend, and has spent.
        messages: those that it has not worked on to the end.
        counts: what it has done.

    Raises:
        NotFound: its file, or what it was started with, is not there.
        LimitReached: it has more than a snapshot holds.
    """
    unfinished = {message.id for message in messages}
    waiting = sorted(messages, key=lambda one: (one.priority, one.number))
    taken = [one.id for one in waiting if one.status is MessageStatus.DELIVERED]
    return Snapshot(
        taken_at=datetime.now(UTC),
        agent_id=row.agent_id,
        name=row.name,
        spec=await load_spec(store, row.spec_ref),
        options=(await load_request(store, row.agent_id)).options,
        state=row.state,
        restarts=row.restarts,
        counts=counts,
        thread=row.thread,
        threads=tuple(
            [
                copy_thread(
                    thread,
                    await store.load_entries(thread.thread_id),
                    await store.summaries_of(thread.thread_id),
                    unfinished,
                )
                for thread in await _threads_of(store, row, messages)
            ]
        ),
        limits=account.limits,
        spent=account.spent,
        waiting=tuple(waiting),
        taken=tuple(taken),
        batch=row.batch,
        memories=await _memories_of(store, row),
    )


async def write_agent(store: Store, snapshot: Snapshot, agent_id: str, name: str) -> None:
    """Write an agent that can be started; done again with the same id, it changes nothing.

    What it is started with is written last, so that nobody starts half an agent.

    Args:
        store: where to.
        snapshot: the agent; it is whole.
        agent_id: its new id.
        name: ``team/name``.

    Raises:
        Refused: an agent of that name is alive.
    """
    await _Writing(store, snapshot, agent_id, name).write()


class _Writing:
    def __init__(self, store: Store, snapshot: Snapshot, agent_id: str, name: str) -> None:
        self._store = store
        self._snapshot = snapshot
        self._agent_id = agent_id
        self._name = name
        self._now = datetime.now(UTC)
        others = [one.thread_id for one in snapshot.threads if one.thread_id != snapshot.thread]
        own = f"thread/{agent_id}"
        self._threads = {
            snapshot.thread: own,
            **{old: f"{own}/{number}" for number, old in enumerate(others, 1)},
        }

    async def write(self) -> None:
        store, snapshot = self._store, self._snapshot
        body = snapshot.spec.model_dump_json().encode()
        ref = spec_ref_of(body)
        await store.put_document(ref, body)
        for thread in snapshot.threads:
            await self._write_thread(thread)
        await store.create_agent(self._row(ref))
        await self._write_account()
        await self._write_memories()
        await store.send_messages(messages_for(snapshot, self._agent_id, self._threads, self._ids))
        request = AgentRequest(
            agent_id=self._agent_id,
            name=self._name,
            spec_ref=ref,
            thread=self._threads[snapshot.thread],
            accounts=(account_of(self._agent_id),),
            options=snapshot.options,
            state=state_for(snapshot, self._now),
        )
        await store.put_document(request_ref(self._agent_id), request.model_dump_json().encode())

    @property
    def _ids(self) -> dict[str, str]:
        space = uuid.UUID(self._agent_id.removeprefix("agent-"))
        return {one.id: str(uuid.uuid5(space, one.id)) for one in self._snapshot.waiting}

    def _row(self, ref: str) -> AgentRow:
        spec = self._snapshot.spec
        return AgentRow(
            agent_id=self._agent_id,
            name=self._name,
            role=spec.role.value,
            state=LifeState.INITIALIZING,
            model=spec.model or "",
            description=spec.description,
            thread=self._threads[self._snapshot.thread],
            spec_ref=ref,
            capabilities=tuple(spec.capabilities),
            restarts=self._snapshot.restarts,
            created_at=self._now,
            updated_at=self._now,
        )

    async def _write_thread(self, thread: ThreadCopy) -> None:
        made = self._threads[thread.thread_id]
        row = ThreadRow(
            thread_id=made,
            title=thread.title,
            agent_id=self._agent_id,
            created_at=self._now,
            updated_at=self._now,
        )
        await self._store.create_thread(row)
        for first in range(0, thread.length, APPENDED_AT_ONCE):
            batch = thread.entries[first : first + APPENDED_AT_ONCE]
            await self._write_results(batch)
            await self._store.append_entries(made, batch)
        for summary in thread.summaries:
            key = f"restore/{made}/{summary.upto}"
            await self._store.keep_summary(made, summary, key, (), Usage())

    async def _write_results(self, entries: Sequence[Entry]) -> None:
        """Write what the model can read further of, where another database does not have it."""
        for entry in entries:
            if entry.kind is EntryKind.TOOL and entry.ref:
                body = {"text": entry.text, "is_error": entry.is_error, "is_invalid": False}
                await self._store.put_document(entry.ref, to_json(body))

    async def _write_account(self) -> None:
        account = account_of(self._agent_id)
        await self._store.open_account(account, self._snapshot.limits, self._name)
        spent = self._snapshot.spent
        await self._store.charge(f"restore/{self._agent_id}", (account,), spent)

    async def _write_memories(self) -> None:
        scope = self._name.partition("/")[0]
        known = {key for key, _ in await self._store.recall(scope, "", MAX_MEMORIES)}
        for memory in self._snapshot.memories:
            if memory.key not in known:
                await self._store.remember(scope, memory.key, memory.text)


async def _threads_of(store: Store, row: AgentRow, messages: Sequence[Message]) -> list[ThreadRow]:
    found = {one.thread_id: one for one in await store.list_threads(row.agent_id, MAX_THREADS + 1)}
    if len(found) > MAX_THREADS:
        raise LimitReached(
            f"agent {row.name!r} has more than {MAX_THREADS:,} conversations",
            hint="give some of them to another agent before the snapshot",
        )
    for thread_id in (row.thread, *(message.thread for message in messages if message.thread)):
        thread = await store.get_thread(thread_id)
        if thread is None and thread_id == row.thread:
            raise InvalidInput(
                f"the conversation {thread_id!r} of agent {row.name!r} is gone",
                hint="there is nothing whole to take a snapshot of",
            )
        if thread is not None:
            found.setdefault(thread_id, thread)
    return sorted(found.values(), key=lambda one: (one.thread_id != row.thread, one.thread_id))


async def _memories_of(store: Store, row: AgentRow) -> tuple[Memory, ...]:
    scope = row.name.partition("/")[0]
    found = await store.recall(scope, "", MAX_MEMORIES + 1)
    if len(found) > MAX_MEMORIES:
        raise LimitReached(
            f"the team of agent {row.name!r} remembers more than {MAX_MEMORIES:,} texts",
            hint="a snapshot does not hold that many",
        )
    return tuple(Memory(key=key, text=text) for key, text in sorted(found))
