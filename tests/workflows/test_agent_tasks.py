"""Tasks of plans that agents do: asked, judged, sent back, stopped, paid for."""

from __future__ import annotations

from textwrap import dedent

import pytest
from plan_stage import PLAN_TOOLS, until

from mainstay.agent_waits import agent_waits
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import FailureKind, PlanStatus, TaskStatus
from mainstay.worker import running_worker

ECHO = "loop: true\nturns: [{say: 'I was told: ${{ user }}', usage: {input: 10, output: 5}}]"


def script(stage, name: str, text: str) -> str:
    """Write a script, and return the model that plays it."""
    path = stage.folder / f"{name}.yaml"
    path.write_text(dedent(text))
    return f"script:{path}"


def agent(model: str | None, **more) -> dict:
    return {"prompt": "You work.", "model": model, **more}


async def agents_of(stage, run) -> list:
    """The agents that worked for a plan, the first one first."""
    rows = await stage.mainstay.agents(parent=run.id)
    return sorted(rows, key=lambda row: row.created_at)


async def spent(stage, account: str) -> int:
    [found] = await stage.mainstay.store.get_accounts([account])
    return found.spent.tokens


async def test_the_answer_of_an_agent_is_the_output_of_its_task(stage):
    model = script(stage, "echo", ECHO)
    run = await stage.succeed(
        {
            "first": {"tool": "test.echo", "with": {"value": {"who": "parrot"}}},
            "ask": {
                "needs": "first",
                "agent": "${{ needs.first.outputs.who }}",
                "prompt": "Say ${{ needs.first.outputs.who }}.",
                "outputs": {"text": "${{ output | upper }}"},
            },
        },
        agents={"parrot": agent(model)},
        outputs={"said": "${{ needs.ask.outputs.text }}"},
    )
    assert await run.outputs() == {"said": "I WAS TOLD: SAY PARROT."}
    [row] = await agents_of(stage, run)
    assert row.state is LifeState.TERMINATED
    assert row.name.startswith("p/parrot.")


async def test_an_answer_with_a_schema_is_data_and_a_wrong_one_goes_back_to_the_model(stage):
    model = script(stage, "json", """\
        turns:
          - when: {from: feedback}
            say: '{"total": 3}'
          - say: '{"total": "three"}'
        """)  # fmt: skip
    schema = {"type": "object", "properties": {"total": {"type": "integer"}}}
    run = await stage.succeed(
        {
            "count": {"agent": "w", "prompt": "Count.", "output": schema},
            "use": {
                "needs": "count",
                "tool": "test.echo",
                "with": {"value": "${{ needs.count.outputs.total + 1 }}"},
            },
        },
        agents={"w": agent(model)},
    )
    assert await run.output_of("use") == 4


async def test_each_item_has_an_agent_and_those_that_are_able_share_the_work(stage):
    model = script(stage, "echo", ECHO.replace("say:", "delay: 300ms, say:"))
    run = await stage.succeed(
        {
            "each": {
                "for_each": ["a", "b", "c", "d"],
                "capability": "reading",
                "prompt": "${{ index }} ${{ item }}",
                "outputs": {"all": "${{ output }}"},
            }
        },
        agents={
            "first": agent(model, capabilities=["reading"]),
            "second": agent(model, capabilities=["reading"]),
            "idle": agent(model),
        },
        outputs={"all": "${{ needs.each.outputs.all }}"},
    )
    told = [f"I was told: {n} {item}" for n, item in enumerate("abcd")]
    assert await run.outputs() == {"all": told}
    names = [row.name.partition("/")[2].partition(".")[0] for row in await agents_of(stage, run)]
    assert sorted(names) == ["first", "first", "second", "second"]


