"""A plan's state while a decision is being made.

A decision takes a frozen state and gives back another. Between the two it works on a draft, so
that a plan of ten thousand tasks is copied once per decision and not once per change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mainstay.schemas.directives import Directive, Tell
from mainstay.schemas.outline import PlanOutline, TaskOutline
from mainstay.schemas.records import EventKind
from mainstay.schemas.run import TASK_ENDS, PlanState, TaskState


@dataclass(frozen=True)
class Shape:
    """An outline with what follows from it: who depends on whom, and where each name stands."""

    outline: PlanOutline
    dependents: tuple[tuple[int, ...], ...] = ()
    positions: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, outline: PlanOutline) -> Shape:
        """Work out the dependents of every task."""
        dependents: list[list[int]] = [[] for _ in outline.tasks]
        for position, task in enumerate(outline.tasks):
            for need in task.needs:
                dependents[need].append(position)
        names = {task.name: position for position, task in enumerate(outline.tasks)}
        return cls(outline, tuple(tuple(of) for of in dependents), names)


class Draft:
    """The working copy of a state, and the directives collected on the way."""

    def __init__(self, state: PlanState, shape: Shape, now: datetime) -> None:
        self.shape = shape
        self.now = now
        self.directives: list[Directive] = []
        self.tasks: list[TaskState] = list(state.tasks)
        self.ready: list[tuple[int, int]] = [
            (int(shape.outline.tasks[position].priority), position) for position in state.ready
        ]
        self.timed: dict[int, None] = dict.fromkeys(state.timed)
        self.undoable: list[int] = list(state.undoable)
        self.in_flight = state.in_flight
        self.remaining = state.remaining
        self.state = state

    def freeze(self) -> PlanState:
        """Return the new state."""
        return self.state.model_copy(
            update={
                "tasks": tuple(self.tasks),
                "ready": tuple(position for _, position in self.ready),
                "timed": tuple(self.timed),
                "undoable": tuple(self.undoable),
                "in_flight": self.in_flight,
                "remaining": self.remaining,
            }
        )

    def outline(self, position: int) -> TaskOutline:
        """Return the shape of the task at a position."""
        return self.shape.outline.tasks[position]

    def change(self, position: int, **update: Any) -> TaskState:  # Any: fields of TaskState
        """Replace fields of one task's state."""
        task = self.tasks[position].model_copy(update=update)
        self.tasks[position] = task
        return task

    def change_plan(self, **update: Any) -> None:  # Any: fields of PlanState
        """Replace fields of the plan's own state."""
        self.state = self.state.model_copy(update=update)

    def enqueue(self, position: int) -> None:
        """Let a task wait for a free place: the most urgent first, then in the file's order."""
        entry = (int(self.outline(position).priority), position)
        index = bisect_left(self.ready, entry)
        if self.ready[index : index + 1] != [entry]:
            self.ready.insert(index, entry)

    def dequeue(self, position: int) -> None:
        """Let a task no longer wait for a place."""
        entry = (int(self.outline(position).priority), position)
        index = bisect_left(self.ready, entry)
        if self.ready[index : index + 1] == [entry]:
            del self.ready[index]

    def time(self, position: int) -> None:
        """Remember that a task waits for a moment in time."""
        self.timed[position] = None

    def untime(self, position: int) -> None:
        """Forget it again."""
        self.timed.pop(position, None)

    def do(self, *directives: Directive) -> None:
        """Ask for something to be done."""
        self.directives.extend(directives)

    def tell(self, position: int, message: str = "", total: int | None = None) -> None:
        """Put a task's present status on record."""
        task = self.tasks[position]
        self.do(Tell(EventKind.TASK_STATUS, position, task.status, message, task.attempt, total))

    def all_ended(self, positions: Sequence[int]) -> bool:
        """Tell whether all these tasks have ended."""
        return all(self.tasks[position].status in TASK_ENDS for position in positions)
