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
import os
import time
from random import Random

import pytest
from agent_crew import expected_names
from agent_shift import Left, Shift
from fault_campaign import Campaign
from fault_kills import Outcome, Victim, strike
from fault_rig import Rig, running_rig

SEED = os.environ.get("FAULTS_SEED", "1")
SHORT = [Victim.WORKER, Victim.WORKER, Victim.SERVER, Victim.BOTH]
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


@pytest.mark.deep
async def test_thirty_kills_at_random_moments_change_nothing_for_agents(tmp_path, capsys):
    campaign = Campaign(f"agent-faults-{SEED}")
    async with running_rig(tmp_path) as rig:
        expected, seconds = await undisturbed(rig)
        for number, victim in enumerate(CAMPAIGN):
            if number not in campaign.rounds:
                outcome = await kill_once(rig, expected, seconds, number, victim)
                campaign.keep(outcome.as_row())
    with capsys.disabled():
        print(campaign.figures(seconds))
    assert [campaign.rounds[n]["victim"] for n in range(len(CAMPAIGN))] == CAMPAIGN
    # The control: without a key, kills do double effects. If none did, they hit nothing.
    assert sum(row["doubles"] for row in campaign.rounds.values()) > 0


async def undisturbed(rig: Rig) -> tuple[Left, float]:
    """Let the crew work with nothing killed; return what it leaves and how long it took."""
    begin = time.monotonic()
    shift = await Shift.start(rig, "undisturbed")
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
        shift = await Shift.start(rig, f"round-{number}-{attempt}")
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
