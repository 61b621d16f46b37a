"""What teams are measured on: a server and workers, each a process whose CPU time can be read."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from time import perf_counter
from urllib.request import urlopen

from temporalio.client import Client

from benchmarks import team_bare
from benchmarks.command_line import PROGRAM
from benchmarks.rig import scratch_folder
from mainstay import Mainstay
from mainstay.connection import connect, has_worker
from mainstay.devserver import DevServer, start_server
from mainstay.schemas.errors import MainstayError
from mainstay.settings import Settings

START_SECONDS = 60
_REQUESTS = re.compile(r"^service_requests\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_LISTENS = "0A"
_TICKS = os.sysconf("SC_CLK_TCK")
POLLS = ("PollWorkflowTaskQueue", "PollActivityTaskQueue", "PollNexusTaskQueue")
"""How workers wait for work: they do so whether or not there is any."""


@dataclass(frozen=True)
class Spent:
    """What a piece of work took: seconds of time, and seconds of two processes' CPU."""

    seconds: float
    server: float
    worker: float

    def __str__(self) -> str:
        return f"CPU: server {self.server:.1f} s, worker {self.worker:.1f} s"


class Meter:
    """Measures from its making on."""

    def __init__(self, server: int, worker: int) -> None:
        self._processes = (server, worker)
        self._before = self._now()

    def read(self) -> Spent:
        """Return what was spent so far."""
        return Spent(*(now - then for now, then in zip(self._now(), self._before, strict=True)))

    def _now(self) -> tuple[float, float, float]:
        server, worker = self._processes
        return perf_counter(), cpu_seconds(server), cpu_seconds(worker)


@dataclass(frozen=True)
class TeamRig:
    """A server, a worker of ours and a bare one in processes of their own, and clients here."""

    settings: Settings
    mainstay: Mainstay
    plain: Client
    server: int
    worker: int
    bare_worker: int
    metrics: str

    def meter(self) -> Meter:
        """Begin to measure our own work."""
        return Meter(self.server, self.worker)

    def bare_meter(self) -> Meter:
        """Begin to measure bare work."""
        return Meter(self.server, self.bare_worker)

    async def requests(self) -> Counter[str]:
        """Return how many requests the server's front end has had, by operation.

        Its own clients' are among them; waiting for work (:data:`POLLS`) is not.
        """
        text = await asyncio.to_thread(_fetch, self.metrics)
        found: Counter[str] = Counter()
        for labels, value in _REQUESTS.findall(text):
            named = dict(_LABEL.findall(labels))
            if named.get("service_name") == "frontend" and named["operation"] not in POLLS:
                found[named["operation"]] += int(float(value))
        return found


@asynccontextmanager
async def team_rig() -> AsyncIterator[TeamRig]:
    """Everything is gone afterwards."""
    with scratch_folder() as folder:
        server = await start_server(database=folder / "temporal.db", ui=False)
        try:
            async with _rig(folder, server) as made:
                yield made
        finally:
            await server.stop()


@asynccontextmanager
async def _rig(folder: Path, server: DevServer) -> AsyncIterator[TeamRig]:
    settings = Settings(data_dir=folder, database_url="", tools=[])
    metrics = await asyncio.to_thread(_find_metrics, server.pid)
    more = {"MAINSTAY_DATA_DIR": str(folder), "TEMPORAL_ADDRESS": server.address}
    bare = [sys.executable, "-m", team_bare.__name__, server.address]
    async with (
        _process([PROGRAM, "worker"], more) as worker,
        _process(bare, {}) as bare_worker,
        await Mainstay.connect(settings, address=server.address) as mainstay,
    ):
        await _until_served(server.address, settings.task_queue)
        await _until_served(server.address, team_bare.QUEUE)
        plain = await Client.connect(server.address)
        yield TeamRig(settings, mainstay, plain, server.pid, worker, bare_worker, metrics)


def cpu_seconds(process: int) -> float:
    """Return how long a process has used a processor so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def load() -> str:
    """Say how busy the machine is besides."""
    return f"load {os.getloadavg()[0]:.1f}"


def _find_metrics(process: int) -> str:
    """Return where a server tells its metrics: on one of its ports, of its own choice."""
    for port in _ports(process):
        address = f"http://127.0.0.1:{port}/metrics"
        try:
            if "service_requests" in _fetch(address):
                return address
        except (OSError, HTTPException, UnicodeDecodeError):
            continue
    raise RuntimeError("the server tells no metrics on any of its ports")


def _ports(process: int) -> list[int]:
    """Return the ports that a process listens on."""
    own = {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir()}
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(row[1].partition(":")[2], 16)
        for row in table
        if row[3] == _LISTENS and f"socket:[{row[9]}]" in own
    ]


def _fetch(address: str) -> str:
    with urlopen(address, timeout=5) as answer:
        text: bytes = answer.read()
    return text.decode()


async def _until_served(address: str, queue: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                if await has_worker(await connect(Settings(), address=address), queue):
                    return
            except MainstayError:
                pass
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _process(words: Sequence[str], more: dict[str, str]) -> AsyncIterator[int]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "MAINSTAY_"))}
    process = await asyncio.create_subprocess_exec(
        *words, env={**clean, **more}, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            process.terminate()
        await process.wait()
