"""How a plan becomes the outline that its workflow knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from mainstay.decisions.expressions import START, inspect_condition
from mainstay.schemas.outline import (
    PAGE_NEEDS,
    PAGE_TASKS,
    OutlinePage,
    PlanOutline,
    TaskKind,
    TaskOutline,
    runs,
)
from mainstay.schemas.plan import PlanSpec, RetrySpec, TaskSpec
from mainstay.schemas.tools import ToolSpec

DEFAULT_TIMEOUT = timedelta(minutes=1)
"""How long a tool call may take when neither the task nor the tool says."""

_CHILDREN = (TaskKind.PLAN, TaskKind.AGENT)
"""Kinds of tasks whose work is a workflow of its own."""

AT_RUN_TIME = "(known when it runs)"

JUDGING_FUNCTIONS = frozenset({"success", "failure", "always"})
"""Functions with which an ``if`` judges the needed tasks itself."""


def compile_outline(plan: PlanSpec, tools: Mapping[str, ToolSpec]) -> PlanOutline:
    """Keep of a valid plan what its workflow decides on.

    A tool that is not in ``tools`` is taken for one that must not be done twice.
    """
    positions = {name: position for position, name in enumerate(plan.tasks)}
    return PlanOutline(
        tasks=tuple(_task(name, task, plan, positions, tools) for name, task in plan.tasks.items()),
        max_parallel=plan.max_parallel,
        timeout=plan.timeout,
        priority=plan.priority,
    )


def page(outline: PlanOutline, number: int) -> OutlinePage:
    """Return page ``number`` (from 0) of an outline."""
    borders = _borders(outline)
    return OutlinePage(
        first=borders[number],
        total=len(outline.tasks),
        pages=len(borders) - 1,
        tasks=outline.tasks[borders[number] : borders[number + 1]],
        max_parallel=outline.max_parallel,
        timeout=outline.timeout,
        priority=outline.priority,
    )


def _borders(outline: PlanOutline) -> list[int]:
    """Return where pages begin, and where the last one ends."""
    borders, needs = [0], 0
    for position, task in enumerate(outline.tasks):
        weight = len(runs(task.needs))
        is_full = needs + weight > PAGE_NEEDS or position - borders[-1] >= PAGE_TASKS
        if is_full and position > borders[-1]:
            borders.append(position)
            needs = 0
        needs += weight
    return [*borders, len(outline.tasks)]


def _task(
    name: str,
    task: TaskSpec,
    plan: PlanSpec,
    positions: Mapping[str, int],
    tools: Mapping[str, ToolSpec],
) -> TaskOutline:
    kind = _kind(task)
    tool = tools.get(task.tool or "")
    for_each = task.for_each is not None
    approval = task.approval
    has_critic = task.verify is not None and task.verify.agent is not None
    looks_first = kind is not TaskKind.TOOL or approval is not None
    return TaskOutline(
        name=name,
        kind=kind,
        tool=_work(task),
        needs=tuple(positions[need] for need in task.needs),
        judges_needs=_judges_needs(task),
        prepares=for_each or looks_first,
        for_each=for_each,
        batch=task.batch if kind is TaskKind.TOOL else 1,
        max_parallel=task.max_parallel,
        gathers=has_critic
        or ((for_each or kind in _CHILDREN) and bool(task.outputs or task.verify)),
        asks=approval is not None,
        deadline=approval.deadline if approval else None,
        default=approval.default if approval else None,
        timeout=task.timeout or (tool.timeout if tool else DEFAULT_TIMEOUT),
        retry=task.retry or RetrySpec(),
        retries=_is_repeatable(task, tool),
        continue_on_error=task.continue_on_error,
        undoes=task.undo is not None,
        rounds=task.verify.attempts if task.verify else 1,
        has_critic=has_critic,
        priority=plan.priority if task.priority is None else task.priority,
    )


def _kind(task: TaskSpec) -> TaskKind:
    if task.tool:
        return TaskKind.TOOL
    if task.plan:
        return TaskKind.PLAN
    return TaskKind.AGENT if task.is_for_agent else TaskKind.APPROVAL


def _work(task: TaskSpec) -> str:
    """Name what does the work, for people; what an expression gives has no name yet."""
    named = task.tool or task.plan or task.agent or task.capability or ""
    return AT_RUN_TIME if START in named else named


def _is_repeatable(task: TaskSpec, tool: ToolSpec | None) -> bool:
    if task.idempotent is not None:
        return task.idempotent
    if task.is_for_agent:
        return task.retry is not None  # a new agent may do again what the first one did
    if task.tool is None:
        return True
    return tool is not None and tool.idempotent


def _judges_needs(task: TaskSpec) -> bool:
    return bool(inspect_condition(task.if_).functions & JUDGING_FUNCTIONS)
