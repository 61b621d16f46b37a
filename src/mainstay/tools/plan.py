"""Tools about plans: whoever makes one while another runs is told what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.decisions.plan_files.made_plan import check_made_plan, describe_problems
from mainstay.decisions.plan_files.plan_summary import summarize_plan
from mainstay.schemas.errors import InvalidInput, PlanFailed, Refused
from mainstay.schemas.tools import ToolSpec
from mainstay.tools.context import ToolContext
from mainstay.tools.tool import tool

Value = Any  # JSON-like data

Agents = dict[str, dict[str, Value]]
"""Agents by name, as they are written; what is not given of one has its default."""


@tool(name="plan.check")
def check(
    context: ToolContext,
    plan: Value,
    agents: Agents | None = None,
    inputs: list[str] | None = None,
    tools: list[str] | None = None,
    model: str | None = None,
    gives: bool = False,
) -> dict[str, Value]:
    """Check a plan that was just made; returns ok, and every problem as the reason.

    As `verify: {tool: plan.check}` it sends the plan back to whoever made it.

    Args:
        plan: the plan, as data or as a text in YAML.
        agents: the agents it may use besides its own, by name.
        inputs: names of the inputs that it will be given.
        tools: tools it may use, all by default; a trailing * stands for any ending.
        model: the model that it will be given.
        gives: whether it must give something back.
    """
    known = _allowed(_known(context), tools)
    found = check_made_plan(
        plan, known, agents=_written(agents or {}), model=model, given=inputs or ()
    )
    if found.plan is None:
        return {"ok": False, "reason": describe_problems(found.errors)}
    if gives and not found.plan.outputs:
        return {"ok": False, "reason": "the plan gives nothing back: name results in `outputs`"}
    return {"ok": True, "reason": ""}


@tool(name="plan.summary")
def summary(
    context: ToolContext, plan: Value, agents: Agents | None = None, model: str | None = None
) -> str:
    """Say in a few lines what a plan does: its tasks in order, who does each, what it waits for.

    Args:
        plan: the plan, as data or as a text in YAML.
        agents: the agents it may use besides its own, by name.
        model: the model that it will be given.
    """
    given = _inputs_of(plan)
    found = check_made_plan(
        plan, _known(context), agents=_written(agents or {}), model=model, given=given
    )
    if found.plan is None:
        raise InvalidInput(describe_problems(found.errors), hint="plan.check tells the same")
    return summarize_plan(found.plan)


@tool(name="plan.fail")
def fail(reason: str, refused: bool = False) -> None:
    """Let the plan fail, for a reason of its own.

    Args:
        reason: what is told.
        refused: whether somebody said no, which is told apart by the exit code.
    """
    raise Refused(reason) if refused else PlanFailed(reason)


@tool(name="plan.tools")
def list_tools(context: ToolContext, names: list[str] | None = None) -> str:
    """Describe the tools that a plan can use, one a line, for whoever makes one.

    Args:
        names: only these; a trailing * stands for any ending.
    """
    return "\n".join(map(_describe, _allowed(_known(context), names).values()))


def _known(context: ToolContext) -> Mapping[str, ToolSpec]:
    if context.tools:
        return context.tools
    from mainstay.tools.catalogue import load_catalogue

    return load_catalogue().specs()


def _allowed(known: Mapping[str, ToolSpec], names: list[str] | None) -> dict[str, ToolSpec]:
    if names is None:
        return dict(known)
    exact = {name for name in names if not name.endswith("*")}
    beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
    return {
        name: spec for name, spec in known.items() if name in exact or name.startswith(beginnings)
    }


def _written(agents: Agents) -> Agents:
    """Complete agents of which only is told what they are for: who thinks has a prompt."""
    return {name: {"name": name, "prompt": name, **agent} for name, agent in agents.items()}


def _inputs_of(plan: Value) -> list[str]:
    from mainstay.decisions.plan_files.made_plan import read_made_plan

    data = read_made_plan(plan).data or {}
    inputs = data.get("inputs")
    return list(inputs) if isinstance(inputs, dict) else []


def _describe(spec: ToolSpec) -> str:
    required = spec.parameters.get("required", [])
    arguments = [
        name if name in required else f"{name}?" for name in spec.parameters.get("properties", {})
    ]
    first = spec.description.partition("\n")[0]
    return f"{spec.name}({', '.join(arguments)}): {first}"
