"""What a plan's rules are checked against: the plan, where it stands, and the tools there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mainstay.decisions.plan_files.plan_structure import Structure
from mainstay.decisions.plan_files.problems import Findings, Path
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec


@dataclass(frozen=True)
class Scene:
    """One plan while it is checked.

    Attributes:
        plan: what is left of it after wrong parts were taken out.
        path: where it stands in its file; not empty for a plan in another one's ``plans``.
        written: the plan as it stands in its file; None for one that was made in Python.
        sub_plans: the sub-plans its tasks can name: its own, and those read from files.
        agents: the agents its tasks can name: its own, and those of the plans around it.
    """

    plan: PlanSpec
    findings: Findings
    tools: Mapping[str, ToolSpec]
    path: Path = ()
    structure: Structure = field(default_factory=Structure)
    sub_plans: Mapping[str, PlanSpec] = field(default_factory=dict)
    agents: Mapping[str, AgentSpec] = field(default_factory=dict)
    written: Mapping[str, Any] | None = None
    used_inputs: set[str] = field(default_factory=set)
    """Filled while expressions are checked."""

    def task_path(self, name: str, *rest: str | int) -> Path:
        """Return the path of something in a task."""
        return (*self.path, "tasks", name, *rest)

    def has_key(self, task: str, key: str) -> bool:
        """Tell whether a key is written in a task, even one that means what its absence means."""
        found = self._names("tasks").get(task)
        return isinstance(found, Mapping) and key in found

    def need_path(self, task: str, position: int) -> Path:
        """Return the path of a task's need, whose place moved if wrong ones before it are gone."""
        needs = self.plan.tasks[task].needs
        found = self._names("tasks").get(task)
        written = found.get("needs") if isinstance(found, Mapping) else None
        if isinstance(written, list) and len(written) != len(needs):
            position = written.index(needs[position])
        return self.task_path(task, "needs", position)

    @cached_property
    def task_names(self) -> tuple[str, ...]:
        """The names of all tasks, in the order of the file."""
        return tuple(dict.fromkeys([*self._names("tasks"), *self.plan.tasks]))

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """The names of all inputs, in the order of the file."""
        return tuple(dict.fromkeys([*self._names("inputs"), *self.plan.inputs]))

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """The names of all agents, broken ones too."""
        return tuple(dict.fromkeys([*self._names("agents"), *self.agents]))

    @cached_property
    def known_tasks(self) -> frozenset[str]:
        """The names of all tasks."""
        return frozenset(self.task_names)

    @cached_property
    def known_inputs(self) -> frozenset[str]:
        """The names of all inputs."""
        return frozenset(self.input_names)

    def _names(self, group: str) -> Mapping[str, Any]:
        found = (self.written or {}).get(group)
        return found if isinstance(found, Mapping) else {}
