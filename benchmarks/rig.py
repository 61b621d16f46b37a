"""What the benchmarks run on: servers with workers beside them, in folders that go away again."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from temporalio.client import Client, WorkflowHistory

from benchmarks import bare
from mainstay import Mainstay
from mainstay.connection import connect, is_answering
from mainstay.devserver import start_server
from mainstay.devserver.binary import find_binary
from mainstay.devserver.ports import find_free_port
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import PlanStatus
from mainstay.settings import Settings
from mainstay.worker import running_worker

START_SECONDS = 30


@dataclass(frozen=True)
class Rig:
    """A server on a database file, and two workers in this process: ours and a bare one."""

    settings: Settings
    temporal: Client
    mainstay: Mainstay

    async def run(self, plan: PlanSpec) -> tuple[float, str]:
        """Run a plan to its end; return how many seconds that took, and its id.

        Raises:
            RuntimeError: it did not succeed.
        """
        began = perf_counter()
        handle = await self.mainstay.start(plan)
        result = await handle.result()
        took = perf_counter() - began
        if result.status is not PlanStatus.SUCCEEDED:
            raise RuntimeError(f"{handle.id} {result.status}: {result.failure}")
        return took, handle.id

    async def run_bare(self, workflow: str, size: int) -> tuple[float, str]:
        """Run a workflow of :mod:`benchmarks.bare`; return the seconds it took, and its id."""
        began = perf_counter()
        name = f"{workflow}-{began}"
        await self.temporal.execute_workflow(workflow, size, id=name, task_queue=bare.QUEUE)
        return perf_counter() - began, name

    async def history_of(self, workflow_id: str) -> WorkflowHistory:
        """Return what Temporal keeps of a workflow."""
        return await self.temporal.get_workflow_handle(workflow_id).fetch_history()


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """Our own server, tuned, with workers; everything is gone afterwards."""
    with scratch_folder() as folder:
        server = await start_server(database=folder / "temporal.db", ui=False)
        try:
            async with _workers(folder, server.address) as made:
                yield made
        finally:
            await server.stop()


@asynccontextmanager
async def stock_rig() -> AsyncIterator[Rig]:
    """The same on a server as it comes: ``temporal server start-dev --db-filename``."""
    with scratch_folder() as folder:
        async with _stock_server(folder) as address, _workers(folder, address) as made:
            yield made


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="mainstay-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _workers(folder: Path, address: str) -> AsyncIterator[Rig]:
    settings = Settings(data_dir=folder, database_url="", tools=[])
    temporal = await connect(settings, address=address)
    async with (
        running_worker(temporal, settings),
        bare.bare_worker(temporal),
        await Mainstay.connect(settings, address=address) as mainstay,
    ):
        yield Rig(settings, temporal, mainstay)


@asynccontextmanager
async def _stock_server(folder: Path) -> AsyncIterator[str]:
    port = find_free_port()
    command = [str(find_binary("")), "server", "start-dev", "--headless", "--log-level", "error"]
    command += ["--port", str(port), "--db-filename", str(folder / "temporal.db")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await is_answering(f"127.0.0.1:{port}"):
                await asyncio.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        await asyncio.to_thread(server.wait)
