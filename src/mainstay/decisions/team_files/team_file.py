"""Reading a team's file, and everything that is wrong with it at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mainstay.decisions.agent_files.agent_rules import check_rules
from mainstay.decisions.plan_files.plan_file import Form, read_plan
from mainstay.decisions.plan_files.problems import Problem, in_order, is_fatal, list_problems
from mainstay.decisions.team_files.team_limits import check_limits
from mainstay.decisions.team_files.team_members import Agents, FindAgent
from mainstay.decisions.team_files.team_places import TeamFindings
from mainstay.decisions.team_files.team_rules import Scene, check_tree
from mainstay.decisions.team_files.team_shape import TeamShape, check_shape
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.schemas.team import TeamSpec
from mainstay.schemas.tools import ToolSpec

TEAM_FORM = Form(
    noun="a team",
    beginning="begin with `team: NAME`",
    when_empty="begin with `team: NAME`; `mainstay team schema` shows what may follow",
    when_large="write repeated children once, with `count`",
)

Tools = Mapping[str, ToolSpec]


@dataclass(frozen=True)
class Surroundings:
    """What a team's file is checked against, as far as it is known.

    Attributes:
        find_agent: gives agents by name and by file.
        catalogue: the agents of the catalogue; needed for ``roles``.
        tools: every tool there is, by name; None leaves the names of tools unchecked.
        limits: of the installation; without them, what passes their defaults is a warning.
    """

    find_agent: FindAgent | None = None
    catalogue: Iterable[AgentSpec] | None = None
    tools: Tools | None = None
    limits: AgentLimits | None = None


def read_team(text: str | bytes, source: str = "") -> TeamSpec:
    """Read a team's file, without looking for agents that are not in it.

    Raises:
        InvalidInput: something is wrong in it; the message lists all of that, one a line, as
            ``file:line:column: error: what is wrong (hint: what to do)``.
    """
    spec, problems = _read(text, source, Surroundings())
    if spec is None:
        raise refusal(source, problems)
    return spec


def check_team(
    text: str | bytes,
    source: str,
    find_agent: FindAgent | None = None,
    *,
    catalogue: Iterable[AgentSpec] | None = None,
    tools: Tools | None = None,
    limits: AgentLimits | None = None,
) -> list[Problem]:
    """Return everything that is wrong with a team's file; see :class:`Surroundings`."""
    return _read(text, source, Surroundings(find_agent, catalogue, tools, limits))[1]


def check_spec(team: TeamSpec, around: Surroundings) -> list[Problem]:
    """Return everything that is wrong with a team that was made in Python."""
    scene = _scene(team, TeamFindings(), TeamShape(), around)
    return _check(scene, around.tools)


def refusal(what: str, problems: Iterable[Problem]) -> InvalidInput:
    """Return the error that lists what keeps a team from being used."""
    errors = [problem for problem in problems if is_fatal([problem])]
    return InvalidInput(
        list_problems(f"team {what!r}" if what else "the team", errors),
        hint="mend the file, then try again; `mainstay team validate` shows each in its place",
    )


def _read(
    text: str | bytes, source: str, around: Surroundings
) -> tuple[TeamSpec | None, list[Problem]]:
    document = read_plan(text, source, TEAM_FORM)
    findings = TeamFindings(document)
    findings.problems.extend(document.problems)
    shape = check_shape(document, findings)
    if shape.spec is None or document.data is None:
        return None, in_order(findings.problems)
    problems = _check(_scene(shape.spec, findings, shape, around), around.tools)
    return None if is_fatal(problems) else shape.spec, problems


def _scene(team: TeamSpec, findings: TeamFindings, shape: TeamShape, around: Surroundings) -> Scene:
    agents = Agents(team.agents, around.catalogue, around.find_agent)
    if ("agents",) in shape.removed:
        agents.is_complete = False
    return Scene(team, findings, agents, around.limits, shape)


def _check(scene: Scene, tools: Tools | None) -> list[Problem]:
    check_tree(scene)
    check_limits(scene)
    removed = scene.shape.removed
    for name, agent in scene.team.agents.items():
        path = ("agents", name)
        if path not in removed:
            # What was taken out is not there, and not missing either.
            sound = {key: None if (*path, key) in removed else one for key, one in agent}
            check_rules(scene.findings.inside(path), sound, tools, "give it a `prompt`")
    return in_order(scene.findings.problems)
