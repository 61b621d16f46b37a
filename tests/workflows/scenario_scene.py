"""One team of a scenario, and how what is to be seen of it is written.

A trace tells what happened to agents and lower supervisors, in order:

    +a  a starts, +a2 for the second time      !a  it fails
    .a  it ends by itself, its work done       ~a  it is told to end, and to keep its mailbox
    -a  it is told to end for good             ^a  it is cancelled
    xa  it is killed                           {+a +b}  these, in whatever order

The events of a supervisor: Sa spawned, Ra restarted, Ta terminated, Va too many restarts, Ha
unhealthy. A look at a supervisor: `RUNNING rxb left 1 made 2` says how its children stand, by the
first letters of their phases (p is stopping, x stopped, h held), and how many restarts there are.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mainstay.schemas.ids import supervisor_id, supervisor_row_id, team_agent_id
from mainstay.schemas.supervision import (
    ChildView,
    SupervisorOptions,
    SupervisorPlan,
    SupervisorRequest,
    SupervisorView,
    TeamPlan,
)
from mainstay.schemas.supervision_calls import SupervisionEvent

_EVENTS = {
    "AGENT_SPAWNED": "S",
    "AGENT_RESTARTED": "R",
    "AGENT_TERMINATED": "T",
    "POLICY_VIOLATION": "V",
    "HEALTH_CHECK_FAILED": "H",
}
_PHASES = {"stopping": "p", "stopped": "x"}


@dataclass
class Scene:
    """One team, and what is to be seen of it.

    Attributes:
        trace: what happened to agents and lower supervisors, in order.
        events: what each supervisor put on record, by its path.
        looks: what its supervisors showed of themselves.
        closed: whose mailboxes were closed; ``s/`` is all that is below ``s``.
        lived: latest incarnations by name, by the supervisor's path.
        opened: how often each supervisor was started, by its path.
    """

    root: SupervisorPlan
    team: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    trace: list[str] = field(default_factory=list)
    events: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    looks: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    lived: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    opened: Counter[str] = field(default_factory=Counter)
    _keys: set[str] = field(default_factory=set)

    @property
    def plan(self) -> TeamPlan:
        """The whole team."""
        return TeamPlan(team=self.team, root=self.root)

    def request(self, rollover: int) -> SupervisorRequest:
        """Return what the root is started with."""
        return SupervisorRequest(
            supervisor_id=supervisor_id(self.team),
            row_id=supervisor_row_id(self.team, self.run),
            team=self.team,
            run=self.run,
            team_ref=self.team,
            options=SupervisorOptions(rollover_events=rollover),
        )

    def agent_id(self, name: str) -> str:
        """Return an agent's id."""
        return team_agent_id(self.team, self.run, name)

    def agent_name(self, agent_id: str) -> str:
        """Return the name of an agent that has lived."""
        lived = (name for names in self.lived.values() for name in names)
        return next(name for name in lived if self.agent_id(name) == agent_id)

    def note(self, path: str, events: Sequence[SupervisionEvent]) -> None:
        """Keep events that are new."""
        for event in events:
            if event.key not in self._keys:
                self._keys.add(event.key)
                self.events[path].append(_EVENTS[event.type] + event.child)


SCENES: dict[str, Scene] = {}
"""By team. Workflows find theirs here."""


def path_of(workflow_id: str) -> str:
    """Return a supervisor's path from its id."""
    return "/".join(workflow_id.split("/")[2:])


def numbered(name: str, incarnation: int) -> str:
    """Name an incarnation: a, a2, a-1, a-1:2."""
    if incarnation == 1:
        return name
    return f"{name}:{incarnation}" if name[-1].isdigit() else f"{name}{incarnation}"


def look(view: SupervisorView) -> str:
    """Write down how a supervisor stands."""
    children = "".join(map(_letter, view.children)) or "none"
    return f"{view.life} {children} left {view.restarts_left} made {view.restarts}"


def _letter(child: ChildView) -> str:
    return "h" if child.is_held else _PHASES.get(child.phase, child.phase[0])


def arranged(seen: Sequence[str], expected: str) -> str:
    """Write a trace as it was expected to be written: where order is free, sorted."""
    words, left = [], list(seen)
    for part in _parts(expected):
        taken, left = left[: len(part)], left[len(part) :]
        words.append(_together(taken))
    return " ".join([*words, *left]).strip()


def normal(expected: str) -> str:
    """Write down what is expected, sorted where order is free."""
    return " ".join(_together(part) for part in _parts(expected))


def _parts(expected: str) -> list[list[str]]:
    found = re.findall(r"\{([^}]*)\}|(\S+)", expected)
    return [together.split() or [word] for together, word in found]


def _together(words: Sequence[str]) -> str:
    return "{" + " ".join(sorted(words)) + "}" if len(words) > 1 else "".join(words)
