"""A team's file tells everything that is wrong, at its place, and is read as what it says."""

from __future__ import annotations

import functools
import json
from datetime import timedelta

import pytest
import yaml
from broken_team_table import BROKEN, lower, team
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from team_strategies import CATALOGUE, shortened, teams

from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.problems import Problem, Severity
from mainstay.decisions.team_files import (
    all_agents,
    check_team,
    expand,
    read_team,
    team_schema,
    team_shape,
)
from mainstay.decisions.team_files.team_file import Surroundings, check_spec
from mainstay.decisions.team_files.team_places import TeamFindings
from mainstay.schemas.agent import (
    AgentSpec,
    ContextPolicy,
    ContextSpec,
    LimitsSpec,
    OnFailure,
    Role,
)
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.schemas.team import (
    AutoShutdown,
    BackoffSpec,
    ChildSpec,
    ErrorAction,
    ErrorPolicy,
    Escalation,
    HealthSpec,
    IntensitySpec,
    Orphans,
    Restart,
    Strategy,
    SupervisorSpec,
    TeamLimits,
    TeamSpec,
)
from mainstay.schemas.tools import ToolSpec

USUAL = AgentLimits()
TOOLS = {name: ToolSpec(name=name) for name in ("now", "fs.read")}


def find_agent(written: str) -> AgentSpec | None:
    if written == "broken.md":
        raise InvalidInput("agent 'broken.md' has 2 errors:\n…", hint="mend the file")
    return CATALOGUE[0].model_copy(update={"name": "filed"}) if written == "x.md" else None


def check(text: str | bytes, limits: AgentLimits | None = USUAL) -> list[Problem]:
    return check_team(
        text, "demo.yaml", find_agent, catalogue=CATALOGUE, tools=TOOLS, limits=limits
    )


def describe(problem: Problem) -> str:
    return f"{problem.line}:{problem.column} {problem.message} ? {problem.hint}"


