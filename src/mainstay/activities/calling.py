"""Opening a task: its plan, what its expressions see, and how its tools are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mainstay.activities.failures import as_application_error, failure_from
from mainstay.activities.ports import Storage, Toolbox
from mainstay.activities.scope import Reader, build_scope
from mainstay.activities.watching import LastLine
from mainstay.decisions.expressions import render
from mainstay.schemas.calls import TaskCall
from mainstay.schemas.errors import MainstayError, Unavailable
from mainstay.schemas.plan import PlanSpec, TaskSpec
from mainstay.schemas.tools import ToolCall

Value = Any  # JSON-like data


@dataclass
class OpenTask:
    """One activity's view of the task it works for.

    ``scope`` is what the task's expressions see, but for ``item``, ``index`` and ``output``.
    """

    storage: Storage
    toolbox: Toolbox
    reader: Reader
    call: TaskCall
    plan: PlanSpec
    task: TaskSpec
    scope: dict[str, Value]
    line: LastLine

    @classmethod
    async def open(
        cls, storage: Storage, toolbox: Toolbox, reader: Reader, call: TaskCall
    ) -> OpenTask:
        """Read everything the task's expressions need."""
        plan = await reader.plan(call.plan_ref)
        task = plan.tasks[call.task]
        scope = await build_scope(reader, call, plan, task)
        if task.env:
            scope["env"] = {**scope["env"], **render(task.env, scope)}
        line = LastLine(storage, call.plan_id, call.task)
        return cls(storage, toolbox, reader, call, plan, task, scope, line)

    @property
    def is_list(self) -> bool:
        """Whether the task is done once for each item of a list."""
        return self.task.for_each is not None

    def key(self, part: str = "") -> str:
        """Return the idempotency key of one effect: the same in every attempt and every run."""
        key = f"{self.call.plan_id}/{self.call.task}/{self.call.round}"
        return f"{key}/{part}" if part else key

    def tool_call(
        self, tool: str, arguments: Mapping[str, Value], scope: Mapping[str, Value], part: str
    ) -> ToolCall:
        """Render a tool's arguments and say what else the call is given.

        Raises:
            InvalidInput: an expression cannot be evaluated.
        """
        return ToolCall(
            arguments=render(arguments, scope),
            key=self.key(part),
            attempt=self.call.attempt,
            env=scope["env"],
            timeout=self.task.timeout or self.toolbox.spec(tool).timeout,
            watch=self.line.show,
        )

    async def rows(self) -> list[Value]:
        """Return the items of the task's list, as they were when it was prepared."""
        rows: list[Value] = await self.reader.document(items_key(self.call))
        return rows

    async def item_scope(self) -> dict[str, Value]:
        """Return the scope, in a list with the first of the call's items and its index."""
        if not self.is_list:
            return self.scope
        rows = await self.rows()
        return {**self.scope, "item": rows[self.call.start], "index": self.call.start}

    async def values(self) -> Value:
        """Return the task's plain output."""
        call = self.call
        return await self.reader.values(call.plan_id, call.task, call.round, self.is_list)


def items_key(call: TaskCall) -> str:
    """Name the document with the items of a task's list."""
    return f"items/{call.plan_id}/{call.task}/{call.round}"


@contextmanager
def reporting() -> Iterator[None]:
    """Let errors leave an activity as failures of the plan.

    Storage that does not answer is the machine's fault and is let through: Temporal retries it.
    """
    try:
        yield
    except Unavailable:
        raise
    except MainstayError as error:
        raise as_application_error(failure_from(error)) from None


@contextmanager
def reporting_all() -> Iterator[None]:
    """Let every error leave an activity as a failure of the plan or the agent.

    For what another side did wrong, a provider that does not answer included: how often it is
    asked again is their rule, and not Temporal's.
    """
    try:
        yield
    except MainstayError as error:
        raise as_application_error(failure_from(error)) from None
