"""Where the plans of a test run, and how a test waits for what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstay.client import Mainstay
from mainstay.handle import PlanHandle
from mainstay.schemas.calls import PlanOptions, PlanResult
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.settings import Settings

PLAN_TOOLS = str(Path(__file__).with_name("plan_tools.py"))
TIMEOUT_SECONDS = 30


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = TIMEOUT_SECONDS) -> Any:
    """Wait until something is so, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


@dataclass
class Stage:
    """Where the plans of a test run."""

    mainstay: Mainstay
    folder: Path
    settings: Settings

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    async def start(
        self,
        tasks: dict[str, Any],
        inputs: dict[str, Any] | None = None,
        options: PlanOptions | None = None,
        **plan: Any,
    ) -> PlanHandle:
        spec = PlanSpec.model_validate({"name": "p", "tasks": tasks, **plan})
        return await self.mainstay.start(spec, inputs, options=options)

    async def start_named(self, run: str, tasks: dict[str, Any]) -> PlanHandle:
        spec = PlanSpec.model_validate({"name": "p", "tasks": tasks})
        # The server is shared by all tests, so ids of their own keep them apart.
        return await self.mainstay.start(spec, run=run)

    async def run(self, tasks: dict[str, Any], **more: Any) -> tuple[PlanHandle, PlanResult]:
        run = await self.start(tasks, **more)
        return run, await self.result(run)

    async def succeed(self, tasks: dict[str, Any], **more: Any) -> PlanHandle:
        run, result = await self.run(tasks, **more)
        assert result.status is PlanStatus.SUCCEEDED, result.failure
        return run

    async def result(self, run: PlanHandle) -> PlanResult:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await run.result()

    async def statuses(self, run: PlanHandle) -> dict[str, TaskStatus]:
        return {row.name: row.status for row in await run.tasks()}

    async def until_status(self, run: PlanHandle, task: str, status: TaskStatus) -> None:
        async def is_so() -> bool:
            return (await self.statuses(run)).get(task) is status

        await until(is_so)

    async def until_plan(self, run: PlanHandle, status: PlanStatus) -> None:
        async def is_so() -> bool:
            row = await self.mainstay.store.get_plan(run.id)
            return row is not None and row.status is status

        await until(is_so)

    async def until_lines(self, name: str, count: int = 1, seconds: float = 30) -> list[str]:
        async def has_lines() -> bool:
            return len(self.lines(name)) >= count

        await until(has_lines, seconds)
        return self.lines(name)
