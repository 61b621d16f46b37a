"""Putting right what a process left half done when it died: bells unheard, agents not started.

Each worker looks now and then. What several workers do at the same moment happens once, because
a bell that is rung twice is answered once and an agent that is started twice is started once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from mainstay.activities.doorbell import ring
from mainstay.agent_start import start_agent
from mainstay.schemas.errors import MainstayError, NotFound
from mainstay.schemas.lifecycle import LifeState
from mainstay.storage.store import Store

SWEEP_SECONDS = 5.0
"""How often it is looked."""

PATIENCE = timedelta(seconds=5)
"""How long a bell or a start may take before it is taken to be lost."""


@asynccontextmanager
async def sweeping(client: Client, store: Store, task_queue: str) -> AsyncIterator[None]:
    """Look now and then for as long as the block lasts."""
    sweeper = asyncio.create_task(_sweep_for_ever(client, store, task_queue))
    try:
        yield
    finally:
        sweeper.cancel()
        await asyncio.wait([sweeper])


async def sweep(client: Client, store: Store, task_queue: str) -> None:
    """Ring again the bells that nobody heard, and start the agents that were only written down."""
    before = datetime.now(UTC) - PATIENCE
    await ring(client, await store.unanswered_bells(before))
    for row in await store.list_agents(states=[LifeState.INITIALIZING], limit=100):
        if row.created_at < before:
            try:
                await start_agent(client, store, row.agent_id, task_queue)
            except NotFound:
                continue  # a plan's own agent: its plan starts it


async def _sweep_for_ever(client: Client, store: Store, task_queue: str) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await sweep(client, store, task_queue)
        except (MainstayError, RPCError):
            continue  # the server or the database is away; the next sweep sees to it
