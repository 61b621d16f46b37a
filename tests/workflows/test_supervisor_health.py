"""The look at a team's health: who is lost or unhealthy is restarted, who is idle costs nothing."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import pytest_asyncio
from plan_stage import until
from team_stage import TeamStage, agent, supervisor

from mainstay.schemas import names
from mainstay.schemas.errors import Refused
from mainstay.schemas.team import HealthSpec

OFTEN = timedelta(milliseconds=300)


@pytest_asyncio.fixture
async def teams(lone_stage):
    return TeamStage(lone_stage)


async def counted(team, path=""):
    """Count the events of a supervisor's present run."""
    counts = Counter()
    async for event in team.workflow(path).fetch_history_events():
        counts[event.WhichOneof("attributes")] += 1
        scheduled = event.activity_task_scheduled_event_attributes
        counts[scheduled.activity_type.name] += 1
    return counts


async def test_agent_that_is_lost_after_continue_as_new_is_found_and_restarted(teams):
    async with teams.serving():
        team = await teams.up(supervisor(agent("a"), agent("b")), rollover=50, health=OFTEN)
        await team.until_running()
        first = (await team.workflow().describe()).run_id

        async def has_rolled_over():
            return (await team.workflow().describe()).run_id != first

        await until(has_rolled_over)
        await team.terminate("b")
        child = await team.until_restarted("b")
        assert child.restarts == 1
        assert await team.agent("b").ask("hello") == "echo: hello"
        assert ("TERMINATED", "b") not in await team.told()


async def test_agent_that_fails_too_often_is_restarted_once_and_the_reason_is_on_record(teams):
    health = HealthSpec(interval=OFTEN, error_rate=0.5, sample=2)
    async with teams.serving():
        team = await teams.up(supervisor(agent("a")), health=OFTEN, health_spec=health)
        await team.until_running()
        one = team.agent("a")
        for _ in range(2):
            with pytest.raises(Refused):
                await teams.ask(one, {"fail": "refused"})
        await team.until_restarted("a")
        found = [event for event in await team.events() if event.type == "HEALTH_CHECK_FAILED"]
        assert [event.message for event in found] == ["2 of its latest 2 messages failed"]
        looks = (await counted(team))[names.SUPERVISOR_CHECK]

        async def has_looked_again():
            return (await counted(team))[names.SUPERVISOR_CHECK] >= looks + 2

        await until(has_looked_again)
        assert (await team.child("a")).restarts == 1
        assert await one.ask("hello") == "echo: hello"


async def test_idle_team_costs_one_activity_an_interval_whatever_its_size(teams):
    async with teams.serving():
        team = await teams.up(supervisor(agent("a", count=12)), health=OFTEN)
        await team.until_running()

        async def looks():
            return (await counted(team))[names.SUPERVISOR_CHECK]

        await until(looks)
        before = await counted(team)

        async def has_looked():
            return await looks() >= before[names.SUPERVISOR_CHECK] + 3

        await until(has_looked)
        more = await counted(team) - before
        done = {name: more[name] for name in more if name.startswith("supervisor.")}
        assert set(done) == {names.SUPERVISOR_CHECK}
        assert "workflow_execution_signaled_event_attributes" not in more


async def test_start_of_many_children_is_on_record_in_a_handful_of_writes(teams):
    async with teams.serving():
        team = await teams.up(
            supervisor(*(agent(f"a{n}") for n in range(10)), agent("b", count=15))
        )
        await team.until_running()

        async def is_on_record():
            return len(await team.told()) == 25

        await until(is_on_record)
        assert (await counted(team))[names.SUPERVISOR_RECORD] <= 6
