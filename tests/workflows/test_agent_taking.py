"""How an agent looks into its mailbox: within its step, and by an activity when that is slow."""

from __future__ import annotations

from datetime import timedelta

from benchmarks import agent_talks, agent_thoughts

from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.conversation import EntryKind
from mainstay.workflows import agent_work

MODEL = f"code:{agent_thoughts.__name__}:repeat"
TEXTS = ["one", "two", "three"]


async def takes_by_activity(stage) -> int:
    """Have a conversation; return how many activities looked into the mailbox."""
    agent = await stage.mainstay.spawn(AgentSpec(name="a", model=MODEL))
    answers = [await agent.ask(text, timeout=timedelta(seconds=30)) for text in TEXTS]
    assert answers == TEXTS
    told = [entry.text for entry in await agent.entries() if entry.kind is EntryKind.USER]
    assert told == TEXTS
    await agent_talks.until_quiet(agent)
    [history] = await agent_talks.histories(stage.mainstay.temporal, agent.id)
    await agent.stop()
    return sum(agent_talks.is_scheduled(event, names.AGENT_TAKE) for event in history.events)


async def test_mailbox_is_looked_into_within_a_step(stage, monkeypatch) -> None:
    monkeypatch.setattr(agent_work, "STEP_TIMEOUT", timedelta(seconds=5))
    assert await takes_by_activity(stage) == 0


async def test_slow_mailbox_is_looked_into_by_an_activity_and_nothing_is_done_twice(
    stage, monkeypatch
) -> None:
    monkeypatch.setattr(agent_work, "STEP_TIMEOUT", timedelta(milliseconds=1))
    assert await takes_by_activity(stage) >= len(TEXTS)
