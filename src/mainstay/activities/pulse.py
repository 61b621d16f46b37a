"""Signs of life of an activity, so that a dead worker is noticed and a cancel arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

INTERVAL_SECONDS = 1.0
"""Also how soon a cancel arrives at the latest: the server answers a heartbeat with it."""


@asynccontextmanager
async def pulse() -> AsyncIterator[None]:
    """Send heartbeats for as long as the block lasts; work of under a second sends none."""
    beating = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beating.cancel()


async def _beat() -> None:
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        activity.heartbeat()
