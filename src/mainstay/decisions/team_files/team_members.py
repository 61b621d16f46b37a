"""Who is meant by a team: its agents, found by name, by file and by role.

Rules:
    1. A name is looked for among the agents of the team's file, then in the catalogue, then by
       whoever reads files.
    2. ``roles`` means agents of that role, first among the team's own. A word that is no role
       means the agent of that name.
    3. A role's agents stand behind the children of the root, named as the role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mainstay.decisions.plan_files.plan_agents import is_agent_file
from mainstay.decisions.plan_files.plan_structure import is_name
from mainstay.decisions.plan_files.problems import Findings, Path
from mainstay.schemas.agent import AgentSpec, Role
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.team import ChildSpec, SupervisorSpec, TeamSpec

FindAgent = Callable[[str], AgentSpec | None]
"""Gives the agent of a name or a file, relative to the team's file; None when there is none.

It may raise what is wrong with it.
"""


@dataclass(frozen=True)
class Member:
    """A child of a supervisor, and the agent it is.

    Attributes:
        path: where it stands.
        name: what it is called; empty when that cannot be made out.
        agent: None for a supervisor, and for an agent that was not found.
    """

    path: Path
    spec: ChildSpec
    name: str
    agent: AgentSpec | None = None


class Agents:
    """Finds the agents of a team, each once.

    Args:
        own: the agents of the team's file.
        catalogue: all others that are known; None when that is not known here.
        find: asked for those that are not among them.
    """

    def __init__(
        self,
        own: Mapping[str, AgentSpec],
        catalogue: Iterable[AgentSpec] | None = None,
        find: FindAgent | None = None,
    ) -> None:
        self.is_complete = catalogue is not None or find is not None
        self.own = own
        self.catalogue = {spec.name: spec for spec in catalogue or ()}
        self._find = find
        self._found: dict[str, AgentSpec | None] = {}

    @property
    def names(self) -> list[str]:
        """The names of all agents that are known."""
        return list(dict.fromkeys([*self.own, *self.catalogue]))

    def get(self, written: str, findings: Findings, path: Path) -> AgentSpec | None:
        """Return the agent of a name or a file, and report at a path that there is none."""
        known = self.own.get(written) or self.catalogue.get(written)
        if known is not None or not self.is_complete:
            return known
        try:
            if written not in self._found:
                self._found[written] = self._find(written) if self._find is not None else None
        except MainstayError as error:
            self._found[written] = None
            findings.add(path, error.message, error.hint)
            return None
        if self._found[written] is None:
            self._report(written, findings, path)
        return self._found[written]

    def of_role(self, role: str, findings: Findings, path: Path) -> AgentSpec | None:
        """Return the one agent of a role, or report at a path that there is none, or several."""
        if role not in list(Role):
            return self._named_in_place_of_role(role, findings, path)
        for known in (self.own, self.catalogue):
            fitting = [spec for spec in known.values() if spec.role == role]
            if len(fitting) > 1:
                names = ", ".join(spec.name for spec in fitting)
                hint = f"write the one you mean under `children`: {{agent: {fitting[0].name}}}"
                findings.add(path, f"several agents have the role `{role}`: {names}", hint)
                return None
            if fitting:
                return fitting[0]
        if self.is_complete:
            hint = f"write one under `agents`, with `role: {role}`"
            findings.add(path, f"no agent has the role `{role}`", hint, at_key=True)
        return None

    def _named_in_place_of_role(
        self, role: str, findings: Findings, path: Path
    ) -> AgentSpec | None:
        found = self.own.get(role) or self.catalogue.get(role)
        if found is None and (self.is_complete or not is_name(role)):
            roles = [str(one) for one in Role]
            hint = findings.suggest(role, [*roles, *self.names]) or f"roles: {', '.join(roles)}"
            findings.add(path, f"there is no role and no agent `{role}`", hint, at_key=True)
        return found

    def _report(self, written: str, findings: Findings, path: Path) -> None:
        if is_agent_file(written):
            findings.add(path, f"there is no agent file {written!r}", "paths begin at this file")
            return
        hint = findings.suggest(written, self.names)
        findings.add(
            path,
            f"there is no agent `{written}`",
            hint or "write it under `agents`, or give a path: agents/reader.md",
        )


def members(
    supervisor: SupervisorSpec, path: Path, agents: Agents, findings: Findings
) -> Sequence[Member]:
    """Return the children of the supervisor at a path, in starting order.

    Whoever is not found is reported.
    """
    found = [
        _member(child, (*path, "children", index), agents, findings)
        for index, child in enumerate(supervisor.children)
    ]
    if isinstance(supervisor, TeamSpec):
        for role, count in supervisor.roles.items():
            where = ("roles", role)
            agent = agents.of_role(role, findings, where)
            spec = ChildSpec(agent=role, count=count)
            found.append(Member(where, spec, role if is_name(role) else "", agent))
    return found


def _member(child: ChildSpec, path: Path, agents: Agents, findings: Findings) -> Member:
    if child.agent is None or child.supervisor is not None:
        return Member(path, child, child.name or "")
    agent = agents.get(child.agent, findings, (*path, "agent"))
    called = agent.name if agent is not None else child.agent
    return Member(path, child, child.name or (called if is_name(called) else ""), agent)
