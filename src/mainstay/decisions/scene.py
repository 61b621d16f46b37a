"""What a plan's rules are checked against: the plan, where it stands, and the tools there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mainstay.decisions.plan_structure import Structure
from mainstay.decisions.problems import Findings, Path
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec


@dataclass(frozen=True)
class Scene:
    """One plan while it is checked.

    Attributes:
        plan: what is left of it after wrong parts were taken out.
        path: where it stands in its file; not empty for a plan in another one's ``plans``.
        sub_plans: the sub-plans its tasks can name: its own, and those read from files.
        task_names: every task in the file, also those that were taken out.
        input_names: every input in the file, also those that were taken out.
    """

    plan: PlanSpec
    findings: Findings
    tools: Mapping[str, ToolSpec]
    path: Path = ()
    structure: Structure = field(default_factory=Structure)
    sub_plans: Mapping[str, PlanSpec] = field(default_factory=dict)
    task_names: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    used_inputs: set[str] = field(default_factory=set)
    """Filled while expressions are checked."""

    def task_path(self, name: str, *rest: str | int) -> Path:
        """Return the path of something in a task."""
        return (*self.path, "tasks", name, *rest)

    @cached_property
    def known_tasks(self) -> frozenset[str]:
        """The names of all tasks."""
        return frozenset(self.task_names)

    @cached_property
    def known_inputs(self) -> frozenset[str]:
        """The names of all inputs."""
        return frozenset(self.input_names)