@pytest.mark.parametrize(("text", "expected", "line", "column"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_team_has_exactly_its_error(
    text: str, expected: str, line: int, column: int
) -> None:
    found = check(text)
    assert len(found) == 1, [describe(one) for one in found]
    [error] = found
    assert error.severity is Severity.ERROR
    message, _, hint = expected.partition("?")
    assert message.strip() in error.message, describe(error)
    assert hint.strip() in error.hint, describe(error)
    assert (error.line, error.column, error.source) == (line, column, "demo.yaml"), describe(error)


EVERYTHING = """\
# every key there is
team: every-thing
description: "All: of it"
strategy: rest_for_one
intensity: {max_restarts: 5, window: 1m}
escalation: restart
auto_shutdown: any_significant
orphans: adopt
roles: {planner: 2}
limits: {agents: 40, roles: {critic: 3}}
health: {interval: 10s, grace: 5, error_rate: 0.25, sample: 9}
agents:
  mine: {prompt: Go., tools: 'now, fs.read', context: full, limits: {stop: 5s}}
  other: {name: called-other, prompt: Go., role: critic}
children:
  - reviewer
  - agent: mine
    name: first
    restart: transient
    shutdown: 1m30s
    significant: true
    backoff: {initial: 100ms, factor: 3, maximum: 10s, jitter: 0}
    count: 3
    model: anthropic:claude
    errors: {timeout: report, exhausted: stop, fatal: restart, other: pause, retry_after: 1m}
  - {agent: other, shutdown: BrutalKill, on_failure: pause}
  - {agent: x.md, shutdown: infinity}
  - name: squad
    count: 2
    strategy: AllForOne
    children:
      - writer
      - name: pool
        restart: temporary
        supervisor: {strategy: dynamic, children: [judge], escalation: terminate}
"""


def test_everything_that_can_be_written_is_read() -> None:
    assert not check(EVERYTHING)
    assert read_team(EVERYTHING) == TeamSpec(
        team="every-thing",
        description="All: of it",
        strategy=Strategy.REST_FOR_ONE,
        intensity=IntensitySpec(max_restarts=5, window=timedelta(minutes=1)),
        escalation=Escalation.RESTART,
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
        orphans=Orphans.ADOPT,
        roles={"planner": 2},
        limits=TeamLimits(agents=40, roles={"critic": 3}),
        health=HealthSpec(interval=timedelta(seconds=10), grace=timedelta(seconds=5),
                          error_rate=0.25, sample=9),
        agents={
            "mine": AgentSpec(name="mine", prompt="Go.", tools=["now", "fs.read"],
                              context=ContextSpec(policy=ContextPolicy.FULL),
                              limits=LimitsSpec(stop=timedelta(seconds=5))),
            "other": AgentSpec(name="called-other", prompt="Go.", role=Role.CRITIC),
        },
        children=[
            ChildSpec(agent="reviewer"),
            ChildSpec(
                agent="mine", name="first", restart=Restart.TRANSIENT,
                shutdown=timedelta(seconds=90), significant=True, count=3,
                backoff=BackoffSpec(initial=timedelta(seconds=0.1), factor=3,
                                    maximum=timedelta(seconds=10), jitter=0),
                model="anthropic:claude",
                errors=ErrorPolicy(timeout=ErrorAction.REPORT, exhausted=ErrorAction.STOP,
                                   fatal=ErrorAction.RESTART, other=ErrorAction.PAUSE,
                                   retry_after=timedelta(minutes=1)),
            ),
            ChildSpec(agent="other", shutdown="brutal_kill", on_failure=OnFailure.PAUSE),
            ChildSpec(agent="x.md", shutdown="infinity"),
            ChildSpec(
                name="squad",
                count=2,
                supervisor=SupervisorSpec(
                    strategy=Strategy.ONE_FOR_ALL,
                    children=[
                        ChildSpec(agent="writer"),
                        ChildSpec(
                            name="pool",
                            restart=Restart.TEMPORARY,
                            supervisor=SupervisorSpec(
                                strategy=Strategy.DYNAMIC,
                                escalation=Escalation.TERMINATE,
                                children=[ChildSpec(agent="judge")],
                            ),
                        ),
                    ],
                ),
            ),
        ],
    )  # fmt: skip


SHORT_AND_LONG = [
    ("- writer", "- {agent: writer}"),
    ("- {name: low, children: [writer]}", "- {name: low, supervisor: {children: [writer]}}"),
    (
        "- {name: low, restart: temporary, strategy: dynamic, children: [writer]}",
        "- {name: low, restart: temporary, supervisor: {strategy: dynamic, children: [writer]}}",
    ),
    ("- writer\n- {name: low, strategy: one_for_all}",
     "- writer\n- {name: low, supervisor: {strategy: one_for_all}}"),
    ("- {agent: writer, shutdown: Brutal-Kill}", "- {agent: writer, shutdown: brutal_kill}"),
    ("- {agent: writer, shutdown: INFINITY}", "- {agent: writer, shutdown: infinity}"),
    (
        "- {agent: writer, restart: , supervisor: ~, backoff: {initial: }, name: null}",
        "- writer",
    ),
    ("- {name: low, supervisor: null, children: [writer], strategy: }",
     "- {name: low, children: [writer]}"),
]  # fmt: skip


@pytest.mark.parametrize(("short", "long"), SHORT_AND_LONG, ids=range(len(SHORT_AND_LONG)))
def test_a_short_form_means_the_long_one(short: str, long: str) -> None:
    assert read_team(team(short)) == read_team(team(long))


ALIASES = {
    "OneForOne": Strategy.ONE_FOR_ONE,
    "one-for-one": Strategy.ONE_FOR_ONE,
    "ONE_FOR_ALL": Strategy.ONE_FOR_ALL,
    "AllForOne": Strategy.ONE_FOR_ALL,
    "all_for_one": Strategy.ONE_FOR_ALL,
    "allForOne": Strategy.ONE_FOR_ALL,
    "RestForOne": Strategy.REST_FOR_ONE,
    "rest for one": Strategy.REST_FOR_ONE,
    "TerminateAll": Strategy.TERMINATE_ALL,
    "Dynamic": Strategy.DYNAMIC,
    "simple_one_for_one": Strategy.DYNAMIC,
}


@pytest.mark.parametrize("written", ALIASES)
def test_a_strategy_is_understood_in_any_way_of_writing(written: str) -> None:
    text = team("- writer", f"strategy: {written}")
    assert not check(text)
    assert read_team(text).strategy is ALIASES[written]


def test_the_specifications_one_for_all_is_terminate_all_and_says_so() -> None:
    text = lower("- writer", "strategy: OneForAll")
    [warning] = check(text)
    assert warning.severity is Severity.WARNING
    assert (warning.line, warning.column) == (6, 5)
    assert warning.message == "`OneForAll` is read as `terminate_all`"
    low = read_team(text).children[0].supervisor
    assert low is not None
    assert low.strategy is Strategy.TERMINATE_ALL


def test_everything_wrong_is_told_at_once_in_order_of_place() -> None:
    text = """\
team: 1x
stratgy: one_for_all
children:
  - writr
  - 5
  - {agent: writer, restart: always, model: best}
  - name: low
    auto_shutdown: any
    children:
      - judge
      - {agent: judge, significant: true, restart: temporary, count: 0}
  - {children: [planner], shutdown: 5s}
agents: {mine: {prompt: 5, role: boss, tools: [nwo], model: best}, yours: 5}
roles: {router: 1}
"""
    assert [(one.line, one.column) for one in check(text)] == [
        (1, 7), (2, 1), (4, 5), (5, 5), (6, 30), (6, 45), (8, 20), (11, 9), (11, 70), (12, 5),
        (12, 27), (13, 25), (13, 34), (13, 48), (13, 61), (13, 75), (14, 9),
    ]  # fmt: skip


FOLLOWERS = [
    "team: x\nagents: 5\nchildren: [mine]",
    "team: x\nagents: {mine: 5}\nchildren: [mine]",
    "team: x\nchildren: 5",
    "team: x\nroles: 5",
    "team: x\nchildren: [{}, writer, writer]\nroles: {planner: x}",
    "team: x\nchildren: [{name: low, supervisor: 5}]",
    "team: x\nauto_shutdown: any_significant\nchildren: [writer, {agent: judge, significant: x}]",
    "team: x\nauto_shutdown: x\nchildren: [{agent: judge, significant: true, restart: temporary}]",
    "team: x\nauto_shutdown: any_significant\n"
    "children: [{agent: judge, significant: true, restart: x}]",
    "team: x\nstrategy: dynamic\nchildren: 5",
    "team: x\nchildren: [{name: 5, children: [writer]}]",
    "team: x\nchildren: [writer, {name: 5, agent: writer}]",
]


@pytest.mark.parametrize("text", FOLLOWERS)
def test_what_is_wrong_in_shape_makes_nothing_else_wrong(text: str) -> None:
    found = check(text)
    is_two = "{}, writer, writer" in text
    assert len(found) == (3 if is_two else 1), [describe(one) for one in found]


WARNINGS = [
    ("- {name: low, children: [writer], shutdown: 5s}", "may be killed before its children", 37),
    ("- writer\n- {name: low, children: []}", "the supervisor has no children", 5),
    ("- {agent: writer, on_failure: stop, errors: {}}", "no effect beside `errors`", 21),
    ("- {name: low, shutdown: infinity, children: [writer]}", "", 0),
    ("- {agent: writer, backoff: {initial: 5s, maximum: 5s}}", "", 0),
]


@pytest.mark.parametrize(("children", "message", "column"), WARNINGS)
def test_what_is_only_doubtful_is_a_warning(children: str, message: str, column: int) -> None:
    found = check(team(children))
    assert [one.severity for one in found] == [Severity.WARNING] * bool(message)
    for warning in found:
        assert message in warning.message
        assert warning.column == column
    assert read_team(team(children))


def test_limits_of_an_installation_that_is_not_known_are_warnings() -> None:
    text = lower("- {agent: writer, count: 60}", "count: 60")
    assert [(one.severity, one.line) for one in check(text, None)] == [
        (Severity.WARNING, 1), (Severity.WARNING, 2), (Severity.WARNING, 4),
    ]  # fmt: skip
    assert {one.severity for one in check(text)} == {Severity.ERROR}
    assert not check(text, AgentLimits(agents=None, children=None))


LIMITS = [
    (AgentLimits(agents=None, team_agents=3), "4 agents, more than the 3", "TEAM_AGENTS"),
    (AgentLimits(agents=3, team_agents=5), "4 agents, more than the 3", "AGENTS"),
    (AgentLimits(roles={"critic": 1}), "2 agents of the role `critic`", "ROLES"),
    (AgentLimits(team_roles={"critic": 1}), "2 agents of the role `critic`", "TEAM_ROLES"),
    (AgentLimits(children=3), "the supervisor has 4 children, more than 3", "CHILDREN"),
    (AgentLimits(depth=1), "these children stand 2 deep, more than 1", "fewer levels"),
]


@pytest.mark.parametrize(("limits", "message", "hint"), LIMITS)
def test_a_limit_of_the_installation_is_named(limits: AgentLimits, message: str, hint: str) -> None:
    text = team("- writer\n- judge\n- censor", "roles: {planner: 1}")
    assert not check(text, AgentLimits(agents=4, children=4, depth=2))
    [error] = check(text, limits)
    assert message in error.message
    assert error.hint.endswith(hint)


COUNTED = [
    (team("- {agent: writer, count: 4}"), 4),
    (lower("- name: in\n  count: 2\n  children: [{agent: writer, count: 2}]", "count: 3"), 12),
    (team("- writer", "strategy: dynamic"), 0),
    (team("- {name: cell, children: [writer, judge]}", "strategy: dynamic"), 0),
    (team("- {name: cell, children: [{name: in, children: [writer]}]}", "strategy: dynamic"), 0),
]


@pytest.mark.parametrize(("text", "number"), COUNTED, ids=range(len(COUNTED)))
def test_agents_are_counted_once_for_each_supervisor_above_that_is_there_often(
    text: str, number: int
) -> None:
    assert all_agents(expand(read_team(text), CATALOGUE).plan).get("worker", 0) == number
    if number:
        assert not check(f"{text}\nlimits: {{agents: {number}}}")
        [error] = check(f"{text}\nlimits: {{agents: {number - 1}}}")
        assert error.message.startswith(f"the team has {number} agents")
    else:
        assert not check(f"{text}\nlimits: {{agents: 1, roles: {{worker: 0}}}}")


def nested(depth: int) -> TeamSpec:
    """Return a team whose only agent stands so deep; one below the root is 2 deep."""
    inner = ChildSpec(agent="writer")
    for number in range(depth - 2):
        inner = ChildSpec(name=f"s{number}", supervisor=SupervisorSpec(children=[inner]))
    return TeamSpec(team="deep", children=[inner])


def as_text(spec: TeamSpec) -> str:
    return json.dumps(spec.model_dump(mode="json"), ensure_ascii=False)


def test_a_team_is_at_most_ten_levels_deep() -> None:
    assert not check(as_text(nested(10)))
    [error] = check(as_text(nested(11)))
    assert error.message == "these children stand 11 deep, more than 10"
    assert not check(as_text(nested(12)), AgentLimits(depth=12))
    assert check_spec(nested(500), Surroundings(limits=AgentLimits(depth=None)))


def test_a_path_that_is_too_long_for_a_workflows_id_is_told() -> None:
    spec = ChildSpec(agent="writer")
    for number in range(8):
        lower_spec = SupervisorSpec(children=[spec])
        spec = ChildSpec(name=f"s{number}" + "x" * 98, count=10_000, supervisor=lower_spec)
    limits = AgentLimits(agents=None, children=None, depth=12)
    assert not check(as_text(TeamSpec(team="x" * 100, children=[spec])), limits)
    spec = ChildSpec(name="y" * 100, supervisor=SupervisorSpec(children=[spec]))
    found = check(as_text(TeamSpec(team="x" * 100, children=[spec])), limits)
    assert ["more than 1000 characters" in one.message for one in found] == [True]


def test_aliases_cannot_nest_a_team_too_deep() -> None:
    chain = ["a0: &a0 x"]
    for number in range(1, 40):
        chain.append(f"a{number}: &a{number} {'[' * 50}*a{number - 1}{']' * 50}")
    text = "\n".join([*chain, "team: x", "children: [*a39]"])
    [error] = check(text)
    assert error.message == "nested more than 64 deep"


def test_a_shape_that_cannot_be_mended_is_told_and_gives_no_team(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(team_shape, "MAX_ROUNDS", 1)
    assert len(check(team("- 5\n- writr"))) == 1
    with pytest.raises(InvalidInput):
        read_team(team("- 5"))


def test_what_stands_in_the_file_is_left_as_it_is() -> None:
    text = team("- 5\n- {agent: 5, backoff: {jitter: 2}}", "roles: {planner: x}\n"
                "limits: {roles: {critic: x}}\nagents: {a: {budget: {usd: x}}, b: 5}")  # fmt: skip
    document = read_plan(text, "x")
    team_shape.check_shape(document, TeamFindings(document))
    assert document.data == read_plan(text, "x").data


# reading


def test_a_team_is_read_without_looking_for_its_agents() -> None:
    spec = read_team(team("- anybody\n- agents/some.md", "roles: {critic: 2, someone: 1}"))
    assert [child.agent for child in spec.children] == ["anybody", "agents/some.md"]


def test_a_team_that_is_wrong_is_refused_with_all_that_is_wrong() -> None:
    with pytest.raises(InvalidInput) as error:
        read_team("team: 1x\nchildren: [{name: low}]\nroles: {a b: 1}", "demo.yaml")
    head, *listed = error.value.message.splitlines()
    assert head == "team 'demo.yaml' has 3 errors:"
    assert [line.partition(": ")[0] for line in listed] == [
        "demo.yaml:1:7", "demo.yaml:2:12", "demo.yaml:3:9",
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match=r"\Athe team has 1 error"):
        read_team("")


def test_warnings_keep_no_team_from_being_read() -> None:
    assert read_team(team("- {agent: writer, count: 60}")).children[0].count == 60


def test_the_agent_of_a_file_is_looked_for_once() -> None:
    asked: list[str] = []

    def find(written: str) -> AgentSpec | None:
        asked.append(written)
        return None

    found = check_team(team("- writer\n- y.md\n- {agent: y.md, name: z}"), "", find)
    assert asked == ["writer", "y.md"]
    assert [one.message for one in found] == [
        "there is no agent `writer`", *["there is no agent file 'y.md'"] * 2,
    ]  # fmt: skip


def test_agents_of_the_team_come_before_the_catalogue() -> None:
    own = "agents: {judge: {prompt: Go., role: critic}, own: {prompt: Go., role: planner}}"
    assert not check(team("- judge\n- own", f"roles: {{critic: 1}}\n{own}"))


def test_a_word_that_is_no_role_means_the_agent_of_that_name() -> None:
    assert not check("team: x\nroles: {reviewer: 3, planner: 1}")


def test_a_name_may_stand_again_where_its_supervisor_is_there_several_times() -> None:
    assert not check(lower("- writer\n- judge", "count: 2", top="  - writer"))
    assert not check(lower("- writer", "strategy: dynamic", top="  - judge"))
    pattern = "- {name: cell, children: [writer]}"
    assert not check(lower(pattern, "strategy: dynamic", top="  - writer"))
    assert not check(team("- writer\n- {agent: judge, name: writer-1}"))
    deeper = "- {name: in, count: 2, children: [writer]}\n- {name: out, children: [judge]}"
    assert not check(lower(deeper, "count: 2", top="  - writer\n  - judge\n  - out"
                           "\nagents: {out: {prompt: Go.}}"))  # fmt: skip


def test_a_team_made_in_python_is_checked_by_path() -> None:
    low = SupervisorSpec(children=[ChildSpec(agent="nobody", name="b"), ChildSpec()])
    spec = TeamSpec(
        team="x",
        children=[ChildSpec(agent="writer"), ChildSpec(name="writer", supervisor=low)],
        agents={"mine": AgentSpec(name="mine", tools=["nwo"])},
    )
    found = check_spec(spec, Surroundings(find_agent, CATALOGUE, TOOLS))
    assert {one.path: one.message for one in found} == {
        "children[1].supervisor.children[0].agent": "there is no agent `nobody`",
        "children[1].supervisor.children[1]":
            "a child is an agent or a supervisor; this one is neither",
        "children[1].name": "the name `writer` is taken children[0]",
        "agents.mine.tools[0]": "there is no tool `nwo`",
        "agents.mine.prompt": "there is no prompt",
    }  # fmt: skip


def test_the_path_of_a_problem_is_that_of_the_file_as_it_is_written() -> None:
    text = team("- writr\n- {name: low, children: [{agent: judg}], strategy: x}")
    assert [one.path for one in check(text)] == [
        "children[0]", "children[1].children[0].agent", "children[1].strategy",
    ]  # fmt: skip


# any text, any team

_lines = st.sampled_from(
    [
        *[
            "team: x",
            "team:",
            "children:",
            "children: *b",
            "b: &b [{agent: x}]",
            "\ttab",
            "",
            "- a",
        ],
        *["  - writer", "  - {agent: writer, count: 3}", "  - name: low", "  -", "? [a]"],
        *["    children:", "    children: [writer, {agent: judge}]", "    supervisor: writer"],
        *["    supervisor: {children: [5]}", "    strategy: OneForAll", "    backoff: .inf"],
        *["    significant: true", "    count: 99999999999999999999999", "!!set {a}"],
        *["    errors: {fatal: [], other: {}}", "strategy: dynamic", "health: 5"],
        *["auto_shutdown: any_significant", "intensity: {window: 1e300, x: 1}", "agents: []"],
        *["agents: {a: {}}", "agents: {'1': {name: 5}}", "agents: {a: {output: {type: 5}}}"],
        *["roles: {critic: 1, 5: x}", "limits: {agents: 0}", "limits: {roles: {x: 1e999}}"],
        *["&a children: [*a]"],
    ]
) | st.text(max_size=12)
_files = st.lists(_lines, max_size=10).map("\n".join)


def check_any(content: str | bytes) -> None:
    found = check(content)
    assert all(one.line > 0 and one.column > 0 for one in found)
    try:
        read_team(content)
    except InvalidInput:
        assert any(one.severity is Severity.ERROR for one in found)


@settings(max_examples=200, deadline=None)
@given(_files | st.binary(max_size=40))
def test_no_text_breaks_the_reader(content: str | bytes) -> None:
    check_any(content)


@pytest.mark.deep
@settings(max_examples=2_000, deadline=None)
@given(_files | st.binary(max_size=40))
def test_none_of_two_thousand_texts_breaks_the_reader(content: str | bytes) -> None:
    check_any(content)


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(teams())
def test_a_team_that_is_written_reads_as_the_same_team(spec: TeamSpec) -> None:
    assert read_team(as_text(spec)) == spec
    assert read_team(yaml.safe_dump(shortened(spec), sort_keys=False)) == spec


# the schema for editors


@functools.cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(json.dumps(team_schema())))


def fits(text: str) -> bool:
    return validator().is_valid(read_plan(text, "x").data)


def test_the_schema_takes_what_a_file_may_hold() -> None:
    Draft202012Validator.check_schema(team_schema())
    assert fits(EVERYTHING.replace("BrutalKill", "brutal_kill"))
    for short, long in SHORT_AND_LONG[:4]:
        assert fits(team(short))
        assert fits(team(long))
    for written in ("OneForOne", "OneForAll", "AllForOne", "all_for_one", "simple_one_for_one"):
        assert fits(team("- writer", f"strategy: {written}"))


@pytest.mark.parametrize(
    "text",
    [
        "children: [writer]",
        team("- 5"),
        team("- {agent: writer, restrat: x}"),
        team("- {agent: writer, shutdown: soon}"),
        team("- {agent: writer, count: 0}"),
        team("- writer", "strategy: one"),
        team("- writer", "limits: {agent: 1}"),
        team("- writer", "agents: {a: {promt: x}}"),
        lower("- {agnt: writer}"),
    ],
)
def test_the_schema_refuses_what_a_file_may_not_hold(text: str) -> None:
    assert not fits(text)


def test_the_schema_describes_every_key() -> None:
    schema = team_schema()
    for owner in [schema, *(schema["$defs"][one] for one in ("ChildSpec", "SupervisorSpec"))]:
        for key, value in owner["properties"].items():
            assert key == "$schema" or value.get("description") or key == "team", key
