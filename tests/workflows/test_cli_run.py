"""The installed program on a real server: run, watch, kill, interrupt, take up, up, worker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainstay.devserver import find_free_port, find_live_server, start_server

PROGRAM = Path(sys.executable).with_name("mainstay")
PATIENCE_SECONDS = 60

GREET = """\
name: greet
inputs: {who: {default: you}}
tasks:
  say:
    tool: text.render
    with: {template: "hello {{ who }}", variables: {who: "${{ inputs.who }}"}}
  each:
    needs: [say]
    for_each: "${{ range(4) }}"
    batch: 2
    tool: json.query
    with: {expression: x, data: {x: "${{ item }}"}}
outputs:
  text: "${{ needs.say.outputs }}"
  sum: "${{ needs.each.outputs | sum }}"
"""
FAIL = """\
name: fails
tasks:
  bad:
    tool: process.run
    with: {command: [sh, -c, "echo no luck >&2; exit 3"]}
"""
ASK = """\
name: asks
tasks:
  before: {tool: text.render, with: {template: ready}}
  gate: {needs: [before], approval: "Go on?"}
  after: {needs: [gate], tool: text.render, with: {template: gone on}}
outputs: {text: "${{ needs.after.outputs }}"}
"""
SLOW = """\
name: slow
inputs: {folder: {type: string}}
tasks:
  each:
    for_each: "${{ range(12) }}"
    max_parallel: 2
    idempotent: true
    tool: process.run
    with: {command: [sh, -c, "sleep 0.2; echo ${{ item }} >> ${{ inputs.folder }}/${{ item }}"]}
outputs: {count: "${{ needs.each.outputs | length }}"}
"""


class Program:
    """Runs the installed program with a data directory of its own, and ends all it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "MAINSTAY_DATA_DIR": str(folder / "data"),
            "MAINSTAY_HEARTBEAT_TIMEOUT": "2s",
            "NO_COLOR": "1",
        }
        self._started: list[Running] = []

    def plan(self, text: str) -> str:
        file = self.folder / "plan.yaml"
        file.write_text(text)
        return str(file)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *words],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=PATIENCE_SECONDS,
        )

    def start(self, *words: str) -> Running:
        running = Running(self, words, len(self._started))
        self._started.append(running)
        return running

    def kill_all(self) -> None:
        for running in self._started:
            running.process.kill()
            running.process.wait()


