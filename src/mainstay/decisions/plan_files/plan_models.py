"""Which model the agents of a plan think with, settled before the plan starts.

Rules:
    1. The task's own model comes first, then the agent's, then the plan's, then the default one,
       which is stored with the plan: a run never depends on a default that was changed since.
    2. A sub-plan that names no model has that of the plan it is a part of.
    3. Without any, the plan is refused, with the tasks that need one. Where it is not known yet
       which agent does a task, every agent that might needs one.
"""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.decisions.expressions import START
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.plan import PlanSpec, TaskSpec

MAX_NAMED = 10
"""Tasks that a refusal names."""


def with_default_model(plan: PlanSpec, default: str) -> PlanSpec:
    """Return a plan with a model for each of its agents.

    Args:
        plan: a valid plan.
        default: the model of agents that name none; empty without one.

    Raises:
        InvalidInput: some task needs a model, and has none; the message names those tasks.
    """
    if default and plan.model is None:
        plan = plan.model_copy(update={"model": default})
    missing = list(_without_model(plan, plan.model, ""))
    if not missing:
        return plan
    named = ", ".join(repr(name) for name in missing[:MAX_NAMED])
    more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    many = "the task" if len(missing) == 1 else "the tasks"
    raise InvalidInput(
        f"plan {plan.name!r} names no model for {many} {named}{more}, and there is no default",
        hint="write `model: provider:name` in the plan, the task or the agent, or set "
        "MAINSTAY_MODEL; script:FILE plays a written conversation without any provider",
    )


def inherit(outer: PlanSpec, inner: PlanSpec) -> PlanSpec:
    """Return a sub-plan with the model, and the agents, of its plan where it has no others."""
    update: dict[str, object] = {}
    if outer.model and inner.model is None:
        update["model"] = outer.model
    if outer.agents:
        update["agents"] = {**outer.agents, **inner.agents}
    return inner.model_copy(update=update) if update else inner


def _without_model(plan: PlanSpec, model: str | None, path: str) -> Iterator[str]:
    """Yield the tasks that need a model; those of sub-plans with the way there."""
    if model:
        return
    for name, task in plan.tasks.items():
        if _needs_model(plan, task):
            yield path + name
        inner = plan.plans.get(task.plan or "")
        if inner is not None:
            inner = inherit(plan, inner)
            yield from _without_model(inner, inner.model, f"{path}{name}.")


def _needs_model(plan: PlanSpec, task: TaskSpec) -> bool:
    works = task.is_for_agent and not task.model and _any_without(_workers(plan, task))
    critic = task.verify.agent if task.verify is not None else None
    return works or (critic is not None and _any_without(_named(plan, critic)))


def _workers(plan: PlanSpec, task: TaskSpec) -> list[AgentSpec]:
    if task.agent is not None:
        return _named(plan, task.agent)
    return [one for one in plan.agents.values() if task.capability in one.capabilities]


def _named(plan: PlanSpec, agent: str) -> list[AgentSpec]:
    if START in agent:
        return list(plan.agents.values())
    return [plan.agents[agent]] if agent in plan.agents else []


def _any_without(agents: list[AgentSpec]) -> bool:
    return any(not agent.model for agent in agents)
