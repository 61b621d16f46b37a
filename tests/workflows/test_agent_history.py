"""Long conversations: their history grows in a line, and little of them is sent again."""

from __future__ import annotations

import pytest
from benchmarks import agent_talks, agent_thoughts
from benchmarks.agent_talks import TalkSize
from benchmarks.agent_window import CODES, PINNED, TOLD, do_task

from mainstay.schemas.agent import AgentSpec, ContextPolicy, ContextSpec
from mainstay.schemas.agent_run import AgentOptions

MODEL = f"code:{agent_thoughts.__name__}:repeat"
ALLOWED_GROWTH = 1.10


async def have_talk(stage, turns: int, chars: int, **context) -> tuple[TalkSize, list]:
    """Have a conversation; return what it left in history, and its entries."""
    spec = AgentSpec(name="talker", model=MODEL, context=ContextSpec(**context))
    options = AgentOptions(rollover_events=1_000)
    agent = await stage.mainstay.spawn(spec, options=options)
    await agent_talks.talk(agent, turns, chars)
    await agent_talks.until_quiet(agent)
    size = await agent_talks.size_of_talk(stage.mainstay.temporal, agent.id, agent_talks.THINK)
    assert len(size.totals) == turns
    entries = await agent.entries()
    assert len(entries) == 2 * turns
    await agent.stop()
    return size, entries


def check_is_linear(size: TalkSize, early: int) -> None:
    turns = len(size.totals)
    first = size.per_turn(0, early)
    for late in (size.per_turn(0, turns), size.per_turn(turns - early, turns)):
        assert first / ALLOWED_GROWTH < late < first * ALLOWED_GROWTH


async def test_history_of_a_turn_is_as_small_after_many_turns(stage) -> None:
    size, _ = await have_talk(stage, turns=60, chars=400)
    check_is_linear(size, early=30)
    assert size.per_turn(0, 60) < 6_000


@pytest.mark.deep
async def test_history_of_a_turn_is_as_small_after_a_thousand_turns(stage) -> None:
    size, _ = await have_talk(stage, turns=1_000, chars=400)
    check_is_linear(size, early=50)
    assert size.runs > 10
    assert size.longest < 1_200


async def test_conversation_of_200_000_tokens_leaves_no_more_than_a_short_one(stage) -> None:
    calls, chars = 100, 4_000
    size, entries = await have_talk(
        stage, calls, chars, policy=ContextPolicy.FULL, tokens=1_000_000
    )
    assert sum(entry.tokens for entry in entries) >= 200_000
    assert all(len(entry.text) == chars for entry in entries)
    check_is_linear(size, early=50)
    assert size.per_turn(0, calls) < 6_000


async def test_summary_saves_half_of_the_tokens_and_forgets_no_fact(stage) -> None:
    full = await do_task(stage.mainstay, ContextPolicy.FULL)
    summary = await do_task(stage.mainstay, ContextPolicy.SUMMARY)
    assert summary.prompt_tokens <= full.prompt_tokens / 2
    assert full.pinned + full.told == len(CODES)
    assert (summary.pinned, summary.told) == (len(PINNED), len(TOLD))


async def test_what_is_neither_pinned_nor_summed_up_is_forgotten(stage) -> None:
    window = await do_task(stage.mainstay, ContextPolicy.WINDOW)
    assert (window.pinned, window.told) == (len(PINNED), 0)
