"""Whether a task gives its tool, or its sub-plan, the arguments that it takes.

Only constants are checked here; what an expression gives is known when the plan runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.decisions.expressions import START
from mainstay.decisions.plan_files.json_schema import misfits
from mainstay.decisions.plan_files.plan_inputs import misfit_of_input
from mainstay.decisions.plan_files.problems import Findings, Path
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec


def check_arguments(
    findings: Findings, path: Path, tool: ToolSpec, arguments: Mapping[str, Any]
) -> None:
    """Check ``with`` of the mapping at a path, which names the tool, against the tool's schema."""
    schema = tool.parameters
    known: Mapping[str, Any] = schema.get("properties", {})
    takes_more = schema.get("additionalProperties", False) is not False
    for name, value in arguments.items():
        where = (*path, "with", name)
        if name in known:
            for rest, message in misfits(value, known[name], schema.get("$defs", {})):
                findings.add((*where, *rest), f"`{name}` of `{tool.name}`: {message}")
        elif not takes_more:
            hint = findings.suggest(name, known) or _listed(known)
            findings.add(where, f"`{tool.name}` has no argument `{name}`", hint, at_key=True)
    for name in schema.get("required", []):
        if name not in arguments:
            findings.add(
                (*path, "tool"),
                f"`{tool.name}` needs the argument `{name}`",
                f"add `{name}` under `with`",
            )


def check_sub_plan_inputs(
    findings: Findings, path: Path, plan: PlanSpec, given: Mapping[str, Any]
) -> None:
    """Check ``with`` of the task at a path, which runs a plan, against the plan's inputs."""
    for name, value in given.items():
        where = (*path, "with", name)
        spec = plan.inputs.get(name)
        if spec is None:
            hint = findings.suggest(name, plan.inputs) or _listed(plan.inputs)
            findings.add(where, f"the plan `{plan.name}` has no input `{name}`", hint, at_key=True)
        elif not (isinstance(value, str) and START in value):
            message = misfit_of_input(spec, value)
            if message:
                findings.add(where, f"the input `{name}` {message}")
    for name, spec in plan.inputs.items():
        if spec.is_required and name not in given:
            findings.add(
                (*path, "plan"),
                f"the plan `{plan.name}` needs the input `{name}`",
                f"add `{name}` under `with`",
            )


def _listed(names: Mapping[str, Any]) -> str:
    return f"there are: {', '.join(names)}" if names else "it takes none"
