"""What an agent is asked to do for a task: by whom, in which words, with which answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic_core import to_json

from mainstay.activities.calling import OpenTask
from mainstay.decisions.agents.critique import critic_prompt
from mainstay.decisions.expressions import render
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_tasks import CRITIQUE_SCHEMA
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.plan import PlanSpec

Value = Any  # JSON-like data


@dataclass(frozen=True, slots=True)
class Assignment:
    """One task for one agent.

    Attributes:
        agent: under which name or path the plan knows it; empty when it is chosen.
        capability: what it must be able to do when it is chosen.
        schema: the JSON Schema of the answer; None leaves that to the agent's own.
        model: takes the place of the agent's own.
        timeout: how long it may take; None leaves that to the agent's own limit.
    """

    prompt: str
    agent: str = ""
    capability: str = ""
    schema: dict[str, Any] | None = None  # Any: JSON
    model: str | None = None
    timeout: timedelta | None = None

    def spec_of(self, plan: PlanSpec, agent: str) -> AgentSpec:
        """Return the agent as it works on this: with its model, which never changes any more.

        Raises:
            InvalidInput: neither the task, nor the agent, nor the plan names a model.
        """
        spec = plan.agents[agent]
        model = self.model or spec.model or plan.model
        if not model:
            raise InvalidInput(
                f"agent {spec.name!r} has no model",
                hint="write `model: provider:name` in the plan, the task or the agent",
            )
        limits = spec.limits
        if self.timeout is not None:
            limits = limits.model_copy(update={"turn_timeout": self.timeout})
        return spec.model_copy(update={"model": model, "limits": limits})


async def work_assignment(opened: OpenTask) -> Assignment:
    """Render what a task asks of its agent.

    Raises:
        InvalidInput: an expression cannot be evaluated.
        NotFound: the plan has no such agent.
    """
    task, scope = opened.task, await opened.item_scope()
    return Assignment(
        prompt=_text(render(task.prompt, scope)),
        agent="" if task.agent is None else _known(opened, render(task.agent, scope)),
        capability=task.capability or "",
        schema=task.output,
        model=task.model,
        timeout=task.timeout,
    )


async def critics_assignment(opened: OpenTask) -> Assignment:
    """Render what a critic is asked about the whole output of a task.

    Raises:
        InvalidInput: an expression cannot be evaluated.
        NotFound: the plan has no such agent.
    """
    task, verify = opened.task, opened.task.verify
    assert verify is not None
    assert verify.agent is not None
    scope = {**opened.scope, "output": await opened.values()}
    asked = task.description
    if task.prompt is not None and not opened.is_list:
        asked = _text(render(task.prompt, scope))
    return Assignment(
        prompt=critic_prompt(
            asked, scope["output"], render(verify.criteria, scope), opened.call.feedback
        ),
        agent=_known(opened, render(verify.agent, scope)),
        schema=CRITIQUE_SCHEMA,
    )


def _known(opened: OpenTask, name: Value) -> str:
    agents = opened.plan.agents
    if isinstance(name, str) and name in agents:
        return name
    listed = f"there are: {', '.join(agents)}" if agents else "write agents under `agents`"
    raise NotFound(
        f"the plan has no agent {name!r}, which task {opened.call.task!r} wants",
        hint=(isinstance(name, str) and did_you_mean(name, agents)) or listed,
    )


def _text(value: Value) -> str:
    return value if isinstance(value, str) else to_json(value, indent=2).decode()
