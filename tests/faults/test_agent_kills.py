"""Agents survive `kill -9` of their worker, of the Temporal server, and of both.

A crew of three works through its messages while something is killed. Afterwards every effect has
happened once, every message is answered once, every conversation reads as if nothing had been
killed, and every account shows the same to the last token.

The short form runs always: four kills in one shift. The long form is thirty shifts, each with a
kill at a random moment. Its seed is FAULTS_SEED; finished rounds are kept in
build/agent-faults-<seed>.jsonl, so that a campaign that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import suppress
from random import Random

import pytest
from agent_crew import expected_names
from agent_shift import HEARTBEAT, Left, Shift
from fault_campaign import Campaign
from fault_kills import Outcome, Victim, strike
from fault_rig import POLL_SECONDS, Ledger, Rig, running_rig, until

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import QuestionView
from mainstay.schemas.agent_run import AgentOptions
from mainstay.schemas.errors import Unavailable

SEED = os.environ.get("FAULTS_SEED", "1")
SHORT = [Victim.WORKER, Victim.WORKER, Victim.SERVER, Victim.BOTH]
LONG_EFFECT_SECONDS = 0.2
"""In the long form, so that kills hit tools at work: the control depends on it."""

CAMPAIGN = [Victim.WORKER] * 20 + [Victim.SERVER] * 6 + [Victim.BOTH] * 4


async def test_agents_leave_the_same_as_if_nothing_had_been_killed(tmp_path):
    random = Random(SEED)
    async with running_rig(tmp_path) as rig:
        expected, _ = await undisturbed(rig)
        shift = await Shift.start(rig, "disturbed")
        total = len(list(expected_names()))
        marks = sorted(random.sample(range(2, total - 1), len(SHORT)))
        for victim, mark in zip(SHORT, marks, strict=True):
            await shift.reach(mark)
            await strike(rig, victim)
        await shift.end()
        assert await shift.judge() == expected


async def test_call_that_must_not_be_repeated_is_asked_about_after_a_kill(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    async with running_rig(tmp_path / "rig") as rig:
        agents = [await spawn_careful(rig, ledger, name) for name in ("again", "never")]
        for agent in agents:
            await agent.send("go")
        await until(lambda: len(ledger.calls()) == 2, "both calls")
        rig.workers[-1].kill()
        assert ledger.effects() == []
        rig.start_worker()
        questions = [await unknown_outcome(agent) for agent in agents]
        assert "may or may not have had its effect" in questions[0].question
        assert len(ledger.calls()) == 2  # nothing is repeated unasked
        for agent, asked, word in zip(agents, questions, ("retry", "it was not done"), strict=True):
            await agent.answer(word, use_id=asked.use_id)
            await agent.wait((await rig.mainstay.store.messages_of(agent.id))[0].id)
        assert ledger.effects() == ["again"]
        assert [name for name, _ in ledger.calls()].count("never") == 1
        assert "it was not done" in (await agents[1].entries())[-1].text


@pytest.mark.deep
async def test_thirty_kills_at_random_moments_change_nothing_for_agents(tmp_path, capsys):
    campaign = Campaign(f"agent-faults-{SEED}")
    async with running_rig(tmp_path) as rig:
        expected, seconds = await undisturbed(rig, LONG_EFFECT_SECONDS)
        for number, victim in enumerate(CAMPAIGN):
            if number not in campaign.rounds:
                outcome = await kill_once(rig, expected, seconds, number, victim)
                campaign.keep(outcome.as_row())
    with capsys.disabled():
        print(campaign.figures(seconds))
    assert [campaign.rounds[n]["victim"] for n in range(len(CAMPAIGN))] == CAMPAIGN
    # The control: without a key, kills do double effects. If none did, they hit nothing.
    assert sum(row["doubles"] for row in campaign.rounds.values()) > 0


async def spawn_careful(rig: Rig, ledger: Ledger, name: str) -> AgentHandle:
    """Spawn an agent that calls a tool which says that it must not be done twice."""
    use = {"ledger.put_once": {"ledger": str(ledger.path), "name": name, "seconds": 1.0}}
    script = rig.folder / f"{name}.yaml"
    script.write_text(json.dumps({"turns": [{"tools": [use]}, {"say": "${{ last }}"}]}))
    spec = AgentSpec(name=name, model=f"script:{script}", tools=["ledger.put_once"])
    return await rig.mainstay.spawn(spec, options=AgentOptions(heartbeat_timeout=HEARTBEAT))


async def unknown_outcome(agent: AgentHandle) -> QuestionView:
    """Wait until an agent asks about a call whose outcome nobody knows."""
    async with asyncio.timeout(30):
        while True:
            with suppress(Unavailable):
                for question in (await agent.info()).questions:
                    assert question.is_unknown
                    return question
            await asyncio.sleep(POLL_SECONDS)


async def undisturbed(rig: Rig, effect_seconds: float = 0.04) -> tuple[Left, float]:
    """Let the crew work with nothing killed; return what it leaves and how long it took."""
    begin = time.monotonic()
    shift = await Shift.start(rig, "undisturbed", effect_seconds)
    await shift.end()
    seconds = time.monotonic() - begin
    assert shift.ledger.doubles == 0
    return await shift.judge(), seconds


async def kill_once(
    rig: Rig, expected: Left, latest: float, number: int, victim: Victim
) -> Outcome:
    """Kill something at a random moment of a shift, and judge what is left.

    The moment is at most ``latest`` seconds after the start. A kill that came too late, because
    everything was answered, does not count: there is another shift.
    """
    random = Random(f"{SEED}/{number}")
    for attempt in range(5):
        moment = random.uniform(0.02, latest)
        begin = time.monotonic()
        shift = await Shift.start(rig, f"round-{number}-{attempt}", LONG_EFFECT_SECONDS)
        await asyncio.sleep(moment)
        hit = not await shift.has_ended()
        await strike(rig, victim)
        await shift.end()
        seconds = time.monotonic() - begin
        assert await shift.judge() == expected
        await rig.workers[-1].ready()
        if hit:
            doubles = shift.ledger.doubles
            return Outcome(number, victim, round(moment, 3), round(seconds, 3), doubles)
    raise AssertionError(f"round {number}: no kill came before the shift's end")
