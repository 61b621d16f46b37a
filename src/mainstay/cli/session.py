"""A connection for the length of a command, with a server and a worker of its own if need be.

A Temporal server that answers is used. When none is configured and none answers, the embedded
one is started on the data directory's database and stopped in the end. The same holds for the
worker: when nobody serves the task queue, one runs in this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mainstay.cli.logs import log_to_file
from mainstay.cli.messages import hint, say
from mainstay.client import Mainstay
from mainstay.connection import (
    configured_address,
    explicit_address,
    has_worker,
    is_answering,
)
from mainstay.devserver import (
    DEFAULT_UI_PORT,
    DatabaseServed,
    DevServer,
    server_database,
    server_log,
    start_server,
)
from mainstay.schemas.errors import Unavailable
from mainstay.schemas.records import PlanRow
from mainstay.schemas.run import PLAN_ENDS, PlanStatus
from mainstay.settings import Settings
from mainstay.worker import running_worker

ANOTHER_STARTS_SECONDS = 10.0
"""How long a server that another command is starting just now is waited for."""
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Session:
    """What a command works with.

    Attributes:
        server: the embedded server that this command started and will stop; None otherwise.
        has_own_worker: whether the worker is in this process, and ends with it.
    """

    mainstay: Mainstay
    server: DevServer | None = None
    has_own_worker: bool = False

    @property
    def work_ends_with_it(self) -> bool:
        """Whether plans stop going on when this command ends."""
        return self.server is not None or self.has_own_worker


@asynccontextmanager
async def session(
    settings: Settings, *, need_worker: bool = False, tools: Sequence[str] = ()
) -> AsyncIterator[Mainstay]:
    """Give a connected client, for as long as the block lasts.

    Args:
        settings: where the data is, and the server if it is embedded.
        need_worker: whether plans must go on meanwhile.
        tools: further modules or files with tools, for a worker in this process.

    Raises:
        Unavailable: the configured server does not answer, or the embedded one cannot start.
    """
    async with open_session(settings, need_worker=need_worker, tools=tools) as opened:
        yield opened.mainstay


@asynccontextmanager
async def open_session(
    settings: Settings,
    *,
    need_worker: bool = False,
    tools: Sequence[str] = (),
    ui: bool = True,
) -> AsyncIterator[Session]:
    """Give what :func:`session` gives, and whose the server and the worker are."""
    log_to_file(settings.data_dir)
    async with AsyncExitStack() as closing:
        server = await find_or_start(settings, closing, ui=ui)
        address = server.address if server else configured_address(settings)
        mainstay = await closing.enter_async_context(
            await Mainstay.connect(settings, address=address)
        )
        works = False
        if need_worker and not await has_worker(mainstay.temporal, settings.task_queue):
            worker = running_worker(mainstay.temporal, settings, tools)
            await closing.enter_async_context(worker)
            works = True
            if server is None:
                say("no worker serves the plans: one works here until this command ends")
        elif need_worker and tools:
            say(f"another worker serves the queue {settings.task_queue!r}, without your --tools")
            hint("start that one with them, or set MAINSTAY_TASK_QUEUE to a name of its own")
        yield Session(mainstay, server, works)


async def find_or_start(
    settings: Settings, closing: AsyncExitStack, *, ui: bool = True
) -> DevServer | None:
    """Start the embedded server unless one answers; it is stopped with the stack.

    Raises:
        Unavailable: a server is configured and does not answer, or ours cannot start.
    """
    give_up = time.monotonic() + ANOTHER_STARTS_SECONDS
    while not await is_answering(configured_address(settings)):
        configured = explicit_address()
        if configured:
            raise Unavailable(
                f"no Temporal server answers at {configured}",
                hint="start it, or unset TEMPORAL_ADDRESS to use a server of this machine's own",
            )
        try:
            server = await start_own(settings, ui=ui)
        except DatabaseServed:
            # Another command is about to serve it: then that server is ours, too.
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(POLL_SECONDS)
            continue
        closing.push_async_callback(server.stop)
        say(f"started a Temporal server for this command; {_look_at(server)}")
        return server
    return None


async def start_own(
    settings: Settings,
    *,
    ui: bool = True,
    port: int | None = None,
    ui_port: int = DEFAULT_UI_PORT,
) -> DevServer:
    """Start the embedded server on the data directory's database."""
    return await start_server(
        database=server_database(settings),
        port=port,
        ui=ui,
        ui_port=ui_port,
        durability=settings.durability,
        binary=settings.temporal_binary,
        log=server_log(settings),
    )


async def unfinished(mainstay: Mainstay, limit: int = 100) -> list[PlanRow]:
    """Return the plans that have not ended, sub-plans left out, the newest first."""
    statuses = [status for status in PlanStatus if status not in PLAN_ENDS]
    rows = await mainstay.list(statuses=statuses, limit=limit)
    return [row for row in rows if not row.parent_id]


def _look_at(server: DevServer) -> str:
    return f"look at {server.ui_url}" if server.ui_url else f"it is at {server.address}"
