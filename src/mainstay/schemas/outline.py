"""A plan as its workflow knows it: the shape, and none of the contents.

The workflow decides on order, retries and limits, so it holds only what those need. Arguments,
expressions and outputs stay in storage, where the activities that use them read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from mainstay.schemas.durations import Duration
from mainstay.schemas.model import Model
from mainstay.schemas.packing import pack, unpack
from mainstay.schemas.plan import ApprovalDefault, RetrySpec
from mainstay.schemas.priority import Level
from mainstay.schemas.run import PlanState

PAGE_TASKS = 500
"""Most tasks in one page of an outline: compressed, about 3 KiB."""

PAGE_NEEDS = 10_000
"""Needs in one page, a run of neighbours counted once: compressed, at most about 30 KiB. Only a
page with a single task may have more."""


class TaskKind(StrEnum):
    """What a task does once it may start."""

    TOOL = "tool"
    PLAN = "plan"
    AGENT = "agent"
    APPROVAL = "approval"


class TaskOutline(Model):
    """One task's shape. Positions count from 0 in the order the plan's file lists the tasks.

    Attributes:
        needs: positions of the tasks that must end first.
        judges_needs: its ``if`` uses ``success()``, ``failure()`` or ``always()``, so it is looked
            at even when a needed task failed.
        prepares: an activity must look at it before it runs (an ``if``, a ``for_each``, a
            question to render, a sub-plan's inputs).
        gathers: an activity must look at the whole output of a ``for_each`` after its last item.
        retries: whether a failed attempt may be made again (the tool is idempotent).
        has_critic: an agent judges the whole output before it is looked at.
    """

    name: str
    kind: TaskKind = TaskKind.TOOL
    tool: str = ""
    needs: tuple[int, ...] = ()
    judges_needs: bool = False
    prepares: bool = False
    for_each: bool = False
    batch: int = 1
    max_parallel: int | None = None
    gathers: bool = False
    asks: bool = False
    deadline: Duration | None = None
    default: ApprovalDefault | None = None
    timeout: Duration = timedelta(minutes=1)
    retry: RetrySpec = Field(default_factory=RetrySpec)
    retries: bool = True
    continue_on_error: bool = False
    undoes: bool = False
    rounds: int = 1
    has_critic: bool = False
    priority: Level = Level.NORMAL

    @field_serializer("needs")
    def _as_runs(self, needs: tuple[int, ...]) -> list[list[int]]:
        return runs(needs)

    @field_validator("needs", mode="before")
    @classmethod
    def _from_runs(cls, needs: Any) -> Any:  # Any: positions, or runs of them from the wire
        if needs and isinstance(needs[0], list):
            return [need for first, last in needs for need in range(first, last + 1)]
        return needs


def runs(positions: Sequence[int]) -> list[list[int]]:
    """Group neighbours: 3, 4, 5, 9 becomes [[3, 5], [9, 9]]; the order stays."""
    grouped: list[list[int]] = []
    for position in positions:
        if grouped and position == grouped[-1][1] + 1:
            grouped[-1][1] = position
        else:
            grouped.append([position, position])
    return grouped


class OutlinePage(Model):
    """Some consecutive tasks of an outline, and what the whole plan needs to know.

    ``state`` comes with the first page when an ended run is taken up again: the state it ended in.
    """

    first: int = 0
    total: int
    pages: int = 1
    tasks: tuple[TaskOutline, ...]
    max_parallel: int = 16
    timeout: Duration | None = None
    priority: Level = Level.NORMAL
    state: PlanState | None = None

    @model_serializer(mode="wrap")
    def _pack(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:  # Any: JSON-like
        data: dict[str, Any] = handler(self)
        data["tasks"] = [task.model_dump(mode="json", exclude_defaults=True) for task in self.tasks]
        return pack(data)

    @model_validator(mode="before")
    @classmethod
    def _unpack(cls, data: Any) -> Any:  # Any: whatever is validated
        return unpack(data)


class PlanOutline(Model):
    """All tasks of a plan, in the order of its file."""

    tasks: tuple[TaskOutline, ...]
    max_parallel: int = 16
    timeout: Duration | None = None
    priority: Level = Level.NORMAL
