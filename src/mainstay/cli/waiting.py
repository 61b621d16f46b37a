"""What a plan waits for, in words, and the commands that let it go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.schemas.records import PlanRow, TaskRow

MAX_NAMED = 5
"""Tasks whose commands are written out; the others are like them."""


def waits(plan: PlanRow, tasks: Sequence[TaskRow]) -> list[str]:
    """Say what an unfinished plan waits for, one line each."""
    lines = ["somebody to resume it"] if plan.status == "paused" else []
    for task in tasks:
        if task.status == "asking":
            lines.append(f"an answer to {task.name}: {task.message or 'Continue?'}")
        elif task.status == "unknown":
            lines.append(f"a decision about {task.name}: {task.message}")
        elif task.status == "waiting":
            lines.append(f"another attempt of {task.name}: {task.message}")
    return lines


def next_steps(plan: PlanRow, tasks: Sequence[TaskRow]) -> list[str]:
    """Write the commands that a person could type next."""
    if plan.status in ("failed", "cancelled"):
        return [f"`mainstay retry {plan.plan_id}` lets it go on; what succeeded stays done"]
    if plan.status == "succeeded":
        return []
    steps = [f"`mainstay resume {plan.plan_id}`"] if plan.status == "paused" else []
    for task in tasks:
        which = f"{plan.plan_id} {task.name}"
        if task.status == "asking":
            steps.append(f"`mainstay approve {which}`, or `mainstay reject {which}`")
        elif task.status == "unknown":
            steps.append(f"look, then `mainstay retry {which}`, or `mainstay skip {which}`")
        elif task.status == "failed" and plan.status == "running":
            steps.append(f"`mainstay retry {which}`, or `mainstay skip {which}`")
    return steps[:MAX_NAMED]
