"""A supervisor that a test drives by hand, one event at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from team_world import EXITS, START

from mainstay.decisions.supervision.supervisor import decide
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.supervision import (
    ChildExit,
    ChildPlan,
    ChildState,
    ExitKind,
    SupervisorPolicy,
    SupervisorState,
)
from mainstay.schemas.supervision_directives import (
    BecameReady,
    CancelChild,
    CloseChild,
    EndSupervisor,
    Exited,
    KillChild,
    Report,
    ShutDownAsked,
    StartChild,
    SupervisorDirective,
    SupervisorSignal,
    TellParent,
    TellToStop,
    Ticked,
    WasOpened,
)
from mainstay.schemas.team import BackoffSpec, IntensitySpec, Restart


def plan(name: str, restart: str = "permanent", **fields: Any) -> ChildPlan:
    return ChildPlan(name=name, restart=Restart(restart), **fields)


def policy(strategy: str = "one_for_one", restarts: int = 3, **fields: Any) -> SupervisorPolicy:
    intensity = IntensitySpec(max_restarts=restarts, window=timedelta(seconds=5))
    return SupervisorPolicy(strategy=strategy, intensity=intensity, **fields)


def backoff(initial: float, **fields: Any) -> BackoffSpec:
    return BackoffSpec(initial=timedelta(seconds=initial), jitter=0, **fields)


def failed(message: str = "it broke", type_: str = "RuntimeError") -> ChildExit:
    kind = FailureKind.TRANSIENT if type_ == "RuntimeError" else FailureKind.PERMANENT
    failure = Failure(kind=kind, type=type_, message=message)
    return ChildExit(kind=ExitKind.FAILED, failure=failure)


class Team:
    """A supervisor with what it did last. ``did`` says it in words: ``start a``, ``stop b``."""

    def __init__(self, own: SupervisorPolicy, *plans: ChildPlan) -> None:
        self.now: datetime = START
        self.state = SupervisorState()
        self.directives: list[SupervisorDirective] = []
        self.tell(WasOpened(policy=own, plans=plans))

    def tell(self, *events: SupervisorSignal, dice: float = 0.0) -> list[str]:
        self.state, self.directives = decide(self.state, events, self.now, dice=dice)
        return self.did

    @property
    def did(self) -> list[str]:
        return [words for one in self.directives if (words := _words(one))]

    @property
    def reports(self) -> list[Report]:
        return [one for one in self.directives if isinstance(one, Report)]

    def child(self, name: str) -> ChildState:
        return next(child for child in self.state.children if child.name == name)

    @property
    def names(self) -> list[str]:
        return [child.name for child in self.state.children]

    def phases(self) -> dict[str, str]:
        return {child.name: child.phase.value for child in self.state.children}

    def ready(self, *names: str) -> list[str]:
        return self.tell(*(BecameReady(name, self.child(name).incarnation) for name in names))

    def exit(self, name: str, how: str | ChildExit = "shutdown") -> list[str]:
        end = EXITS[how] if isinstance(how, str) else how
        return self.tell(Exited(name, self.child(name).incarnation, end))

    def wait(self, seconds: float) -> list[str]:
        self.now += timedelta(seconds=seconds)
        return self.tell(Ticked())

    def shut_down(self, **fields: Any) -> list[str]:
        return self.tell(ShutDownAsked("enough", **fields))


def up(own: SupervisorPolicy, *plans: ChildPlan) -> Team:
    """A team whose children are all ready."""
    team = Team(own, *plans)
    for one in plans:
        team.ready(*(child for child in team.names if child.partition("-")[0] == one.name))
    return team


def _words(directive: SupervisorDirective) -> str:
    match directive:
        case StartChild(name=name):
            return f"start {name}"
        case TellToStop(name=name):
            return f"stop {name}"
        case CancelChild(name=name):
            return f"cancel {name}"
        case KillChild(name=name):
            return f"kill {name}"
        case CloseChild(name=name):
            return f"close {name}"
        case EndSupervisor(end=end):
            return f"end {end}"
        case TellParent():
            return "ready"
        case _:
            return ""
