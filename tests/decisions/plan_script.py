"""A plan that a test drives by hand, one event at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstay.decisions.draft import Shape
from mainstay.decisions.plan import begin, decide, next_alarm
from mainstay.decisions.revival import take_up
from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import (
    Answered,
    CancelAsked,
    Directive,
    DoWork,
    Event,
    Finish,
    RetryAsked,
    SkipAsked,
    Started,
    StopWork,
    Tell,
    Ticked,
    WorkEnded,
)
from mainstay.schemas.outline import PlanOutline, TaskKind, TaskOutline
from mainstay.schemas.run import (
    Answer,
    Failure,
    FailureKind,
    PlanState,
    PlanStatus,
    Step,
    TaskState,
    TaskStatus,
    Unit,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRANSIENT, PERMANENT = FailureKind.TRANSIENT, FailureKind.PERMANENT
REFUSED, UNKNOWN = FailureKind.REFUSED, FailureKind.UNKNOWN


def task(name: str, **more: Any) -> TaskOutline:
    """A task's shape, prepared where it has to be."""
    needed = more.get("for_each") or more.get("asks") or more.get("kind") == TaskKind.PLAN
    return TaskOutline(name=name, **{"prepares": bool(needed), **more})


def each(name: str, **more: Any) -> TaskOutline:
    return task(name, for_each=True, **more)


def question(name: str, **more: Any) -> TaskOutline:
    return task(name, kind=TaskKind.APPROVAL, asks=True, **more)


class Script:
    """One plan, where it stands, and what the last decision asked for. Needs are given by name."""

    def __init__(
        self, *tasks: TaskOutline, needs: dict[str, Sequence[str]] | None = None, **plan: Any
    ):
        names = [one.name for one in tasks]
        wired = tuple(
            one.model_copy(
                update={"needs": tuple(names.index(n) for n in (needs or {}).get(one.name, ()))}
            )
            for one in tasks
        )
        self.shape = Shape.of(PlanOutline(tasks=wired, **plan))
        self.now = NOW
        self.state: PlanState = begin(self.shape.outline, NOW)
        self.last: list[Directive] = []
        self.all: list[Directive] = []

    # Events.

    def note(self, *events: Event, hold: bool = False) -> Script:
        self.state, self.last = decide(self.state, events, self.shape, self.now, hold=hold)
        self.all += self.last
        return self

    def start(self, **more: Any) -> Script:
        return self.note(Started(), **more)

    def done(self, name: str, start: int | None = None, **verdict: Any) -> Script:
        unit = self.flying(name, start)
        if unit.step is Step.UNIT:
            verdict.setdefault("done", unit.stop - unit.start)
        return self.note(WorkEnded(self.position(name), unit, verdict=Verdict(**verdict)))

    def prepared(self, name: str, items: int = 1, message: str = "") -> Script:
        return self.done(name, items=items, message=message)

    def sent_back(self, name: str, message: str = "not good") -> Script:
        return self.done(name, status=TaskStatus.PENDING, message=message)

    def not_met(self, name: str) -> Script:
        return self.done(name, status=TaskStatus.SKIPPED, message="`if` is false")

    def fail(
        self, name: str, kind: FailureKind = PERMANENT, start: int | None = None, **more: Any
    ) -> Script:
        failure = Failure(kind=kind, message=more.pop("message", "it broke"), **more)
        unit = self.flying(name, start)
        return self.note(WorkEnded(self.position(name), unit, failure=failure))

    def wait(self, seconds: float) -> Script:
        self.now += timedelta(seconds=seconds)
        return self.note(Ticked())

    def cancel(self, grace: float = 0, reason: str = "") -> Script:
        return self.note(CancelAsked(reason, timedelta(seconds=grace)))

    def answer(self, name: str, approved: bool, **more: Any) -> Script:
        return self.note(Answered(self.position(name), Answer(approved=approved, **more)))

    def retry(self, name: str, by: str = "") -> Script:
        return self.note(RetryAsked(self.position(name), by))

    def skip(self, name: str, by: str = "", reason: str = "") -> Script:
        return self.note(SkipAsked(self.position(name), by, reason))

    def take_up(self) -> Script:
        self.state, self.last = take_up(self.state, self.shape, self.now)
        self.all += self.last
        return self.start()

    # What came of them.

    def position(self, name: str) -> int:
        return self.shape.positions[name]

    def __getitem__(self, name: str) -> TaskState:
        return self.state.tasks[self.position(name)]

    def flying(self, name: str, start: int | None = None) -> Unit:
        [unit] = [u for u in self[name].flying if start in (None, u.start)]
        return unit

    @property
    def work(self) -> list[str]:
        """What the last decision handed out: `name`, or `name 0..1` of a list, or `step name`."""
        return [self._spell(one) for one in self.last if isinstance(one, DoWork)]

    def _spell(self, work: DoWork) -> str:
        outline, unit = self.shape.outline.tasks[work.task], work.unit
        if unit.step is not Step.UNIT:
            return f"{unit.step} {outline.name}"
        return f"{outline.name} {unit.start}..{unit.stop - 1}" if outline.for_each else outline.name

    @property
    def statuses(self) -> dict[str, str]:
        return {name: self[name].status.value for name in self.shape.positions}

    @property
    def stops(self) -> list[StopWork]:
        return [one for one in self.last if isinstance(one, StopWork)]

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What the last decision put on record: task, status, message."""
        outlines = self.shape.outline.tasks
        return [
            ("" if one.task is None else outlines[one.task].name, str(one.status), one.message)
            for one in self.last
            if isinstance(one, Tell)
        ]

    @property
    def finish(self) -> PlanStatus | None:
        finishes = [one.status for one in self.all if isinstance(one, Finish)]
        return finishes[-1] if finishes else None

    @property
    def alarm_seconds(self) -> float | None:
        """How long from now until the next alarm."""
        alarm = next_alarm(self.state)
        return None if alarm is None else (alarm - self.now).total_seconds()
