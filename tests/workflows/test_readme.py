"""The README's commands do what it says they do, kill included."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from documentation import ROOT, blocks_of, teams_of

README = ROOT / "README.md"
MAINSTAY = Path(sys.executable).with_name("mainstay")
WAIT_SECONDS = 40


def commands() -> list[str]:
    """Every command the README shows, comments left out."""
    lines = [line for _, block in blocks_of(README, "console") for line in block.splitlines()]
    return [line.partition(" #")[0].removeprefix("$ ").strip() for line in lines]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the README's plan and a few texts, and databases of its own."""
    [(_, plan)] = blocks_of(README, "yaml")
    (tmp_path / "words.yaml").write_text(plan)
    (tmp_path / "docs").mkdir()
    for name in ("one.md", "two.md"):
        (tmp_path / "docs" / name).write_text("# A text\n")
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def background() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start commands in groups of their own; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [MAINSTAY, *shlex.split(command)[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def mainstay(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MAINSTAY, *shlex.split(command)[1:]],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.2)


def test_its_make_commands_are_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = [command.split()[1] for command in commands() if command.startswith("make ")]
    assert made == ["demo", "test"]
    assert set(made) <= targets


def test_its_plan_is_valid(folder: Path) -> None:
    assert "mainstay plan validate words.yaml" in commands()
    done = mainstay("mainstay plan validate words.yaml")
    assert done.returncode == 0, done.stderr


def test_a_killed_run_goes_on_when_it_is_watched(
    folder: Path, background: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    run, kill, watch, approve = [c for c in commands() if "first" in c or c.startswith("kill")]
    assert kill == "kill -9 %1"

    def asks() -> bool:
        return "asking" in mainstay("mainstay status first").stdout

    killed = background(run.removesuffix("&"))
    wait_for(asks, "the question")
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert mainstay(approve).returncode == 7, "nothing answers while everything is dead"

    watching = background(watch)
    wait_for(lambda: mainstay(approve).returncode == 0, "the approval to arrive")
    assert watching.wait(WAIT_SECONDS) == 0
    assert (folder / "build" / "words.txt").read_text() == "2 files"


def test_its_table_names_every_command_and_no_other() -> None:
    shown = set(re.findall(r"^  ?│ ([a-z]+) ", mainstay("mainstay --help").stdout, re.MULTILINE))
    shown |= set(re.findall(r"^│ ([a-z]+)  ", mainstay("mainstay --help").stdout, re.MULTILINE))
    rows = re.findall(r"^\| (`.*?) \|", README.read_text(), re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`(?:mainstay )?([a-z]+)", row)}
    named -= {"validate", "show", "schema"}
    assert shown == named


def test_its_agent_answers_and_its_cost_is_shown(
    folder: Path, background: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    [(_, agent)] = blocks_of(README, "markdown")
    (folder / "helper.md").write_text(agent)
    (folder / "talk.yaml").write_text(
        "turns:\n- tools: [{fs.list: {path: docs}}]\n- say: 'I see ${{ last }}'\n"
    )
    up, spawn, ask, cost = [
        command for command in commands() if "helper" in command or command == "mainstay up"
    ]
    background(f"{up} --no-ui")
    spawn += " --model script:talk.yaml"
    wait_for(lambda: mainstay(spawn).returncode == 0, "the server")
    answered = mainstay(ask)
    assert answered.stdout.strip() == 'I see ["one.md","two.md"]', answered.stderr
    assert re.search(r"main/helper +script:\S+talk.yaml +2 ", mainstay(cost).stdout)


def test_its_team_comes_up_answers_and_goes_down(
    folder: Path, background: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    [(name, team)] = teams_of(README).items()
    (folder / name).write_text(team)
    (folder / "shop-talk.yaml").write_text("turns: [{say: Yes.}]\nloop: true\n")
    validate, up, ask, tree, pause, down = [
        command for command in commands() if re.search(r"shop\b", command)
    ]
    assert mainstay(validate).returncode == 0
    background("mainstay up --no-ui")
    wait_for(lambda: mainstay("mainstay agent stop none").returncode == 4, "the server")
    assert mainstay(up).returncode == 0
    assert mainstay(ask).stdout == "Yes.\n"
    assert len(re.findall(r"running +(?:stock|clerk-[12])", mainstay(tree).stdout)) == 3
    assert mainstay(pause).stdout == "3 of 3 agents paused\n"
    assert mainstay(down).stdout.startswith("team shop has ended")


def test_its_python_runs(folder: Path) -> None:
    [(_, code)] = blocks_of(README, "python")
    program = f"""
import asyncio, os
{code}
from mainstay import Settings
from mainstay.connection import connect
from mainstay.devserver import start_server
from mainstay.worker import running_worker

async def everything() -> None:
    server = await start_server(database=None, ui=False)
    os.environ["TEMPORAL_ADDRESS"] = server.address
    settings = Settings()
    async with running_worker(await connect(settings), settings):
        await main()
    await server.stop()

asyncio.run(everything())
import sys; sys.stdout.flush(); os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT_SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert "greet succeeded" in done.stdout
    assert "{'said': 'hello'}" in done.stdout
