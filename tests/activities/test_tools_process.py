"""Running programs: results, limits, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound, ToolFailed
from mainstay.tools.process import run
from mainstay.tools.tool import ToolContext

PYTHON = sys.executable


async def call(watch: Callable[[str], None] | None = None, **arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = await run.run(arguments, ToolContext(watch=watch))
    return result


def script(body: str) -> list[str]:
    return [PYTHON, "-c", body]


async def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def cancel_after(ready: Callable[[], bool], **arguments: Any) -> float:
    """Cancel a call once it is ready; return how many seconds the cancel took."""
    running = asyncio.create_task(call(**arguments))
    await wait_until(ready)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return time.monotonic() - began


async def test_returns_exit_code_outputs_and_duration() -> None:
    result = await call(
        command=script("import sys; print('out'); print('err', file=sys.stderr)"),
    )
    assert result.pop("duration_seconds") >= 0
    assert result == {
        "exit_code": 0,
        "stdout": "out\n",
        "stderr": "err\n",
        "stdout_truncated": False,
        "stderr_truncated": False,
    }


async def test_env_cwd_and_stdin_reach_the_program(tmp_path: Path) -> None:
    body = "import os, sys; print(os.environ['A'], os.environ['B'], os.getcwd(), sys.stdin.read())"
    arguments = {
        "command": script(body),
        "cwd": str(tmp_path),
        "stdin": "hällo",
        "env": {"B": "task", "PYTHONUTF8": "1"},
    }
    result = await run.run(arguments, ToolContext(env={"A": "plan", "B": "plan"}))
    assert result["stdout"] == f"plan task {tmp_path.resolve()} hällo\n"


async def test_large_stdin_passes_while_output_comes() -> None:
    text = "x" * 3_000_000
    result = await call(command=["cat"], stdin=text)
    assert result["stdout"] == text


async def test_program_that_does_not_read_its_stdin_is_no_error() -> None:
    assert (await call(command=["true"], stdin="x" * 1_000_000))["exit_code"] == 0


async def test_failure_shows_the_last_lines_of_stderr() -> None:
    body = "import sys; [print('line', n, file=sys.stderr) for n in range(99)]; sys.exit(3)"
    with pytest.raises(ToolFailed, match="ended with exit code 3") as caught:
        await call(command=script(body))
    assert caught.value.message.endswith("line 98")
    assert "line 90" not in caught.value.message
    assert (await call(command=script(body), check=False))["exit_code"] == 3


async def test_end_by_a_signal_is_named() -> None:
    with pytest.raises(ToolFailed, match="was ended by SIGKILL"):
        await call(command=script("import os; os.kill(os.getpid(), 9)"))


@pytest.mark.parametrize(
    ("arguments", "error", "part"),
    [
        ({"command": ["no-such-program-at-all"]}, NotFound, "'no-such-program-at-all'"),
        ({"command": ["true"], "cwd": "/no/such/folder"}, NotFound, "'/no/such/folder'"),
        ({"command": "echo hi there"}, InvalidInput, "there is no shell"),
        ({"command": ["a"], "shell": True}, InvalidInput, "not a list"),
        ({"command": []}, InvalidInput, "empty"),
        ({"command": ["echo", "a\0b"]}, InvalidInput, "null byte"),
        ({"command": ["true"], "memory_bytes": 1}, InvalidInput, "'memory_bytes'"),
    ],
)
async def test_what_cannot_be_run_is_said(
    arguments: dict[str, Any], error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match=part):
        await call(**arguments)


async def test_a_shell_only_on_request() -> None:
    assert (await call(command=["echo", "$HOME; id"]))["stdout"] == "$HOME; id\n"
    assert (await call(command="echo a | tr a b", shell=True))["stdout"] == "b\n"


async def test_lines_are_shown_as_they_come(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    body = f"""
import pathlib, time
print("first", flush=True)
while not pathlib.Path({str(gate)!r}).exists():
    time.sleep(0.01)
