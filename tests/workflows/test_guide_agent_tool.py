"""The commands of the guide "Give an agent a tool" do what it says."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from pathlib import Path

from temporalio.client import Client

from documentation import ROOT, blocks_of, tools_of
from mainstay.client import Mainstay
from mainstay.schemas.conversation import EntryKind
from mainstay.settings import Settings
from mainstay.worker import running_worker

GUIDE = ROOT / "docs" / "give-an-agent-a-tool.md"
PROGRAM = Path(sys.executable).with_name("mainstay")


def commands() -> list[list[str]]:
    """The words of each command that the guide shows."""
    [(_, block)] = blocks_of(GUIDE, "console")
    return [shlex.split(line.removeprefix("$ mainstay ")) for line in block.splitlines()]


async def run(folder: Path, environment: dict[str, str], words: list[str]) -> str:
    """Run a command to its good end, and return what it printed."""
    made = await asyncio.create_subprocess_exec(
        PROGRAM,
        *words,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        out, err = await made.communicate()
    assert made.returncode == 0, (words, err.decode())
    return out.decode()


async def test_the_commands_of_the_guide_work(
    temporal_server: object, temporal_client: Client, settings: Settings, tmp_path: Path
):
    tools = tools_of(GUIDE, tmp_path)
    settings = settings.model_copy(update={"task_queue": "guide-agent-tool"})
    environment = {
        "TEMPORAL_ADDRESS": str(getattr(temporal_server, "address")),  # noqa: B009
        "MAINSTAY_DATA_DIR": str(settings.data_dir),
        "MAINSTAY_TASK_QUEUE": settings.task_queue,
    }
    spawn, ask, show = commands()
    async with running_worker(temporal_client, settings, tools):
        assert (await run(tmp_path, environment, spawn)).strip() == "main/shopkeeper"
        answer = await run(tmp_path, environment, ask)
        shown = await run(tmp_path, environment, show)
        async with await Mainstay.connect(settings, address=environment["TEMPORAL_ADDRESS"]) as m:
            agent = await m.agent("shopkeeper")
            results = [one for one in await agent.entries() if one.kind is EntryKind.TOOL]
            await agent.stop()
    assert "There are 12 ropes." in answer
    assert '"pieces":0' in answer.replace(" ", "")
    assert [one.is_error for one in results] == [True, False, False]
    assert "there is no article 'lamps'; there are rope, lamp, anchor" in results[0].text
    assert "shop.stock" in shown
