"""What @tool makes of a function, and how the tool is called."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from mainstay.schemas.errors import InvalidInput
from mainstay.tools import threads
from mainstay.tools.tool import Tool, ToolContext, context, tool


@tool(name="weather.forecast", timeout="90s", touches=("weather.read",))
async def forecast(
    city: str, days: int = 1, unit: Literal["C", "F"] = "C", *, call: ToolContext
) -> list[float]:
    """Look up the weather,
    for some days.

    More about it.

    Args:
        city: which
            city.
        days: how many days ahead.
    """
    call.log(f"{city} {unit}")
    return [20.5] * days


@dataclasses.dataclass
class Point:
    x: int
    on: datetime.date


class Box(BaseModel):
    corner: int


@tool(name="math.add")
def add(left: int, right: int = 1) -> int:
    return left + right


def test_schema_comes_from_annotations_and_docstring() -> None:
    spec = forecast.spec
    assert spec.description == "Look up the weather, for some days."
    assert spec.timeout == timedelta(seconds=90)
    assert spec.touches == ("weather.read",)
    assert spec.parameters["required"] == ["city"]
    assert spec.parameters["additionalProperties"] is False
    properties = spec.parameters["properties"]
    assert properties["city"] == {"type": "string", "description": "which city."}
    assert properties["days"]["default"] == 1
    assert properties["days"]["description"] == "how many days ahead."
    assert properties["unit"]["enum"] == ["C", "F"]
    assert "call" not in properties
    assert spec.returns == {"type": "array", "items": {"type": "number"}}


def test_default_name_is_module_and_function() -> None:
    @tool
    def measure(path: str) -> int:
        return len(path)

    assert measure.spec.name == "test_tools_decorator.measure"
    assert measure("abc") == 3
    assert measure.run_sync({"path": "abcd"}, ToolContext()) == 4


def test_parameters_may_have_the_names_of_model_methods() -> None:
    @tool(name="odd.names")
    def odd(json: str, copy: int, schema: bool, model_config: str = "") -> list[Any]:
        return [json, copy, schema]

    given = {"json": "a", "copy": 1, "schema": True}
    assert odd.run_sync(given, ToolContext()) == ["a", 1, True]


def test_every_wrong_argument_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        forecast.validate({"dayz": 2, "days": "many", "unit": "K"})
    message = caught.value.message
    assert message.startswith("weather.forecast: ")
    assert "argument 'city' is missing" in message
    assert "argument 'days': input should be a valid integer" in message
    assert "'many'" in message
    assert "argument 'unit'" in message
    assert "unknown argument 'dayz' (did you mean `days`?)" in message
    assert "mainstay tools weather.forecast" in caught.value.hint


def _untyped(path):  # type: ignore[no-untyped-def]
    return path


def _starred(*paths: str) -> None: ...


def _named(**paths: str) -> None: ...


def _positional(path: str, /) -> None: ...


def _callback(done: Callable[[], None]) -> None: ...


def _thread(worker: threading.Thread) -> None: ...


def _unknown(path: NoSuchType) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (_untyped, "'path' has no annotation"),
        (_starred, "*paths cannot be described"),
        (_named, "**paths cannot be described"),
        (_positional, "'path' cannot be given by name"),
        (_callback, "'done' has a type that JSON cannot carry"),
        (_thread, "'worker' has a type that JSON cannot carry"),
        (_unknown, "an annotation cannot be read"),
    ],
)
def test_unusable_signature_is_refused_when_decorated(
    function: Callable[..., Any], part: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        tool(name="a.b")(function)
    assert part in caught.value.message
    assert "'a.b'" in caught.value.message
    assert caught.value.hint


def test_unusable_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no name for a tool"):
        tool(name="no dots")(add)


async def test_async_tool_gets_its_context_and_logs() -> None:
    lines: list[str] = []
    call = ToolContext(key="k", watch=lines.append)
    assert await forecast.run({"city": "Ulm", "days": "2"}, call) == [20.5, 20.5]
    assert lines == ["Ulm C"]


async def test_context_reaches_async_sync_and_batched_tools_alike() -> None:
    @tool(name="who.sync")
    def sync() -> str:
        return context().key

    @tool(name="who.async")
    async def other() -> str:
        return context().key

    call = ToolContext(key="plan/x/1/task/0")
    assert await sync.run({}, call) == call.key
    assert await other.run({}, call) == call.key
    assert sync.run_sync({}, call) == call.key
    assert context().key == ""


async def test_sync_tool_leaves_the_event_loop_free() -> None:
    release = threading.Event()

    @tool(name="slow.wait")
    def wait() -> bool:
        return release.wait(5)

    running = asyncio.create_task(wait.run({}, ToolContext()))
    await asyncio.sleep(0)
    release.set()
    assert await running is True


async def test_cancel_interrupts_a_sync_tool_and_the_await_ends_at_once() -> None:
    started, ended = threading.Event(), threading.Event()

    @tool(name="slow.spin")
    def spin() -> None:
        started.set()
        try:
            while True:
                try:
                    sum(range(100))
                except Exception:  # a tool's own handling must not swallow the interrupt
                    continue
        finally:
            ended.set()

    call = ToolContext()
    running = asyncio.create_task(spin.run({}, call))
    assert await asyncio.to_thread(started.wait, 5)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 0.5
    assert call.is_cancelled
    assert await asyncio.to_thread(ended.wait, 5)


async def test_call_that_is_cancelled_before_it_begins_never_begins() -> None:
    ran: list[bool] = []
    call = threads._Call(lambda: ran.append(True))
    call.interrupt()
    call.start()
    await asyncio.to_thread(call._thread.join, 5)
    assert ran == []


async def test_interrupt_waits_while_a_lock_is_taken_in_python() -> None:
    inside, release, done = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        def __enter__(self) -> None:
            inside.set()
            while not release.is_set():
                pass

        def __exit__(self, *_: object) -> None:
            done.set()

    @tool(name="slow.enter")
    def enter() -> None:
        with Slow():
            while True:
                pass

    running = asyncio.create_task(enter.run({}, ToolContext()))
    assert await asyncio.to_thread(inside.wait, 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()
    assert await asyncio.to_thread(done.wait, 5)


@pytest.fixture
def restless() -> Iterator[None]:
    """Have the interpreter change threads as often as it can, so that races show."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