async def test_a_critic_sends_the_work_back_with_what_is_wrong_until_it_is_good(stage):
    worker = script(stage, "worker", ECHO)
    critic = script(stage, "critic", """\
        turns:
          - when: {text: 'mend it: scored 0.3'}
            say: {score: 0.9, confidence: 1, issues: [], suggestions: []}
          - say: {score: 0.3, confidence: 0.8, issues: [too short], suggestions: [add dates]}
        """)  # fmt: skip
    run = await stage.succeed(
        {
            "write": {
                "agent": "w",
                "prompt": "Write. ${{ 'mend it: ' ~ feedback if feedback else '' }}",
                "verify": {
                    "agent": "judge",
                    "criteria": ["is about ${{ env.TOPIC }}"],
                    "threshold": 0.8,
                },
                "outputs": {"text": "${{ output }}"},
            }
        },
        env={"TOPIC": "rain"},
        agents={"w": agent(worker), "judge": agent(critic, role="critic")},
    )
    text = await run.output_of("write")
    assert "scored 0.3 (confidence 0.8); at least 0.8 is needed" in text
    assert "- too short" in text
    assert "- add dates" in text
    rows = await agents_of(stage, run)
    assert len({row.thread for row in rows}) == 4
    [told] = await stage.mainstay.store.load_entries(rows[1].thread, 0, 1)
    assert "- is about rain" in told.text


async def test_a_critic_may_judge_what_a_tool_made_and_rounds_are_counted(stage):
    critic = script(
        stage, "critic", "loop: true\nturns: [{say: {score: 0, confidence: 1, issues: [bad], "
        "suggestions: []}}]",
    )  # fmt: skip
    tasks = {
        "make": {
            "tool": "test.note",
            "with": {"path": stage.file("log"), "text": "${{ feedback }}"},
            "verify": {"agent": "judge", "attempts": 2},
        }
    }
    run, result = await stage.run(tasks, agents={"judge": agent(critic)})
    assert result.status is PlanStatus.FAILED
    assert "did not pass its check in 2 rounds: scored 0" in result.failure.message
    assert len(await agents_of(stage, run)) == 2


async def test_why_an_agent_failed_is_why_its_task_failed(stage):
    refusing = script(stage, "refusing", "turns: [{say: 'I will not.', finish: refused}]")
    limited = script(stage, "limited", "loop: true\nturns: [{tools: [fs.list]}]")
    cases = {
        "refused": (agent(refusing), FailureKind.REFUSED, "Refused"),
        "limited": (
            agent(limited, tools=["fs.list"], limits={"model_calls": 2}),
            FailureKind.REFUSED,
            "LimitReached",
        ),
        "broken": (agent("script:/nowhere/x.yaml"), FailureKind.PERMANENT, "InvalidInput"),
    }
    for spec, kind, type_name in cases.values():
        tasks = {"a": {"agent": "w", "prompt": "Go.", "retry": {"attempts": 3, "initial": "1ms"}}}
        run, result = await stage.run(tasks, agents={"w": spec})
        assert (result.failure.kind, result.failure.type) == (kind, type_name), result.failure
        assert len(await agents_of(stage, run)) == 1


async def test_a_retried_task_has_a_new_agent_with_a_new_conversation(stage):
    failing = script(stage, "failing", "turns: [{error: {message: away, attempts: 9}}]")
    tasks = {"a": {"agent": "w", "prompt": "Go.", "retry": {"attempts": 2, "initial": "1ms"}}}
    spec = agent(failing, limits={"model_attempts": 1})
    run, result = await stage.run(tasks, agents={"w": spec})
    assert result.failure.kind is FailureKind.TRANSIENT
    assert result.failure.message.endswith("away")
    rows = await agents_of(stage, run)
    assert len({row.thread for row in rows}) == 2
    assert rows[1].name == rows[0].name + "~2"


async def test_a_person_may_retry_a_task_whose_agent_failed(stage):
    failing = script(stage, "failing", "turns: [{say: 'no', finish: refused}]")
    run, result = await stage.run(
        {"a": {"agent": "w", "prompt": "Go."}}, agents={"w": agent(failing)}
    )
    assert result.status is PlanStatus.FAILED
    script(stage, "failing", "turns: [{say: yes}]")
    again = await stage.mainstay.take_up(run.id)
    assert (await stage.result(again)).status is PlanStatus.SUCCEEDED
    assert await again.output_of("a") == "yes"
    assert len(await agents_of(stage, run)) == 2


async def test_a_cancelled_plan_stops_its_agents(stage):
    slow = script(stage, "slow", "turns: [{say: late, delay: 1h}]")
    run = await stage.start({"a": {"agent": "w", "prompt": "Go."}}, agents={"w": agent(slow)})

    async def is_asked() -> bool:
        rows = await agents_of(stage, run)
        return bool(rows) and rows[0].state is LifeState.RUNNING

    await until(is_asked)
    await run.cancel("enough")
    assert (await stage.result(run)).status is PlanStatus.CANCELLED
    [row] = await agents_of(stage, run)
    assert row.state is LifeState.TERMINATED
    assert (await stage.statuses(run))["a"] is TaskStatus.CANCELLED


