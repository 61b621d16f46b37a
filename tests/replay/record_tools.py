"""Tools of the recorded plans: they fail, wait and succeed when they are told to."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mainstay import ToolContext, tool
from mainstay.schemas.errors import InvalidInput, ToolFailed


@tool
def echo(value: str = "") -> str:
    """Return what was given."""
    return value


@tool
def fail(message: str) -> None:
    """Fail for good."""
    raise InvalidInput(message)


@tool
def flaky(until: int, context: ToolContext) -> int:
    """Fail for a passing reason until an attempt."""
    if context.attempt < until:
        raise ToolFailed(f"not before attempt {until}")
    return context.attempt


@tool
def odd(number: int) -> int:
    """Refuse even numbers."""
    if number % 2 == 0:
        raise InvalidInput("even")
    return number


@tool
def need(file: str) -> str:
    """Fail for good unless a file is there."""
    if not Path(file).exists():
        raise InvalidInput("the file is not there")
    return "found"


@tool(timeout="1h")
async def wait(seconds: float = 60.0) -> str:
    """Wait for some time, or until stopped."""
    await asyncio.sleep(seconds)
    return "waited"


@tool(idempotent=False)
def once(value: str = "") -> str:
    """Do what must not be done twice."""
    return value
