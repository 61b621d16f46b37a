"""The embedded server for real: it starts, lasts, dies with its parent and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.connection import connect, is_answering
from mainstay.devserver import find_free_port, find_live_server, start_server
from mainstay.devserver.lock import lock_path, take_lock
from mainstay.devserver.ports import is_free
from mainstay.schemas.search import SEARCH_ATTRIBUTES

PARENT = """
import asyncio, sys
from pathlib import Path
from mainstay.devserver import start_server
async def main():
    server = await start_server(database=Path(sys.argv[1]), ui=False)
    print(server.pid, server.address, flush=True)
    await server.wait_ended()
asyncio.run(main())
"""


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def test_is_ready_within_three_seconds_and_answers(tmp_path):
    begin = time.monotonic()
    server = await start_server(database=tmp_path / "t.db", log=tmp_path / "t.log")
    try:
        assert time.monotonic() - begin < 3
        assert await is_answering(server.address)
        assert server.ui_url.startswith("http://127.0.0.1:")
    finally:
        await server.stop(grace_seconds=0)


async def test_keeps_what_it_knew_over_a_kill_and_a_restart(tmp_path, settings):
    database = tmp_path / "t.db"
    first = await start_server(database=database, ui=False)
    client = await connect(settings, address=first.address)
    await client.start_workflow("Nobody", id="kept", task_queue="nobody")
    os.kill(first.pid, signal.SIGKILL)
    end = await first.wait_ended()
    assert end.exit_code == -signal.SIGKILL
    assert "killed by signal 9" in end.reason
    await first.stop()
    second = await start_server(database=database, ui=False)
    try:
        client = await connect(settings, address=second.address)
        assert (await client.get_workflow_handle("kept").describe()).id == "kept"
    finally:
        await second.stop(grace_seconds=0)


async def test_dies_with_a_killed_parent_and_gives_the_database_back(tmp_path):
    database = tmp_path / "t.db"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(database)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        line = await asyncio.to_thread(parent.stdout.readline)
        pid, address = int(line.split()[0]), line.split()[1]
        live = find_live_server(database)
        assert live is not None
        assert (live.pid, live.address) == (parent.pid, address)
        assert is_alive(pid)
    finally:
        parent.kill()
        parent.communicate()
    await until(lambda: not is_alive(pid) and find_live_server(database) is None, 3)
    second = await start_server(database=database, ui=False)
    await second.stop(grace_seconds=0)


async def test_stop_leaves_no_process_no_port_and_no_lock(tmp_path):
    database = tmp_path / "t.db"
    server = await start_server(database=database, ui=False)
    port = int(server.address.rpartition(":")[2])
    await server.stop()
    assert not is_alive(server.pid)
    assert is_free(port)
    assert find_live_server(database) is None
    assert (await server.wait_ended()).reason == "the Temporal server was stopped"
    await server.stop()


async def test_server_process_holds_the_lock_of_its_database_too(tmp_path):
    server = await start_server(database=tmp_path / "t.db", ui=False)
    try:
        held = {str(link.readlink()) for link in Path(f"/proc/{server.pid}/fd").iterdir()}
        assert str(lock_path(tmp_path / "t.db")) in held
    finally:
        await server.stop(grace_seconds=0)


async def test_start_that_is_cancelled_leaves_no_server(tmp_path):
    database = tmp_path / "t.db"
    starting = asyncio.create_task(start_server(database=database, ui=False))
    await until(lambda: lock_path(database).exists())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    take_lock(database).release()  # it would be held by a server that is left


async def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path):
    server = await start_server(database=None, ui=False)
    try:
        assert os.getsid(server.pid) == server.pid != os.getsid(0)
    finally:
        await server.stop(grace_seconds=0)


async def test_taken_ui_port_is_replaced_by_a_free_one(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        wanted = taken.getsockname()[1]
        server = await start_server(database=None, port=find_free_port(), ui_port=wanted)
        try:
            assert server.ui_url
            assert not server.ui_url.endswith(f":{wanted}")
        finally:
            await server.stop(grace_seconds=0)


async def test_knows_our_search_attributes(temporal_client):
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

    known = await temporal_client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    assert set(SEARCH_ATTRIBUTES) <= set(known.custom_attributes)
