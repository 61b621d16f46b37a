"""The run of a supervised agent: what it tells its supervisor, and what the next run goes on from.

The supervisor here is a workflow that no worker serves: what it is told stays in its history.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from agent_stage import MODEL, SECONDS, AgentStage, plays
from plan_stage import until
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from mainstay.agent_handle import AgentHandle
from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec, OnFailure
from mainstay.schemas.agent_calls import AgentResult, AgentRow
from mainstay.schemas.agent_run import AgentOptions, AgentRequest, Supervised
from mainstay.schemas.errors import AgentFailed
from mainstay.schemas.ids import account_of, agent_id_from
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.supervision import ChildNews, ExitKind, ShutDown
from mainstay.workflows.agent import Agent
from mainstay.workflows.agent_attributes import agent_attributes

SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
COSTLY = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
)
"""What the server has most work with."""


class Desk:
    """A supervisor's desk: it starts one agent, again and again, and collects the news of it."""

    def __init__(self, stage: AgentStage, *, is_brief: bool) -> None:
        self.stage = stage
        self.is_brief = is_brief
        self.store = stage.store
        self.temporal = stage.mainstay.temporal
        self.key = uuid.uuid4().hex
        self.supervisor_id = f"supervisor/{self.key}"
        self.agent_id = agent_id_from(self.key)
        self.row_id = agent_id_from(f"row {self.key}")
        self.agent: AgentHandle = stage.mainstay.agent_handle(self.agent_id)

    async def open(self) -> Desk:
        now = datetime.now(UTC)
        row = AgentRow(
            agent_id=self.row_id,
            name="team/@",
            role="supervisor",
            state=LifeState.RUNNING,
            created_at=now,
            updated_at=now,
        )
        await self.store.create_agent(row)
        await self.temporal.start_workflow(
            names.SUPERVISOR, id=self.supervisor_id, task_queue=f"nobody-{self.key}"
        )
        return self

    async def start(
        self,
        incarnation: int = 1,
        *,
        on_failure: OnFailure | None = None,
        rollover_turns: int = 200,
        **spec: object,
    ) -> WorkflowHandle[Agent, AgentResult]:
        """Start a run of the agent."""
        written = AgentSpec.model_validate({"name": "a", "model": MODEL, **spec})
        spec_ref = f"spec/{uuid.uuid4()}"
        await self.store.put_document(spec_ref, written.model_dump_json().encode())
        supervised = Supervised(
            supervisor_id=self.supervisor_id,
            row_id=self.row_id,
            name="a",
            incarnation=incarnation,
            on_failure=on_failure,
            is_brief=self.is_brief,
        )
        request = AgentRequest(
            agent_id=self.agent_id,
            name="team/a",
            spec_ref=spec_ref,
            thread=f"thread/{self.agent_id}",
            accounts=(account_of(self.agent_id),),
            options=AgentOptions(
                heartbeat_timeout=timedelta(seconds=2), rollover_turns=rollover_turns
            ),
            supervised=supervised,
        )
        return await self.temporal.start_workflow(
            Agent.run,
            request,
            id=self.agent_id,
            task_queue=self.stage.stage.settings.task_queue,
            search_attributes=agent_attributes("team/a", "worker", ()),
        )

    async def news(self) -> list[tuple[int, ExitKind | None]]:
        """Return what the supervisor was told, in order: which run, and how it ended."""
        handle = self.temporal.get_workflow_handle(self.supervisor_id)
        told = []
        async for event in handle.fetch_history_events():
            if event.event_type == SIGNALED:
                given = event.workflow_execution_signaled_event_attributes
                assert given.signal_name == names.CHILD_NEWS
                [one] = await self.temporal.data_converter.decode(given.input.payloads, [ChildNews])
                assert one.name == "a"
                told.append((one.incarnation, one.exit.kind if one.exit else None))
        return told

    async def until_ready(self, incarnation: int = 1) -> None:
        """Wait until a run has told that it is ready."""

        async def is_so() -> bool:
            return (incarnation, None) in await self.news()

        await until(is_so)

    async def post(self, text: str) -> str:
        """Send while no run drives the agent: the mailbox is open, and nobody is woken."""
        message = Message(
            id=str(uuid.uuid4()), receiver=self.agent_id, text=text, created_at=datetime.now(UTC)
        )
        [receipt] = await self.store.send_messages([message])
        return receipt.message_id

    async def begin(self, *texts: str) -> list[str]:
        """Send messages."""
        return [await self.agent.send(text) for text in texts]

    async def shut_down(self, reason: str, seconds: float, *, keeps: bool) -> None:
        """Tell the agent to end."""
        told = ShutDown(reason=reason, grace=timedelta(seconds=seconds), keeps=keeps)
        await self.temporal.get_workflow_handle(self.agent_id).signal(names.SHUT_DOWN, told)

    def agent_workflow(self) -> WorkflowHandle[Agent, AgentResult]:
        """Return a handle on the latest run, whichever that is."""
        return self.temporal.get_workflow_handle_for(Agent.run, self.agent_id)

    async def end_of(self, message_id: str) -> MessageStatus:
        return (await self.stage.end_of(self.agent, message_id)).status


