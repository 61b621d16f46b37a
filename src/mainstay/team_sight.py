"""What there is to see of a team: its supervisors and agents as they are on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.model import Model
from mainstay.schemas.supervision import ChildKind, ChildPhase, ChildView, SupervisorView

ALIVE = (ChildPhase.STARTING, ChildPhase.RUNNING, ChildPhase.STOPPING)
"""Phases of a child that there is something of to end."""


class Progress(Model):
    """How far a team has come, in agents. ``total`` is None while it is not known."""

    ready: int
    alive: int
    total: int | None = None


class TeamSight(Model):
    """A team, or a part of it. Its supervisors are sorted by path, so the topmost is the first."""

    team: str
    supervisors: tuple[SupervisorView, ...] = ()
    agents: tuple[AgentRow, ...] = ()

    @property
    def root(self) -> SupervisorView | None:
        """The topmost supervisor; None when the root is not part of this."""
        return next((view for view in self.supervisors if not view.path), None)

    @property
    def is_over(self) -> bool:
        """Whether the team has ended."""
        return self.root is not None and self.root.life is LifeState.TERMINATED

    @property
    def children(self) -> list[ChildView]:
        """The agents of all its supervisors, as those see them."""
        return [
            child
            for view in self.supervisors
            for child in view.children
            if child.kind is ChildKind.AGENT
        ]

    def progress(self, total: int | None = None) -> Progress:
        """Return how many agents are ready, and how many there are."""
        phases = Counter(child.phase for child in self.children)
        return Progress(
            ready=phases[ChildPhase.RUNNING],
            alive=sum(phases[phase] for phase in ALIVE),
            total=total,
        )

    def below(self, view: SupervisorView, child: ChildView) -> SupervisorView | None:
        """Return the supervisor that a child is; None while it has not put itself on record."""
        path = f"{view.path}/{child.name}" if view.path else child.name
        return next((one for one in self.supervisors if one.path == path), None)


def by_team(views: Sequence[SupervisorView]) -> list[TeamSight]:
    """Put the supervisors of several teams apart, teams sorted by name."""
    teams: dict[str, list[SupervisorView]] = {}
    for view in views:
        teams.setdefault(view.team, []).append(view)
    return [
        TeamSight(team=team, supervisors=tuple(sorted(found, key=lambda view: view.path)))
        for team, found in sorted(teams.items())
    ]
