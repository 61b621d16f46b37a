"""A store that is locked or whose disk is full, and a target that cannot be written."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fault_plan import expected_names, expected_report
from fault_rig import running_rig
from fault_run import Run

LOCKED_SECONDS = 3.0
SCRIPT = Path(__file__).parent / "fault_disks.py"


async def test_store_locked_by_another_process_is_waited_for_and_nothing_is_repeated(tmp_path):
    async with running_rig(tmp_path) as rig:
        run = await Run.start(rig, "locked")
        await run.reach(15)
        with closing(sqlite3.connect(rig.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(LOCKED_SECONDS)  # the fault itself: nothing is waited for
            other.execute("ROLLBACK")
        await run.judge(await run.end())
    assert run.ledger.doubles == 0


def test_full_disk_of_the_store_is_named_and_the_plan_goes_on_when_there_is_room(tmp_path):
    facts = run_scenario("full_store", tmp_path)
    assert any("is full" in message for message in facts["said"]), facts


def test_target_that_cannot_be_written_fails_the_plan_which_goes_on_when_it_can(tmp_path):
    facts = run_scenario("read_only_target", tmp_path)
    assert facts["failed"]["status"] == "failed"
    message = facts["failed"]["failure"]["message"]
    assert "report.md" in message
    assert "read-only" in message.lower()
    assert facts["result"]["status"] == "succeeded"
    assert facts["report"].encode() == expected_report()
    assert facts["effects"] == sorted(expected_names())
    assert facts["doubles"] == 0


def run_scenario(name: str, folder: Path) -> dict[str, Any]:
    """Run a scenario in a process with file systems of its own."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), name, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TEMPORAL_CONFIG_FILE": os.devnull},
    )
    assert done.returncode == 0, done.stderr[-6000:]
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "skip" in facts:
        pytest.skip(f"no file system can be mounted here: {facts['skip']}")
    return facts
