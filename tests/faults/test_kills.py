"""A plan survives `kill -9` of its worker, of the Temporal server, and of both.

The short form runs always: five kills in two runs. The long form is forty runs, each with a kill
at a random moment. Its seed is FAULTS_SEED; finished rounds are kept in
build/faults-<seed>.jsonl, so that a campaign that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from fault_campaign import Campaign
from fault_kills import Victim, kill_once, strike, undisturbed_seconds
from fault_plan import expected_names
from fault_rig import running_rig
from fault_run import Run

SEED = os.environ.get("FAULTS_SEED", "1")
CAMPAIGN = [Victim.WORKER] * 25 + [Victim.SERVER] * 10 + [Victim.BOTH] * 5


async def test_plan_ends_as_if_nothing_had_been_killed(tmp_path):
    random = Random(SEED)
    async with running_rig(tmp_path) as rig:
        print(f"seed {SEED}; undisturbed in {await undisturbed_seconds(rig):.1f} s")
        for number, victims in enumerate([[Victim.WORKER] * 3, [Victim.SERVER, Victim.BOTH]]):
            run = await Run.start(rig, f"run-{number}")
            total = len(list(expected_names()))
            marks = sorted(random.sample(range(total // 10, total * 9 // 10), len(victims)))
            for victim, mark in zip(victims, marks, strict=True):
                await run.reach(mark)
                await strike(rig, victim)
            await run.judge(await run.end())


@pytest.mark.deep
async def test_forty_kills_at_random_moments_change_nothing(tmp_path, capsys):
    campaign = Campaign(f"faults-{SEED}")
    async with running_rig(tmp_path) as rig:
        latest = await undisturbed_seconds(rig)
        for number, victim in enumerate(CAMPAIGN):
            if number not in campaign.rounds:
                random = Random(f"{SEED}/{number}")
                outcome = await kill_once(rig, latest, number, victim, random)
                campaign.keep(outcome.as_row())
    with capsys.disabled():
        print(campaign.figures(latest))
    assert [campaign.rounds[n]["victim"] for n in range(len(CAMPAIGN))] == CAMPAIGN
    # The control: without a key, kills do double effects. If none did, they hit nothing.
    assert sum(row["doubles"] for row in campaign.rounds.values()) > 0
