"""Which of several agents is given a task.

Rules:
    1. Only an agent that has the capability asked for can be given the task.
    2. The one with the fewest unfinished tasks gets it; among equals the first by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import NotFound


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that might be given a task; ``load`` counts its unfinished ones."""

    name: str
    capabilities: tuple[str, ...] = ()
    load: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """Which agent was chosen, and why, for people."""

    name: str
    reason: str


def choose(candidates: Sequence[Candidate], capability: str) -> Choice:
    """Choose an agent by what it can do and how busy it is.

    Raises:
        NotFound: no candidate has the capability; the hint names those that there are.
    """
    able = [one for one in candidates if capability in one.capabilities]
    if not able:
        known = sorted({name for one in candidates for name in one.capabilities})
        listed = f"there are: {', '.join(known)}" if known else "no agent names any"
        raise NotFound(
            f"no agent of the plan has the capability {capability!r}",
            hint=did_you_mean(capability, known) or listed,
        )
    best = min(able, key=lambda one: (one.load, one.name))
    if len(able) == 1:
        return Choice(best.name, f"the only one with {capability!r}")
    reason = f"the least busy of {len(able)} with {capability!r}: {_tasks(best.load)}"
    return Choice(best.name, reason)


def candidates(
    agents: Mapping[str, AgentSpec], living: Sequence[str], team: str
) -> dict[str, Candidate]:
    """Count how busy a plan's agents are.

    Args:
        agents: the plan's agents, by the names or paths that its tasks know them by.
        living: full names of agents that have not ended; see :func:`task_agent_name`.
        team: the team of those that work for the plan.
    """
    loads: dict[str, int] = {}
    for name in living:
        own_team, _, rest = name.partition("/")
        if own_team == team:
            agent = rest.partition(".")[0]
            loads[agent] = loads.get(agent, 0) + 1
    return {
        key: Candidate(spec.name, tuple(spec.capabilities), loads.get(spec.name, 0))
        for key, spec in agents.items()
    }


def _tasks(count: int) -> str:
    return "1 unfinished task" if count == 1 else f"{count or 'no'} unfinished tasks"