class Running:
    """The program while it runs, with what it has written so far."""

    def __init__(self, program: Program, words: tuple[str, ...], number: int) -> None:
        self._out = program.folder / f"out{number}"
        self._err = program.folder / f"err{number}"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=program.environment,
                cwd=program.folder,
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for(self, condition: Callable[[], object]) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, f"it ended: {self.out}{self.err}"
            assert time.monotonic() < give_up, f"never: {self.out}{self.err}"
            time.sleep(0.02)

    def end(self, number: signal.Signals | None = None) -> int:
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def mainstay(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    program.kill_all()


def plan_id(text: str) -> str:
    found = re.search(r"plan/[\w-]+/[0-9a-f]{8}", text)
    assert found, text
    return found.group()


def test_run_starts_everything_prints_outputs_and_leaves_nothing_behind(mainstay):
    done = mainstay("run", mainstay.plan(GREET), "-i", "who=world")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["text: hello world", "sum: 6"]
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d 4/4 +each", line) for line in lines)
    assert "started a Temporal server" in done.stderr
    assert f"plan {plan_id(done.stderr)} succeeded in " in done.stderr
    assert is_unserved(mainstay.folder / "data" / "temporal.db")


def test_json_is_one_event_a_line_and_the_result_last(mainstay):
    done = mainstay("run", mainstay.plan(GREET), "--json")
    *events, result = map(json.loads, done.stdout.splitlines())
    assert [events[0]["kind"], events[-1]["kind"]] == ["plan_started", "plan_ended"]
    assert {event["plan_id"] for event in events} == {result["plan_id"]}
    assert sum(event["count"] for event in events) == 4
    assert result["kind"] == "result"
    assert result["outputs"] == {"text": "hello you", "sum": 6}


def test_without_watch_only_the_outputs_are_printed(mainstay):
    done = mainstay("run", mainstay.plan(GREET), "--no-watch")
    assert done.stdout == "text: hello you\nsum: 6\n"


def test_failed_plan_ends_with_exit_code_1_and_why(mainstay):
    done = mainstay("run", mainstay.plan(FAIL))
    assert done.returncode == 1
    assert "error: plan 'plan/fails/" in done.stderr
    assert "no luck" in done.stderr
    assert "mainstay retry plan/fails/" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_approve_says_yes_by_itself_and_says_so(mainstay):
    done = mainstay("run", mainstay.plan(ASK), "--approve")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "text: gone on"
    assert "approved gate by itself (--approve): Go on?" in done.stderr


def test_run_that_was_killed_goes_on_by_watching_it(mainstay):
    plan = mainstay.plan(SLOW)
    killed = mainstay.start("run", plan, "-i", f"folder={mainstay.folder}")
    killed.wait_for(lambda: "3/12" in killed.out)
    killed.end(signal.SIGKILL)
    done = mainstay("watch", "slow")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "count: 12"
    # An item that was being done when the worker died may have been done twice, no other.
    counts = [len((mainstay.folder / str(item)).read_text().split()) for item in range(12)]
    assert min(counts) == 1
    assert sum(counts) <= 12 + 2


def test_ctrl_c_stops_watching_and_tells_how_the_plan_goes_on(mainstay):
    running = mainstay.start("run", mainstay.plan(ASK))
    running.wait_for(lambda: "asking" in running.out)
    assert running.end(signal.SIGINT) == 130
    plan = plan_id(running.err)
    assert "the plan stops here" in running.err
    assert f"mainstay watch {plan}" in running.err
    assert is_unserved(mainstay.folder / "data" / "temporal.db")
    again = mainstay.start("watch", plan.rpartition("/")[2])
    again.wait_for(lambda: "asking" in again.out)
    assert again.end(signal.SIGTERM) == 143


def test_server_that_is_killed_ends_the_run_with_exit_code_7_and_a_hint(mainstay):
    running = mainstay.start("run", mainstay.plan(ASK))
    running.wait_for(lambda: "asking" in running.out)
    (server,) = children_of(running.process.pid)
    os.kill(server, signal.SIGKILL)
    assert running.end() == 7
    assert "the Temporal server was killed by signal 9" in running.err
    assert f"mainstay watch {plan_id(running.err)}" in running.err


def test_up_serves_detached_runs_until_it_is_stopped(mainstay):
    up = mainstay.start("up", "--port", str(find_free_port()), "--no-ui")
    up.wait_for(lambda: "Ctrl-C stops" in up.err)
    assert re.match(r"Mainstay is up, after [\d.]+ s\n  server   127\.0\.0\.1:\d+\n", up.out)
    started = mainstay("run", mainstay.plan(ASK), "--detach")
    assert started.returncode == 0, started.stderr
    plan = started.stdout.strip()
    watching = mainstay.start("watch", plan, "--json")
    watching.wait_for(lambda: '"asking"' in watching.out)
    assert watching.end(signal.SIGINT) == 130
    assert "the plan goes on" in watching.err
    second = mainstay("up", "--no-ui")
    assert second.returncode == 7
    assert "is already served at" in second.stderr
    assert up.end(signal.SIGINT) == 0
    again = mainstay.start("up", "--port", str(find_free_port()), "--no-ui")
    again.wait_for(lambda: "Ctrl-C stops" in again.err)
    assert f"takes up {plan}: 1 of 3 tasks are done" in again.out
    (server,) = children_of(again.process.pid)
    os.kill(server, signal.SIGKILL)
    assert again.end() == 7


def test_configured_server_that_does_not_answer_is_not_replaced_by_another(mainstay):
    mainstay.environment["TEMPORAL_ADDRESS"] = f"127.0.0.1:{find_free_port()}"
    done = mainstay("run", mainstay.plan(GREET))
    assert done.returncode == 7
    assert "unset TEMPORAL_ADDRESS" in done.stderr
    assert not (mainstay.folder / "data" / "temporal.db").exists()


async def test_worker_serves_a_configured_server_and_stops_on_sigterm(mainstay):
    server = await start_server(database=None, ui=False)
    try:
        mainstay.environment["TEMPORAL_ADDRESS"] = server.address
        worker = mainstay.start("worker", "--max-activities", "4")
        worker.wait_for(lambda: "serving the queue" in worker.err)
        done = mainstay("run", mainstay.plan(GREET), "--no-watch")
        assert done.returncode == 0, done.stderr
        assert "started a Temporal server" not in done.stderr
        assert "works here" not in done.stderr
        assert worker.end(signal.SIGTERM) == 0
    finally:
        await server.stop(grace_seconds=0)


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in listed for child in file.read_text().split()]


def is_unserved(database: Path) -> bool:
    return database.exists() and find_live_server(database) is None