async def _rolled_over(run: WorkflowHandle[Agent, AgentResult]) -> bool:
    return (await run.describe()).run_id != run.result_run_id


async def result_of(run: WorkflowHandle[Agent, AgentResult]) -> AgentResult:
    async with asyncio.timeout(SECONDS.total_seconds()):
        return await run.result()


@pytest_asyncio.fixture(params=[True, False], ids=["brief", "as-before"])
async def desk(lone_stage, request):
    return await Desk(AgentStage(lone_stage), is_brief=request.param).open()


async def test_supervisor_is_told_when_the_agent_is_ready_and_that_it_ended_by_itself(desk):
    async with desk.stage.worker():
        run = await desk.start()
        await desk.until_ready()
        assert (await desk.agent.row()).supervisor_id == desk.row_id
        await desk.agent.stop("enough")
        result = await result_of(run)
        assert (result.state, result.exit.kind) == (LifeState.TERMINATED, ExitKind.NORMAL)
        assert await desk.news() == [(1, None), (1, ExitKind.NORMAL)]
        second = await desk.start(2)
        await desk.until_ready(2)
        assert await desk.agent.ask("again", timeout=SECONDS) == "echo: again"
        assert (await desk.agent.row()).restarts == 1
        await desk.shut_down("the team ends", 5, keeps=False)
        result = await result_of(second)
        assert (result.state, result.exit.kind) == (LifeState.TERMINATED, ExitKind.SHUTDOWN)
        assert (await desk.news())[-1] == (2, ExitKind.SHUTDOWN)


async def test_failing_agent_ends_and_its_next_run_goes_on_without_the_message(desk):
    async with desk.stage.worker() as models:
        run = await desk.start(on_failure=OnFailure.FAIL)
        await desk.until_ready()
        bad = await desk.agent.send(plays({"gate": "g", "then": {"fail": "permanent"}}))
        await models.reached("g")
        good = await desk.agent.send("good")
        models.open("g")
        result = await result_of(run)
        assert (result.state, result.exit.kind) == (LifeState.ERROR, ExitKind.FAILED)
        assert result.exit.failure.type == "InvalidInput"
        assert await desk.end_of(bad) is MessageStatus.FAILED
        row = await desk.agent.row()
        assert (row.state, row.restarts) == (LifeState.ERROR, 0)
        late = await desk.post("late")
        await desk.start(2)
        assert (await desk.stage.end_of(desk.agent, good)).answer == "echo: good"
        assert (await desk.stage.end_of(desk.agent, late)).answer == "echo: late"
        info = await desk.agent.info()
        assert (info.restarts, info.messages, info.failed) == (1, 2, 0)
        assert "goes on with its mailbox and a conversation of 1 entries" in info.detail
        assert (await desk.agent.row()).restarts == 1
        assert await desk.news() == [(1, None), (1, ExitKind.FAILED), (2, None)]


async def test_agent_that_cannot_get_ready_ends_and_says_why(desk):
    async with desk.stage.worker():
        result = await result_of(await desk.start(tools=["nothing.such"]))
        assert (result.state, result.exit.kind) == (LifeState.ERROR, ExitKind.FAILED)
        assert result.exit.failure.type == "InvalidInput"
        assert await desk.news() == [(1, ExitKind.FAILED)]
        await desk.start(2)
        await desk.until_ready(2)
        assert (await desk.agent.row()).restarts == 1


@pytest.mark.parametrize("seconds", [0, 20])
async def test_agent_that_leaves_finishes_its_turn_in_time_or_leaves_it_to_the_next_run(
    desk, seconds
):
    async with desk.stage.worker() as models:
        run = await desk.start()
        echo = {"tools": [["test.echo", {"value": "v"}]]}
        await desk.until_ready()
        held, behind = await desk.begin(plays(echo, {"gate": "g", "then": "done"}), "behind")
        await models.reached("g")
        await desk.shut_down("a sibling failed", seconds, keeps=True)
        if seconds:
            models.open("g")
        result = await result_of(run)
        assert (result.state, result.exit.kind) == (LifeState.RESTARTING, ExitKind.SHUTDOWN)
        statuses = {one.id: one.status for one in await desk.store.messages_of(desk.agent_id)}
        ended = MessageStatus.PROCESSED if seconds else MessageStatus.PENDING
        assert statuses == {held: ended, behind: MessageStatus.PENDING}
        assert (await desk.agent.row()).state is LifeState.RESTARTING
        models.open("g")
        await desk.start(2)
        assert (await desk.stage.end_of(desk.agent, held)).answer == "done"
        assert (await desk.stage.end_of(desk.agent, behind)).answer == "echo: behind"
        # What the first run kept was not made again: one message of a kind, one result.
        assert len(await desk.agent.entries()) == 6
        assert (await desk.agent.account()).spent.model_calls == 3
        assert (await desk.agent.row()).restarts == 1
        assert await desk.news() == [(1, None), (1, ExitKind.SHUTDOWN), (2, None)]


