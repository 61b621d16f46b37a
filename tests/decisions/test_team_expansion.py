"""A team unfolds into what is stored: every default resolved, every agent found and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from team_strategies import CATALOGUE, agent, teams

from mainstay.decisions.team_files import (
    CompiledTeam,
    all_agents,
    child_names,
    expand,
    level,
    plan_child,
    read_team,
)
from mainstay.schemas.agent import AgentSpec, LimitsSpec, OnFailure, Role
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.ids import spec_ref_of
from mainstay.schemas.supervision import ChildKind, ChildPlan, SupervisorPlan, TeamPlan
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.schemas.team import (
    AutoShutdown,
    ChildSpec,
    ErrorPolicy,
    Escalation,
    IntensitySpec,
    Orphans,
    Restart,
    Strategy,
    SupervisorSpec,
    TeamSpec,
)

TEXT = """\
team: review
description: It reviews.
strategy: rest_for_one
intensity: {max_restarts: 1, window: 1m}
orphans: adopt
children:
  - reviewer
  - {agent: mine, count: 2, shutdown: 5s, errors: {}, restart: transient}
  - {agent: judge, shutdown: brutal_kill, on_failure: stop}
  - {agent: censor, shutdown: infinity}
  - name: squad
    count: 3
    strategy: OneForAll
    escalation: terminate
    children:
      - {agent: writer, count: 2}
      - {name: pair, children: [reviewer, {name: pool, strategy: dynamic, children: [planner]}]}
roles: {planner: 2}
agents: {mine: {prompt: Go., role: coordinator, description: Mine., capabilities: fast,
                limits: {stop: 7s}}}
