"""Workers that die while agents do a plan's tasks: nothing twice, nothing lost, paid once."""

from __future__ import annotations

import asyncio
from textwrap import dedent

import pytest
from fault_rig import POLL_SECONDS, Ledger, running_rig, until
from fault_run import HEARTBEAT

from mainstay.schemas.calls import PlanOptions
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import PlanStatus

WORKER = """\
turns:
  - tools: [{ledger.put: {ledger: LEDGER, name: '${{ user }}', seconds: 0.6}}]
    usage: {input: 100, output: 10}
  - say: 'put ${{ user }}'
    delay: 300ms
    usage: {input: 7, output: 3}
"""
CRITIC = """\
turns:
  - say: {score: 1, confidence: 1, issues: [], suggestions: []}
    delay: 800ms
    usage: {input: 1000, output: 0}
"""
NAMES = ("a", "b", "c")


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.deep)])
async def test_agents_of_a_plan_survive_the_death_of_their_worker(tmp_path, kills):
    ledger = Ledger(tmp_path / "ledger.db")
    worker, critic = tmp_path / "worker.yaml", tmp_path / "critic.yaml"
    worker.write_text(dedent(WORKER).replace("LEDGER", str(ledger.path)))
    critic.write_text(CRITIC)
    plan = PlanSpec.model_validate(
        {
            "name": "agents-killed",
            "agents": {
                "w": {"prompt": "x", "model": f"script:{worker}", "tools": ["ledger.put"]},
                "judge": {"prompt": "x", "model": f"script:{critic}", "role": "critic"},
            },
            "tasks": {
                "put": {
                    "for_each": list(NAMES),
                    "agent": "w",
                    "prompt": "${{ item }}",
                    "verify": {"agent": "judge"},
                    "outputs": {"all": "${{ output }}"},
                }
            },
            "outputs": {"all": "${{ needs.put.outputs.all }}"},
        }
    )
    async with running_rig(tmp_path / "rig") as rig:
        run = await rig.mainstay.start(plan, options=PlanOptions(heartbeat_timeout=HEARTBEAT))

        async def replace_worker() -> None:
            rig.workers[-1].kill()
            await rig.start_worker().ready()

        async def judged() -> bool:
            rows = await rig.mainstay.agents(parent=run.id)
            return any(row.role == "critic" for row in rows)

        await until(lambda: len(ledger.calls()) >= 1, "the first tool call")
        await replace_worker()
        if kills > 1:
            await until(lambda: len(ledger.effects()) == len(NAMES), "every effect")
            await replace_worker()
            while not await judged():
                await asyncio.sleep(POLL_SECONDS)
            await replace_worker()
        assert (await run.result()).status is PlanStatus.SUCCEEDED
        assert await run.outputs() == {"all": [f"put {name}" for name in NAMES]}
        assert sorted(ledger.effects()) == list(NAMES)
        assert ledger.doubles > 0  # the killed worker had a call in its hands
        rows = await rig.mainstay.agents(parent=run.id)
        assert len(rows) == len(NAMES) + 1
        [account] = await rig.mainstay.store.get_accounts([run.id])
        assert account.spent.tokens == len(NAMES) * 120 + 1000
