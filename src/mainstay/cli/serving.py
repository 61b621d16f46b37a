"""Serving plans until somebody says stop, or the server ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from temporalio.client import Client

from mainstay.cli.interrupts import Interrupts, catching
from mainstay.cli.leaving import leave
from mainstay.cli.messages import say
from mainstay.devserver import DevServer
from mainstay.schemas.errors import Unavailable
from mainstay.settings import Settings
from mainstay.worker import MAX_ACTIVITIES, running_worker


async def serve(
    client: Client,
    settings: Settings,
    tools: Sequence[str],
    ready: Callable[[], Awaitable[None]],
    *,
    server: DevServer | None = None,
    max_activities: int = MAX_ACTIVITIES,
) -> None:
    """Run a worker until Ctrl-C or SIGTERM; a second one stops it without grace.

    Args:
        client: connected to the Temporal server.
        settings: which queue and which database.
        tools: further modules or files with tools.
        ready: is awaited when plans are being served.
        server: whose end ends this, too.
        max_activities: pieces of work done at once.

    Raises:
        Unavailable: the server ended.
    """
    with catching() as interrupts:
        closing = AsyncExitStack()
        try:
            await closing.enter_async_context(
                running_worker(client, settings, tools, max_activities=max_activities)
            )
            await ready()
            await _wait_for_reason(interrupts, server)
        finally:
            await _close(closing, interrupts, server)


async def _wait_for_reason(interrupts: Interrupts, server: DevServer | None) -> None:
    interrupt = asyncio.create_task(interrupts.next())
    reasons: list[asyncio.Task[Any]] = [interrupt]  # Any: tasks of different results
    if server is not None:
        reasons.append(asyncio.create_task(server.wait_ended()))
    try:
        done, _ = await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        if interrupt not in done:
            end = reasons[1].result()
            raise Unavailable(
                end.reason, hint="type `mainstay up` again: plans go on where they were"
            )
        say("\nstopping; Ctrl-C again stops at once")
    finally:
        for task in reasons:
            task.cancel()


async def _close(closing: AsyncExitStack, interrupts: Interrupts, server: DevServer | None) -> None:
    """Let running tools end within the worker's grace, unless another signal comes."""
    stopping = asyncio.create_task(closing.aclose())
    again = asyncio.create_task(interrupts.next())
    await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        again.cancel()
        stopping.result()
        return
    if server is not None:
        await server.stop(grace_seconds=0)
    # The event loop would wait for the tools that are still running.
    leave(128 + again.result())
