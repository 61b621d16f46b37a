"""What a plan does, in a few lines: for a person who is to approve it, and for critics."""

from __future__ import annotations

from mainstay.decisions.graph import levels
from mainstay.schemas.plan import PlanSpec, TaskSpec

MAX_WORDS_CHARS = 100
"""Length of the words about one task."""


def summarize_plan(plan: PlanSpec) -> str:
    """Say what a valid plan does: its tasks in the order they can begin, one a line."""
    title = f"{plan.name}: {plan.description}" if plan.description else plan.name
    order = [
        name
        for level in levels({name: task.needs for name, task in plan.tasks.items()})
        for name in level
    ]
    lines = [f"{number}. {_tell(name, plan.tasks[name])}" for number, name in enumerate(order, 1)]
    return "\n".join([title, *lines])


def _tell(name: str, task: TaskSpec) -> str:
    words = _short(task.description or _written(task))
    after = f" (after {', '.join(task.needs)})" if task.needs else ""
    return f"{name}, {_worker(task)}{': ' + words if words else ''}{after}"


def _worker(task: TaskSpec) -> str:
    each = " for each" if task.for_each is not None else ""
    if task.agent is not None:
        return f"agent {task.agent}{each}"
    if task.capability is not None:
        return f"an agent for {task.capability}{each}"
    if task.tool is not None:
        return f"tool {task.tool}{each}"
    if task.plan is not None:
        return f"another plan{each}"
    return "a question to a person"


def _written(task: TaskSpec) -> str:
    """Return what the task says of its own work when it has no description."""
    if task.approval is not None and task.tool is None and task.plan is None:
        return task.approval.message
    return task.prompt if isinstance(task.prompt, str) else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_WORDS_CHARS else f"{line[: MAX_WORDS_CHARS - 1]}…"
