"""Whatever happens to a supervisor, in whatever order, it stays whole and comes to rest."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otp_model import Child, Flags
from team_world import EXITS, START, plan_of
from test_supervision_model import supervisors

from mainstay.decisions.supervision.supervisor import decide, is_at_boundary, next_alarm
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import (
    ChildPhase,
    ChildPlan,
    SupervisorPolicy,
    SupervisorState,
)
from mainstay.schemas.supervision_directives import (
    BecameReady,
    CancelChild,
    DeleteAsked,
    EndSupervisor,
    Exited,
    KillChild,
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
from mainstay.schemas.team import BackoffSpec, IntensitySpec, Strategy

ORDERED = (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE)
SETTLED = (ChildPhase.RUNNING, ChildPhase.STOPPED)
LONGEST_REST = 500
"""Steps within which a supervisor must be at rest once its children behave."""


class Chaos:
    """A supervisor, and the children that it has open; all else is seen from outside."""

    def __init__(self, random: Random, flags: Flags, groups: list[list[Child]]) -> None:
        self.random = random
        self.now = START
        self.state = SupervisorState()
        self.open: dict[str, int] = {}
        self.steps: dict[tuple[str, int], list[str]] = {}
        self.was_ready = 0
        self.ended = 0
        self.last_restart: datetime | None = None
        policy = SupervisorPolicy(
            strategy=flags.strategy,
            intensity=IntensitySpec(
                max_restarts=flags.max_restarts, window=timedelta(seconds=flags.window)
            ),
            escalation=flags.escalation,
            auto_shutdown=flags.auto_shutdown,
        )
        plans = tuple(self.unsettle(plan_of(group[0], len(group))) for group in groups)
        self.decide(WasOpened(policy=policy, plans=plans))

    def unsettle(self, plan: ChildPlan) -> ChildPlan:
        shutdown = self.random.choice([timedelta(0), timedelta(seconds=5), None])
        backoff = BackoffSpec(initial=timedelta(seconds=self.random.choice([0, 0, 2])))
        return plan.model_copy(update={"shutdown": shutdown, "backoff": backoff})

    def decide(self, *events: SupervisorSignal) -> None:
        dice = self.random.random()
        self.state, directives = decide(self.state, events, self.now, dice=dice)
        for directive in directives:
            self.carry_out(directive)
        alarm = next_alarm(self.state)
        assert alarm is None or alarm > self.now
        assert decide(self.state, [], self.now) == (self.state, [])
        limit = self.state.policy.intensity.max_restarts
        assert len(self.state.restarts) <= limit
        if is_at_boundary(self.state):
            stays = {c.name for c in self.state.children if c.phase is ChildPhase.RUNNING}
            assert set(self.open) == stays

    def carry_out(self, directive: SupervisorDirective) -> None:
        match directive:
            case StartChild(name, place, incarnation):
                assert name not in self.open
                self.open[name] = incarnation
                self.check_order(place)
            case TellToStop(name, incarnation):
                self.step(name, incarnation, "tell")
            case CancelChild(name, incarnation):
                self.step(name, incarnation, "cancel")
            case KillChild(name, incarnation):
                self.step(name, incarnation, "kill")
            case TellParent():
                self.was_ready += 1
                assert self.was_ready == 1
            case EndSupervisor():
                self.ended += 1
                assert self.ended == 1
                assert not self.open

    def step(self, name: str, incarnation: int, step: str) -> None:
        assert self.open[name] == incarnation
        steps = self.steps.setdefault((name, incarnation), [])
        steps.append(step)
        kept = [one for one in ("tell", "cancel", "kill") if one in steps]
        assert steps == kept  # in this order, and none of them twice

    def check_order(self, place: int) -> None:
        if self.state.policy.strategy in ORDERED:
            before = [child.phase for child in self.state.children if child.place < place]
            assert all(phase in SETTLED for phase in before)

    def happen(self) -> None:
        """Let anything happen, sensible or not."""
        self.now += timedelta(seconds=self.random.choice([0, 0, 0.1, 1, 5, 60]))
        names = [child.name for child in self.state.children] or ["a"]
        name = self.random.choice([*names, *self.open, "nobody"])
        number = self.open.get(name, 1) - self.random.choice([0, 0, 0, 0, 1])
        kind = self.random.choice(["normal", "shutdown", "refused", *["failed"] * 3])
        added = plan_of(Child(f"n{self.random.randrange(3)}", restart="transient"))
        events: list[SupervisorSignal] = [
            BecameReady(name, number),
            BecameReady(name, number),
            BecameReady(name, number),
            Exited(name, number, EXITS[kind]),
            Exited(name, number, EXITS[kind]),
            WasUnhealthy(name, number, "it hangs"),
            StartAsked(self.unsettle(added)),
            TerminateAsked(name),
            RestartChildAsked(name),
            DeleteAsked(name),
            Ticked(),
        ]
        if self.random.random() < 0.02:
            hurried = self.random.random() < 0.5
            events = [ShutDownAsked("enough", keeps=True, is_hurried=hurried)]
        chosen = self.random.sample(events, min(len(events), self.random.choice([1, 1, 2, 3])))
        for event in chosen:
            if isinstance(event, Exited) and self.open.get(event.name) == event.incarnation:
                del self.open[event.name]
        self.decide(*chosen)

    def behave(self) -> None:
        """Let children come and go as they should, until nothing is left to happen."""
        for _ in range(LONGEST_REST):
            passing = [
                child
                for child in self.state.children
                if child.phase in (ChildPhase.STARTING, ChildPhase.STOPPING)
            ]
            alarm = next_alarm(self.state)
            if passing:
                child = self.random.choice(passing)
                if child.phase is ChildPhase.STARTING:
                    self.decide(BecameReady(child.name, child.incarnation))
                else:
                    self.open.pop(child.name)
                    self.decide(Exited(child.name, child.incarnation, EXITS["shutdown"]))
            elif alarm is not None:
                self.now = alarm
                self.decide(Ticked())
            else:
                return
        raise AssertionError(f"no rest: {self.state}")


def live(made: tuple[Flags, list[list[Child]]], seed: int, steps: int) -> None:
    chaos = Chaos(Random(seed), *made)
    for _ in range(steps):
        chaos.happen()
    chaos.behave()
    state = chaos.state
    if chaos.ended:
        assert state.life is LifeState.TERMINATED
    else:
        assert state.life is LifeState.RUNNING
        assert chaos.was_ready == 1
        assert all(child.phase in SETTLED for child in state.children)
        chaos.decide(ShutDownAsked("enough"))
        chaos.behave()
    assert chaos.ended == 1
    assert not chaos.open


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(supervisors(), st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_a_supervisor_comes_to_rest_whatever_happens(made, seed, steps):
    live(made, seed, steps)


@pytest.mark.deep
@settings(max_examples=10_000, deadline=None)
@given(supervisors(), st.integers(0, 2**32 - 1), st.integers(0, 200))
def test_ten_thousand_supervisors_come_to_rest_whatever_happens(made, seed, steps):
    live(made, seed, steps)
