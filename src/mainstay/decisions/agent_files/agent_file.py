"""Reading an agent's file, and everything that is wrong with it at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mainstay.decisions.agent_files.agent_rules import check_rules
from mainstay.decisions.agent_files.agent_structure import AgentShape, check_shape
from mainstay.decisions.agent_files.front_matter import split_file
from mainstay.decisions.plan_files.problems import Findings, Problem, in_order, is_fatal
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.model import Model
from mainstay.schemas.tools import ToolSpec

Tools = Mapping[str, ToolSpec]


class AgentFile(Model):
    """What a file holds. ``spec`` is complete, or None when there is an error.

    Attributes:
        path: the file's name.
        name: the agent's name as far as it can be made out; empty without one.
    """

    path: str
    name: str = ""
    spec: AgentSpec | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the agent from being used."""
        return [problem for problem in self.problems if is_fatal([problem])]

    @property
    def warnings(self) -> list[Problem]:
        """What the file holds that has no effect."""
        return [problem for problem in self.problems if not is_fatal([problem])]


@dataclass(frozen=True)
class Draft:
    """A file that is being checked: what was made out of it, and what was found so far."""

    shape: AgentShape
    findings: Findings

    def finish(self) -> AgentFile:
        """Return the file with its problems in their order."""
        problems = in_order(self.findings.problems)
        return AgentFile(
            path=self.findings.source,
            name=self.shape.name,
            spec=None if is_fatal(problems) else self.shape.spec,
            problems=tuple(problems),
        )


def read_agent(content: str | bytes, source: str, tools: Tools | None = None) -> AgentFile:
    """Read and check an agent's file.

    Args:
        content: what the file holds.
        source: its name, for messages.
        tools: every tool there is, by name; None leaves the names of tools unchecked.
    """
    return draft_agent(content, source, tools).finish()


def draft_agent(content: str | bytes, source: str, tools: Tools | None) -> Draft:
    """Check all of a file that can be checked without the agents beside it."""
    text = split_file(content, source)
    findings = Findings(source, text.locate)
    findings.problems.extend(text.document.problems)
    shape = check_shape(text, findings)
    if text.document.data is not None:
        check_rules(findings, shape.written, tools)
    return Draft(shape, findings)


def check_spec(spec: AgentSpec, tools: Tools | None = None) -> list[Problem]:
    """Check an agent that was made in Python."""
    findings = Findings()
    check_rules(findings, dict(spec), tools)
    return in_order(findings.problems)
