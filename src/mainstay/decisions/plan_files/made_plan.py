"""A plan that an agent or a tool made while another plan was running.

Rules:
    1. It is checked as a plan's file is, before anything of it starts. There are no files beside
       it, so it names none.
    2. It comes as a mapping, or as a text in YAML or JSON, with or without a fence around it.
    3. The agents and the model of the plan that runs it are its own where it has no others.
    4. Nobody is there to be asked for an input: one that it needs must be given by whoever runs
       it, or have a default.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mainstay.decisions.expressions.budget import kind_of
from mainstay.decisions.plan_files.plan_file import Document, Node, read_plan
from mainstay.decisions.plan_files.problems import Findings, Problem, list_problems
from mainstay.decisions.plan_files.validation import Validation, validate
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec

SOURCE = "plan"
"""How messages call a made plan's text."""

_FENCE = re.compile(r"\A\s*```[a-z]*\n(.*?)\n```\s*\Z", re.DOTALL)


def read_made_plan(value: Any) -> Document:  # Any: whatever an agent or a tool gave
    """Read a plan that was given as data or as a text."""
    if isinstance(value, str):
        fenced = _FENCE.match(value)
        return read_plan(fenced.group(1) if fenced else value, SOURCE)
    if isinstance(value, Mapping):
        data = dict(value)
        return Document(SOURCE, data, Node(0, 0, data), ())
    findings = Findings(SOURCE)
    findings.add((), f"a plan is a mapping or a text, not {kind_of(value)}")
    return Document(SOURCE, None, None, tuple(findings.problems))


def check_made_plan(
    value: Any,  # Any: as above
    tools: Mapping[str, ToolSpec],
    *,
    agents: Mapping[str, Any] | None = None,  # Any: agents as they are written
    model: str | None = None,
    given: Collection[str] = (),
) -> Validation:
    """Check a plan that was made while another one was running.

    Args:
        value: the plan, as data or as a text.
        tools: every tool there is, by name.
        agents: the agents of the plan that runs it, as they are written, by name.
        model: the model of the plan that runs it.
        given: the inputs that it will be given.
    """
    document = read_made_plan(value)
    if document.data is not None:
        document = replace(document, data=_inherit(document.data, agents or {}, model))
    found = validate(document, tools)
    if found.plan is None:
        return found
    missing = tuple(_missing_inputs(found.plan, given))
    plan = None if missing else found.plan
    return Validation(plan=plan, problems=(*found.problems, *missing))


def describe_problems(problems: Sequence[Problem]) -> str:
    """List what keeps a made plan from running, one problem a line."""
    return list_problems("the plan", problems)


def _inherit(
    data: Mapping[str, Any], agents: Mapping[str, Any], model: str | None
) -> dict[str, Any]:  # Any: a plan as it is written
    whole = dict(data)
    own = whole.get("agents", {})
    if agents and isinstance(own, Mapping):
        whole["agents"] = {**agents, **own}
    if model is not None and whole.get("model") is None:
        whole["model"] = model
    return whole


def _missing_inputs(plan: PlanSpec, given: Collection[str]) -> list[Problem]:
    findings = Findings(SOURCE)
    for name, spec in plan.inputs.items():
        if spec.is_required and spec.default is None and name not in given:
            findings.add(
                ("inputs", name),
                f"nothing gives the input `{name}`",
                "give it a default, or write its value where it is used",
            )
    for name in given:
        if name not in plan.inputs:
            findings.add(
                ("inputs",),
                f"the plan has no input `{name}`, and is given it",
                f"declare `{name}` under `inputs`",
            )
    return findings.problems
