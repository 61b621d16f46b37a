"""Why a plan failed, in a few words for the plan that it is a part of.

Rules:
    1. Each failed task is named, with its reason, in the plan's order. One that may fail is not.
    2. They share the room there is; those for which there is none are counted.
    3. A plan that failed without a failed task, because its time was up for instance, says so.
"""

from __future__ import annotations

from mainstay.decisions.draft import Shape
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.run import PlanState, TaskState, TaskStatus

MAX_NAMED = 5
"""Failed tasks that are named."""


def tell_failures(state: PlanState, shape: Shape, limit: int = MAX_MESSAGE_CHARS) -> str:
    """Say which tasks failed, and why, in at most ``limit`` characters (at least 100)."""
    own = state.failure.message if state.failure else ""
    failed = [
        (outline.name, _reason(task))
        for task, outline in zip(state.tasks, shape.outline.tasks, strict=True)
        if task.status is TaskStatus.FAILED and not outline.continue_on_error
    ]
    if own not in [reason for _, reason in failed]:
        return _cut(own, limit)
    named = failed[:MAX_NAMED]
    more = f"; and {len(failed) - MAX_NAMED} more" if len(failed) > MAX_NAMED else ""
    room = (limit - len(more)) // len(named) - 2
    return "; ".join(_cut(f"task {name!r} failed: {reason}", room) for name, reason in named) + more


def _reason(task: TaskState) -> str:
    return task.failure.message if task.failure else ""


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
