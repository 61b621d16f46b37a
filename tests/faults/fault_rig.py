"""A Temporal server and workers in processes of their own, which a test may kill.

A rig survives its server: the next one listens on the same port and serves the same database.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from fault_tools import open_ledger
from fault_worker import GONE, READY

from mainstay.client import Mainstay
from mainstay.devserver import DevServer, find_free_port, start_server
from mainstay.settings import Settings

HERE = Path(__file__).parent
TOOLS = HERE / "fault_tools.py"
POLL_SECONDS = 0.01
HEARTBEAT_SECONDS = 2
KEPT = ("PATH", "HOME", "PYTHONPATH")
"""What of this process's environment a worker is given."""


async def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it did not come true in time.
    """
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"not within {seconds} s: {what}"
        await asyncio.sleep(POLL_SECONDS)


class WorkerProcess:
    """One worker. It dies with this process."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / "fault_worker.py"), str(os.getpid()), str(TOOLS)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        self.pid = self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it asks the server for work."""
        return READY in self.said()

    @property
    def has_stopped_well(self) -> bool:
        """Whether it left in good order."""
        return self._process.poll() == 0 and GONE in self.said()

    def said(self) -> str:
        """Everything it printed."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop it where it is, every thread of it."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def kill(self) -> None:
        """Kill it, if it lives, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    async def ready(self) -> None:
        """Wait until it asks the server for work."""
        await until(lambda: self.is_ready or self._process.poll() is not None, "ready worker")
        assert self.is_ready, self.said()

    async def gone(self, seconds: float) -> None:
        """Wait until the process has ended by itself."""
        await until(lambda: self._process.poll() is not None, f"end of worker {self.pid}", seconds)


class Rig:
    """One server at a time, any number of workers, and a client that outlives them all."""

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        self.folder = folder
        self.database = store or folder / "mainstay.db"
        self.port = find_free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.settings = Settings(
            data_dir=folder,
            database_url=f"sqlite:///{self.database}",
            heartbeat_timeout=timedelta(seconds=HEARTBEAT_SECONDS),
        )
        self.workers: list[WorkerProcess] = []
        self.server: DevServer | None = None
        self.mainstay: Mainstay

    async def start_server(self) -> None:
        """Start the server, or start it again."""
        self.server = await start_server(
            database=self.folder / "temporal.db", port=self.port, ui=False
        )

    async def kill_server(self) -> None:
        """Kill the server and wait until it is gone."""
        assert self.server is not None
        os.kill(self.server.pid, signal.SIGKILL)
        await self.server.wait_ended()
        await self.server.stop()

    def start_worker(self, **settings: str) -> WorkerProcess:
        """Start one more worker; it need not be ready when this returns."""
        kept = {name: value for name, value in os.environ.items() if name in KEPT}
        environment = {
            **kept,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "TEMPORAL_ADDRESS": self.address,
            "MAINSTAY_DATA_DIR": str(self.folder),
            "MAINSTAY_DATABASE_URL": self.settings.database_url,
            "MAINSTAY_HEARTBEAT_TIMEOUT": str(HEARTBEAT_SECONDS),
            **settings,
        }
        log = self.folder / f"worker-{len(self.workers)}.log"
        self.workers.append(WorkerProcess(log, environment))
        return self.workers[-1]

    async def close(self) -> None:
        """End every process."""
        for worker in self.workers:
            worker.kill()
        if self.server is not None:
            await self.server.stop(grace_seconds=0)


@asynccontextmanager
async def running_rig(
    folder: Path, workers: int = 1, store: Path | None = None
) -> AsyncIterator[Rig]:
    """Run a server with some workers that are ready; ``store`` is Mainstay's own database."""
    folder.mkdir(parents=True, exist_ok=True)
    rig = Rig(folder, store)
    try:
        await rig.start_server()
        for _ in range(workers):
            rig.start_worker()
        async with await Mainstay.connect(rig.settings, address=rig.address) as rig.mainstay:
            for worker in rig.workers:
                await worker.ready()
            yield rig
    finally:
        await rig.close()


def is_free(database: Path) -> bool:
    """Tell whether nobody stays in the middle of a write to an SQLite file."""
    with closing(sqlite3.connect(database, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
    return True


class Ledger:
    """What the tools of one run left behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        open_ledger(path).close()

    def effects(self) -> list[str]:
        """Return the name of each effect, one for each key."""
        return [name for (name,) in self._rows("SELECT name FROM effects ORDER BY name")]

    def calls(self) -> list[tuple[str, float]]:
        """Return the name and the time of each call, in the order they were made."""
        return [(name, at) for name, at in self._rows("SELECT name, at FROM calls ORDER BY at")]

    def effect_times(self) -> list[float]:
        """Return when each effect happened, in order."""
        return [at for (at,) in self._rows("SELECT at FROM effects ORDER BY at")]

    def busy(self) -> set[int]:
        """Return the processes that are in the middle of a call, or died there."""
        query = "SELECT pid FROM calls WHERE key NOT IN (SELECT key FROM effects)"
        return {int(pid) for (pid,) in self._rows(query)}

    @property
    def doubles(self) -> int:
        """How many calls were made again for a key that had been called before."""
        return int(self._rows("SELECT count(*) - count(DISTINCT key) FROM calls")[0][0])

    def _rows(self, query: str) -> list[tuple[Any, ...]]:  # Any: a row's columns
        with closing(open_ledger(self.path)) as connection:
            return connection.execute(query).fetchall()
