"""How long people wait: for the first word of the command line, and for a server that is up."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.bench import Bench
from benchmarks.report import Finding, finding
from benchmarks.rig import scratch_folder
from mainstay.connection import connect, has_worker
from mainstay.devserver.ports import find_free_port
from mainstay.schemas.errors import MainstayError
from mainstay.settings import Settings

GOAL_HELP_SECONDS = 0.25
GOAL_UP_SECONDS = 3
GIVE_UP_SECONDS = 60

PROGRAM = str(Path(sys.executable).parent / "mainstay")


async def measure_help(bench: Bench) -> list[Finding]:
    """Ask for help ten times, and start Python as often, in turn."""
    words = {
        "help": [PROGRAM, "--help"],
        "python": [sys.executable, "-c", "pass"],
        "typer": [sys.executable, "-c", "import typer"],
    }
    took: dict[str, list[float]] = {name: [] for name in words}
    for _ in range(bench.size(10, 3)):
        for name, command in words.items():
            began = perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            took[name].append(perf_counter() - began)
    value = median(took["help"])
    note = f"`import typer` alone: {median(took['typer']):.2f} s"
    floor = median(took["python"])
    claim = "mainstay --help"
    return [finding(claim, value, "s", goal=GOAL_HELP_SECONDS, floor=floor, note=note)]


async def measure_up(bench: Bench) -> list[Finding]:
    """Type `mainstay up` in an empty data directory, until its worker asks for work."""
    took = [await _up_seconds() for _ in range(bench.rounds)]
    return [finding("mainstay up, ready", median(took), "s", goal=GOAL_UP_SECONDS)]


async def _up_seconds() -> float:
    with scratch_folder() as folder:
        port = find_free_port()
        clean = {
            k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "MAINSTAY_"))
        }
        environment = {**clean, "MAINSTAY_DATA_DIR": str(folder)}
        began = perf_counter()
        words = ["up", "--port", str(port)]
        up = await asyncio.create_subprocess_exec(
            PROGRAM, *words, env=environment, stdout=PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                await _ready(Settings(data_dir=folder), f"127.0.0.1:{port}")
            return perf_counter() - began
        finally:
            up.terminate()
            await up.communicate()


async def _ready(settings: Settings, address: str) -> None:
    while True:
        try:
            client = await connect(settings, address=address)
            if await has_worker(client, settings.task_queue):
                return
        except MainstayError:
            pass
        await asyncio.sleep(0.02)
