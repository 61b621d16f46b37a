"""A worker in a process of its own: ``python fault_worker.py PARENT_PID TOOL_FILE...``.

Stops in good order at SIGTERM, and dies with its parent, so that no test leaves one behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from mainstay.connection import connect
from mainstay.devserver.launch import die_with_parent
from mainstay.schemas.errors import Unavailable
from mainstay.settings import Settings
from mainstay.worker import running_worker

READY = "the worker is ready"
GONE = "the worker has stopped"
RETRY_SECONDS = 0.1


async def serve(tools: list[str]) -> None:
    """Serve until SIGTERM; wait for a server that is not there yet."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings()
    while not stop.is_set():
        try:
            client = await connect(settings)
            break
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
    async with running_worker(client, settings, tools):
        print(READY, flush=True)
        await stop.wait()
    print(GONE, flush=True)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    asyncio.run(serve(sys.argv[2:]))
    sys.stdout.flush()
    # A process that used the SDK can crash while Python takes itself apart.
    os._exit(0)