async def test_cancel_at_any_moment_of_a_call_ends_it_quietly() -> None:
    ended = threading.Event()

    @tool(name="quick.count")
    def count() -> int:
        try:
            return sum(range(2_000))
        finally:
            ended.set()

    for turn in range(60):
        running = asyncio.create_task(count.run({}, ToolContext()))
        for _ in range(turn % 4 + 1):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
    ended.clear()
    assert await count.run({}, ToolContext()) == sum(range(2_000))
    assert ended.is_set()
    for thread in threading.enumerate():
        if thread.name == "mainstay-tool":
            await asyncio.to_thread(thread.join, 5)


async def test_cancel_does_not_wait_for_a_sync_tool_that_cannot_be_interrupted() -> None:
    started, release = threading.Event(), threading.Event()

    @tool(name="slow.stuck")
    def stuck() -> None:
        started.set()
        release.wait(10)

    running = asyncio.create_task(stuck.run({}, ToolContext()))
    assert await asyncio.to_thread(started.wait, 5)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 0.5
    release.set()
    for thread in threading.enumerate():
        if thread.name == "mainstay-tool":
            await asyncio.to_thread(thread.join, 5)


async def test_results_are_plain_json_data() -> None:
    @tool(name="shape.all")
    def shapes() -> dict[str, Any]:
        return {
            "point": Point(1, datetime.date(2026, 1, 2)),
            "box": Box(corner=3),
            "tuple": (1, 2),
            "delay": float("nan"),
        }

    assert shapes.run_sync({}, ToolContext()) == {
        "point": {"x": 1, "on": "2026-01-02"},
        "box": {"corner": 3},
        "tuple": [1, 2],
        "delay": None,
    }


@pytest.mark.parametrize("value", [object(), "caf\udce9", {"a": lambda: 0}, b"\xff"])
def test_result_that_is_no_json_is_refused_by_name(value: Any) -> None:
    @tool(name="shape.bad")
    def bad() -> Any:
        return value

    with pytest.raises(InvalidInput, match=r"'shape\.bad' returned a"):
        bad.run_sync({}, ToolContext())


def test_async_tool_cannot_run_in_a_batch_thread() -> None:
    with pytest.raises(InvalidInput, match="is async"):
        forecast.run_sync({"city": "Ulm"}, ToolContext())


def test_a_checked_call_costs_less_than_20_microseconds() -> None:
    call = ToolContext()
    best = min(_seconds_per_call(add, call) for _ in range(5))
    assert best < 20e-6


def _seconds_per_call(subject: Tool, call: ToolContext) -> float:
    began = time.perf_counter()
    for number in range(1_000):
        subject.run_sync({"left": number, "right": 2}, call)
    return (time.perf_counter() - began) / 1_000
