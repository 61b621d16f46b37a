"""Teams survive `kill -9` of their worker, of the Temporal server, and of both.

A tree of three levels works while something is killed. Afterwards every job is done and answered
once, no agent was lost or started twice, and no supervisor has counted a failure but those that
agents had on purpose.

The short form runs always: twenty agents, three kills. The long form is five shifts of two hundred
agents with five kills each. Its seed is FAULTS_SEED; finished shifts are kept in
build/team-faults-<seed>.jsonl, so that a campaign that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import os
import time
from random import Random
from typing import Any

import pytest
from fault_campaign import Campaign
from fault_kills import Victim, strike
from fault_rig import Rig, running_rig
from team_crew import Size, expected_effects
from team_shift import TeamShift

SEED = os.environ.get("FAULTS_SEED", "1")
SMALL = Size(sections=2, pods=2, agents=5)
LARGE = Size(sections=5, pods=4, agents=10)
SHORT = [Victim.WORKER, Victim.SERVER, Victim.BOTH]
ROUNDS = 5
CAMPAIGN = [Victim.WORKER, Victim.WORKER, Victim.SERVER, Victim.WORKER, Victim.BOTH]
"""What is killed in each shift of the campaign, in an order that is drawn."""

LONG_EFFECT_SECONDS = 0.2
"""In the long form, so that kills hit tools at work: the control depends on it."""


async def test_team_is_whole_after_kills_and_counts_only_failures_of_agents(tmp_path):
    async with running_rig(tmp_path) as rig:
        await one_shift(rig, "short", SMALL, SHORT, Random(SEED), 0.04)


@pytest.mark.deep
async def test_two_hundred_agents_survive_twenty_five_kills(tmp_path, capsys):
    campaign = Campaign(f"team-faults-{SEED}")
    for number in range(ROUNDS):
        if number not in campaign.rounds:
            random = Random(f"{SEED}/{number}")
            victims = random.sample(CAMPAIGN, len(CAMPAIGN))
            async with running_rig(tmp_path / str(number)) as rig:
                row = await one_shift(
                    rig, f"round-{number}", LARGE, victims, random, LONG_EFFECT_SECONDS
                )
            campaign.keep({"round": number, "victims": list(map(str, victims)), **row})
    rows = [campaign.rounds[number] for number in range(ROUNDS)]
    with capsys.disabled():
        print(f"\n{campaign.path}")
        for row in rows:
            print({name: value for name, value in row.items() if name != "code"})
    assert sum(len(row["victims"]) for row in rows) == ROUNDS * len(CAMPAIGN)
    # The control: without a key, kills do double effects. If none did, they hit nothing.
    assert sum(row["doubles"] for row in rows) > 0


async def one_shift(
    rig: Rig, name: str, size: Size, victims: list[Victim], random: Random, seconds: float
) -> dict[str, Any]:
    """Let a team work while things are killed at random moments, and judge what it left.

    The first moments may lie in its start: agents begin to work while others are started.
    """
    begin = time.monotonic()
    shift = await TeamShift.start(rig, name, size, seconds)
    total = len(list(expected_effects(size)))
    marks = sorted(random.sample(range(total - 1), len(victims)))
    for victim, mark in zip(victims, marks, strict=True):
        await shift.reach(mark)
        await strike(rig, victim)
    await shift.end()
    await shift.judge()
    worked = time.monotonic() - begin
    await shift.down()
    return {
        "agents": size.total,
        "marks": marks,
        "seconds": round(worked, 1),
        "down_seconds": round(time.monotonic() - begin - worked, 1),
        "restarts": sum(1 for pod in shift.pods if pod.poisoned),
        "doubles": shift.ledger.doubles,
    }
