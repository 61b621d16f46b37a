"""Doing the items of one unit of work, so that a killed worker loses little and repeats nothing.

What is done is stored every half second, so another attempt starts where the last one stopped.
A task without ``for_each`` is the case of one item.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio import activity

from mainstay.activities.failures import failure_from
from mainstay.activities.ports import Storage, Toolbox
from mainstay.schemas.errors import InvalidInput, UnknownOutcome
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.records import EventKind, OutputChunk, PlanEvent
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.tools import ToolCall

CHECKPOINT_SECONDS = 0.5
"""How much finished work a killed worker can lose at most."""

WINDOW = 200
"""Items whose arguments are rendered at a time."""

Value = Any  # JSON-like data


@dataclass
class Items:
    """The items of one unit: how to make each one's call, and what came of them.

    Attributes:
        make_call: renders the arguments of an item; raises what is wrong with them.
        repeatable: whether an item may be begun again after a crash.
        tolerant: whether failed items are kept as errors instead of failing the unit.
        is_first_try: nothing of it can have been done before, so it is not looked for.
        counts: whether the number of items done is put on record.
        events: what is put on record together with some items, given the first one's output.
    """

    storage: Storage
    toolbox: Toolbox
    tool: str
    plan_id: str
    task: str
    round: int
    start: int
    stop: int
    make_call: Callable[[int], ToolCall]
    repeatable: bool = True
    confirmed: bool = False
    tolerant: bool = False
    is_first_try: bool = False
    counts: bool = False
    events: Callable[[Value], list[PlanEvent]] = lambda output: []
    done: dict[int, Value] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    _unsaved: list[int] = field(default_factory=list)
    _saved_at: float = 0.0

    async def run(self) -> None:
        """Do every item that is not done; afterwards ``done``, ``errors``, ``failures`` say all."""
        self._saved_at = time.monotonic()
        if not self.is_first_try:
            await self._load()
        todo = [i for i in range(self.start, self.stop) if not self._is_known(i)]
        try:
            for first in range(0, len(todo), WINDOW):
                if not await self._run_window(todo[first : first + WINDOW]):
                    break
        finally:
            # Also when cancelled: what is done must not be lost.
            await asyncio.shield(self._save())

    def _is_known(self, index: int) -> bool:
        return index in self.done or index in self.errors

    async def _load(self) -> None:
        chunks = await self.storage.load_chunks(
            self.plan_id, self.task, self.round, self.start, self.stop
        )
        for chunk in chunks:
            for index, value in enumerate(chunk.values, chunk.start):
                if index in chunk.errors:
                    self.errors[index] = chunk.errors[index]
                else:
                    self.done.setdefault(index, value)

    async def _run_window(self, indexes: list[int]) -> bool:
        """Do some items; False when the rest of the unit shall not be tried."""
        calls: list[tuple[int, ToolCall]] = []
        for index in indexes:
            try:
                calls.append((index, self.make_call(index)))
            except InvalidInput as error:
                self._note(index, None, error)
        position = 0
        while position < len(calls):
            batch = calls[position:] if self.repeatable else calls[position : position + 1]
            if not self.repeatable and not await self._begin(*batch[0]):
                position += 1
                continue
            outcomes = await self.toolbox.run_calls(
                self.tool, [call for _, call in batch], CHECKPOINT_SECONDS / 2
            )
            for (index, _), outcome in zip(batch, outcomes, strict=False):
                self._note(index, outcome.value, outcome.error)
            position += len(outcomes)
            if time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS:
                await self._save()
        return self.tolerant or all(
            failure.kind is FailureKind.TRANSIENT for failure in self.failures.values()
        )

    async def _begin(self, index: int, call: ToolCall) -> bool:
        """Note that something begins that must not be done twice; False if it had begun before."""
        key = call.key
        if self.confirmed and activity.info().attempt == 1:
            await self.storage.clear_started(key)
        if await self.storage.mark_started(key):
            return True
        error = UnknownOutcome(
            f"tool {self.tool!r} was begun and its worker died, or was stopped; "
            "it may or may not have had its effect",
            hint="look, then `mainstay retry` or `mainstay skip`",
        )
        self._note(index, None, error)
        return False

    def _note(self, index: int, value: Value, error: Exception | None) -> None:
        if error is None:
            self.done[index] = value
            self._unsaved.append(index)
        else:
            self.failures[index] = failure_from(error)

    async def tolerate(self) -> None:
        """Keep the failures as the outcome of their items."""
        for index, failure in self.failures.items():
            self.errors[index] = failure.message
            self._unsaved.append(index)
        self.failures = {}
        await self._save()

    async def _save(self) -> None:
        self._saved_at = time.monotonic()
        unsaved, self._unsaved = sorted(self._unsaved), []
        for start, stop in _runs(unsaved):
            events = [*self.events(self.done.get(start)), *self._progress(start, stop)]
            await self.storage.save_chunk(self._chunk(start, stop), events)

    def _chunk(self, start: int, stop: int) -> OutputChunk:
        indexes = range(start, stop)
        return OutputChunk(
            plan_id=self.plan_id,
            task=self.task,
            round=self.round,
            start=start,
            stop=stop,
            values=[self.done.get(index) for index in indexes],
            errors={
                index: self.errors[index][:MAX_MESSAGE_CHARS]
                for index in indexes
                if index in self.errors
            },
        )

    def _progress(self, start: int, stop: int) -> list[PlanEvent]:
        if not self.counts:
            return []
        return [
            PlanEvent(
                plan_id=self.plan_id,
                key=f"{self.task}/{self.round}/{start}/done",
                kind=EventKind.TASK_PROGRESS,
                at=datetime.now(UTC),
                task=self.task,
                count=stop - start,
            )
        ]


def _runs(indexes: list[int]) -> Iterator[tuple[int, int]]:
    """Group sorted indexes into runs: 1 2 3 7 8 gives (1, 4) and (7, 9)."""
    start = previous = None
    for index in indexes:
        if start is None or previous is None or index != previous + 1:
            if start is not None and previous is not None:
                yield start, previous + 1
            start = index
        previous = index
    if start is not None and previous is not None:
        yield start, previous + 1