async def test_message_with_which_three_runs_were_killed_is_kept_aside(desk):
    async with desk.stage.worker() as models:
        await desk.start()
        await desk.until_ready()
        poison, good = await desk.begin(plays({"gate": "g", "then": "never"}), "good")
        for incarnation in (1, 2, 3):
            await until(lambda n=incarnation: _is_asked(models, n))
            await desk.temporal.get_workflow_handle(desk.agent_id).terminate("killed")
            await desk.start(incarnation + 1)
        assert (await desk.stage.end_of(desk.agent, good)).answer == "echo: good"
        with pytest.raises(AgentFailed, match="3 runs of the agent were lost"):
            raise await _error_of(desk, poison)
        assert (await desk.agent.row()).restarts == 3


async def test_later_histories_of_a_run_tell_nothing_again(desk):
    async with desk.stage.worker():
        run = await desk.start(rollover_turns=1)
        await desk.until_ready()
        for number in range(3):
            assert await desk.agent.ask(f"m{number}", timeout=SECONDS) == f"echo: m{number}"
        first = run.result_run_id
        assert (await run.describe()).run_id != first
        assert (await desk.agent.info()).restarts == 0
        await desk.shut_down("the team ends", 5, keeps=False)
        await result_of(desk.temporal.get_workflow_handle_for(Agent.run, desk.agent_id))
        assert await desk.news() == [(1, None), (1, ExitKind.SHUTDOWN)]


async def test_run_that_rolls_over_looks_into_its_mailbox_again(desk):
    # What the server refused of the step before may have answered a bell for nothing.
    async with desk.stage.worker():
        run = await desk.start(rollover_turns=1)
        await desk.until_ready()
        assert await desk.agent.ask("m", timeout=SECONDS) == "echo: m"
        await until(lambda: _rolled_over(run))
        begun = await anext(aiter(desk.agent_workflow().fetch_history_events()))
        given = begun.workflow_execution_started_event_attributes.input.payloads
        [request] = await desk.temporal.data_converter.decode(given, [AgentRequest])
        assert request.state.rings
        await desk.shut_down("the team ends", 5, keeps=False)
        await result_of(desk.agent_workflow())


async def test_idle_brief_run_costs_two_steps_and_nothing_else(lone_stage):
    desk = await Desk(AgentStage(lone_stage), is_brief=True).open()
    costs = []
    async with desk.stage.worker():
        for incarnation in range(1, 6):
            run = await desk.start(incarnation)
            await desk.until_ready(incarnation)
            await desk.shut_down("again", 5, keeps=True)
            assert (await result_of(run)).state is LifeState.RESTARTING
            kinds = [event.event_type for event in (await run.fetch_history()).events]
            assert kinds.count(SIGNALED) == 1
            costs.append(sum(kinds.count(kind) for kind in COSTLY))
    ends = [(incarnation, end) for incarnation in range(1, 6) for end in (None, ExitKind.SHUTDOWN)]
    assert await desk.news() == ends
    # On a busy machine a run may have to do in an activity what it would do in its step.
    assert min(costs) == 2


async def test_agent_whose_supervisor_is_gone_lives_on(desk):
    await desk.temporal.get_workflow_handle(desk.supervisor_id).terminate("killed")
    async with desk.stage.worker():
        run = await desk.start()
        await until(lambda: _runs(desk))
        assert await desk.agent.ask("hello", timeout=SECONDS) == "echo: hello"
        await desk.agent.stop()
        assert (await result_of(run)).state is LifeState.TERMINATED


async def test_cancel_ends_a_supervised_agent_and_closes_its_mailbox(desk):
    async with desk.stage.worker() as models:
        run = await desk.start()
        await desk.until_ready()
        held, behind = await desk.begin(plays({"gate": "g", "then": "never"}), "behind")
        await models.reached("g")
        await run.cancel()
        assert (await result_of(run)).exit.kind is ExitKind.SHUTDOWN
        assert await desk.end_of(held) is MessageStatus.FAILED
        assert await desk.end_of(behind) is MessageStatus.FAILED


async def _runs(desk):
    row = await desk.store.get_agent(desk.agent_id)
    return row is not None and row.state is LifeState.RUNNING


async def _is_asked(models, count):
    return len(models.calls) >= count


async def _error_of(desk, message_id):
    from mainstay.agent_answers import failure_of

    return failure_of(await desk.agent.wait(message_id))
