"""What becomes of the children of a supervisor that was killed, and of what was killed with it."""

from __future__ import annotations

from datetime import timedelta

import pytest_asyncio
from agent_stage import plays
from plan_stage import until
from team_stage import TeamStage, agent, lower, supervisor

from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.supervision import SupervisorEnd, SupervisorPlan

MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def teams(lone_stage):
    return TeamStage(lone_stage)


def with_writers(orphans: str, **child: object) -> SupervisorPlan:
    writers = supervisor(agent("author", **child), agent("editor"), orphans=orphans)
    return supervisor(lower("writers"), agent("other"), below={"writers": writers})


async def run_id(team, name):
    return (await team.temporal.get_workflow_handle(team.agent_id(name)).describe()).run_id


async def kill_supervisor(team, path="writers"):
    await team.workflow(path).terminate("by an operator")
    await team.until_restarted(path)
    await team.until_running(path)


async def test_cascade_kills_orphans_and_starts_them_again_with_what_they_had(teams):
    async with teams.serving() as models:
        team = await teams.up(with_writers("cascade"))
        await team.until_running()
        runs = [await run_id(team, name) for name in ("author", "editor", "other")]
        sent = await team.agent("author").send(plays({"gate": "g", "then": "in the works"}))
        await models.reached("g")
        await kill_supervisor(team)
        models.open("g")
        assert (await teams.end_of(team.agent("author"), sent)).answer == "in the works"
        after = [await run_id(team, name) for name in ("author", "editor", "other")]
        assert [one == two for one, two in zip(runs, after, strict=True)] == [False, False, True]
        # What an earlier incarnation still tells is not taken for news of this one.
        described = await team.temporal.get_workflow_handle(team.agent_id("author")).describe()
        assert await described.memo() == {"incarnation": 2}


async def test_adopt_goes_on_with_orphans_undisturbed(teams):
    async with teams.serving() as models:
        team = await teams.up(with_writers("adopt"), health=timedelta(milliseconds=300))
        await team.until_running()
        before = await run_id(team, "author")
        sent = await team.agent("author").send(plays({"gate": "g", "then": "undisturbed"}))
        await models.reached("g")
        await kill_supervisor(team)
        models.open("g")
        assert (await teams.end_of(team.agent("author"), sent)).answer == "undisturbed"
        assert await run_id(team, "author") == before
        # It has no handle on them, so the look at the team's health tells it of an end.
        await team.terminate("author")
        await team.until_restarted("author", path="writers")
        assert await team.agent("author").ask("hello") == "echo: hello"


async def test_stop_lets_orphans_finish_what_they_do(teams):
    async with teams.serving() as models:
        team = await teams.up(with_writers("stop", shutdown=MINUTE))
        await team.until_running()
        sent = await team.agent("author").send(plays({"gate": "g", "then": "finished"}))
        await models.reached("g")
        await team.workflow("writers").terminate("by an operator")

        async def is_ending():
            return (await team.agent("author").info()).state is not LifeState.RUNNING

        await until(is_ending)
        models.open("g")
        await team.until_restarted("writers")
        await team.until_running("writers")
        message = await teams.end_of(team.agent("author"), sent)
        assert (message.status, message.answer) == (MessageStatus.PROCESSED, "finished")
        assert await team.agent("author").ask("hello") == "echo: hello"


async def test_supervisor_that_is_killed_takes_everything_below_it_along(teams):
    root = supervisor(
        lower("middle", shutdown=timedelta(0)),
        below={
            "middle": supervisor(
                lower("inner"),
                agent("left"),
                below={"inner": supervisor(agent("right"))},
            )
        },
    )
    async with teams.serving():
        team = await teams.up(root)
        await team.until_running()
        assert await team.ask_child("terminate_child", "middle") == "middle: stopped"
        assert await team.open_ids("left", "right", paths=["middle", "middle/inner"]) == []
        rows = await teams.store.team_agents(team.name, team.run)
        assert {row.state for row in rows} == {LifeState.RESTARTING}
        assert await team.ask_child("restart_child", "middle") == "middle: running"
        assert await team.agent("right").ask("hello") == "echo: hello"
        await team.down()
        assert await team.open_ids("left", "right", paths=["", "middle", "middle/inner"]) == []


async def test_team_whose_root_is_lost_is_ended_by_a_new_one_that_is_told_to_end(teams):
    async with teams.serving():
        team = await teams.up(with_writers("adopt"))
        await team.until_running()
        await team.workflow().terminate("by an operator")
        result = await team.end_lost_root()
        assert result.end is SupervisorEnd.STOPPED
        assert await team.open_ids("author", "editor", "other", paths=["", "writers"]) == []
        rows = await teams.store.team_agents(team.name, team.run)
        assert {row.state for row in rows} == {LifeState.TERMINATED}
