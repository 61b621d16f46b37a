"""How much memory an idle agent takes in its worker, and whether it still answers.

The worker has a process of its own, so that neither the server nor the client counts. All agents
are alive and stay in the worker's memory, which has room for a thousand workflows.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks import agent_bare
from benchmarks.bench import Bench
from benchmarks.command_line import PROGRAM
from benchmarks.report import Finding, finding
from benchmarks.rig import scratch_folder
from mainstay import Mainstay
from mainstay.connection import connect, has_worker
from mainstay.devserver import start_server
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.lifecycle import LifeState
from mainstay.settings import Settings

GOAL_KB = 150
AT_ONCE = 8
"""Agents that are spawned at the same time."""
WARM_UP = 30
START_SECONDS = 30
SETTLE_SECONDS = 2.0
"""How long memory is given to settle before it is read."""

Start = Callable[[int], Awaitable[object]]


async def measure(bench: Bench) -> list[Finding]:
    """Fill a worker with idle agents, and another one with bare workflows that wait."""
    count = bench.size(1_000, 100) - WARM_UP
    with scratch_folder() as folder:
        server = await start_server(database=folder / "temporal.db", ui=False)
        try:
            ours, answering = await _agents(folder, server.address, count)
            floor = await _bare(server.address, count)
        finally:
            await server.stop()
    note = f"{count + WARM_UP:,} alive; asked, they answer in {answering:.0f} ms (median)"
    return [
        finding("an idle agent in its worker", ours, "KB", goal=GOAL_KB, floor=floor, note=note)
    ]


async def _agents(folder: Path, address: str, count: int) -> tuple[float, float]:
    script = folder / "here.yaml"
    script.write_text("loop: true\nturns: [{say: here}]\n")
    spec = AgentSpec(name="a", model=f"script:{script}")
    settings = Settings(data_dir=folder, database_url="", tools=[])
    words = [PROGRAM, "worker"]
    more = {"MAINSTAY_DATA_DIR": str(folder), "TEMPORAL_ADDRESS": address}
    async with (
        _process(words, more) as worker,
        await Mainstay.connect(settings, address=address) as mainstay,
    ):
        await _until_served(address, settings.task_queue)
        names = iter(range(count + WARM_UP))
        grown = await _growth(
            worker, count, lambda _: mainstay.spawn(spec, name=f"a{next(names)}"), mainstay
        )
        rows = (await mainstay.agents(states=[LifeState.RUNNING]))[:: max(count // 20, 1)]
        took = []
        for row in rows:
            began = perf_counter()
            await mainstay.agent_handle(row.agent_id).ask("Are you there?")
            took.append((perf_counter() - began) * 1e3)
    return grown, median(took)


async def _bare(address: str, count: int) -> float:
    client = await connect(Settings(), address=address)

    async def start(number: int) -> object:
        name = f"idle-{number}-{count}"
        return await client.start_workflow(agent_bare.WAITER, id=name, task_queue=agent_bare.QUEUE)

    words = [sys.executable, "-m", agent_bare.__name__, address]
    async with _process(words, {}) as worker:
        await _until_served(address, agent_bare.QUEUE)
        return await _growth(worker, count, start, None)


async def _growth(worker: int, count: int, start: Start, mainstay: Mainstay | None) -> float:
    """Return by how many KB each started workflow makes a process larger."""
    await _start(range(count, count + WARM_UP), start)
    await _until_running(mainstay, WARM_UP)
    before = await _settled_kb(worker)
    await _start(range(count), start)
    await _until_running(mainstay, count + WARM_UP)
    return (await _settled_kb(worker) - before) / count


async def _start(numbers: Sequence[int], start: Start) -> None:
    for first in range(0, len(numbers), AT_ONCE):
        await asyncio.gather(*(start(number) for number in numbers[first : first + AT_ONCE]))


async def _until_running(mainstay: Mainstay | None, count: int) -> None:
    while mainstay is not None:
        if len(await mainstay.agents(states=[LifeState.RUNNING], limit=5_000)) >= count:
            return
        await asyncio.sleep(0.2)


async def _settled_kb(process: int) -> float:
    await asyncio.sleep(SETTLE_SECONDS)
    status = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return float(line.split()[1])


async def _until_served(address: str, queue: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                if await has_worker(await connect(Settings(), address=address), queue):
                    return
            except MainstayError:
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _process(words: Sequence[str], more: dict[str, str]) -> AsyncIterator[int]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "MAINSTAY_"))}
    process = await asyncio.create_subprocess_exec(
        *words, env={**clean, **more}, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()
