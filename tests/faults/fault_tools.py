"""Tools with effects that can be counted, for workers that are killed.

Each call leaves two marks in one SQLite file, the ledger: an *effect*, once for its idempotency
key, and a *call*, every time. The calls are the control: over many kills some of them must be
there twice, or the kills hit nothing and the single effects prove nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from mainstay.tools.tool import context, tool

SCHEMA = """
CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, name TEXT, at REAL);
CREATE TABLE IF NOT EXISTS calls (key TEXT, name TEXT, pid INTEGER, at REAL);
"""
GATE_SECONDS = 0.02
LOCK_SECONDS = 60.0
"""A worker that is stopped by a signal may hold the ledger's lock; the others wait this long."""


def open_ledger(path: Path) -> sqlite3.Connection:
    """Open the ledger, made when it is new. Every statement is a transaction of its own."""
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")  # processes are killed here, not machines
    connection.executescript(SCHEMA)
    return connection


def _call(ledger: str, name: str) -> None:
    with closing(open_ledger(Path(ledger))) as connection:
        connection.execute(
            "INSERT INTO calls VALUES (?, ?, ?, ?)",
            (context().key, name, os.getpid(), time.time()),
        )


def _effect(ledger: str, name: str) -> dict[str, str]:
    with closing(open_ledger(Path(ledger))) as connection:
        connection.execute(
            "INSERT INTO effects VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (context().key, name, time.time()),
        )
    return put_result(name)


def put_result(name: str) -> dict[str, str]:
    """Return what putting something gives back, always the same for a name."""
    return {"name": name, "digest": hashlib.sha256(name.encode()).hexdigest()[:12]}


def _put(ledger: str, name: str, seconds: float) -> dict[str, str]:
    _call(ledger, name)
    time.sleep(seconds / 2)
    done = _effect(ledger, name)
    time.sleep(seconds / 2)
    return done


@tool(name="ledger.names")
def names(prefix: str, count: int) -> list[str]:
    """Name some items.

    Args:
        prefix: what each name begins with.
        count: how many.
    """
    return [f"{prefix}-{number:03}" for number in range(count)]


@tool(name="ledger.put")
def put(ledger: str, name: str, seconds: float = 0.0) -> dict[str, str]:
    """Leave both marks, in a thread; half of the time passes between them.

    Args:
        ledger: the file.
        name: what is put there.
        seconds: how long it takes.
    """
    return _put(ledger, name, seconds)


@tool(name="ledger.put_async")
async def put_async(ledger: str, name: str, seconds: float = 0.0) -> dict[str, str]:
    """Leave both marks, on the event loop; half of the time passes between them.

    Args:
        ledger: the file.
        name: what is put there.
        seconds: how long it takes.
    """
    _call(ledger, name)
    await asyncio.sleep(seconds / 2)
    done = _effect(ledger, name)
    await asyncio.sleep(seconds / 2)
    return done


@tool(name="ledger.wait")
async def wait(ledger: str, name: str, gate: str) -> dict[str, str]:
    """Leave the first mark, wait until a file is there, and leave the second one.

    Args:
        ledger: the file.
        name: what is put there.
        gate: the file that is waited for.
    """
    _call(ledger, name)
    while not Path(gate).exists():
        await asyncio.sleep(GATE_SECONDS)
    return _effect(ledger, name)


@tool(name="ledger.put_once", idempotent=False)
def put_once(ledger: str, name: str, seconds: float = 0.0) -> dict[str, str]:
    """Leave both marks; says of itself that it must not be done twice.

    Args:
        ledger: the file.
        name: what is put there.
        seconds: how long it takes.
    """
    return _put(ledger, name, seconds)
