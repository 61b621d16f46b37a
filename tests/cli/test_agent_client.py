"""The client's part about agents, against a fake Temporal and a real store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from agent_fakes import FakeTemporal, answer_all

from mainstay.agent_driving import Driving
from mainstay.agent_start import load_request, load_spec
from mainstay.client import Mainstay
from mainstay.schemas.agent import AgentSpec, BudgetSpec
from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind
from mainstay.schemas.errors import (
    AgentFailed,
    InvalidInput,
    LimitReached,
    NotFound,
    Refused,
    Unavailable,
)
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure, FailureKind
from mainstay.settings import Settings
from mainstay.storage.store import open_store

# Each opens a database of its own, and half of them wait.
pytestmark = pytest.mark.slow

SPEC = AgentSpec(name="helper", model="script:helper.yaml", capabilities=["help"])
SOON = timedelta(milliseconds=1)
NO_WORKFLOW = "agent-00000000-0000-4000-8000-000000000000"


@pytest.fixture
def temporal() -> FakeTemporal:
    return FakeTemporal()


@pytest.fixture
async def mainstay(tmp_path, temporal):
    store = await open_store(f"sqlite:///{tmp_path}/mainstay.db")
    async with Mainstay(temporal, store, Settings(data_dir=tmp_path)) as client:
        yield client


def answering(mainstay, text="", failure=None):
    async def ring(agent_id: str) -> None:
        await answer_all(mainstay.store, agent_id, text, failure)

    return ring


async def end(mainstay, agent_id) -> None:
    event = AgentEvent(
        agent_id=agent_id,
        key="end",
        kind=AgentEventKind.STATE,
        at=datetime.now(UTC),
        from_state=LifeState.RUNNING,
        to_state=LifeState.TERMINATED,
    )
    await mainstay.store.append_agent_events([event])
    await mainstay.store.close_mailbox(agent_id, [], [], "stopped", datetime.now(UTC))


async def test_spawn_stores_the_request_and_the_resolved_file(mainstay, temporal):
    mainstay.settings = mainstay.settings.model_copy(update={"model": "openai:one"})
    agent = await mainstay.spawn(AgentSpec(name="helper"))
    request = await load_request(mainstay.store, agent.id)
    assert temporal.opened[agent.id] == request
    assert request.name == "main/helper"
    mainstay.settings = mainstay.settings.model_copy(update={"model": "openai:two"})
    assert (await load_spec(mainstay.store, request.spec_ref)).model == "openai:one"
    assert (await agent.row()).model == "openai:one"


async def test_spawn_without_any_model_is_refused_and_leaves_nothing(mainstay, temporal):
    with pytest.raises(InvalidInput) as caught:
        await mainstay.spawn(AgentSpec(name="helper"))
    assert "MAINSTAY_MODEL" in caught.value.hint
    assert not temporal.opened
    assert await mainstay.agents() == []


async def test_the_same_spawn_again_makes_one_agent(mainstay, temporal):
    first = await mainstay.spawn(SPEC, agent_id=NO_WORKFLOW)
    again = await mainstay.spawn(SPEC, agent_id=NO_WORKFLOW)
    assert first.id == again.id == NO_WORKFLOW
    assert len(await mainstay.agents()) == len(temporal.opened) == 1


async def test_a_name_belongs_to_one_living_agent(mainstay):
    await mainstay.spawn(SPEC)
    with pytest.raises(Refused):
        await mainstay.spawn(SPEC)
    other = await mainstay.spawn(SPEC, team="two")
    assert (await other.row()).name == "two/helper"


async def test_a_child_is_paid_for_by_its_parent_too(mainstay):
    parent = await mainstay.spawn(SPEC, "parent")
    child = await mainstay.spawn(SPEC, "child", parent=parent.id)
    request = await load_request(mainstay.store, child.id)
    assert request.accounts == (f"agent/{child.id}", f"agent/{parent.id}")


@pytest.mark.parametrize("name", ["1st", "a b", "", "a/b/c", "x" * 101])
async def test_spawn_refuses_what_is_no_name(mainstay, name):
    with pytest.raises(InvalidInput):
        await mainstay.spawn(SPEC, name or " ")


async def test_spawn_on_a_thread_that_is_not_there_is_refused(mainstay):
    with pytest.raises(NotFound):
        await mainstay.spawn(SPEC, thread="thread/none")


async def test_agents_are_found_by_id_by_name_and_by_the_name_of_another_team(mainstay):
    one = await mainstay.spawn(SPEC)
    two = await mainstay.spawn(SPEC, "other", team="two")
    for text in (one.id, "helper", "main/helper"):
        assert (await mainstay.agent(text)).id == one.id
    for text in (two.id, "other", "two/other"):
        assert (await mainstay.agent(text)).id == two.id
    with pytest.raises(NotFound) as caught:
        await mainstay.agent("helpr")
    assert "helper" in caught.value.hint


async def test_a_name_in_two_teams_must_be_said_in_full(mainstay):
    await mainstay.spawn(SPEC, "same", team="one")
    await mainstay.spawn(SPEC, "same", team="two")
    with pytest.raises(InvalidInput) as caught:
        await mainstay.agent("same")
    assert "one/same" in caught.value.hint


async def test_only_the_first_message_rings(mainstay, temporal):
    agent = await mainstay.spawn(SPEC)
    await agent.send("one")
    await agent.send("two")
    assert [signal for _, signal, _ in temporal.signals] == ["ring"]


async def test_sending_the_same_id_twice_sends_once(mainstay):
    agent = await mainstay.spawn(SPEC)
    sent = await agent.send("one", message_id="6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    assert await agent.send("one", message_id=sent) == sent
    assert (await agent.row()).pending == 1


async def test_ask_returns_the_answer(mainstay, temporal):
    temporal.on_ring = answering(mainstay, "forty-two")
    agent = await mainstay.spawn(SPEC)
    assert await agent.ask("six times seven?", timeout=timedelta(seconds=5)) == "forty-two"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure(type="LimitReached", message="no money"), LimitReached),
        (Failure(type="Refused", message="no"), Refused),
        (Failure(type="Odd", message="x", kind=FailureKind.TRANSIENT), Unavailable),
        (Failure(type="Odd", message="x", kind=FailureKind.REFUSED), Refused),
        (Failure(message="x"), AgentFailed),
    ],
)
async def test_ask_raises_by_the_kind_of_failure(mainstay, temporal, failure, expected):
    temporal.on_ring = answering(mainstay, failure=failure)
    agent = await mainstay.spawn(SPEC)
    with pytest.raises(expected, match=failure.message):
        await agent.ask("?", timeout=timedelta(seconds=5))


async def test_ask_in_vain_says_that_the_message_is_kept(mainstay):
    agent = await mainstay.spawn(SPEC)
    with pytest.raises(Unavailable, match="still has the message"):
        await agent.ask("?", timeout=timedelta(milliseconds=30))
    assert (await agent.row()).pending == 1


async def test_an_ended_agent_takes_no_message(mainstay):
    agent = await mainstay.spawn(SPEC)
    await end(mainstay, agent.id)
    with pytest.raises(Refused):
        await agent.send("?")


async def test_a_sender_is_told_that_the_agent_is_dead_though_its_record_is_not(mainstay, temporal):
    agent = await mainstay.spawn(SPEC)
    temporal.kill(agent.id)
    for _ in range(2):  # the second message would not ring
        with pytest.raises(Unavailable, match="lost"):
            await mainstay.agent_handle(agent.id).send("?")
    assert (await mainstay.look_at_agents(await mainstay.agents())) == [Driving.LOST]


async def test_who_waits_notices_that_the_agent_dies(mainstay, temporal):
    agent = await mainstay.spawn(SPEC)
    sent = await agent.send("?")
    waiting = asyncio.create_task(agent.wait(sent, timedelta(seconds=20), patience=SOON))
    temporal.kill(agent.id)
    with pytest.raises(Unavailable, match="lost"):
        await waiting


async def test_who_waits_is_told_that_no_worker_works(mainstay, temporal):
    temporal.serves = False
    agent = await mainstay.spawn(SPEC)
    sent = await agent.send("?")
    with pytest.raises(Unavailable) as caught:
        await agent.wait(sent, timedelta(seconds=20), patience=SOON)
    assert "mainstay up" in caught.value.hint
    assert await agent.driving() is Driving.NO_WORKER


async def test_who_waits_outlasts_a_worker_that_is_started_again(mainstay, temporal):
    temporal.serves = False
    agent = await mainstay.spawn(SPEC)
    waiting = asyncio.create_task(agent.wait(await agent.send("?"), timedelta(seconds=20)))
    looks = temporal.looks
    while temporal.looks == looks:
        await asyncio.sleep(0.01)
    temporal.serves = True
    await answer_all(mainstay.store, agent.id, "after all")
    assert (await waiting).answer == "after all"


async def test_restart_takes_up_an_agent_that_is_lost(mainstay, temporal):
    agent = await mainstay.spawn(SPEC)
    temporal.answers["restart"] = "restarting"
    assert await agent.restart("why not") == "restarting"
    assert [signal for _, signal, _ in temporal.signals] == ["restart"]
    temporal.kill(agent.id)
    await agent.restart()
    assert await agent.driving() is Driving.DRIVEN


async def test_events_end_with_the_agent(mainstay):
    agent = await mainstay.spawn(SPEC)
    await end(mainstay, agent.id)
    seen = [event.to_state async for event in agent.events()]
    assert seen[-1] is LifeState.TERMINATED


async def test_raising_a_budget_changes_the_limits(mainstay):
    agent = await mainstay.spawn(SPEC.model_copy(update={"budget": BudgetSpec(tokens=10)}))
    assert (await agent.account()).limits.tokens == 10
    await agent.raise_budget(BudgetSpec(tokens=99))
    assert (await agent.account()).limits.tokens == 99


@pytest.mark.parametrize("text", ["", "  ", "ä" * 600_000])
async def test_an_empty_or_huge_message_is_refused(mainstay, text):
    agent = await mainstay.spawn(SPEC)
    with pytest.raises(InvalidInput):
        await agent.send(text)
