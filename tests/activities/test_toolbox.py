"""Calls made on behalf of a plan: in order, within time, each with its own outcome."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from mainstay.schemas.errors import NotFound, ToolFailed
from mainstay.schemas.tools import ToolCall
from mainstay.tools.catalogue import Catalogue
from mainstay.tools.context import ToolContext
from mainstay.tools.tool import tool
from mainstay.tools.toolbox import Toolbox

release = threading.Event()


@tool(name="test.double")
def double(number: int) -> int:
    """Double a number."""
    if number < 0:
        raise ValueError("negative")
    return 2 * number


@tool(name="test.thread")
def thread() -> str:
    """Say which thread it runs in."""
    return threading.current_thread().name + str(threading.get_ident())


@tool(name="test.wait")
def wait(call: ToolContext) -> str:
    """Wait until released or cancelled."""
    while not release.wait(0.01) and not call.is_cancelled:
        pass
    return "released"


@tool(name="test.nap")
async def nap(seconds: float) -> float:
    """Sleep for a while."""
    await asyncio.sleep(seconds)
    return seconds


@pytest.fixture
def toolbox() -> Toolbox:
    release.clear()
    return Toolbox(Catalogue([double, thread, wait, nap]))


def calls(*arguments: dict[str, object], timeout: float = 5) -> list[ToolCall]:
    return [ToolCall(given, timeout=timedelta(seconds=timeout)) for given in arguments]


async def test_one_failing_call_does_not_keep_the_others_from_being_made(toolbox: Toolbox) -> None:
    made = calls({"number": 1}, {"number": -1}, {"number": "x"}, {"number": 3})
    outcomes = await toolbox.run_calls("test.double", made, 5)
    assert [outcome.value for outcome in outcomes] == [2, None, None, 6]
    assert [type(outcome.error).__name__ for outcome in outcomes] == [
        "NoneType",
        "ValueError",
        "InvalidInput",
        "NoneType",
    ]


async def test_the_calls_of_a_batch_share_a_thread(toolbox: Toolbox) -> None:
    outcomes = await toolbox.run_calls("test.thread", calls({}, {}, {}), 5)
    threads = {outcome.value for outcome in outcomes}
    assert len(threads) == 1
    assert str(threading.get_ident()) not in threads.pop()


@pytest.mark.parametrize("name", ["test.double", "test.nap"])
async def test_no_call_is_begun_after_the_time_is_over(toolbox: Toolbox, name: str) -> None:
    given = {"number": 1} if name == "test.double" else {"seconds": 0}
    outcomes = await toolbox.run_calls(name, calls(given, given, given), 0)
    assert len(outcomes) == 1


async def test_a_call_that_takes_too_long_fails_and_ends_the_batch(toolbox: Toolbox) -> None:
    outcomes = await toolbox.run_calls("test.wait", calls({}, {}, timeout=0.1), 5)
    assert len(outcomes) == 1
    assert isinstance(outcomes[0].error, ToolFailed)
    assert "longer than its timeout of 100ms" in str(outcomes[0].error)


async def test_an_async_call_that_takes_too_long_fails_alone(toolbox: Toolbox) -> None:
    outcomes = await toolbox.run_calls(
        "test.nap", calls({"seconds": 9}, {"seconds": 0}, timeout=0.1), 5
    )
    assert isinstance(outcomes[0].error, ToolFailed)
    assert outcomes[1].value == 0


async def test_cancelling_ends_the_call_that_is_being_made(toolbox: Toolbox) -> None:
    running = asyncio.create_task(toolbox.run_calls("test.wait", calls({}, timeout=60), 5))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 2


async def test_an_unknown_tool_is_not_found(toolbox: Toolbox) -> None:
    with pytest.raises(NotFound, match=r"test\.dubble"):
        await toolbox.run_calls("test.dubble", calls({}), 1)
    with pytest.raises(NotFound):
        toolbox.spec("test.dubble")
