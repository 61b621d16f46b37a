"""What a team's file unfolds into: the plan that is stored, and the agents that it needs.

Every default is resolved here, so that a changed default never changes a team that is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from mainstay.decisions.plan_files.problems import Path, is_fatal
from mainstay.decisions.team_files.team_file import Surroundings, check_spec, refusal
from mainstay.decisions.team_files.team_members import Agents, FindAgent, Member, members
from mainstay.decisions.team_files.team_places import TeamFindings
from mainstay.schemas.agent import AgentSpec, Role
from mainstay.schemas.ids import spec_ref_of
from mainstay.schemas.model import Model
from mainstay.schemas.supervision import (
    ChildKind,
    ChildPlan,
    SupervisorPlan,
    SupervisorPolicy,
    TeamPlan,
)
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.schemas.team import ChildSpec, SupervisorSpec, TeamSpec


class CompiledTeam(Model):
    """A team as it is stored.

    Attributes:
        plan: the whole tree.
        agents: the file of each agent, by the name of its document.
    """

    plan: TeamPlan
    agents: dict[str, AgentSpec]

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield what is to be stored for the agents: the name of each document and its bytes."""
        for ref, spec in self.agents.items():
            yield ref, _body(spec)


def expand(
    team: TeamSpec,
    catalogue: Sequence[AgentSpec],
    *,
    find_agent: FindAgent | None = None,
    model: str | None = None,
    limits: AgentLimits | None = None,
) -> CompiledTeam:
    """Resolve a team's agents, roles and defaults.

    Args:
        team: read from a file, or made in Python.
        catalogue: the agents there are beside the team's own.
        find_agent: gives agents by file; without it only names are known.
        model: the model of agents that name none; without it they keep none.
        limits: of the installation, which the team must fit into.

    Raises:
        InvalidInput: the team breaks a rule, or an agent of it is not there; all that is listed.
    """
    around = Surroundings(find_agent, catalogue, None, limits)
    problems = check_spec(team, around)
    if is_fatal(problems):
        raise refusal(team.team, problems)
    unfolding = _Unfolding(Agents(team.agents, catalogue, find_agent), model)
    root = unfolding.supervisor(team, ())
    plan = TeamPlan(
        team=team.team,
        description=team.description,
        root=root,
        limits=team.limits,
        health=team.health,
    )
    return CompiledTeam(plan=plan, agents=unfolding.specs)


def plan_child(child: ChildSpec, agent: AgentSpec, spec_ref: str) -> ChildPlan:
    """Return the plan of a child that is an agent.

    Args:
        child: how it is supervised; its name is by default the agent's.
        agent: the agent, whose file is stored.
        spec_ref: the name of that document.
    """
    return ChildPlan(
        name=child.name or agent.name,
        spec_ref=spec_ref,
        role=agent.role.value,
        description=agent.description,
        capabilities=tuple(agent.capabilities),
        restart=child.restart,
        shutdown=_shutdown(child, agent.limits.stop),
        significant=child.significant,
        backoff=child.backoff,
        count=child.count,
        errors=child.errors,
        on_failure=child.on_failure,
    )


def _plan_supervisor(member: Member) -> ChildPlan:
    spec = member.spec
    return ChildPlan(
        name=member.name,
        kind=ChildKind.SUPERVISOR,
        role=Role.SUPERVISOR.value,
        restart=spec.restart,
        shutdown=_shutdown(spec, None),
        significant=spec.significant,
        backoff=spec.backoff,
        count=spec.count,
    )


class _Unfolding:
    """Makes plans of what is written, and collects the agents that they need."""

    def __init__(self, agents: Agents, model: str | None) -> None:
        self.specs: dict[str, AgentSpec] = {}
        self._agents = agents
        self._model = model
        self._refs: dict[tuple[int, str | None], str] = {}

    def supervisor(self, spec: SupervisorSpec, path: Path) -> SupervisorPlan:
        """Return the plan of the supervisor at a path."""
        children = members(spec, path, self._agents, TeamFindings())
        return SupervisorPlan(
            policy=SupervisorPolicy(
                strategy=spec.strategy,
                intensity=spec.intensity,
                escalation=spec.escalation,
                auto_shutdown=spec.auto_shutdown,
            ),
            orphans=spec.orphans,
            children=tuple(self._child(one) for one in children),
            supervisors=dict(self._lower(children)),
        )

    def _lower(self, children: Iterable[Member]) -> Iterator[tuple[str, SupervisorPlan]]:
        for one in children:
            if one.spec.supervisor is not None:
                path = (*one.path, "supervisor")
                yield one.name, self.supervisor(one.spec.supervisor, path)

    def _child(self, member: Member) -> ChildPlan:
        if member.agent is None:
            return _plan_supervisor(member)
        ref = self._store(member.agent, member.spec.model)
        plan = plan_child(member.spec, member.agent, ref)
        return plan.model_copy(update={"name": member.name})

    def _store(self, agent: AgentSpec, model: str | None) -> str:
        """Note an agent with the model that it has here, and return its document's name."""
        model = model or agent.model or self._model
        key = id(agent), model
        if key not in self._refs:
            spec = agent.model_copy(update={"model": model})
            self._refs[key] = spec_ref_of(_body(spec))
            self.specs[self._refs[key]] = spec
        return self._refs[key]


def _body(spec: AgentSpec) -> bytes:
    return spec.model_dump_json().encode()


def _shutdown(child: ChildSpec, usual: timedelta | None) -> timedelta | None:
    """Return the time in which a child is to stop: None is for ever, zero kills at once."""
    if child.shutdown is None:
        return usual
    if isinstance(child.shutdown, timedelta):
        return child.shutdown
    return timedelta(0) if child.shutdown == "brutal_kill" else None