"""


def expanded(text: str = TEXT) -> CompiledTeam:
    return expand(read_team(text), CATALOGUE)


def named(plan: SupervisorPlan) -> dict[str, ChildPlan]:
    return {child.name: child for child in plan.children}


def test_a_team_keeps_its_order_and_its_policies() -> None:
    plan = expanded().plan
    assert (plan.team, plan.description) == ("review", "It reviews.")
    assert plan.root.orphans is Orphans.ADOPT
    assert plan.root.policy.strategy is Strategy.REST_FOR_ONE
    assert plan.root.policy.intensity == IntensitySpec(max_restarts=1, window=timedelta(minutes=1))
    assert list(named(plan.root)) == ["reviewer", "mine", "judge", "censor", "squad", "planner"]
    squad = plan.root.supervisors["squad"]
    assert squad.policy.strategy is Strategy.TERMINATE_ALL
    assert squad.policy.escalation is Escalation.TERMINATE
    assert squad.policy.intensity == IntensitySpec()
    assert squad.orphans is Orphans.CASCADE


def test_a_child_has_what_its_agent_and_its_file_say() -> None:
    compiled = expanded()
    mine = named(compiled.plan.root)["mine"]
    assert mine == ChildPlan(
        name="mine", spec_ref=mine.spec_ref, role="coordinator", description="Mine.",
        capabilities=("fast",), restart=Restart.TRANSIENT, shutdown=timedelta(seconds=5), count=2,
        errors=ErrorPolicy(),
    )  # fmt: skip
    assert compiled.agents[mine.spec_ref].name == "mine"
    assert named(compiled.plan.root)["judge"].on_failure is OnFailure.STOP


def test_a_supervisor_is_a_child_that_has_all_the_time_it_needs() -> None:
    squad = named(expanded().plan.root)["squad"]
    assert squad == ChildPlan(
        name="squad", kind=ChildKind.SUPERVISOR, role="supervisor", shutdown=None, count=3
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, timedelta(seconds=7)),
        ("brutal_kill", timedelta(0)),
        ("infinity", None),
        (timedelta(seconds=3), timedelta(seconds=3)),
    ],
)
def test_a_shutdown_is_a_time_for_ever_or_none(
    written: timedelta | None, meant: timedelta | None
) -> None:
    spec = agent("a").model_copy(update={"limits": LimitsSpec(stop=timedelta(seconds=7))})
    child = ChildSpec(agent="a", shutdown=written)
    assert plan_child(child, spec, "ref").shutdown == meant
    assert plan_child(child, spec, "ref").name == "a"


def test_the_name_of_an_agents_document_follows_from_its_bytes() -> None:
    compiled = expanded()
    for ref, body in compiled.documents():
        assert ref == spec_ref_of(body)
        assert AgentSpec.model_validate_json(body) == compiled.agents[ref]
    assert {child.spec_ref for child in compiled.plan.root.children if child.spec_ref} <= set(
        compiled.agents
    )
    assert sorted(spec.name for spec in compiled.agents.values()) == [
        "censor", "judge", "mine", "planner", "reviewer", "writer",
    ]  # fmt: skip


def test_the_nearest_model_counts() -> None:
    children = [
        ChildSpec(agent="own"),
        ChildSpec(agent="own", name="b", model="a:child"),
        ChildSpec(agent="writer", name="c", model="a:child"),
    ]
    own = {"own": AgentSpec(name="own", prompt="Go.")}
    spec = TeamSpec(team="x", children=[*children, ChildSpec(agent="writer")], agents=own)
    compiled = expand(spec, CATALOGUE, model="a:default")
    models = {
        name: compiled.agents[one.spec_ref].model for name, one in named(compiled.plan.root).items()
    }
    assert models == {"own": "a:default", "b": "a:child", "c": "a:child", "writer": "script:x.yaml"}
    alone = expand(spec, CATALOGUE)
    assert alone.agents[alone.plan.root.children[0].spec_ref].model is None


def test_roles_stand_behind_the_children_and_are_named_as_the_role() -> None:
    spec = read_team("team: x\nroles: {planner: 1, reviewer: 3}\nchildren: [writer]")
    root = expand(spec, CATALOGUE).plan.root
    assert [child_names(child) for child in root.children] == [
        ("writer",), ("planner",), ("reviewer-1", "reviewer-2", "reviewer-3"),
    ]  # fmt: skip


def test_a_role_means_the_teams_own_agent_first() -> None:
    spec = read_team("team: x\nroles: {critic: 1}\nagents: {strict: {prompt: Go., role: critic}}")
    compiled = expand(spec, CATALOGUE)
    assert [one.name for one in compiled.agents.values()] == ["strict"]
    assert named(compiled.plan.root)["critic"].role == "critic"


def test_a_name_means_the_teams_own_agent_first() -> None:
    own = AgentSpec(name="writer", prompt="Own.")
    spec = TeamSpec(team="x", children=[ChildSpec(agent="writer")], agents={"writer": own})
    assert list(expand(spec, CATALOGUE).agents.values()) == [own]


def test_the_agent_of_a_file_is_found_by_whoever_reads_files() -> None:
    spec = TeamSpec(team="x", children=[ChildSpec(agent="a/filed.md")])
    compiled = expand(spec, (), find_agent={"a/filed.md": agent("filed")}.get)
    assert list(named(compiled.plan.root)) == ["filed"]
    with pytest.raises(InvalidInput, match=r"there is no agent file 'a/filed\.md'"):
        expand(spec, ())


def test_a_team_that_breaks_a_rule_is_refused_with_all_that_is_wrong() -> None:
    low = SupervisorSpec(children=[ChildSpec(agent="nobody")])
    spec = TeamSpec(
        team="x",
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
        children=[ChildSpec(name="low", supervisor=low, count=51)],
    )
    with pytest.raises(InvalidInput) as error:
        expand(spec, CATALOGUE, limits=AgentLimits())
    assert error.value.message.splitlines() == [
        "team 'x' has 3 errors:",
        "auto_shutdown: error: `auto_shutdown` follows significant children, and there are none "
        "(hint: write `significant: true` for a transient or temporary child)",
        "children: error: the supervisor has 51 children, more than 50 "
        "(hint: put a supervisor between, or raise MAINSTAY_LIMITS__CHILDREN)",
        "children[0].supervisor.children[0].agent: error: there is no agent `nobody` "
        "(hint: write it under `agents`, or give a path: agents/reader.md)",
    ]
    many = TeamSpec(team="x", children=[ChildSpec(agent="writer", count=51)])
    assert expand(many, CATALOGUE).plan.root.children[0].count == 51


def test_a_role_that_is_written_by_hand_cannot_be_a_name() -> None:
    with pytest.raises(InvalidInput, match="no role and no agent `a b`"):
        expand(TeamSpec(team="x", roles={"a b": 1}), CATALOGUE)


# levels


def test_a_child_is_named_by_its_plan_and_its_number() -> None:
    assert child_names(ChildPlan(name="a")) == ("a",)
    assert child_names(ChildPlan(name="a", count=3)) == ("a-1", "a-2", "a-3")


def test_what_is_below_one_of_many_has_its_name_before_its_own() -> None:
    plan = expanded().plan
    assert level(plan, "") == plan.root
    squad = level(plan, "squad-2")
    assert list(named(squad)) == ["squad-2.writer", "pair"]
    assert child_names(squad.children[0]) == ("squad-2.writer-1", "squad-2.writer-2")
    assert squad.policy == plan.root.supervisors["squad"].policy
    pair = level(plan, "squad-3/pair")
    assert list(named(pair)) == ["squad-3.reviewer", "pool"]
    assert list(named(level(plan, "squad-3/pair/pool"))) == ["squad-3.planner"]


def test_whoever_starts_a_dynamic_child_names_it() -> None:
    text = "team: x\nstrategy: dynamic\nchildren: [{name: cell, children: [writer]}]"
    plan = expanded(text).plan
    assert list(named(level(plan, "any-7"))) == ["any-7.writer"]
    with pytest.raises(NotFound):
        level(expanded("team: x\nstrategy: dynamic\nchildren: [writer]").plan, "any")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("squad", "did you mean `squad-3`?"),
        ("squad-4", "did you mean `squad-3`?"),
        ("squad-0", "did you mean `squad-3`?"),
        ("squad-02", "did you mean `squad-2`?"),
        ("reviewer", "`mainstay team tree review` shows them"),
        ("squad-1/", "`mainstay team tree review` shows them"),
        ("squad-1/pair/pol", "did you mean `pool`?"),
        ("squad-1/pair-1", "did you mean `pair`?"),
        ("/", "`mainstay team tree review` shows them"),
    ],
)
def test_a_supervisor_that_is_not_there_is_told(path: str, hint: str) -> None:
    with pytest.raises(NotFound, match="the team 'review' has no supervisor") as error:
        level(expanded().plan, path)
    assert error.value.hint == hint


def test_agents_are_counted_by_role_without_those_that_come_later() -> None:
    assert all_agents(expanded().plan) == {
        "coordinator": 2, "critic": 2, "planner": 2, "worker": 1 + 3 * 3,
    }  # fmt: skip


# any team


def agents_below(plan: TeamPlan, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every agent of a team with its role, by what each supervisor is given."""
    found = level(plan, path)
    if found.policy.strategy is Strategy.DYNAMIC:
        return
    for child in found.children:
        for name in child_names(child):
            if child.kind is ChildKind.AGENT:
                yield name, child.role
            else:
                yield from agents_below(plan, f"{path}/{name}".strip("/"))


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(teams())
def test_agents_of_any_team_have_names_of_their_own_and_are_all_counted(spec: TeamSpec) -> None:
    compiled = expand(spec, CATALOGUE)
    found = list(agents_below(compiled.plan))
    assert len({name for name, _ in found}) == len(found)
    assert Counter(role for _, role in found) == Counter(all_agents(compiled.plan))
    assert TeamPlan.model_validate_json(compiled.plan.model_dump_json()) == compiled.plan
    refs = {child.spec_ref for child in agents_in(compiled.plan.root)}
    assert refs == set(compiled.agents)


def agents_in(plan: SupervisorPlan) -> Iterator[ChildPlan]:
    for child in plan.children:
        if child.kind is ChildKind.AGENT:
            yield child
        else:
            yield from agents_in(plan.supervisors[child.name])


def test_everybody_of_a_catalogue_can_be_expanded_alone() -> None:
    for spec in CATALOGUE:
        compiled = expand(TeamSpec(team="x", children=[ChildSpec(agent=spec.name)]), CATALOGUE)
        assert list(compiled.agents.values()) == [spec]
        assert compiled.plan.root.children[0].role == spec.role.value
    assert Role.CRITIC in {spec.role for spec in CATALOGUE}
