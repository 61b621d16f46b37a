"""The agents of a plan that stand in files of their own: read, checked, and made a part of it.

Rules:
    1. ``agents: {reader: agents/reader.md}`` names files, ``agents: agents/`` a whole folder.
       A task may also name a file itself; the plan then holds the agent under the path as written.
    2. Paths begin at the file that names them. What is wrong in an agent's file is told there.
    3. A run needs no file: the plan that is stored holds its agents.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mainstay.decisions.agent_files.agent_file import read_agent
from mainstay.decisions.agent_files.catalogue import check_catalogue
from mainstay.decisions.expressions import START
from mainstay.decisions.plan_files.problems import Findings, Path, Problem
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec

Load = Callable[[str], str | bytes | None]
"""Gives the text of a path, relative to where the first file's name is; None without a file."""

ListFolder = Callable[[str], Sequence[str] | None]
"""Gives the paths of the agent files in a folder; None without a folder.

It may raise what is wrong with the folder.
"""

Data = Mapping[str, Any]  # a plan as it stands in its file


def is_agent_file(agent: str) -> bool:
    """Tell whether a task's ``agent`` is a path rather than a name, or an expression."""
    return START not in agent and ("/" in agent or agent.endswith(".md"))


class AgentReader:
    """Reads agents' files for plans, each once, and collects what is wrong in them."""

    def __init__(self, load: Load, folder: ListFolder, tools: Mapping[str, ToolSpec]) -> None:
        self.problems: list[Problem] = []
        self._load = load
        self._list_folder = folder
        self._tools = tools
        self._known: dict[str, AgentSpec | None] = {}

    def resolve(self, data: Data, source: str, findings: Findings, path: Path = ()) -> Data:
        """Return a plan's data with agents in place of the files and folders that it names.

        Args:
            data: the plan, or one that is written inside it.
            source: the plan's file.
            findings: where it is told that a file is missing.
            path: where the plan stands in its file.
        """
        changed = dict(data)
        agents = data.get("agents")
        where = (*path, "agents")
        if isinstance(agents, str):
            changed["agents"] = self._folder(agents, source, findings, where)
        elif isinstance(agents, Mapping):
            changed["agents"] = self._named(agents, source, findings, where)
        plans = data.get("plans")
        if isinstance(plans, Mapping):
            changed["plans"] = {
                name: self.resolve(one, source, findings, (*path, "plans", name))
                if isinstance(one, Mapping)
                else one
                for name, one in plans.items()
            }
        return changed

    def embed(self, plan: PlanSpec, source: str, findings: Findings, path: Path) -> PlanSpec:
        """Return a plan with the agents whose files its tasks name."""
        agents = dict(plan.agents)
        for where, written in _files_in(plan):
            if written not in agents:
                spec = self._file(written, source, findings, (*path, *where))
                if spec is not None:
                    agents[written] = spec
        return plan.model_copy(update={"agents": agents}) if agents else plan

    def _named(self, agents: Data, source: str, findings: Findings, path: Path) -> Data:
        found = {
            name: self._file(one, source, findings, (*path, name)) if isinstance(one, str) else one
            for name, one in agents.items()
        }
        return {name: one for name, one in found.items() if one is not None}

    def _file(self, written: str, source: str, findings: Findings, path: Path) -> AgentSpec | None:
        place = _beside(source, written)
        if place not in self._known:
            text = self._load(place)
            if text is None:
                findings.add(
                    path, f"there is no agent file {written!r}", "paths begin at this file"
                )
                return None
            file = read_agent(text, place, self._tools)
            self.problems.extend(file.problems)
            self._known[place] = file.spec
        return self._known[place]

    def _folder(self, written: str, source: str, findings: Findings, path: Path) -> Data:
        try:
            places = self._list_folder(_beside(source, written))
        except MainstayError as error:
            findings.add(path, error.message, error.hint)
            return {}
        if not places:
            hint = "a folder of agent files, or a mapping of agents by name"
            missing = "there is no folder" if places is None else "there is no agent in"
            findings.add(path, f"{missing} {written!r}", hint)
            return {}
        texts = {place: self._load(place) for place in places}
        there = {place: text for place, text in texts.items() if text is not None}
        catalogue = check_catalogue(there, self._tools)
        for file in catalogue.files:
            self.problems.extend(file.problems)
        return catalogue.specs


def _files_in(plan: PlanSpec) -> Iterable[tuple[Path, str]]:
    """Yield the agents' files that tasks name, and where."""
    for name, task in plan.tasks.items():
        if task.agent is not None and is_agent_file(task.agent):
            yield ("tasks", name, "agent"), task.agent
        critic = task.verify.agent if task.verify is not None else None
        if critic is not None and is_agent_file(critic):
            yield ("tasks", name, "verify", "agent"), critic


def _beside(source: str, written: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), written))
