"""Starting the embedded Temporal server, and everything that can go wrong with that."""

from __future__ import annotations

import asyncio
import os
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import ConnectConfig, RPCError, ServiceClient

from mainstay.devserver.binary import find_binary
from mainstay.devserver.lock import DatabaseLock, LiveServer, take_lock
from mainstay.devserver.options import Durability, ServerOptions, server_environment
from mainstay.devserver.output import ServerLog
from mainstay.devserver.ports import find_free_port, is_free, port_taken, require_free
from mainstay.devserver.process import ChildProcess
from mainstay.devserver.server import DevServer, describe_end
from mainstay.schemas.errors import Unavailable

READY_SECONDS = 30.0
"""Longest start: a large database that was killed has its write-ahead log to read first."""
POLL_SECONDS = 0.02
RPC_TIMEOUT = timedelta(seconds=5)
START_ATTEMPTS = 3
"""Starts on ports of our own choice, of which another program may take one meanwhile."""
_PORT_LOST = re.compile(r"address already in use|can't set \S*port|port \S+ is (already|not)")


async def start_server(
    *,
    database: Path | None,
    port: int | None = None,
    ui_port: int | None = None,
    ui: bool = True,
    durability: Durability = "normal",
    binary: str = "",
    log: Path | None = None,
) -> DevServer:
    """Start a server and wait until it answers.

    Args:
        database: Its SQLite file, made when missing; None keeps everything in memory.
        port: The port to listen on; None takes a free one.
        ui_port: The wanted port of the Web UI; a free one is taken when it is in use.
        ui: False starts no Web UI.
        durability: "full" also survives a power cut.
        binary: The program to use instead of looking for one.
        log: A file to append the server's warnings to; None keeps them until it stops.

    Raises:
        NotFound: there is no program to start.
        InvalidInput: ``port`` is no port.
        Unavailable: the port is taken, the database is served by another, a folder cannot be
            written, or the server did not start.
    """
    wish = _Wish(find_binary(binary), database, port, ui_port, ui, durability)
    with ExitStack() as undo:
        lock = None
        if database is not None:
            lock = await asyncio.to_thread(take_lock, database)
            undo.callback(lock.release)
        # After the lock: who finds the database served wants to hear that, not of its port.
        if port is not None:
            require_free(port)
        output = ServerLog(log)
        undo.callback(output.close)
        server = await _start(wish, output, lock)
        undo.pop_all()
        return server


@dataclass(frozen=True)
class _Wish:
    """What was asked for, before ports were chosen."""

    binary: Path
    database: Path | None
    port: int | None
    ui_port: int | None
    ui: bool
    durability: Durability

    def choose_ports(self) -> ServerOptions:
        wanted = self.ui_port if self.ui_port is not None and is_free(self.ui_port) else None
        return ServerOptions(
            binary=self.binary,
            port=find_free_port() if self.port is None else self.port,
            database=self.database,
            ui_port=(wanted or find_free_port()) if self.ui else None,
            durability=self.durability,
        )


class _PortLost(Exception):
    """Another program took a port between our look and the server's start."""


async def _start(wish: _Wish, log: ServerLog, lock: DatabaseLock | None) -> DevServer:
    for _ in range(START_ATTEMPTS):
        options = wish.choose_ports()
        try:
            child = await _start_once(options, log, lock)
        except _PortLost:
            if wish.port is not None and not is_free(wish.port):
                raise port_taken(wish.port) from None
            continue
        server = DevServer(options, child, log, lock)
        if lock is not None:
            lock.publish(LiveServer(pid=os.getpid(), address=server.address, ui_url=server.ui_url))
        return server
    raise Unavailable(
        f"the Temporal server found its ports taken {START_ATTEMPTS} times{log.quote_tail()}",
        hint="try again, or choose a port with --port",
    )


async def _start_once(
    options: ServerOptions, log: ServerLog, lock: DatabaseLock | None
) -> ChildProcess:
    keep_open = [lock.descriptor] if lock else []
    child = ChildProcess(options.command(), log.file, keep_open, server_environment())
    try:
        await child.start()
        await _wait_ready(options, child, log)
    except BaseException:
        await child.stop(grace_seconds=0)
        raise
    return child


async def _wait_ready(options: ServerOptions, child: ChildProcess, log: ServerLog) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while not await _answers(options):
        if child.exit_code is not None:
            if _PORT_LOST.search(log.read()):
                raise _PortLost
            raise Unavailable(
                f"the Temporal server {describe_end(child.exit_code)} while it started"
                f"{log.quote_tail()}",
                hint=_hint_for(options),
            )
        if time.monotonic() > give_up:
            raise Unavailable(
                f"the Temporal server did not answer at {options.address} "
                f"within {READY_SECONDS:.0f} s{log.quote_tail()}",
                hint="look at the load of this machine, then try again",
            )
        await asyncio.sleep(POLL_SECONDS)


async def _answers(options: ServerOptions) -> bool:
    host, _, port = options.address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
        client = await ServiceClient.connect(ConnectConfig(target_host=options.address))
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace="default"), timeout=RPC_TIMEOUT
        )
    except (OSError, RPCError, RuntimeError):
        return False
    return True


def _hint_for(options: ServerOptions) -> str:
    if options.database is None:
        return "run `mainstay doctor`"
    return (
        f"if the database {str(options.database)!r} is damaged or from a newer version, "
        "move it away; a new one is made"
    )
