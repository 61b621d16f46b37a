"""Tools with effects that a test can see: each call leaves a line in a file."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from mainstay.schemas.errors import Refused, ToolFailed, Unavailable
from mainstay.tools.tool import context, tool


def _note(path: str, line: str) -> int:
    """Append a line, and return how many there are now; one write, so lines never mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
    return len(Path(path).read_text().splitlines())


@tool(name="test.echo")
def echo(value: Any = None) -> Any:
    """Return what it is given."""
    return value


@tool(name="test.note")
def note(path: str, text: str = "") -> str:
    """Leave a line with the call's key, and a text."""
    _note(path, f"{context().key} {text}".rstrip())
    return text


@tool(name="test.flaky")
def flaky(path: str, failures: int, retry_after: float = 0) -> int:
    """Fail for a passing reason, and then succeed with the number of the attempt."""
    attempt = _note(path, f"{time.time()} {context().attempt}")
    if attempt <= failures:
        error = Unavailable("the weather is bad")
        error.retry_after = timedelta(seconds=retry_after) if retry_after else None
        raise error
    return attempt


@tool(name="test.broken")
def broken(path: str, mended: str, text: str = "") -> str:
    """Fail for good until the file `mended` is there; leave a line when it works."""
    if not Path(mended).exists():
        raise Refused("it is not mended", hint="mend it")
    _note(path, f"{context().key} {text}".rstrip())
    return text


@tool(name="test.picky")
def picky(path: str, item: int, bad: int) -> int:
    """Fail for good for one item."""
    _note(path, str(item))
    if item == bad:
        raise ValueError("a bad item")
    return item


@tool(name="test.hang", timeout="10m")
async def hang(path: str, text: str = "began") -> None:
    """Begin, and never end by itself."""
    _note(path, text)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _note(path, "stopped")
        raise


@tool(name="test.gate", timeout="10m")
async def gate(path: str, opened: str, text: str = "") -> str:
    """Wait until the file `opened` is there; leave a line before and after."""
    _note(path, f"+ {text}".rstrip())
    while not Path(opened).exists():
        await asyncio.sleep(0.02)
    _note(path, f"- {text}".rstrip())
    return text


@tool(name="test.overlap")
async def overlap(path: str, text: str = "") -> str:
    """Take a moment, with a line before and after."""
    _note(path, f"+ {text}".rstrip())
    await asyncio.sleep(0.03)
    _note(path, f"- {text}".rstrip())
    return text


@tool(name="test.slow", timeout="300ms")
async def slow() -> None:
    """Take longer than it may."""
    await asyncio.sleep(60)


@tool(name="test.once", idempotent=False)
async def once(path: str, hangs: bool = False) -> str:
    """Do something that must not be done twice."""
    _note(path, f"{context().key} {context().attempt}")
    if hangs:
        await asyncio.Event().wait()
    return "done"


@tool(name="test.fail_once", idempotent=False)
def fail_once(path: str) -> str:
    """Fail for a passing reason the first time, though it must not be done twice."""
    if _note(path, context().key) == 1:
        raise ToolFailed("it failed")
    return "done"


@tool(name="test.judge")
def judge(value: int, least: int) -> dict[str, Any]:
    """Say whether a value is large enough."""
    return {"ok": value >= least, "reason": f"{value} is less than {least}"}


@tool(name="test.count")
def count(path: str, feedback: str = "") -> int:
    """Return how often it was called in all; keep what it was told."""
    return _note(path, feedback or "-")


@tool(name="test.big")
def big(size: int) -> str:
    """Return a text of many characters."""
    return "x" * size


@tool(name="test.env")
def env() -> dict[str, str]:
    """Return the environment that the plan gives."""
    return dict(context().env)


@tool(name="test.verbose")
def verbose(size: int) -> None:
    """Fail with very much to say."""
    raise Refused("m" * size, hint="h" * size)
