"""A PostgreSQL server of the tests' own, from the binaries that are there."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS = 30.0


class NoPostgres(Exception):
    """There is no PostgreSQL to start; the message says why."""


@contextmanager
def running_postgres() -> Iterator[Path]:
    """Start a server on a socket in a folder of its own, yield the folder, leave nothing behind."""
    initdb, postgres = _binary("initdb"), _binary("postgres")
    as_user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    try:
        if as_user:
            os.chown(folder, as_user["user"], as_user["group"])
        data = folder / "data"
        made = subprocess.run(
            [initdb, "-D", data, "-U", "tester", "-E", "UTF8", "--no-locale", "-A", "trust", "-N"],
            capture_output=True,
            text=True,
            cwd=folder,
            **as_user,
        )
        if made.returncode != 0:
            raise NoPostgres(f"initdb failed: {made.stderr.strip()[-300:]}")
        with _serving(postgres, data, folder, as_user):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(postgres: str, data: Path, folder: Path, as_user: dict[str, Any]) -> Iterator[None]:
    settings = (
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "timezone=Asia/Tokyo",
    )
    command = [postgres, "-D", str(data), "-k", str(folder), "-h", ""]
    command += [part for setting in settings for part in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **as_user)
        try:
            _wait_for(server, folder)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="tester", dbname="postgres").close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                log = (folder / "log").read_text(errors="replace")[-300:]
                raise NoPostgres(f"postgres did not start: {log}") from error
            time.sleep(0.02)


def _binary(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        raise NoPostgres(f"no {name} on the PATH or in /usr/lib/postgresql")
    return found


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root, so root lends it another user."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise NoPostgres("running as root, and there is no user postgres or nobody to run it as")
