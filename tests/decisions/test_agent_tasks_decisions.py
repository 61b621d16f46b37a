"""Who does a task, what a critic's word means, which model is used, what an agent's end means."""

from __future__ import annotations

import re

import pytest

from mainstay.decisions.agents.critique import (
    MAX_FEEDBACK_CHARS,
    MAX_JUDGED_CHARS,
    complaint,
    critic_prompt,
)
from mainstay.decisions.agents.routing import Candidate, candidates, choose
from mainstay.decisions.agents.task_result import failure_of_task
from mainstay.decisions.outline import compile_outline
from mainstay.decisions.plan_files.plan_agents import is_agent_file
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.plan_models import inherit, with_default_model
from mainstay.decisions.plan_files.validation import validate, validate_spec
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import AgentResult
from mainstay.schemas.agent_tasks import Critique
from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound
from mainstay.schemas.ids import AGENT_ID_PATTERN, agent_id_from, task_agent_name
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus, Settlement
from mainstay.schemas.outline import TaskKind
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import Failure, FailureKind

READER = Candidate("reader", ("read", "sum"), 2)
SECOND = Candidate("second", ("read",), 1)
THIRD = Candidate("athird", ("read",), 1)


def made(tasks: dict, **more) -> PlanSpec:
    return PlanSpec.model_validate({"name": "p", "tasks": tasks, **more})


def agent(**more) -> dict:
    return {"prompt": "You work.", **more}


# Routing.


def test_the_least_busy_agent_that_is_able_is_chosen_and_the_first_by_name_among_equals():
    assert choose([READER, SECOND, THIRD], "read").name == "athird"
    choice = choose([READER, SECOND], "read")
    assert choice.name == "second"
    assert choice.reason == "the least busy of 2 with 'read': 1 unfinished task"
    idle = Candidate("idle", ("read",))
    assert choose([READER, idle], "read").reason.endswith("no unfinished tasks")


def test_an_agent_without_the_capability_is_never_chosen_however_idle():
    choice = choose([READER, SECOND], "sum")
    assert (choice.name, choice.reason) == ("reader", "the only one with 'sum'")


@pytest.mark.parametrize(
    ("known", "wanted", "hint"),
    [
        ([READER], "raed", "did you mean `read`?"),
        ([READER], "flying", "there are: read, sum"),
        ([], "read", "no agent names any"),
    ],
)
def test_a_capability_that_nobody_has_is_refused_with_those_there_are(known, wanted, hint):
    with pytest.raises(NotFound) as refusal:
        choose(known, wanted)
    assert refusal.value.hint == hint


def test_load_counts_the_living_agents_of_the_plan_by_the_name_in_their_file():
    agents = {
        "a": AgentSpec(name="reader", prompt="x", capabilities=["read"]),
        "b.md": AgentSpec(name="writer", prompt="x"),
    }
    living = ["p/reader.r1.t", "p/reader.r1.t.2", "other/reader.r1.t", "p/stranger.x", "lonely"]
    found = candidates(agents, living, "p")
    assert found == {"a": Candidate("reader", ("read",), 2), "b.md": Candidate("writer")}


# Ids.


def test_the_same_place_has_the_same_agent_with_a_valid_id_and_a_readable_name():
    place = "plan/review/ab12/read.3:1"
    assert agent_id_from(place) == agent_id_from(place) != agent_id_from(place + "~2")
    assert re.fullmatch(AGENT_ID_PATTERN, agent_id_from(place))
    assert task_agent_name("reader", place) == "review/reader.ab12.read.3:1"
    inner = "plan/review/ab12/inner/read/critic"
    assert task_agent_name("judge", inner) == "review/judge.ab12.inner.read.critic"


def test_names_of_long_places_are_short_and_still_differ():
    first, second = (f"plan/p/{'x' * 300}/{end}" for end in "ab")
    assert task_agent_name("r", first) != task_agent_name("r", second)
    assert len(task_agent_name("r", first)) < 230


# Critics.


def test_an_output_passes_at_the_threshold_and_not_below_it():
    assert complaint(Critique(score=0.7, confidence=0), 0.7) is None
    assert complaint(Critique(score=0.69, confidence=1), 0.7) is not None


def test_feedback_names_the_score_then_the_issues_then_the_suggestions():
    critique = Critique(score=0.4, confidence=0.9, issues=("no date",), suggestions=("add one",))
    assert complaint(critique, 0.7) == (
        "scored 0.4 (confidence 0.9); at least 0.7 is needed\n"
        "Issues:\n- no date\nSuggestions:\n- add one"
    )
    endless = critique.model_copy(update={"issues": ("x" * 9_000,)})
    assert len(complaint(endless, 0.7)) == MAX_FEEDBACK_CHARS


