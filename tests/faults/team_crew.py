"""The teams whose workers, servers and supervisors are killed, and what they must leave.

A tree of three levels: a root, sections, and pods of agents. Pods differ in their strategies. Each
agent is told some jobs, and each job leaves its marks in a ledger. In three pods of four one agent
is told one job more that it fails over, on purpose: these failures, and no others, may count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstay.schemas.team import Strategy, TeamSpec

STRATEGIES = (Strategy.ONE_FOR_ONE, Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL)
DELAY = "20ms"
POISON = "poison"
"""What stands in the job that an agent fails over."""

MAX_IN_POD = 50
"""Most children of one supervisor, as the limits are by default."""


@dataclass(frozen=True)
class Size:
    """How large the tree is, and how much each agent has to do; ``agents`` in each pod."""

    sections: int
    pods: int
    agents: int
    jobs: int = 2

    @property
    def total(self) -> int:
        """Agents in all."""
        return self.sections * self.pods * self.agents


@dataclass(frozen=True)
class Pod:
    """A supervisor of agents: a chief, hands that are instances of one plan, and a clerk."""

    name: str
    section: str
    number: int
    size: Size

    @property
    def path(self) -> str:
        """Its place in the tree."""
        return f"{self.section}/{self.name}"

    @property
    def strategy(self) -> Strategy:
        """Whom a failure concerns."""
        return STRATEGIES[self.number % 4 % len(STRATEGIES)]

    @property
    def chief(self) -> str:
        """Its first agent."""
        return f"chief-{self.name}"

    @property
    def hands(self) -> list[str]:
        """Its agents that are started together."""
        return [f"hand-{self.name}-{n + 1}" for n in range(self.size.agents - 2)]

    @property
    def clerk(self) -> str:
        """Its last agent."""
        return f"clerk-{self.name}"

    @property
    def agents(self) -> list[str]:
        """Its agents, in starting order."""
        return [self.chief, *self.hands, self.clerk]

    @property
    def poisoned(self) -> str:
        """The agent that fails once; empty when none does."""
        return self.hands[-1] if self.number % 4 < len(STRATEGIES) else ""

    @property
    def restarted(self) -> list[str]:
        """The agents that are started a second time."""
        if not self.poisoned:
            return []
        if self.strategy is Strategy.ONE_FOR_ALL:
            return self.agents
        behind = [self.clerk] if self.strategy is Strategy.REST_FOR_ONE else []
        return [self.poisoned, *behind]

    def plan(self) -> dict[str, Any]:
        """Write it down."""
        hands = {"name": f"hand-{self.name}", "agent": "hand", "count": len(self.hands)}
        ends = [{"name": name, "agent": "hand"} for name in (self.chief, self.clerk)]
        children = [ends[0], hands, ends[1]]
        return {
            "name": self.name,
            "supervisor": {"strategy": self.strategy, "children": children},
        }


def pods_of(size: Size) -> list[Pod]:
    """Return the pods, in starting order."""
    return [
        Pod(f"pod-{section}-{pod}", f"section-{section}", section * size.pods + pod, size)
        for section in range(size.sections)
        for pod in range(size.pods)
    ]


def jobs_of(pod: Pod, agent: str) -> list[str]:
    """Return what an agent is told, in order: its last job comes after the one it fails over."""
    jobs = [f"{agent} job {n}" for n in range(pod.size.jobs)]
    return [*jobs[:-1], f"{agent} {POISON}", jobs[-1]] if agent == pod.poisoned else jobs


def expected_effects(size: Size) -> Iterator[str]:
    """Name every effect; each must have happened once."""
    for pod in pods_of(size):
        for agent in pod.agents:
            yield from (job for job in jobs_of(pod, agent) if POISON not in job)


def crew(name: str, folder: Path, ledger: Path, size: Size, seconds: float) -> TeamSpec:
    """Write the script that all agents play, and return the team.

    Args:
        name: the team's.
        folder: where the script is written.
        ledger: where the tools leave their marks.
        size: how large it is.
        seconds: how long each tool takes.
    """
    put = {"ledger": str(ledger), "name": "${{ user }}", "seconds": seconds}
    turns = [
        {
            "when": {"matches": f"{POISON}$", "from": "user"},
            "error": {"message": "poisoned on purpose", "attempts": 1000},
        },
        {"tools": [{"ledger.put_async": put}], "delay": DELAY},
        {"say": "done: ${{ user }}", "delay": DELAY},
    ]
    pods = pods_of(size)
    sections = dict.fromkeys(pod.section for pod in pods)
    children = [
        {
            "name": section,
            "supervisor": {"children": [pod.plan() for pod in pods if pod.section == section]},
        }
        for section in sections
    ]
    return played(name, folder, turns, children, tools=["ledger.put_async"], on_failure="fail")


def played(
    name: str,
    folder: Path,
    turns: list[dict[str, Any]],
    children: list[dict[str, Any]],
    root: dict[str, Any] | None = None,
    **agent: Any,
) -> TeamSpec:
    """Write a script, and return a team of agents that all play it; they are called ``hand``."""
    script = folder / f"{name}.yaml"
    script.write_text(json.dumps({"loop": True, "turns": turns}))
    limits = {"model_attempts": 1, **agent.pop("limits", {})}
    hand = {
        "name": "hand",
        "model": f"script:{script}",
        "prompt": "Do your jobs.",
        # What an agent failed over stays in its conversation; here each job begins a new one.
        "context": {"policy": "window", "turns": 1},
        "limits": limits,
        **agent,
    }
    return TeamSpec.model_validate(
        {"team": name, "agents": {"hand": hand}, "children": children, **(root or {})}
    )
