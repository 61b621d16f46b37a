"""Showing what a model is saying while it says it: beside history, and only for whoever watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from mainstay.activities.agent_ports import AgentStorage
from mainstay.schemas.conversation import LiveText
from mainstay.schemas.errors import MainstayError

SHOW_SECONDS = 0.1
"""How often the text is written at most, and how soon its beginning."""


class LiveDisplay:
    """Takes the text so far, as often as it comes, and writes the latest now and then."""

    def __init__(self, storage: AgentStorage, thread: str, key: str, attempt: int) -> None:
        self._storage = storage
        self._thread = thread
        self._key = key
        self._attempt = attempt
        self._text = ""
        self._news = asyncio.Event()

    def show(self, text: str) -> None:
        """Take the whole text so far."""
        self._text = text
        self._news.set()

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            # First wait, then write: what is said at once is in the thread by then.
            await asyncio.sleep(SHOW_SECONDS)
            self._news.clear()
            live = LiveText(
                thread_id=self._thread,
                key=self._key,
                attempt=self._attempt,
                text=self._text,
                at=datetime.now(UTC),
            )
            # A display that fails must not fail what it displays.
            with suppress(MainstayError):
                await self._storage.show_live(live)


@asynccontextmanager
async def live_display(
    storage: AgentStorage, thread: str, key: str, attempt: int
) -> AsyncIterator[LiveDisplay]:
    """Show a text for as long as the block lasts."""
    display = LiveDisplay(storage, thread, key, attempt)
    writing = asyncio.create_task(display._write())
    try:
        yield display
    finally:
        writing.cancel()
        await asyncio.wait([writing])