def test_a_critic_is_told_the_task_the_criteria_the_output_and_what_was_wrong_before():
    told = critic_prompt("Add.", {"sum": 3}, ["is right", "is short"], "wrong sum")
    order = ["Add.", "- is right\n- is short", "wrong sum", '"sum": 3', "`score`"]
    assert [told.index(part) for part in order] == sorted(told.index(part) for part in order)
    bare = critic_prompt("", "text", [])
    assert "criteria" not in bare
    assert "The task:" not in bare
    assert len(critic_prompt("", "x" * 10**6, [])) < MAX_JUDGED_CHARS + 1_000


# Models.


def test_the_default_model_is_stored_where_none_is_named():
    plan = made({"a": {"agent": "w", "prompt": "x"}}, agents={"w": agent()})
    assert with_default_model(plan, "script:d").model == "script:d"
    named = plan.model_copy(update={"model": "script:own"})
    assert with_default_model(named, "script:d").model == "script:own"
    assert with_default_model(named, "") is named


def test_a_plan_without_any_model_is_refused_with_the_tasks_that_need_one():
    inner = {"name": "i", "tasks": {"deep": {"agent": "w", "prompt": "x"}}}
    plan = made(
        {
            "plain": {"tool": "now"},
            "own": {"agent": "w", "prompt": "x", "model": "script:t"},
            "modelled": {"agent": "m", "prompt": "x"},
            "bare": {"agent": "w", "prompt": "x"},
            "any": {"agent": "${{ inputs.who }}", "prompt": "x"},
            "able": {"capability": "c", "prompt": "x"},
            "able_with": {"capability": "d", "prompt": "x"},
            "judged": {"tool": "now", "verify": {"agent": "w"}},
            "judged_with": {"tool": "now", "verify": {"agent": "m"}},
            "checked": {"tool": "now", "verify": {"check": "true"}},
            "unknown": {"agent": "nobody", "prompt": "x"},
            "inner": {"plan": "i"},
        },
        agents={
            "w": agent(capabilities=["c"]),
            "m": agent(model="script:m", capabilities=["d"]),
        },
        plans={"i": inner},
    )
    with pytest.raises(InvalidInput) as refusal:
        with_default_model(plan, "")
    assert "the tasks 'bare', 'any', 'able', 'judged', 'inner.deep', and" in refusal.value.message
    assert "MAINSTAY_MODEL" in refusal.value.hint


def test_a_refusal_names_a_few_tasks_and_counts_the_rest():
    one = {"agent": "w", "prompt": "x"}
    with pytest.raises(InvalidInput, match=r"for the task 't0', and there"):
        with_default_model(made({"t0": one}, agents={"w": agent()}), "")
    many = made({f"t{n}": one for n in range(14)}, agents={"w": agent()})
    with pytest.raises(InvalidInput, match=r"'t9' and 4 more"):
        with_default_model(many, "")


def test_a_sub_plan_inherits_agents_and_model_where_it_has_none():
    outer = made({"a": {"tool": "now"}}, agents={"w": agent(), "v": agent()}, model="script:o")
    inner = made({"a": {"tool": "now"}}, agents={"w": agent(model="script:w")})
    whole = inherit(outer, inner)
    assert whole.model == "script:o"
    assert whole.agents["w"].model == "script:w"
    assert "v" in whole.agents
    own = inner.model_copy(update={"model": "script:i"})
    assert inherit(outer, own).model == "script:i"
    plain = made({"a": {"tool": "now"}})
    assert inherit(plain, inner) is inner


# Outlines and files.


def test_agent_tasks_are_retried_only_when_they_say_so_and_critics_look_at_the_whole():
    plan = made(
        {
            "plain": {"agent": "w", "prompt": "x"},
            "again": {"capability": "c", "prompt": "x", "retry": 2},
            "named": {"agent": "w", "prompt": "x", "outputs": {"o": "${{ output }}"}},
            "judged": {"tool": "now", "verify": {"agent": "w"}},
        },
        agents={"w": agent(capabilities=["c"])},
    )
    plain, again, named, judged = compile_outline(plan, {}).tasks
    assert [one.kind for one in (plain, judged)] == [TaskKind.AGENT, TaskKind.TOOL]
    assert (plain.tool, again.tool) == ("w", "c")
    assert (plain.retries, again.retries) == (False, True)
    assert (plain.gathers, named.gathers, judged.gathers) == (False, True, True)
    assert (plain.has_critic, judged.has_critic) == (False, True)