async def test_what_agents_spend_is_charged_to_the_task_the_plan_and_those_above_it(stage):
    model = script(stage, "echo", ECHO)
    inner = {
        "name": "inner",
        "tasks": {
            "one": {"agent": "w", "prompt": "1"},
            "two": {"for_each": [1, 2], "agent": "w", "prompt": "2"},
        },
    }
    run = await stage.succeed(
        {"deep": {"plan": "inner"}, "own": {"agent": "w", "prompt": "x"}},
        agents={"w": agent(None)},
        model=model,
        plans={"inner": inner},
    )
    assert await spent(stage, f"{run.id}/deep/two") == 30
    assert await spent(stage, f"{run.id}/deep") == 45
    assert await spent(stage, run.id) == 60


async def test_a_plan_whose_budget_is_used_up_waits_and_goes_on_when_it_is_given_more(stage):
    model = script(stage, "echo", ECHO)
    run = await stage.start(
        {
            "first": {"agent": "w", "prompt": "1"},
            "second": {"agent": "w", "prompt": "2", "needs": "first"},
        },
        agents={"w": agent(model)},
        budget={"tokens": 15},
    )

    async def paused() -> list:
        rows = await agents_of(stage, run)
        return [row for row in rows if row.state is LifeState.PAUSED]

    [row] = await until(paused)
    assert f"budget of '{run.id}' is used up" in row.detail
    [wait] = await agent_waits(stage.mainstay.store, run.id)
    assert (wait.agent, wait.step) == (row.name, f"`mainstay agent resume {row.name}`")
    assert wait.reason.startswith("is PAUSED: budget of")
    [account] = await stage.mainstay.store.get_accounts([run.id])
    more = account.limits.model_copy(update={"tokens": 100})
    await stage.mainstay.store.set_limits(run.id, more)
    await stage.mainstay.agent_handle(row.agent_id).resume()
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED


async def test_a_plan_without_a_model_is_refused_before_it_starts(stage):
    with pytest.raises(InvalidInput, match="names no model for the task 'a'"):
        await stage.start({"a": {"agent": "w", "prompt": "x"}}, agents={"w": agent(None)})
    assert await stage.mainstay.list() == []


async def test_a_question_of_an_agent_waits_for_a_person(stage):
    model = script(stage, "asking", """\
        turns:
          - tools: [{ask_human: {question: Which colour?}}]
          - say: '${{ last }} it is'
        """)  # fmt: skip
    run = await stage.start(
        {"a": {"agent": "w", "prompt": "x"}}, agents={"w": agent(model, tools=["ask_human"])}
    )

    async def asking() -> list:
        rows = await agents_of(stage, run)
        running = [row for row in rows if row.state is LifeState.RUNNING]
        handles = [stage.mainstay.agent_handle(row.agent_id) for row in running]
        return [one for one in handles if (await one.info()).questions]

    [handle] = await until(asking)
    [wait] = await until(lambda: agent_waits(stage.mainstay.store, run.id))
    assert wait.reason == "asks: Which colour?"
    await handle.answer("blue")
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert await run.output_of("a") == "blue it is"


async def test_a_worker_that_goes_away_in_the_middle_costs_nothing(lone_stage, temporal_client):
    stage = lone_stage
    model = script(stage, "twice", """\
        turns:
          - tools: [{test.note: {path: LOG, text: once}}]
            usage: {input: 10, output: 0}
          - say: done
            delay: 2s
            usage: {input: 5, output: 0}
        """.replace("LOG", stage.file("log")))  # fmt: skip
    run = await stage.start(
        {"a": {"agent": "w", "prompt": "x"}}, agents={"w": agent(model, tools=["test.note"])}
    )
    async with running_worker(temporal_client, stage.settings, [PLAN_TOOLS]):
        await stage.until_lines("log")
    async with running_worker(temporal_client, stage.settings, [PLAN_TOOLS]):
        assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert await run.output_of("a") == "done"
    assert len(stage.lines("log")) == 1
    assert len(await agents_of(stage, run)) == 1
    assert await spent(stage, run.id) == 15
