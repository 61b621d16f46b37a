"""The commands that look at plans and steer them, against plans that really run."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

import pytest
import pytest_asyncio

from mainstay.cli.main import execute
from mainstay.client import Mainstay
from mainstay.handle import PlanHandle
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.settings import Settings
from mainstay.worker import running_worker

QUERY = {"tool": "json.query", "with": {"expression": "a", "data": {"a": 1}}}
ASK = {"approval": "Go on?"}


@pytest_asyncio.fixture
async def configured(temporal_server, tmp_path, monkeypatch) -> Settings:
    """Settings of the test's own, which the command line reads from the environment."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MAINSTAY_TASK_QUEUE", uuid.uuid4().hex)
    return Settings()


@pytest_asyncio.fixture
async def mainstay(configured):
    async with (
        await Mainstay.connect(configured) as client,
        running_worker(client.temporal, configured),
    ):
        yield client


@pytest.fixture
def command(capsys):
    """Run a command as the console script does; returns its exit code and what it printed."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(execute, arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


async def start(mainstay: Mainstay, tasks: dict[str, Any], **more: Any) -> PlanHandle:
    spec = PlanSpec.model_validate({"name": "steered", "tasks": tasks, **more})
    return await mainstay.start(spec, run=uuid.uuid4().hex[:8])


async def until(run: PlanHandle, *, seconds: float = 20.0, **statuses: TaskStatus) -> None:
    """Wait until tasks have the statuses given by their names."""
    give_up = time.monotonic() + seconds
    while True:
        now = {row.name: row.status for row in await run.tasks()}
        if all(now.get(task) is status for task, status in statuses.items()):
            return
        assert time.monotonic() < give_up, now
        await asyncio.sleep(0.02)


async def until_plan(run: PlanHandle, status: PlanStatus) -> None:
    give_up = time.monotonic() + 20
    while (await run.row()).status is not status:
        assert time.monotonic() < give_up, await run.row()
        await asyncio.sleep(0.02)


async def test_approve_finds_the_one_task_that_asks(mainstay, command):
    run = await start(mainstay, {"ask": ASK, "b": {**QUERY, "needs": "ask"}})
    await until(run, ask=TaskStatus.ASKING)
    code, out, err = await command("status", run.id)
    assert (code, "waits for an answer to ask: Go on?" in out) == (0, True)
    assert f"`mainstay approve {run.id} ask`" in err
    assert "from the records" not in err
    assert (await command("approve", run.id))[0] == 0
    assert await run.outputs() == {}
    code, _, err = await command("approve", run.id)
    assert (code, "has ended: succeeded" in err) == (6, True)


async def test_reject_keeps_the_comment_and_who_said_it(mainstay, command):
    run = await start(mainstay, {"one": ASK, "two": ASK})
    await until(run, one=TaskStatus.ASKING, two=TaskStatus.ASKING)
    code, _, err = await command("reject", run.id)
    assert (code, "name one of one, two" in err) == (3, True)
    assert (await command("reject", run.id, "one", "--comment", "too early"))[0] == 0
    await until(run, one=TaskStatus.FAILED)
    rows = {row.name: row for row in await run.tasks()}
    assert "too early" in rows["one"].message
    code, _, err = await command("approve", run.id, "one")
    assert code == 6
    assert (await command("approve", run.id, "three"))[0] == 4
    assert (await command("cancel", run.id))[0] == 0
    assert (await run.result()).status is PlanStatus.CANCELLED


async def test_pause_and_resume(mainstay, command):
    run = await start(mainstay, {"ask": ASK, "b": {**QUERY, "needs": "ask"}})
    await until(run, ask=TaskStatus.ASKING)
    assert (await command("pause", run.id))[0] == 0
    await until_plan(run, PlanStatus.PAUSED)
    _, out, err = await command("status", run.id)
    assert "waits for somebody to resume it" in out
    assert f"`mainstay resume {run.id}`" in err
    assert (await command("approve", run.id))[0] == 0
    await until(run, ask=TaskStatus.SUCCEEDED)
    assert (await command("resume", run.id))[0] == 0
    assert (await run.result()).status is PlanStatus.SUCCEEDED


async def test_cancel_says_why_on_record(mainstay, command):
    run = await start(mainstay, {"ask": ASK})
    await until(run, ask=TaskStatus.ASKING)
    assert (await command("cancel", run.id, "--grace", "soon"))[0] == 3
    assert (await command("cancel", run.id, "--grace", "1s", "--reason", "enough"))[0] == 0
    await run.result()
    await until_plan(run, PlanStatus.CANCELLED)
    _, out, _ = await command("history", run.id)
    assert "enough" in out
    assert (await command("result", run.id))[0] == 1


async def test_retry_tries_a_task_again_and_takes_an_ended_plan_up(mainstay, command, tmp_path):
    file = tmp_path / "later.txt"
    fails = {"tool": "fs.read", "with": {"path": str(file)}}
    run = await start(mainstay, {"fails": fails, "ask": ASK})
    await until(run, fails=TaskStatus.FAILED, ask=TaskStatus.ASKING)
    assert f"mainstay retry {run.id} fails" in (await command("status", run.id))[2]
    file.write_text("now")
    assert (await command("retry", run.id))[0] == 0
    await until(run, fails=TaskStatus.SUCCEEDED)
    assert (await command("reject", run.id))[0] == 0
    await until_plan(run, PlanStatus.FAILED)
    code, _, err = await command("retry", run.id)
    assert (code, "goes on where it ended" in err) == (0, True)
    await until(run, ask=TaskStatus.ASKING)
    assert (await command("approve", run.id, "ask"))[0] == 0
    assert (await run.result()).status is PlanStatus.SUCCEEDED


async def test_skip_goes_on_without_a_task(mainstay, command):
    run = await start(mainstay, {"ask": ASK, "b": {**QUERY, "needs": "ask"}})
    await until(run, ask=TaskStatus.ASKING)
    assert (await command("skip", run.id, "ask", "--reason", "no need"))[0] == 0
    await run.result()
    await until(run, ask=TaskStatus.SKIPPED, b=TaskStatus.SUCCEEDED)


async def test_what_a_plan_gave_back_and_its_history(mainstay, command, tmp_path):
    many = {**QUERY, "for_each": [1, 2, 3]}
    run = await start(mainstay, {"many": many}, outputs={"n": "${{ needs.many.outputs | length }}"})
    await run.result()
    await until_plan(run, PlanStatus.SUCCEEDED)
    assert json.loads((await command("result", run.id))[1]) == {"n": 3}
    assert json.loads((await command("result", run.id, "many"))[1]) == [1, 1, 1]
    _, out, _ = await command("history", run.id, "--json")
    assert [json.loads(line)["kind"] for line in out.splitlines()][-1] == "plan_ended"
    _, out, _ = await command("history", run.id, "--temporal")
    file = tmp_path / "history.json"
    file.write_text(out)
    assert (await command("replay", str(file)))[0] == 0
    code, out, _ = await command("replay", run.id)
    assert (code, out.startswith("ok: ")) == (0, True)


async def test_replay_says_where_the_code_does_something_else(mainstay, command, tmp_path):
    run = await start(mainstay, {"a": QUERY})
    await run.result()
    _, out, _ = await command("history", run.id, "--temporal")
    file = tmp_path / "history.json"
    file.write_text(out.replace('"plan.outline"', '"plan.something"'))
    code, out, err = await command("replay", str(file))
    assert (code, out.startswith("diverges: ")) == (1, True)
    assert "plan.something" in err


async def test_records_are_made_again_by_the_command(mainstay, command):
    run = await start(mainstay, {"a": QUERY})
    await run.result()
    await until_plan(run, PlanStatus.SUCCEEDED)
    give_up = time.monotonic() + 20
    while (result := await command("records", "rebuild", "--plan", run.id))[0] == 4:
        assert time.monotonic() < give_up  # the server's list lags behind
    assert result[1] == f"{run.id}: 1 tasks, 4 events\n"
    assert (await command("records", "rebuild", "--plan", "plan/none/x"))[0] == 4


async def test_doctor_finds_the_server_and_the_worker(mainstay, command):
    code, out, _ = await command("doctor", "--json")
    checks = {check["what"]: check for check in json.loads(out)["checks"]}
    assert code == 0, out
    assert {check["health"] for check in checks.values()} == {"ok"}


async def test_without_a_worker_signals_wait_and_questions_are_refused(configured, command):
    async with await Mainstay.connect(configured) as client:
        async with running_worker(client.temporal, configured):
            run = await start(client, {"ask": ASK})
            await until(run, ask=TaskStatus.ASKING)
        # Nobody polls this other queue; the plan itself does not know of it.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MAINSTAY_TASK_QUEUE", "nobody")
            code, _, err = await command("approve", run.id)
            assert (code, "no worker serves the queue 'nobody'" in err) == (7, True)
            code, _, err = await command("pause", run.id)
            assert (code, "when a worker runs; none does now" in err) == (0, True)
            _, _, err = await command("status", run.id)
            assert "from the records: no worker is running" in err
        await client.temporal.get_workflow_handle(run.id).terminate("the test is over")
