"""Calling tools on behalf of a plan: one after another, within time, and without a thread each.

Handing a call to a thread costs more than most small tools do, so the calls of a batch share
one. A tool's own timeout holds for each of its calls all the same.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import ToolFailed
from mainstay.schemas.tools import CallOutcome, ToolCall, ToolSpec
from mainstay.tools.catalogue import Catalogue
from mainstay.tools.context import ToolContext
from mainstay.tools.threads import run_in_thread
from mainstay.tools.tool import Tool


class Toolbox:
    """The tools of one worker."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._specs = catalogue.specs()

    def spec(self, name: str) -> ToolSpec:
        """Return what a tool says of itself.

        Raises:
            NotFound: no tool has that name.
        """
        return self._catalogue.get(name).spec

    def specs(self) -> dict[str, ToolSpec]:
        """Return what each tool says of itself, by name."""
        return self._specs

    def check_arguments(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Compare arguments with a tool's signature, without calling it.

        Raises:
            InvalidInput: naming everything that is wrong.
        """
        self._catalogue.get(name).validate(arguments)

    async def run_calls(
        self, tool: str, calls: Sequence[ToolCall], seconds: float
    ) -> list[CallOutcome]:
        """Make calls one after another until all are made or the time is over.

        Args:
            tool: the name of what is called.
            calls: at least one.
            seconds: no further call is begun after this time.

        Returns:
            The outcomes of the calls that were made, in order: at least one, perhaps not all.
        """
        found = self._catalogue.get(tool)
        if not found.is_async:
            return await _in_one_thread(found, calls, seconds, self._specs)
        outcomes: list[CallOutcome] = []
        until = time.monotonic() + seconds
        for call in calls:
            outcomes.append(await _one(found, call, self._specs))
            if time.monotonic() >= until:
                break
        return outcomes


def _context(call: ToolCall, specs: Mapping[str, ToolSpec]) -> ToolContext:
    return ToolContext(
        key=call.key,
        attempt=call.attempt,
        env=call.env,
        timeout=call.timeout,
        watch=call.watch,
        tools=specs,
    )


async def _one(tool: Tool, call: ToolCall, specs: Mapping[str, ToolSpec]) -> CallOutcome:
    try:
        async with asyncio.timeout(call.timeout.total_seconds()) as limit:
            return CallOutcome(value=await tool.run(call.arguments, _context(call, specs)))
    except TimeoutError as error:
        return CallOutcome(error=_too_slow(tool, call) if limit.expired() else error)
    except Exception as error:  # whatever a tool raises is an outcome
        return CallOutcome(error=error)


@dataclass
class _Slice:
    """Calls that are made in one thread, and how far it has come."""

    tool: Tool
    calls: Sequence[ToolCall]
    seconds: float
    specs: Mapping[str, ToolSpec]
    outcomes: list[CallOutcome] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        until = time.monotonic() + self.seconds
        for call in self.calls:
            self.began = time.monotonic()
            try:
                outcome = CallOutcome(value=self.tool.run_sync(call.arguments, self.context(call)))
            except Exception as error:  # whatever a tool raises is an outcome
                outcome = CallOutcome(error=error)
            self.outcomes.append(outcome)
            if time.monotonic() >= until:
                return

    def context(self, call: ToolCall) -> ToolContext:
        return replace(_context(call, self.specs), cancelled=self.cancelled)

    def seconds_left(self) -> float:
        """Return how long the call that is being made may still take."""
        call = self.calls[min(len(self.outcomes), len(self.calls) - 1)]
        return self.began + call.timeout.total_seconds() - time.monotonic()


async def _in_one_thread(
    tool: Tool, calls: Sequence[ToolCall], seconds: float, specs: Mapping[str, ToolSpec]
) -> list[CallOutcome]:
    work = _Slice(tool, calls, seconds, specs)
    running = asyncio.create_task(run_in_thread(work.run))
    try:
        while not running.done():
            await asyncio.wait([running], timeout=max(work.seconds_left(), 0.001))
            if not running.done() and work.seconds_left() <= 0:
                return _give_up(work)
    finally:
        if not running.done():
            work.cancelled.set()
            running.cancel()
            await asyncio.wait([running])
    running.result()
    return work.outcomes


def _give_up(work: _Slice) -> list[CallOutcome]:
    made = list(work.outcomes)
    if len(made) < len(work.calls):
        made.append(CallOutcome(error=_too_slow(work.tool, work.calls[len(made)])))
    return made


def _too_slow(tool: Tool, call: ToolCall) -> ToolFailed:
    limit = format_duration(call.timeout)
    return ToolFailed(
        f"tool {tool.spec.name!r} took longer than its timeout of {limit}",
        hint="give the task a longer `timeout`",
    )
