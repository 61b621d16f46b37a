"""`mainstay run` is killed with all that is in it, and `mainstay watch` finishes the plan."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fault_plan import effects_plan, expected_names, expected_report
from fault_rig import TOOLS, Ledger, until
from fault_run import approve

from mainstay.client import Mainstay
from mainstay.devserver import find_live_server, server_database
from mainstay.schemas.errors import Unavailable
from mainstay.schemas.run import PlanStatus
from mainstay.settings import Settings

COMMAND = Path(sys.executable).parent / "mainstay"
END_SECONDS = 60


@contextmanager
def command(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command line; kill it when the block ends, if it still runs."""
    environment = {
        **os.environ,
        "MAINSTAY_DATA_DIR": str(folder / "data"),
        "MAINSTAY_HEARTBEAT_TIMEOUT": "2",
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    with (folder / f"{arguments[0]}.out").open("w") as output:
        process = subprocess.Popen(
            [str(COMMAND), *arguments, "--tools", str(TOOLS)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_watch_finishes_what_a_killed_run_began(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    ledger, report = Ledger(tmp_path / "ledger.db"), tmp_path / "report.md"
    plan = tmp_path / "plan.json"  # JSON is YAML, too
    plan.write_text(effects_plan(0.05).model_dump_json(by_alias=True, exclude_defaults=True))
    inputs = ["-i", f"ledger={ledger.path}", "-i", f"report={report}"]
    with command(tmp_path, "run", str(plan), *inputs, "--name", "killed") as run:
        await until(lambda: len(ledger.effects()) >= 20 or run.poll() is not None, "20 effects")
        assert run.poll() is None, (tmp_path / "run.out").read_text()
        run.send_signal(signal.SIGKILL)
        run.wait()
    await until(lambda: find_live_server(server_database(settings)) is None, "the server's end")
    assert len(ledger.effects()) < len(list(expected_names()))
    with command(tmp_path, "watch", "killed") as watch:
        async with await _connect(settings) as mainstay:
            handle = mainstay.plan("plan/effects/killed")
            answering = asyncio.create_task(approve(handle))
            try:
                await until(lambda: watch.poll() is not None, "the end", END_SECONDS)
            finally:
                answering.cancel()
            assert watch.returncode == 0, (tmp_path / "watch.out").read_text()
            assert (await handle.row()).status is PlanStatus.SUCCEEDED
    assert report.read_bytes() == expected_report()
    assert ledger.effects() == sorted(expected_names())


async def _connect(settings: Settings) -> Mainstay:
    """Connect to the server that the command has started, as soon as it has."""
    async with asyncio.timeout(30):
        while True:
            live = find_live_server(server_database(settings))
            if live is not None:
                try:
                    return await Mainstay.connect(settings, address=live.address)
                except Unavailable:
                    pass
            await asyncio.sleep(0.1)
