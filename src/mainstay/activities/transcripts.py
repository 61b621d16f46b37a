"""Reading threads. Entries never change, so those read before are kept for the next turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from mainstay.activities.agent_ports import AgentStorage
from mainstay.schemas.conversation import Entry

MAX_THREADS = 256
"""Threads kept in memory per worker."""

MAX_ENTRIES = 50_000
"""Entries kept in memory in all."""


class Transcripts:
    """Threads as they are in storage, read once."""

    def __init__(self, storage: AgentStorage) -> None:
        self._storage = storage
        self._kept: OrderedDict[str, list[Entry]] = OrderedDict()

    async def entries(self, thread: str) -> Sequence[Entry]:
        """Return all entries of a thread, oldest first."""
        known = self._kept.pop(thread, [])
        return self._remember(
            thread, [*known, *await self._storage.load_entries(thread, len(known))]
        )

    async def extend(self, thread: str, new: Sequence[Entry]) -> Sequence[Entry]:
        """Append entries, and return all of the thread up to them, oldest first."""
        added = await self._storage.append_entries(thread, new)
        return await self.entries(thread) if not self.note(thread, added) else self._kept[thread]

    def note(self, thread: str, added: Sequence[Entry]) -> bool:
        """Remember entries that are stored; False when they do not follow those remembered."""
        known = self._kept.get(thread, [])
        places = range(len(known), len(known) + len(added))
        if not added or [entry.position for entry in added] != [*places]:
            return False
        self._kept.pop(thread, None)
        self._remember(thread, [*known, *added])
        return thread in self._kept

    def _remember(self, thread: str, entries: list[Entry]) -> list[Entry]:
        self._kept[thread] = entries
        self._forget()
        return entries

    def _forget(self) -> None:
        total = sum(len(entries) for entries in self._kept.values())
        while self._kept and (len(self._kept) > MAX_THREADS or total > MAX_ENTRIES):
            _, gone = self._kept.popitem(last=False)
            total -= len(gone)
