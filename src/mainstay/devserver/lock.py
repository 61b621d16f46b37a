"""One live server per database: a lock file beside it, held as long as the server lives.

The lock is `flock`'s, on an open file that the server process inherits. So the kernel drops it
when the last of the two has gone, however they went, and a stale lock cannot exist.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from pydantic import ValidationError

from mainstay.schemas.errors import Unavailable
from mainstay.schemas.model import Model

RELEASE_SECONDS = 1.0
"""A killed owner's server dies within milliseconds; so long is it waited for."""
_RETRY_SECONDS = 0.02


class DatabaseServed(Unavailable):
    """Another server has the database, or is just starting on it."""


class LiveServer(Model):
    """Who serves a database. ``pid`` is the process that started the server."""

    pid: int
    address: str
    ui_url: str = ""


class DatabaseLock:
    """The right to serve one database. Made by :func:`take_lock`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def publish(self, server: LiveServer) -> None:
        """Write down who serves, for those who find the database locked."""
        body = server.model_dump_json().encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, body, 0)

    def release(self) -> None:
        """Give the right back; a second call changes nothing."""
        if self.descriptor < 0:
            return
        os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)
        self.descriptor = -1


def lock_path(database: Path) -> Path:
    """Where the lock of a database is."""
    return database.with_name(database.name + ".lock")


def take_lock(database: Path) -> DatabaseLock:
    """Take the right to serve a database. Waits at most :data:`RELEASE_SECONDS`.

    Raises:
        DatabaseServed: a live server has it.
        Unavailable: the folder cannot be written.
    """
    path = lock_path(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(
            f"cannot write to the data directory {str(database.parent)!r}: {error.strerror}",
            hint="set MAINSTAY_DATA_DIR to a folder that you may write to",
        ) from error
    give_up = time.monotonic() + RELEASE_SECONDS
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > give_up:
            owner = _read(descriptor)
            os.close(descriptor)
            raise _served(database, owner)
        time.sleep(_RETRY_SECONDS)
    os.ftruncate(descriptor, 0)
    return DatabaseLock(descriptor)


def find_live_server(database: Path) -> LiveServer | None:
    """Find out who serves a database now; None when nobody does or it is still starting."""
    try:
        descriptor = os.open(lock_path(database), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _try_lock(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> LiveServer | None:
    try:
        return LiveServer.model_validate_json(os.pread(descriptor, 4096, 0))
    except ValidationError:
        return None


def _served(database: Path, owner: LiveServer | None) -> DatabaseServed:
    if owner is None:
        return DatabaseServed(
            f"the database {str(database)!r} is locked by a server that is just starting",
            hint="try again in a moment",
        )
    return DatabaseServed(
        f"the database {str(database)!r} is already served at {owner.address} "
        f"by process {owner.pid}",
        hint=f"use that server, or stop it: kill {owner.pid}",
    )
