"""Supervisors on the real server: what is decided really happens, in order."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

import pytest
import pytest_asyncio
from agent_stage import plays
from plan_stage import until
from team_stage import TeamStage, agent, lower, supervisor
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError

from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.supervision import ChildCounts, ChildPhase, SupervisorEnd
from mainstay.schemas.team import Strategy, TeamLimits
from mainstay.worker import build_replayer


@pytest_asyncio.fixture
async def teams(lone_stage):
    return TeamStage(lone_stage)


def two_levels():
    return supervisor(
        agent("first"),
        lower("writers"),
        agent("last"),
        below={"writers": supervisor(agent("author"), agent("editor"))},
    )


async def until_told(team, count):
    """Wait until so much is on record."""

    async def told():
        found = await team.told()
        return found if len(found) >= count else None

    return await until(told)


async def test_two_level_team_comes_up_in_order_and_goes_down_in_reverse(teams):
    async with teams.serving():
        team = await teams.up(two_levels())
        view = await team.until_running()
        assert [child.name for child in view.children] == ["first", "writers", "last"]
        assert (await team.view("writers")).life is LifeState.RUNNING
        assert await team.agent("editor").ask("hello") == "echo: hello"
        result = await team.down()
        assert (result.end, result.reason) == (SupervisorEnd.STOPPED, "enough")
        names = ["first", "author", "editor", "last"]
        assert await team.open_ids(*names, paths=["", "writers"]) == []
        told = await team.told()
        spawned = [child for what, child in told if what == "SPAWNED"]
        ended = [child for what, child in told if what == "TERMINATED"]
        assert spawned == ["first", "writers", "author", "editor", "last"]
        assert ended == ["last", "editor", "author", "writers", "first"]
        rows = await teams.store.team_agents(team.name, team.run)
        assert {row.state for row in rows} == {LifeState.TERMINATED}
        views = await teams.store.supervisor_views(team.name, team.run)
        assert {seen.life for seen in views} == {LifeState.TERMINATED}


async def test_agent_terminated_from_outside_goes_on_with_its_conversation_and_mailbox(teams):
    async with teams.serving() as models:
        team = await teams.up(supervisor(agent("a"), agent("b")))
        await team.until_running()
        one = team.agent("a")
        assert await one.ask("before") == "echo: before"
        busy = await one.send(plays({"gate": "g", "then": "in the works"}))
        await models.reached("g")
        waiting = await one.send("waiting")
        await team.terminate("a")
        await team.until_restarted("a")
        models.open("g")
        assert (await teams.end_of(one, busy)).answer == "in the works"
        assert (await teams.end_of(one, waiting)).answer == "echo: waiting"
        said = [entry.text for entry in await one.entries()]
        assert said[:2] == ["before", "echo: before"]
        view = await team.view()
        assert [(child.name, child.restarts) for child in view.children] == [("a", 1), ("b", 0)]
        assert view.restarts_left == 2


async def test_one_for_all_stops_in_reverse_and_starts_in_order(teams):
    async with teams.serving():
        team = await teams.up(
            supervisor(agent("a"), agent("b"), agent("c"), strategy=Strategy.ONE_FOR_ALL)
        )
        await team.until_running()
        before = len(await until_told(team, 3))
        await team.terminate("b")
        await team.until_restarted("c")
        told = (await until_told(team, before + 5))[before:]
        assert told[:2] == [("TERMINATED", "c"), ("TERMINATED", "a")]
        assert told[2:] == [("RESTARTED", "a"), ("RESTARTED", "b"), ("RESTARTED", "c")]
        assert (await team.view()).restarts == 1
        for name in "abc":
            assert await team.agent(name).ask("still there?") == "echo: still there?"


async def test_too_many_restarts_escalate_to_the_parent_and_end_the_team(teams):
    root = supervisor(
        lower("writers"),
        agent("other"),
        intensity=(0, 60),
        below={"writers": supervisor(agent("author"), intensity=(1, 60))},
    )
    async with teams.serving():
        team = await teams.up(root)
        await team.until_running()
        await team.terminate("author")
        await team.until_restarted("author", path="writers")
        await team.terminate("author")
        result = await team.result()
        assert result.end is SupervisorEnd.FAILED
        assert "more than 0 restarts" in result.reason
        assert "more than 1 restarts" in result.reason
        assert await team.open_ids("author", "other", paths=["", "writers"]) == []
        critical = [event for event in await team.events() if event.severity == "CRITICAL"]
        assert len(critical) == 2
        rows = await teams.store.team_agents(team.name, team.run)
        assert {row.state for row in rows} == {LifeState.TERMINATED}


async def test_lower_supervisor_that_gave_up_is_restarted_with_its_children(teams):
    root = supervisor(
        lower("writers"),
        below={"writers": supervisor(agent("author"), intensity=(0, 60))},
    )
    async with teams.serving():
        team = await teams.up(root)
        await team.until_running()
        assert await team.agent("author").ask("one") == "echo: one"
        await team.terminate("author")
        await team.until_restarted("writers")
        await team.until_running("writers")
        assert await team.agent("author").ask("two") == "echo: two"
        said = [entry.text for entry in await team.agent("author").entries()]
        assert said == ["one", "echo: one", "two", "echo: two"]


async def test_agent_that_ignores_its_stop_is_killed_in_time(teams):
    slow = agent("slow", shutdown=timedelta(seconds=1))
    async with teams.serving() as models:
        team = await teams.up(supervisor(slow), spec={"limits": {"stop": "1h"}})
        await team.until_running()
        sent = await team.agent("slow").send(plays({"gate": "never", "then": "late"}))
        await models.reached("never")
        began = monotonic()
        result = await team.down()
        assert result.end is SupervisorEnd.STOPPED
        assert monotonic() - began < 10
        assert await team.open_ids("slow") == []
        message = await teams.end_of(team.agent("slow"), sent)
        assert message.status is MessageStatus.FAILED


async def test_child_killed_at_once_leaves_nothing_in_its_mailbox_unanswered(teams):
    async with teams.serving() as models:
        team = await teams.up(supervisor(agent("brutal", shutdown=timedelta(0))))
        await team.until_running()
        sent = await team.agent("brutal").send(plays({"gate": "never", "then": "late"}))
        await models.reached("never")
        waiting = await team.agent("brutal").send("behind it")
        await team.down()
        for message_id in (sent, waiting):
            message = await teams.end_of(team.agent("brutal"), message_id)
            assert message.status is MessageStatus.FAILED
        described = await team.temporal.get_workflow_handle(team.agent_id("brutal")).describe()
        assert described.status is WorkflowExecutionStatus.TERMINATED


async def test_continue_as_new_in_the_middle_loses_nothing(teams):
    async with teams.serving():
        team = await teams.up(supervisor(agent("a"), agent("b")), rollover=50)
        await team.until_running()
        first = (await team.workflow().describe()).run_id
        restarts = 0
        while (await team.workflow().describe()).run_id == first:
            restarts += 1
            await team.ask_child("restart_child", "a")
        assert (await team.child("a")).restarts == restarts
        # Now its children are known by their news alone.
        await team.ask_child("restart_child", "b")
        assert (await team.child("b")).restarts == 1
        assert await team.agent("b").ask("well?") == "echo: well?"
        result = await team.down()
        assert result.end is SupervisorEnd.STOPPED
        assert await team.open_ids("a", "b") == []


async def test_children_are_added_terminated_restarted_and_deleted_at_run_time(teams):
    async with teams.serving():
        team = await teams.up(supervisor(agent("a"), agent("b")))
        view = await team.until_running()
        added = await teams.planned(agent("c"))
        assert await team.ask_child("start_child", plan=added) == "c: running"
        assert await team.agent("c").ask("new here?") == "echo: new here?"
        with pytest.raises(WorkflowUpdateFailedError) as taken:
            await team.ask_child("start_child", plan=added)
        assert "there is a child 'c' already" in str(taken.value.cause)
        assert await team.ask_child("terminate_child", "a") == "a: stopped"
        assert await team.open_ids("a", paths=[]) == []
        counts = await team.workflow().query("count_children", result_type=ChildCounts)
        assert (counts.specs, counts.active, counts.workers) == (3, 2, 3)
        assert await team.ask_child("restart_child", "a") == "a: running"
        await team.ask_child("terminate_child", "c")
        assert await team.ask_child("delete_child", "c") == "c: deleted"
        assert [child.name for child in (await team.view()).children] == ["a", "b"]
        assert (await team.view()).restarts == view.restarts

        async def is_closed():
            return (await team.agent("c").row()).state is LifeState.TERMINATED

        await until(is_closed)


async def test_team_does_not_become_larger_than_its_file_allows(teams):
    async with teams.serving():
        root = supervisor(agent("a"), agent("b"))
        team = await teams.up(root, limits=TeamLimits(agents=2))
        await team.until_running()
        added = await teams.planned(agent("c"))
        with pytest.raises(WorkflowUpdateFailedError) as full:
            await team.ask_child("start_child", plan=added)
        assert "team_agents" in str(full.value.cause)
        views = {child.name: child for child in (await team.view()).children}
        assert [name for name, child in views.items() if child.phase is ChildPhase.RUNNING] == [
            "a",
            "b",
        ]


async def test_dynamic_supervisor_starts_children_by_name_alone(teams):
    async with teams.serving():
        team = await teams.up(supervisor(agent("clerk"), strategy=Strategy.DYNAMIC))
        await team.until_running()
        assert (await team.view()).children == ()
        assert await team.ask_child("start_child", "one") == "one: running"
        assert await team.ask_child("start_child", "two") == "two: running"
        assert await team.agent("two").ask("hello") == "echo: hello"
        await team.terminate("one")
        await team.until_restarted("one")
        await team.down()
        assert await team.open_ids("one", "two") == []


async def test_start_that_fails_undoes_the_team_and_says_why(teams):
    async with teams.serving() as models:
        models.missing.add("bad:model")
        team = await teams.up(
            supervisor(agent("good"), agent("bad"), agent("never")), bad={"model": "bad:model"}
        )
        result = await team.result()
        assert result.end is SupervisorEnd.FAILED
        assert "'bad' did not start" in result.reason
        assert await team.open_ids("good", "bad") == []
        told = await team.told()
        assert ("SPAWNED", "never") not in told
        assert told[-1] == ("TERMINATED", "good")


async def test_cancelled_team_is_gone_at_once(teams):
    async with teams.serving() as models:
        team = await teams.up(two_levels(), spec={"limits": {"stop": "1h"}})
        await team.until_running()
        await team.agent("author").send(plays({"gate": "never", "then": "late"}))
        await models.reached("never")
        await team.workflow().cancel()
        result = await team.result()
        assert result.end is SupervisorEnd.STOPPED
        names = ["first", "author", "editor", "last"]
        assert await team.open_ids(*names, paths=["", "writers"]) == []


async def test_child_that_was_forgotten_may_come_again_under_its_name(teams):
    async with teams.serving():
        team = await teams.up(supervisor(agent("clerk"), strategy=Strategy.DYNAMIC))
        await team.until_running()
        await team.ask_child("start_child", "one")
        assert await team.agent("one").ask("hello") == "echo: hello"
        await team.ask_child("terminate_child", "one")
        assert await team.ask_child("start_child", "one") == "one: running"
        assert await team.agent("one").ask("again") == "echo: again"


async def test_histories_of_supervisors_replay(teams):
    async with teams.serving():
        team = await teams.up(two_levels(), rollover=60)
        await team.until_running()
        for _ in range(4):
            await team.ask_child("restart_child", "first")
        await team.terminate("last")
        await team.until_restarted("last")
        await team.ask_child("terminate_child", "first")
        await team.down()
        replayer = build_replayer()
        for path in ("", "writers"):
            ids = f"WorkflowId = '{team.workflow(path).id}'"
            found = [one async for one in team.temporal.list_workflows(ids)]
            for run in found:
                handle = team.temporal.get_workflow_handle(run.id, run_id=run.run_id)
                await replayer.replay_workflow(await handle.fetch_history())
