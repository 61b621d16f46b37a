"""A plan as its workflow knows it: the shape, and none of the contents.

The workflow decides on order, retries and limits, so it holds only what those need. Arguments,
expressions and outputs stay in storage, where the activities that use them read them.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from mainstay.schemas.durations import Duration
from mainstay.schemas.model import Model
from mainstay.schemas.plan import ApprovalDefault, RetrySpec
from mainstay.schemas.priority import Level
from mainstay.schemas.run import PlanState

PAGE_TASKS = 200
"""Tasks in one page of an outline: about 20 KiB, below the 32 KiB that may cross a boundary."""


class TaskKind(StrEnum):
    """What a task does once it may start."""

    TOOL = "tool"
    PLAN = "plan"
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
    priority: Level = Level.NORMAL


class OutlinePage(Model):
    """Some consecutive tasks of an outline, and what the whole plan needs to know.

    ``state`` comes with the first page when an ended run is taken up again: the state it ended in.
    """

    first: int = 0
    total: int
    tasks: tuple[TaskOutline, ...]
    max_parallel: int = 16
    timeout: Duration | None = None
    priority: Level = Level.NORMAL
    state: PlanState | None = None


class PlanOutline(Model):
    """All tasks of a plan, in the order of its file."""

    tasks: tuple[TaskOutline, ...]
    max_parallel: int = 16
    timeout: Duration | None = None
    priority: Level = Level.NORMAL
