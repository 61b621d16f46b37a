"""A supervisor's state while a decision is being made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mainstay.decisions.supervision.strategies import ALIVE
from mainstay.decisions.team_files.team_levels import child_names
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import (
    AfterStop,
    ChildPhase,
    ChildPlan,
    ChildState,
    IfNotReady,
    SupervisorEnd,
    SupervisorState,
)
from mainstay.schemas.supervision_calls import Severity, SupervisionEventType
from mainstay.schemas.supervision_directives import CloseChild, Report, SupervisorDirective
from mainstay.schemas.team import Strategy

KEPT_NAMES = 200
"""Forgotten children whose last incarnation is remembered."""


class SupervisorDraft:
    """The working copy of a state, and the directives collected on the way.

    Children are kept by name, in starting order, so that a change of one costs the same however
    many there are.
    """

    def __init__(self, state: SupervisorState, now: datetime, dice: float) -> None:
        self.state = state
        self.now = now
        self.dice = dice
        self.directives: list[SupervisorDirective] = []
        self._children = {child.name: child for child in state.children}

    def finish(self) -> SupervisorState:
        """Return the state that was come to."""
        return self.state.model_copy(update={"children": tuple(self._children.values())})

    @property
    def children(self) -> tuple[ChildState, ...]:
        """All children, in starting order."""
        return tuple(self._children.values())

    @property
    def strategy(self) -> Strategy:
        """The supervisor's strategy."""
        return self.state.policy.strategy

    @property
    def is_ending(self) -> bool:
        """Whether the supervisor is about to end, or has ended."""
        return self.state.life in (LifeState.STOPPING, LifeState.TERMINATED)

    def find(self, name: str) -> ChildState | None:
        """Return a child; None if there is none of that name."""
        return self._children.get(name)

    def hear(self, name: str, incarnation: int) -> ChildState | None:
        """Return the child that tells something, unless that is an old story."""
        child = self._children.get(name)
        if child is None or child.incarnation != incarnation or child.phase not in ALIVE:
            return None
        return child

    def plan_of(self, child: ChildState) -> ChildPlan:
        """Return the plan that a child is made from."""
        return self.state.plans[child.place]

    def do(self, directive: SupervisorDirective) -> None:
        """Ask for something."""
        self.directives.append(directive)

    def report(
        self, type_: SupervisionEventType, severity: Severity, child: str = "", message: str = ""
    ) -> None:
        """Put something on record."""
        self.do(Report(type_, severity, child, message))

    def change(self, **update: Any) -> None:  # Any: fields of the state, as model_copy has it
        """Change fields of the state."""
        self.state = self.state.model_copy(update=update)

    def change_child(self, name: str, **update: Any) -> ChildState:  # Any: see above
        """Change fields of a child, and return it as it is now."""
        changed = self._children[name].model_copy(update=update)
        self._children[name] = changed
        return changed

    def move(self, name: str, phase: ChildPhase, **update: Any) -> ChildState:  # Any: see above
        """Bring a child into another phase, which ends what belonged to the one before."""
        fresh = {"until": None, "must_stop": False, "after": AfterStop.KEEP, "stop_step": None}
        return self.change_child(name, phase=phase, since=self.now, **(fresh | update))

    def add(self, plan: ChildPlan, if_not_ready: IfNotReady) -> None:
        """Add a plan and the children that are made from it, at the end."""
        place = len(self.state.plans)
        self.change(plans=(*self.state.plans, plan))
        for number, name in enumerate(child_names(plan), 1):
            self._children[name] = ChildState(
                name=name,
                place=place,
                number=number,
                incarnation=self.state.forgotten.get(name, 0),
                since=self.now,
                if_not_ready=if_not_ready,
            )

    def forget(self, name: str, reason: str) -> None:
        """Forget a child, and its plan with the last child that is made from it."""
        child = self._children.pop(name)
        self.do(CloseChild(name, reason))
        kept = list({**self.state.forgotten, name: child.incarnation}.items())[-KEPT_NAMES:]
        self.change(forgotten=dict(kept))
        is_template = self.strategy is Strategy.DYNAMIC and child.place == 0
        if is_template or any(other.place == child.place for other in self._children.values()):
            return
        plans = self.state.plans
        self.change(plans=plans[: child.place] + plans[child.place + 1 :])
        for other in self.children:
            if other.place > child.place:
                self.change_child(other.name, place=other.place - 1)

    def end(self, how: SupervisorEnd, reason: str, *, keeps: bool = True) -> None:
        """Begin to end: every child is to be stopped, in reverse, and none is started any more.

        Unless the supervisor was asked to end for good, its children may be started again by
        those above it, so they keep their mailboxes.
        """
        self.change(life=LifeState.STOPPING, end=how, reason=reason, keeps=keeps)
        for child in self.children:
            if child.phase not in ALIVE:
                self.move(child.name, ChildPhase.STOPPED)
            elif child.phase is ChildPhase.STOPPING:
                self.change_child(child.name, after=AfterStop.KEEP)
            else:
                self.change_child(child.name, must_stop=True, after=AfterStop.KEEP)