FOLDER = {
    "agents/a.md": "---\nname: a\n---\nYou are a.\n",
    "agents/b.md": "---\nname: b\nagents: [a]\n---\nYou are b.\n",
    "agents/broken.md": "---\nname: broken\ntools: [nothing]\n---\nx\n",
}
USES_FOLDER = """\
name: p
agents: agents/
tasks:
  first: {agent: a, prompt: x}
  second: {agent: agents/b.md, prompt: x}
  third: {agent: agents/b.md, prompt: x}
"""


def test_a_folder_of_agents_becomes_part_of_the_plan():
    files = {path: text for path, text in FOLDER.items() if "broken" not in path}
    plan = validate(read_plan(USES_FOLDER, "plan.yaml"), {}, files).plan
    assert sorted(plan.agents) == ["a", "agents/b.md", "b"]
    assert validate_spec(plan, {}) == []


def test_what_is_wrong_in_an_agents_file_is_told_there_and_nowhere_else():
    text = USES_FOLDER.replace("agent: a,", "agent: unheard_of,")
    found = validate(read_plan(text, "plan.yaml"), {}, FOLDER)
    assert [(one.source, one.line) for one in found.errors] == [("agents/broken.md", 3)]
    text = "name: p\nagents: {x: agents/broken.md, y: agents/broken.md}\ntasks: {a: {tool: t}}"
    found = validate(read_plan(text, "plan.yaml"), {}, FOLDER)
    assert {one.source for one in found.errors} == {"agents/broken.md", "plan.yaml"}


def test_a_folder_that_cannot_be_listed_is_told_where_it_is_named():
    def refuse(folder: str) -> list[str]:
        raise LimitReached(f"{folder} is too large", hint="take a smaller one")

    document = read_plan(USES_FOLDER.split("  second")[0], "sub/plan.yaml")
    found = validate(document, {}, lambda path: None, refuse)
    assert [(one.line, one.message) for one in found.errors] == [(2, "sub/agents is too large")]
    empty = validate(document, {}, lambda path: None, lambda folder: [])
    assert "there is no agent in 'agents/'" in empty.errors[0].message


def test_agents_of_a_plan_are_known_in_the_plans_written_inside_it():
    text = """\
name: p
agents: {w: {prompt: x}}
tasks: {a: {plan: i}}
plans:
  i:
    name: i
    agents: {v: agents/a.md}
    tasks: {b: {agent: w, prompt: x}, c: {agent: v, prompt: x}}
"""
    assert validate(read_plan(text, "plan.yaml"), {}, FOLDER).errors == []
    odd = text.replace("  i:\n", "  j: 5\n  i:\n")
    assert len(validate(read_plan(odd, "plan.yaml"), {}, FOLDER).errors) == 1


def test_a_plan_made_in_python_has_its_agents_checked_too():
    plan = made({"a": {"agent": "agents/w.md", "prompt": "x"}}, agents={"v": {"prompt": ""}})
    assert [one.path for one in validate_spec(plan, {})] == ["agents.v.prompt", "tasks.a.agent"]
    assert is_agent_file("w.md")
    assert not is_agent_file("${{ inputs.a }}/w.md")


# What the end of an agent means.


def ended(settlement: Settlement | None = None, **more) -> AgentResult:
    return AgentResult(
        agent_id="agent-1", state=LifeState.TERMINATED, settlement=settlement, **more
    )


def test_an_answered_message_is_success_and_a_failed_one_keeps_its_kind():
    answered = Settlement(message_id="m", status=MessageStatus.PROCESSED)
    assert failure_of_task("p/w", ended(answered)) is None
    why = Failure(kind=FailureKind.REFUSED, type="LimitReached", message="too much")
    failed = Settlement(message_id="m", status=MessageStatus.FAILED, failure=why)
    failure = failure_of_task("p/w", ended(failed))
    assert (failure.kind, failure.type, failure.message) == (why.kind, why.type, why.message)
    assert "mainstay agent info p/w" in failure.hint
    hinted = failed.model_copy(update={"failure": why.model_copy(update={"hint": "wait"})})
    assert failure_of_task("p/w", ended(hinted)).hint == "wait"


def test_an_agent_that_never_began_fails_its_task_for_the_reason_it_ended():
    why = Failure(type="InvalidInput", message="no key")
    assert failure_of_task("p/w", ended(failure=why)).message == "no key"
    stopped = failure_of_task("p/w", ended(reason="enough"))
    assert stopped.kind is FailureKind.REFUSED
    assert stopped.message == "agent 'p/w' ended without an answer: enough"
    assert failure_of_task("p/w", ended()).message.endswith("TERMINATED")
