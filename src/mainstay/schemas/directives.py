"""What a plan's decisions are told, and what they ask for.

Events go in, directives come out; both stay inside one workflow, so they are plain dataclasses
and not payloads. Tasks are given by their position in the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mainstay.schemas.calls import Verdict
from mainstay.schemas.records import EventKind
from mainstay.schemas.run import Answer, Failure, PlanStatus, TaskStatus, Unit


@dataclass(frozen=True, slots=True)
class Started:
    """The plan begins, or goes on in a new run."""


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """A piece of work came back: with a verdict, or with a failure."""

    task: int
    unit: Unit
    verdict: Verdict | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed: a deadline or a back-off may be over."""


@dataclass(frozen=True, slots=True)
class Paused:
    """Hand out nothing new."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Go on."""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Stop: let running work go on for ``grace``, then stop it, then undo."""

    reason: str
    grace: timedelta


@dataclass(frozen=True, slots=True)
class Answered:
    """A person answered an approval."""

    task: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class RetryAsked:
    """A person wants a task tried again."""

    task: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class SkipAsked:
    """A person wants the plan to go on without a task."""

    task: int
    by: str = ""
    reason: str = ""


Event = (
    Started
    | WorkEnded
    | Ticked
    | Paused
    | Resumed
    | CancelAsked
    | Answered
    | RetryAsked
    | SkipAsked
)


@dataclass(frozen=True, slots=True)
class DoWork:
    """Have a piece of work done, and report it as :class:`WorkEnded`."""

    task: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class StopWork:
    """Cancel work that is being done: one task's, or all of it."""

    task: int | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Put something on record for people."""

    kind: EventKind
    task: int | None = None
    status: TaskStatus | PlanStatus | None = None
    message: str = ""
    attempt: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left to do: end the run with this status."""

    status: PlanStatus


Directive = DoWork | StopWork | Tell | Finish
