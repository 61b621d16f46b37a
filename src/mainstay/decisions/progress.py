"""A plan at a glance, for a query, the Web UI and a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mainstay.decisions.draft import Shape
from mainstay.schemas.calls import PlanProgress
from mainstay.schemas.run import PlanState, PlanStatus, TaskState, TaskStatus

MAX_NAMED = 10
"""Tasks named in a summary; the rest are counted."""

_WAITS = (TaskStatus.ASKING, TaskStatus.UNKNOWN, TaskStatus.WAITING)
_WORKS = (TaskStatus.RUNNING, TaskStatus.PREPARING, TaskStatus.GATHERING, TaskStatus.UNDOING)


def progress(plan_id: str, state: PlanState, shape: Shape) -> PlanProgress:
    """Sum a plan up: how many tasks stand where, what is being done, what is waited for."""
    status = state.status
    if state.is_paused and status is PlanStatus.RUNNING:
        status = PlanStatus.PAUSED
    return PlanProgress(
        plan_id=plan_id,
        status=status,
        counts=dict(Counter(task.status for task in state.tasks)),
        waiting_for=tuple(_first(_waiting(state, shape))),
        running=tuple(_first(_running(state, shape))),
    )


def describe(summary: PlanProgress) -> str:
    """Write a summary as a few lines of Markdown, for the Web UI's current details."""
    counts = ", ".join(f"{number} {status}" for status, number in summary.counts.items())
    lines = [f"**{summary.status}**: {counts}"]
    lines += [f"- waiting: {reason}" for reason in summary.waiting_for]
    lines += [f"- running: {task}" for task in summary.running]
    return "\n".join(lines)


def _waiting(state: PlanState, shape: Shape) -> Iterator[str]:
    if state.is_paused:
        yield "paused; `mainstay resume` lets it go on"
    if state.grace_until is not None:
        yield f"running work may go on until {state.grace_until:%H:%M:%S} UTC, then it is stopped"
    for position, task in enumerate(state.tasks):
        if task.status in _WAITS:
            yield f"{shape.outline.tasks[position].name}: {_why(task)}"


def _why(task: TaskState) -> str:
    if task.status is TaskStatus.ASKING:
        until = f" until {task.deadline:%Y-%m-%d %H:%M} UTC" if task.deadline else ""
        return f"asks for approval{until}: {task.reason or 'Continue?'}"
    if task.status is TaskStatus.UNKNOWN:
        return f"outcome unknown: {task.reason}; `mainstay retry` or `mainstay skip`"
    return task.reason


def _running(state: PlanState, shape: Shape) -> Iterator[str]:
    for position, task in enumerate(state.tasks):
        if task.status in _WORKS:
            name = shape.outline.tasks[position].name
            many = task.items is not None and task.items != 1
            yield f"{name} ({task.done}/{task.items})" if many else name


def _first(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == MAX_NAMED:
            yield "and more"
            return
        yield line
