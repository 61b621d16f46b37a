"""A folder of agents: what holds among its files, beyond what holds for each.

Rules:
    1. A name stands for one agent; the file that comes later in order of paths is the wrong one.
    2. An agent asks only agents of its catalogue. One whose file is broken is still there.
    3. Agents that ask each other in a circle would wait for each other: a warning.
"""

from __future__ import annotations

from collections.abc import Mapping

from mainstay.decisions.agent_files.agent_file import AgentFile, Draft, Tools, draft_agent
from mainstay.decisions.agent_files.agent_rules import check_agents
from mainstay.decisions.graph import find_cycles
from mainstay.decisions.plan_files.problems import Problem
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import NotFound
from mainstay.schemas.model import Model


class AgentCatalogue(Model):
    """The agents of a folder, in the order of their files' paths."""

    files: tuple[AgentFile, ...] = ()

    @property
    def specs(self) -> dict[str, AgentSpec]:
        """The agents that can be used, by name."""
        return {file.spec.name: file.spec for file in self.files if file.spec is not None}

    @property
    def errors(self) -> list[Problem]:
        """Everything that keeps an agent from being used."""
        return [problem for file in self.files for problem in file.errors]

    @property
    def warnings(self) -> list[Problem]:
        """What the files hold that has no effect, or may not do what was meant."""
        return [problem for file in self.files for problem in file.warnings]

    def get(self, name: str) -> AgentSpec:
        """Return an agent.

        Raises:
            NotFound: there is none of that name, or its file is broken.
        """
        specs = self.specs
        if name not in specs:
            broken = next((file for file in self.files if file.name == name), None)
            hint = f"{broken.path} is broken: see `mainstay agent catalogue`" if broken else ""
            hint = hint or did_you_mean(name, specs) or f"there are: {', '.join(sorted(specs))}"
            raise NotFound(f"there is no agent {name!r} in the catalogue", hint=hint)
        return specs[name]


def check_catalogue(files: Mapping[str, str | bytes], tools: Tools | None = None) -> AgentCatalogue:
    """Check agents that belong together.

    Args:
        files: what each file holds, by its path.
        tools: every tool there is, by name; None leaves the names of tools unchecked.
    """
    drafts = {path: draft_agent(files[path], path, tools) for path in sorted(files)}
    owners: dict[str, str] = {}
    for path, draft in drafts.items():
        name = draft.shape.name
        if name and (first := owners.setdefault(name, path)) != path:
            draft.findings.add(
                ("name",), f"the name `{name}` is taken by {first}", "choose another"
            )
    for draft in drafts.values():
        check_agents(draft.findings, draft.shape.written, owners)
    _warn_of_circles({name: drafts[path] for name, path in owners.items()})
    return AgentCatalogue(files=tuple(draft.finish() for draft in drafts.values()))


def _warn_of_circles(drafts: Mapping[str, Draft]) -> None:
    asked: dict[str, list[str]] = {}
    for name, draft in drafts.items():
        others = draft.shape.spec.agents if draft.shape.spec is not None else []
        asked[name] = [one for one in others if one in drafts and one != name]
    for cycle in find_cycles(asked):
        drafts[cycle[0]].findings.warn(
            ("agents",),
            f"agents ask each other: {' -> '.join(cycle)}",
            "each would wait for the next; let one of them answer alone",
        )
