"""Everything that is wrong with a plan, at once, each with its place.

Rules:
    1. A plan is checked in three steps: its shape, the files of its sub-plans, its rules. What
       one step takes out as wrong does not keep the next from looking at the rest.
    2. A sub-plan's file is checked as a plan of its own, and becomes part of the plan that names
       it: ``plans`` holds it under the path as written, so that a run needs no file.
    3. A plan with an error gives no plan; warnings do not matter.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mainstay.decisions.plan_files.plan_agents import AgentReader, ListFolder, Load
from mainstay.decisions.plan_files.plan_file import Document, read_plan
from mainstay.decisions.plan_files.plan_rules import check_plan, is_file
from mainstay.decisions.plan_files.plan_structure import Structure, check_structure
from mainstay.decisions.plan_files.problems import Findings, Path, Problem, in_order, is_fatal
from mainstay.decisions.plan_files.scene import Scene
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.model import Model
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec

MAX_TOTAL_TASKS = 100_000
"""Most tasks in a plan and everything it includes."""


class Validation(Model):
    """What validation found. ``plan`` is complete, or None when there is an error."""

    plan: PlanSpec | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the plan from running."""
        return [problem for problem in self.problems if is_fatal([problem])]


def validate(
    document: Document,
    tools: Mapping[str, ToolSpec],
    sub_plans: Load | Mapping[str, str] | None = None,
    folder: ListFolder | None = None,
) -> Validation:
    """Check a plan's file, and those it includes.

    Args:
        document: what :func:`read_plan` gave.
        tools: every tool there is, by name.
        sub_plans: gives the text of an included file, a plan's or an agent's, by its path: the
            path as written, joined to the folder of the file that includes it.
        folder: lists the agents' files of a folder; by default those of ``sub_plans``.
    """
    load = sub_plans if callable(sub_plans) else (sub_plans or {}).get
    known = () if sub_plans is None or callable(sub_plans) else tuple(sub_plans)

    def list_known(place: str) -> list[str] | None:
        inside = [one for one in known if one.startswith(f"{place}/") and one.endswith(".md")]
        return inside or None

    return _Validator(tools, load, folder or list_known).validate(document)


def validate_spec(plan: PlanSpec, tools: Mapping[str, ToolSpec]) -> list[Problem]:
    """Check a plan that was made in Python; its sub-plans are all in ``plans``."""
    findings = Findings()
    _check_with_inner(plan, findings, tools, (), Structure(plan), None)
    return in_order(findings.problems)


class _Validator:
    """Checks a file and those it includes, each file once."""

    def __init__(self, tools: Mapping[str, ToolSpec], load: Load, folder: ListFolder) -> None:
        self.tools = tools
        self.load = load
        self.agents = AgentReader(load, folder, tools)
        self.problems: list[Problem] = []
        self.known: dict[str, PlanSpec | None] = {}
        self.stack: list[str] = []
        self.counts: dict[int, tuple[int, PlanSpec]] = {}

    def validate(self, document: Document) -> Validation:
        plan = self._check(document, posixpath.normpath(document.source))
        problems = in_order([*self.problems, *self.agents.problems])
        # The order of files is that of their names; the file asked about comes first.
        problems.sort(key=lambda problem: problem.source != document.source)
        return Validation(plan=None if is_fatal(problems) else plan, problems=tuple(problems))

    def _check(self, document: Document, source: str) -> PlanSpec | None:
        self.problems.extend(document.problems)
        if document.data is None:
            return None
        findings = Findings(document.source, document.locate)
        resolved = self.agents.resolve(document.data, source, findings)
        lacks_agents = bool(findings.problems)
        structure = check_structure(replace(document, data=dict(resolved)), findings)
        if lacks_agents or self.agents.problems:
            structure.damaged.add(("agents",))
        if structure.spec is not None:
            self.stack.append(source)
            plan = self._embed(structure.spec, findings, ())
            self.stack.pop()
            _check_with_inner(plan, findings, self.tools, (), structure, document.data)
            structure.spec = plan
        self.problems.extend(findings.problems)
        return structure.spec

    def _embed(self, plan: PlanSpec, findings: Findings, path: Path) -> PlanSpec:
        """Return a plan with the files of its sub-plans among its ``plans``."""
        plans = {
            name: self._embed(one, findings, (*path, "plans", name))
            for name, one in plan.plans.items()
        }
        plan = self.agents.embed(plan, self.stack[-1], findings, path)
        for name, task in plan.tasks.items():
            written = task.plan
            if written is None or written in plans or not is_file(written):
                continue
            found = self._include(written, findings, (*path, "tasks", name, "plan"))
            if found is not None:
                plans[written] = found
        count = len(plan.tasks) + sum(self._count_tasks(one) for one in plans.values())
        whole = plan
        if count <= MAX_TOTAL_TASKS:
            whole = plan.model_copy(update={"plans": plans})
        else:
            count = len(plan.tasks)
            findings.add(
                (*path, "tasks"),
                f"the plan has more than {MAX_TOTAL_TASKS} tasks in all",
                "include fewer plans, or start them by a task of their own",
                at_key=True,
            )
        self.counts[id(whole)] = (count, whole)
        return whole

    def _count_tasks(self, plan: PlanSpec) -> int:
        """Count a plan's tasks and those in its plans; files included twice share one object."""
        return self.counts[id(plan)][0]

    def _include(self, written: str, findings: Findings, path: Path) -> PlanSpec | None:
        source = posixpath.normpath(posixpath.join(posixpath.dirname(self.stack[-1]), written))
        if source in self.stack:
            chain = " -> ".join([*self.stack[self.stack.index(source) :], source])
            findings.add(
                path, f"the plan includes itself: {chain}", "a plan cannot be its own part"
            )
            return None
        if source not in self.known:
            text = self.load(source)
            self.known[source] = None
            if text is None:
                findings.add(path, f"there is no file {written!r}", "paths begin at this file")
            else:
                self.known[source] = self._check(read_plan(text, source), source)
        return self.known[source]


def _check_with_inner(
    plan: PlanSpec,
    findings: Findings,
    tools: Mapping[str, ToolSpec],
    path: Path,
    structure: Structure,
    data: Mapping[str, Any] | None,
    around: Mapping[str, AgentSpec] | None = None,
) -> None:
    """Check the rules of a plan and of those written inside it.

    ``data`` is the plan as it stands in its file; None for one that was made in Python. ``around``
    are the agents of the plans around it.
    """
    agents = {**(around or {}), **plan.agents}
    scene = Scene(
        plan=plan,
        findings=findings,
        tools=tools,
        path=path,
        structure=structure,
        sub_plans=plan.plans,
        agents=agents,
        written=data,
    )
    check_plan(scene)
    used = {task.plan for task in plan.tasks.values()}
    inner = data.get("plans") if data is not None else None
    for name, one in plan.plans.items():
        written = inner.get(name) if isinstance(inner, Mapping) else None
        if data is not None and written is None:
            continue  # it came from a file, and was checked there
        where = (*path, "plans", name)
        if name not in used:
            findings.warn(where, f"the sub-plan `{name}` is never used")
        _check_with_inner(one, findings, tools, where, structure, written, agents)
