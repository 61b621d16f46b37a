"""A goal as a plan: an agent plans, a person agrees, the plan is run, another agent judges.

It is a plan like any other, written in ``goal.yaml``, so a run of it lasts through every crash,
and each step can be looked at. When a plan fails, is not wanted, or gives too little, the planner
is told why and plans again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.goals.shipped_agents import SHIPPED, shipped_agent
from mainstay.schemas.agent import AgentSpec, BudgetSpec
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.plan import PlanSpec

MAX_ATTEMPTS = 100
"""Most plans that are made for one goal."""


@dataclass(frozen=True)
class Goal:
    """What is to be achieved, by whom, and how hard it is tried.

    Attributes:
        team: the agents that plans can give work to, by name. One that is called ``planner`` or
            ``critic`` takes the place of the one that comes with Mainstay, and gets no work.
        tools: what plans may use; a trailing ``*`` stands for any ending.
        criteria: what the result is judged by; none leaves that to the critic.
        threshold: the score, of 0 to 1, that is good enough.
        attempts: plans in all, the first included.
        asks: whether a person approves each plan before it runs.
        model: the model of agents that name none.
        budget: what everything together may spend.
    """

    text: str
    team: Mapping[str, AgentSpec] = field(default_factory=dict)
    tools: Sequence[str] = ("*",)
    criteria: Sequence[str] = ()
    threshold: float = 0.7
    attempts: int = 3
    asks: bool = True
    model: str | None = None
    budget: BudgetSpec | None = None


def plan_for(goal: Goal) -> tuple[PlanSpec, dict[str, Any]]:  # Any: JSON-like data
    """Return the plan that pursues a goal, and its inputs.

    Raises:
        InvalidInput: there is no goal, or too many attempts are asked for.
    """
    _check(goal)
    written = _written()
    agents = {name: shipped_agent(name) for name in SHIPPED} | dict(goal.team)
    attempt = written.plans["attempt"].model_copy(update={"agents": agents, "model": goal.model})
    achieve = written.tasks["achieve"]
    assert achieve.verify is not None
    verify = achieve.verify.model_copy(update={"attempts": goal.attempts})
    plan = written.model_copy(
        update={
            "description": _title(goal.text),
            "tasks": {"achieve": achieve.model_copy(update={"verify": verify})},
            "plans": {"attempt": attempt},
            "model": goal.model,
            "budget": goal.budget,
        }
    )
    return plan, _inputs(goal)


def _check(goal: Goal) -> None:
    if not goal.text.strip():
        raise InvalidInput("there is no goal", hint="say in a sentence what is to be achieved")
    if not 1 <= goal.attempts <= MAX_ATTEMPTS:
        raise InvalidInput(f"{goal.attempts} attempts; there can be 1 to {MAX_ATTEMPTS}")
    if not 0 <= goal.threshold <= 1:
        raise InvalidInput(f"a threshold of {goal.threshold:g}; a score is between 0 and 1")


@cache
def _written() -> PlanSpec:
    document = read_plan((files("mainstay") / "goals" / "goal.yaml").read_bytes(), "goal.yaml")
    return PlanSpec.model_validate(document.data)


def _inputs(goal: Goal) -> dict[str, Any]:  # Any: as above
    workers = {name: agent for name, agent in goal.team.items() if name not in SHIPPED}
    return {
        "goal": goal.text,
        "team": {name: _introduce(agent) for name, agent in workers.items()},
        "tools": list(goal.tools),
        "criteria": list(goal.criteria),
        "threshold": goal.threshold,
        "ask": goal.asks,
    }


def _introduce(agent: AgentSpec) -> dict[str, Any]:  # Any: as above
    """Say of an agent what a planner must know."""
    return {"description": agent.description, "capabilities": list(agent.capabilities)}


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"