print("last", end="")
"""
    lines: list[str] = []
    running = asyncio.create_task(call(lines.append, command=script(body)))
    await wait_until(lambda: lines == ["first"])
    gate.touch()
    await running
    assert lines == ["first", "last"]


async def test_output_that_is_no_utf8_is_replaced() -> None:
    body = "import os; os.write(1, b'caf\\xe9\\n')"
    assert (await call(command=script(body)))["stdout"] == "caf\ufffd\n"


async def test_20_megabytes_of_output_fail_at_the_limit_and_pass_below_it() -> None:
    body = "import sys; sys.stdout.write('x' * 79 + '\\n') if 0 else None\n"
    body += "for _ in range(20): sys.stdout.write(('x' * 1023 + '\\n') * 1024)"
    with pytest.raises(LimitReached, match="printed more than 10485760 bytes"):
        await call(command=script(body))
    result = await call(command=script(body), max_output_bytes=20 * 1024 * 1024)
    assert len(result["stdout"]) == 20 * 1024 * 1024
    assert result["stdout_truncated"] is False


async def test_truncating_keeps_the_beginning_and_lets_it_run_to_its_end() -> None:
    body = "import sys; sys.stdout.write('a' * 10 + 'b' * 1_000_000); sys.exit(4)"
    result = await call(command=script(body), max_output_bytes=10, overflow="truncate", check=False)
    assert result["stdout"] == "a" * 10
    assert result["stdout_truncated"] is True
    assert result["exit_code"] == 4


async def test_program_that_prints_for_ever_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(LimitReached):
        await call(command=["yes"], max_output_bytes=1_000_000)
    assert time.monotonic() - began < 5


async def test_timeout_ends_the_program_and_says_so() -> None:
    began = time.monotonic()
    with pytest.raises(ToolFailed, match="did not end within 300ms"):
        await call(command=["sleep", "60"], timeout=0.3)
    assert time.monotonic() - began < 2


async def test_memory_limit_holds_for_the_program() -> None:
    body = "x = bytearray(500_000_000)"
    with pytest.raises(ToolFailed, match="MemoryError"):
        await call(command=script(body), memory_bytes=200_000_000)


@pytest.mark.slow
async def test_cancel_ends_a_program_that_ignores_sigterm_within_2_seconds(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "pid"
    body = f"""
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({str(mark)!r}).write_text(str(os.getpid()) + " ")
time.sleep(60)
"""
    seconds = await cancel_after(lambda: _is_written(mark), command=script(body))
    assert seconds < 2
    assert not is_alive(int(mark.read_text()))


async def test_cancel_lets_a_program_clean_up_on_sigterm(tmp_path: Path) -> None:
    mark, cleaned = tmp_path / "pid", tmp_path / "cleaned"
    body = (
        f"trap 'touch {cleaned}; exit 0' TERM; echo $$ ' ' > {mark}; while :; do sleep 0.02; done"
    )
    await cancel_after(lambda: _is_written(mark), command=body, shell=True)
    assert cleaned.exists()


async def test_cancel_ends_grandchildren_that_hold_the_pipes(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    body = f"(trap '' TERM; sh -c 'echo $$ \" \" > {mark}; exec sleep 60') & wait"
    seconds = await cancel_after(lambda: _is_written(mark), command=body, shell=True)
    assert seconds < 2
    await wait_until(lambda: not is_alive(int(mark.read_text())))


async def test_what_is_left_in_the_background_ends_with_the_program(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    began = time.monotonic()
    result = await call(command=f"sleep 60 & echo $! > {mark}; echo done", shell=True)
    assert result["stdout"] == "done\n"
    assert time.monotonic() - began < 5
    await wait_until(lambda: not is_alive(int(mark.read_text())))


async def test_pipe_held_outside_of_the_group_is_not_waited_for(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    body = (
        f"setsid sh -c 'echo $$ \" \" > {mark}; exec sleep 60' & while [ ! -s {mark} ]; do :; done"
    )
    began = time.monotonic()
    await call(command=body, shell=True)
    assert time.monotonic() - began < 5
    os.kill(int(mark.read_text()), signal.SIGKILL)


@pytest.mark.slow
async def test_program_that_closes_its_outputs_is_waited_for() -> None:
    body = "import os, time; os.close(1); os.close(2); time.sleep(0.6); os._exit(7)"
    assert (await call(command=script(body), check=False))["exit_code"] == 7


async def test_works_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert (await call(command=["echo", "hi"]))["stdout"] == "hi\n"
    with pytest.raises(ToolFailed, match="did not end"):
        await call(command=["sleep", "60"], timeout=0.2)


async def test_no_thread_and_no_descriptor_is_left() -> None:
    await call(command=["true"])
    before = open_descriptors()
    for _ in range(5):
        await call(command=["true"])
        with pytest.raises(NotFound):
            await call(command=["no-such-program-at-all"])
    assert open_descriptors() == before
    await wait_until(lambda: not [t for t in threading.enumerate() if t.name == "mainstay-tool"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
async def test_program_dies_when_its_worker_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    body = f"""
import asyncio
from mainstay.tools.process import run
from mainstay.tools.tool import ToolContext
command = ["sh", "-c", "echo $$ ' ' > {mark}; exec sleep 60"]
asyncio.run(run.run({{"command": command}}, ToolContext()))
"""
    worker = subprocess.Popen([PYTHON, "-c", body])
    try:
        await wait_until(lambda: _is_written(mark))
    finally:
        worker.kill()
        worker.wait()
    await wait_until(lambda: not is_alive(int(mark.read_text())))


def _is_written(mark: Path) -> bool:
    return mark.exists() and mark.read_text().rstrip("\n").endswith(" ")
