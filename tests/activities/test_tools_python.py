"""Calling Python functions in a process of their own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound, ToolFailed
from mainstay.tools.python import call
from mainstay.tools.tool import ToolContext

MODULE = """
import json, os, pathlib, sys, time

def double(value, *, times=2):
    print("a line of its own")
    return {"result": value * times, "env": os.environ.get("A")}

async def later(value):
    return value

def fail():
    raise ValueError("it went wrong")

def leave():
    sys.exit(3)

def die():
    os._exit(4)

def unportable():
    return {1, 2}

def nan():
    return float("nan")

def large():
    return "x" * 1_000_000

def chatty():
    for _ in range(100_000):
        print("x" * 100)

def hang(mark):
    pathlib.Path(mark).touch()
    time.sleep(60)

class Group:
    @staticmethod
    def inner():
        return "in"

number = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sums.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("x = 1 / 0\n")
    (tmp_path / "json.txt").touch()
    return tmp_path


async def run(folder: Path, function: str, **arguments: Any) -> Any:
    given = {"function": function, "cwd": str(folder), **arguments}
    return await call.run(given, ToolContext(env={"A": "plan"}))


async def test_arguments_and_result_pass_and_prints_are_shown(folder: Path) -> None:
    lines: list[str] = []
    given = {"function": "sums:double", "args": {"value": "é"}, "cwd": str(folder)}
    result = await call.run(given, ToolContext(env={"A": "plan"}, watch=lines.append))
    assert result == {"result": "éé", "env": "plan"}
    assert "a line of its own" in lines


async def test_files_methods_and_async_functions_can_be_called(folder: Path) -> None:
    path = folder / "sums.py"
    assert await run(folder, f"{path}:later", args={"value": None}) is None
    assert await run(folder, "sums:Group.inner") == "in"


@pytest.mark.parametrize(
    ("function", "arguments", "error", "part"),
    [
        ("sums", {}, InvalidInput, "names no function"),
        ("no_such_module:f", {}, NotFound, "no_such_module"),
        ("no_such_file.py:f", {}, NotFound, "no_such_file"),
        ("sums:nothing", {}, NotFound, "nothing"),
        ("sums:number", {}, InvalidInput, "is not a function"),
        ("broken:f", {}, InvalidInput, "ZeroDivisionError"),
        ("sums:double", {}, InvalidInput, "'value'"),
        ("sums:double", {"value": 1, "tims": 2}, InvalidInput, "tims"),
        ("sums:fail", {}, ToolFailed, "raised ValueError: it went wrong"),
        ("sums:leave", {}, ToolFailed, "raised SystemExit: 3"),
        ("sums:die", {}, ToolFailed, "exit code 4"),
        ("sums:unportable", {}, InvalidInput, "not JSON"),
        ("sums:nan", {}, InvalidInput, "not JSON"),
    ],
)
async def test_what_goes_wrong_is_told_apart(
    folder: Path, function: str, arguments: dict[str, Any], error: type[Exception], part: str
) -> None:
    with pytest.raises(error) as caught:
        await run(folder, function, args=arguments)
    assert part in str(caught.value)
    assert function in str(caught.value)


async def test_limits_hold_for_result_prints_and_time(folder: Path) -> None:
    with pytest.raises(LimitReached):
        await run(folder, "sums:large", max_output_bytes=100_000)
    with pytest.raises(LimitReached):
        await run(folder, "sums:chatty", max_output_bytes=100_000)
    with pytest.raises(ToolFailed, match="did not end within 300ms"):
        await run(folder, "sums:hang", args={"mark": str(folder / "m")}, timeout=0.3)


async def test_cancel_takes_less_than_2_seconds(folder: Path) -> None:
    mark = folder / "started"
    running = asyncio.create_task(run(folder, "sums:hang", args={"mark": str(mark)}))
    deadline = time.monotonic() + 10
    while not mark.exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 2
