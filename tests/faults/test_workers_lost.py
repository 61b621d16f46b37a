"""Losing one worker of two, losing it in good order, and a worker that comes back from the dead."""

from __future__ import annotations

import asyncio
import signal
from itertools import pairwise

import pytest
from fault_rig import POLL_SECONDS, Ledger, Rig, WorkerProcess, is_free, running_rig, until
from fault_run import HEARTBEAT, Run

from mainstay.schemas.calls import PlanOptions
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.workflows.options import turn_timeout

MARGIN_SECONDS = 2.0
"""For Temporal's own retry interval and for a busy machine."""

GRACE_SECONDS = 5.0
"""How long a worker that is asked to stop lets its tools go on."""


async def test_survivor_takes_over_within_the_heartbeat_timeout(tmp_path):
    async with running_rig(tmp_path, workers=2) as rig:
        run = await Run.start(rig, "one-killed")
        await run.reach(20)
        (await freeze_one_at_work(rig, run)).kill()
        await run.judge(await run.end())
    pause = max(after - before for before, after in pairwise(run.ledger.effect_times()))
    print(f"longest pause: {pause:.1f} s")
    assert pause <= turn_timeout(HEARTBEAT).total_seconds() + MARGIN_SECONDS
    assert run.ledger.doubles > 0  # the killed one had work in its hands


async def test_worker_asked_to_stop_ends_its_work_and_nothing_is_repeated(tmp_path):
    async with running_rig(tmp_path) as rig:
        run = await Run.start(rig, "asked-to-stop")
        await run.reach(20)
        rig.workers[0].signal(signal.SIGTERM)
        rig.start_worker()
        await rig.workers[0].gone(GRACE_SECONDS + MARGIN_SECONDS)
        assert rig.workers[0].has_stopped_well, rig.workers[0].said()
        await run.judge(await run.end())
    assert run.ledger.doubles == 0


@pytest.mark.parametrize(
    "returns",
    [
        "while its work is done again",
        pytest.param("after the plan's end", marks=pytest.mark.deep),
    ],
)
async def test_late_writes_of_a_worker_taken_for_dead_change_nothing(tmp_path, returns):
    async with running_rig(tmp_path, workers=2) as rig:
        run = await Run.start(rig, "zombie", seconds=0.1)
        await run.reach(20)
        zombie = await freeze_one_at_work(rig, run)
        await until(lambda: run.ledger.doubles > 0, "its work is done again")
        if returns == "after the plan's end":
            await run.judge(await run.end())
        zombie.signal(signal.SIGCONT)
        result = await run.end()
        # It gets as much time as it wants to write what it still has in its hands.
        zombie.signal(signal.SIGTERM)
        await zombie.gone(GRACE_SECONDS + 2 * MARGIN_SECONDS)
        assert zombie.has_stopped_well, zombie.said()
        await run.judge(result)
        marked = await run.handle.output_of("mark")
        assert [item["name"] for item in marked] == (await run.handle.outputs())["marked"]


async def freeze_one_at_work(rig: Rig, run: Run) -> WorkerProcess:
    """Stop a worker in the middle of a call, with no lock in its hands that others need."""
    for attempt in range(200):
        worker = rig.workers[attempt % len(rig.workers)]
        if worker.pid in run.ledger.busy():
            worker.freeze()
            is_at_work = worker.pid in run.ledger.busy()
            if is_at_work and is_free(run.ledger.path) and is_free(rig.database):
                return worker
            worker.signal(signal.SIGCONT)
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError("no worker was caught in the middle of a call")


async def test_what_must_not_be_done_twice_waits_for_a_person(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    put = {"ledger": str(ledger.path), "name": "once", "seconds": 1}
    tasks = {"pay": {"tool": "ledger.put_once", "with": put}}
    plan = PlanSpec.model_validate({"name": "once", "tasks": tasks})
    async with running_rig(tmp_path / "rig") as rig:
        run = await rig.mainstay.start(plan, options=PlanOptions(heartbeat_timeout=HEARTBEAT))
        await until(lambda: len(ledger.calls()) == 1, "its first call")
        rig.workers[0].kill()
        rig.start_worker()
        events = run.events()
        async for event in events:
            if event.status is TaskStatus.UNKNOWN:
                break
        await events.aclose()
        assert len(ledger.calls()) == 1
        await run.retry_task("pay")
        assert (await run.result()).status is PlanStatus.SUCCEEDED
    assert len(ledger.calls()) == 2
    assert ledger.effects() == ["once"]
