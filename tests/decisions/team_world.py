"""A world in which a supervisor lives without Temporal, side by side with the reference.

Each event is told to both, news twice to the supervisor; then both must have done the same, and
stand in the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from otp_model import Child, Flags, Otp

from mainstay.decisions.supervision import supervisor
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.supervision import (
    ChildExit,
    ChildPhase,
    ChildPlan,
    ExitKind,
    SupervisorPolicy,
    SupervisorState,
)
from mainstay.schemas.supervision_calls import Severity
from mainstay.schemas.supervision_directives import (
    BecameReady,
    CancelChild,
    DeleteAsked,
    EndSupervisor,
    Exited,
    KillChild,
    Report,
    RestartChildAsked,
    ShutDownAsked,
    StartAsked,
    StartChild,
    SupervisorDirective,
    SupervisorSignal,
    TellParent,
    TellToStop,
    TerminateAsked,
    Ticked,
    WasOpened,
    WasUnhealthy,
)
from mainstay.schemas.team import BackoffSpec, IntensitySpec

START = datetime(2026, 1, 1, tzinfo=UTC)
ALIVE = {ChildPhase.STARTING, ChildPhase.RUNNING, ChildPhase.STOPPING}
LONGEST_END = 200
"""Events within which a supervisor that is told to end must have ended."""

SHUTDOWN = timedelta(seconds=60)
FAILED = Failure(kind=FailureKind.TRANSIENT, type="RuntimeError", message="it broke")
REFUSED = Failure(kind=FailureKind.REFUSED, type="Refused", message="no key")
EXITS = {
    "normal": ChildExit(kind=ExitKind.NORMAL),
    "shutdown": ChildExit(kind=ExitKind.SHUTDOWN),
    "failed": ChildExit(kind=ExitKind.FAILED, failure=FAILED),
    "refused": ChildExit(kind=ExitKind.FAILED, failure=REFUSED),
}


def plan_of(child: Child, count: int = 1) -> ChildPlan:
    """Return the plan of a child, or of a whole group of its kind."""
    return ChildPlan(
        name=child.name.partition("-")[0] if count > 1 else child.name,
        restart=child.restart,
        significant=child.significant,
        shutdown=SHUTDOWN,
        backoff=BackoffSpec(
            initial=timedelta(seconds=child.initial),
            maximum=timedelta(seconds=child.maximum),
            jitter=0,
        ),
        count=count,
    )


class TeamWorld:
    """One supervisor, its reference, and the moment it is."""

    def __init__(self, flags: Flags, groups: Sequence[Sequence[Child]]) -> None:
        self.now = 0.0
        self.otp = Otp(flags, [child for group in groups for child in group])
        self.state = SupervisorState()
        self.incarnations: dict[str, int] = {}
        self.added = 0
        self.escalations = 0
        self.history: list[tuple[Any, ...]] = []
        self.told: set[str] = set()
        policy = SupervisorPolicy(
            strategy=flags.strategy,
            intensity=IntensitySpec(
                max_restarts=flags.max_restarts, window=timedelta(seconds=flags.window)
            ),
            escalation=flags.escalation,
            auto_shutdown=flags.auto_shutdown,
        )
        plans = tuple(plan_of(group[0], len(group)) for group in groups)
        assert self.decide(WasOpened(policy=policy, plans=plans)) == self.otp.first
        self.compare()

    def decide(self, *events: SupervisorSignal) -> list[tuple[str, ...]]:
        """Tell the supervisor something; return what it did, in the reference's words."""
        moment = START + timedelta(seconds=self.now)
        self.state, directives = supervisor.decide(self.state, events, moment)
        assert supervisor.decide(self.state, events, moment) == (self.state, []) or any(
            isinstance(event, StartAsked | RestartChildAsked | DeleteAsked) for event in events
        ), "what was told twice counted twice"
        alarm = supervisor.next_alarm(self.state)
        assert alarm is None or alarm > moment
        return [action for one in directives for action in self._carry_out(one)]

    def _carry_out(self, directive: SupervisorDirective) -> list[tuple[str, ...]]:
        match directive:
            case StartChild(name, place, incarnation):
                assert incarnation > self.incarnations.get(name, 0)
                assert self.state.plans[place].name in (name, name.partition("-")[0])
                self.incarnations[name] = incarnation
                self.told.discard(name)
                return [("start", name)]
            case TellToStop(name=name) | KillChild(name=name) if name not in self.told:
                self.told.add(name)
                return [("stop", name)]
            case CancelChild():
                raise AssertionError("nothing is cancelled in time")
            case TellParent():
                return [("ready",)]
            case EndSupervisor(end):
                return [("end", end.value)]
            case Report(severity=Severity.CRITICAL):
                self.escalations += 1
        return []

    def happen(self, *event: Any) -> None:
        """Let something happen to both."""
        self.otp.now = self.now
        expected = self.otp.send(*event)
        done = self.decide(*self._events(*event))
        self.history.append((self.now, event, expected))
        assert done == expected, self.history
        self.compare()

    def _events(self, kind: str, *about: Any) -> list[SupervisorSignal]:
        match kind:
            case "tick":
                return [Ticked()]
            case "shutdown":
                return [ShutDownAsked("enough")]
            case "start":
                return [StartAsked(plan_of(about[0]))]
        name = about[0]
        number = self.incarnations.get(name, 0)
        match kind:
            case "ready":
                return [BecameReady(name, number)]
            case "failed" | "refused":
                return [Exited(name, number, EXITS[kind])]
            case "gone":
                return [Exited(name, number, EXITS["shutdown"])]
            case "exit":
                return [Exited(name, number, EXITS[about[1]])]
            case "unhealthy":
                return [WasUnhealthy(name, number, "it hangs")]
        asked = {"terminate": TerminateAsked, "restart": RestartChildAsked, "delete": DeleteAsked}
        return [asked[kind](name)]

    def compare(self) -> None:
        """See that both stand in the same place."""
        otp, state = self.otp, self.state
        children = {child.name: child for child in state.children}
        assert {name for name, child in children.items() if child.phase in ALIVE} == otp.alive
        assert {name for name, child in children.items() if child.is_held} == otp.held
        assert self.escalations == otp.escalations
        assert state.restarts_in_all == otp.counted
        if otp.mode == "":
            assert list(children) == [child.name for child in otp.children]
            assert state.life is LifeState.RUNNING
            assert all(
                c.phase in (ChildPhase.RUNNING, ChildPhase.STOPPED) for c in children.values()
            )
        assert (state.life is LifeState.TERMINATED) is bool(otp.ended)
        assert list(state.restarts) == [
            START + timedelta(seconds=moment) for moment in reversed(otp.restarts)
        ]

    # What may happen next.

    def choices(self) -> list[tuple[int, tuple[Any, ...]]]:
        """Return what may happen now, each with how likely it is."""
        otp = self.otp
        end = (1, ("shutdown",))
        if otp.mode == "start":
            names = sorted(otp.pending)
            is_up = self.state.life is LifeState.RUNNING
            ready = [(30, ("ready", name)) for name in names]
            failed = [(20 if is_up else 1, ("failed", name)) for name in names]
            return [*ready, *failed, *((1, ("refused", name)) for name in names), end]
        if otp.mode == "stop":
            gone = [(30, ("gone", name)) for name in sorted(otp.told)]
            died = [(10, ("gone", name)) for name in otp.doomed if name in otp.alive]
            return [*gone, *died, end]
        if otp.mode == "wait":
            late = [(1, ("ready", name)) for name in sorted(otp.pending)]
            return late or [(30, ("tick",)), end]
        return [*self._idle_choices(), end]

    def _idle_choices(self) -> list[tuple[int, tuple[Any, ...]]]:
        found: list[tuple[int, tuple[Any, ...]]] = []
        for name in sorted(self.otp.alive):
            found += [(20, ("exit", name, "failed")), (6, ("exit", name, "normal"))]
            found += [(2, ("exit", name, how)) for how in ("shutdown", "refused")]
            found += [(2, ("unhealthy", name))]
        for child in self.otp.children:
            found += [(2, (verb, child.name)) for verb in ("terminate", "restart", "delete")]
        found += [(4, ("start", self._new_child(kind))) for kind in ("permanent", "temporary")]
        return [*found, *((2, ("tick", seconds)) for seconds in (0.5, 2, 5, 5.5, 100))]

    def _new_child(self, restart: str) -> Child:
        """Return a child under a new name or, now and then, one that was forgotten."""
        places = [child.group for child in self.otp.children]
        name = f"n{self.added % 4}"
        return Child(name, max(places, default=0) + 1, restart=restart)

    def take(self, choice: tuple[Any, ...]) -> None:
        """Let the chosen thing happen."""
        match choice:
            case ("tick", seconds):
                self.now += seconds
                self.happen("tick")
            case ("tick",):
                self._wait_for_restart()
            case _:
                self.added += choice[0] == "start"
                self.happen(*choice)

    def _wait_for_restart(self) -> None:
        """Wait until a back-off is over; not a moment before anything happens."""
        alarm = supervisor.next_alarm(self.state)
        assert alarm == START + timedelta(seconds=self.otp.due)
        self.now = self.otp.due - 0.001
        self.happen("tick")
        self.now = self.otp.due
        self.happen("tick")

    def play(self, random: Random, steps: int) -> None:
        """Let that many things happen, then end whatever still lives."""
        for _ in range(steps):
            if self.otp.ended:
                break
            weights, choices = zip(*self.choices(), strict=True)
            self.take(random.choices(choices, weights)[0])
        if not self.otp.ended and self.state.life is not LifeState.STOPPING:
            self.happen("shutdown")
        for _ in range(LONGEST_END):
            if self.otp.ended:
                break
            self.happen("gone", max(self.otp.told))
        assert self.otp.ended
        assert self.decide(Ticked(), ShutDownAsked(), StartAsked(ChildPlan(name="late"))) == []
        data = self.state.model_dump_json()
        assert SupervisorState.model_validate_json(data) == self.state
