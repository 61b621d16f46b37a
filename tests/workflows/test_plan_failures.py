"""What happens when work fails: attempts, limits, checks, and outcomes that nobody knows."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta

from plan_stage import PLAN_TOOLS

from mainstay.schemas.calls import PlanOptions
from mainstay.schemas.run import FailureKind, PlanStatus, TaskStatus

WORKER = """
import asyncio, sys
from pathlib import Path
from mainstay.connection import connect
from mainstay.settings import Settings
from mainstay.worker import running_worker

async def main(address, folder, queue, tools):
    settings = Settings(data_dir=Path(folder), task_queue=queue)
    client = await connect(settings, address=address)
    async with running_worker(client, settings, [tools]):
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_passing_failure_is_tried_again_after_growing_waits(stage):
    run = await stage.succeed(
        {
            "a": {
                "tool": "test.flaky",
                "with": {"path": stage.file("log"), "failures": 2},
                "retry": {"attempts": 3, "initial": "100ms", "factor": 3},
            }
        }
    )
    assert await run.output_of("a") == 3
    moments, attempts = zip(*(line.split() for line in stage.lines("log")), strict=True)
    assert attempts == ("1", "2", "3")
    first, second, third = map(float, moments)
    assert second - first >= 0.1
    assert third - second >= 0.3


async def test_passing_failure_fails_the_task_after_its_attempts(stage):
    flaky = {"path": stage.file("log"), "failures": 9}
    retry = {"attempts": 2, "initial": "10ms"}
    _, result = await stage.run({"a": {"tool": "test.flaky", "with": flaky, "retry": retry}})
    assert (result.status, result.failure.kind) == (PlanStatus.FAILED, FailureKind.TRANSIENT)
    assert len(stage.lines("log")) == 2


async def test_retry_after_is_honoured(stage):
    flaky = {"path": stage.file("log"), "failures": 1, "retry_after": 0.7}
    await stage.succeed({"a": {"tool": "test.flaky", "with": flaky, "retry": {"initial": "10ms"}}})
    first, second = (float(line.split()[0]) for line in stage.lines("log"))
    assert second - first >= 0.7


async def test_lasting_failure_is_not_tried_again_and_tells_all(stage):
    broken = {"path": stage.file("log"), "mended": stage.file("never")}
    run, result = await stage.run({"a": {"tool": "test.broken", "with": broken}})
    failure = result.failure
    assert (failure.kind, failure.type) == (FailureKind.REFUSED, "Refused")
    assert (failure.message, failure.hint) == ("it is not mended", "mend it")
    [row] = await run.tasks()
    assert (row.status, row.message, row.attempt) == (TaskStatus.FAILED, "it is not mended", 1)


async def test_item_that_fails_for_good_is_named_and_stops_the_list(stage):
    log = stage.file("log")
    _, result = await stage.run(
        {
            "each": {
                "for_each": "${{ range(100) }}",
                "max_parallel": 1,
                "tool": "test.picky",
                "with": {"path": log, "item": "${{ item }}", "bad": 3},
            }
        }
    )
    assert result.failure.message.startswith("item 3: ValueError: a bad item (plan_tools.py, line")
    assert stage.lines("log") == ["0", "1", "2", "3"]


async def test_tool_that_takes_too_long_is_stopped_and_tried_again(stage):
    _, result = await stage.run(
        {"a": {"tool": "test.slow", "retry": {"attempts": 2, "initial": "10ms"}}}
    )
    assert result.failure.message == "tool 'test.slow' took longer than its timeout of 300ms"


async def test_verify_by_expression_sends_back_with_the_reason(stage):
    run = await stage.succeed(
        {
            "a": {
                "tool": "test.count",
                "with": {"path": stage.file("log"), "feedback": "${{ feedback }}"},
                "verify": {
                    "check": "output >= 3",
                    "reason": "${{ output }} is too few",
                    "attempts": 4,
                },
            },
            "b": {
                "needs": "a",
                "tool": "test.echo",
                "with": {"value": "${{ needs.a.outputs }}"},
            },
        }
    )
    assert await run.output_of("b") == 3
    assert stage.lines("log") == ["-", "1 is too few", "2 is too few"]


async def test_verify_by_tool_judges_a_whole_list_and_gives_up(stage):
    run, result = await stage.run(
        {
            "each": {
                "for_each": [1, 2],
                "tool": "test.note",
                "with": {"path": stage.file("log"), "text": "${{ feedback }}"},
                "verify": {
                    "tool": "test.judge",
                    "with": {"value": "${{ output | length }}", "least": 3},
                    "attempts": 2,
                },
            }
        }
    )
    assert result.failure.message == (
        "task 'each' did not pass its check in 2 rounds: 2 is less than 3"
    )
    assert sorted(stage.lines("log")) == [
        f"{run.id}/each/0/0",
        f"{run.id}/each/0/1",
        f"{run.id}/each/1/0 2 is less than 3",
        f"{run.id}/each/1/1 2 is less than 3",
    ]


async def test_tool_that_must_not_be_done_twice_is_not_tried_again(stage):
    _, result = await stage.run(
        {"a": {"tool": "test.fail_once", "with": {"path": stage.file("log")}}}
    )
    assert result.status is PlanStatus.FAILED
    assert len(stage.lines("log")) == 1


async def test_unknown_outcome_asks_and_a_retry_allows_it_once_more(stage):
    log = stage.file("log")
    key = "plan/p/asks/a/0"
    await stage.mainstay.store.mark_started(key)
    run = await stage.start_named("asks", {"a": {"tool": "test.once", "with": {"path": log}}})
    await stage.until_status(run, "a", TaskStatus.UNKNOWN)
    progress = await run.progress()
    assert progress.waiting_for[0].startswith("a: outcome unknown: tool 'test.once' was begun")
    assert stage.lines("log") == []
    await run.retry_task("a", by="ann")
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert stage.lines("log") == [f"{key} 1"]


async def test_unknown_outcome_can_be_skipped(stage):
    await stage.mainstay.store.mark_started("plan/p/skips/a/0")
    tasks = {
        "a": {"tool": "test.once", "with": {"path": stage.file("log")}},
        "b": {"needs": "a", "tool": "test.note", "with": {"path": stage.file("log")}},
    }
    run = await stage.start_named("skips", tasks)
    await stage.until_status(run, "a", TaskStatus.UNKNOWN)
    await run.skip("a", by="ann", reason="it was done")
    assert (await stage.result(run)).status is PlanStatus.SUCCEEDED
    assert stage.lines("log") == ["plan/p/skips/b/0"]


async def test_killed_worker_makes_unknown_only_what_must_not_be_repeated(
    temporal_server, lone_stage
):
    stage, opened = lone_stage, lone_stage.file("opened")
    tasks = {
        "once": {"tool": "test.once", "with": {"path": stage.file("once"), "hangs": True}},
        "gate": {"tool": "test.gate", "with": {"path": stage.file("gate"), "opened": opened}},
    }
    options = PlanOptions(heartbeat_timeout=timedelta(seconds=2))
    async with WorkerProcess(temporal_server.address, stage) as first:
        run = await stage.start(tasks, options=options)
        await stage.until_lines("once")
        await stage.until_lines("gate")
        first.kill()
        await first.wait()
    stage.folder.joinpath("opened").touch()
    async with WorkerProcess(temporal_server.address, stage):
        await stage.until_status(run, "gate", TaskStatus.SUCCEEDED)
        await stage.until_status(run, "once", TaskStatus.UNKNOWN)
        assert len(stage.lines("once")) == 1
        await run.skip("once")
        assert (await stage.result(run)).status is PlanStatus.SUCCEEDED


class WorkerProcess:
    """A worker in a process of its own, killed at the end if it still lives."""

    def __init__(self, address, stage):
        settings = stage.settings
        self.command = [
            sys.executable, "-c", WORKER, address, str(settings.data_dir), settings.task_queue,
            PLAN_TOOLS,
        ]  # fmt: skip

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(*self.command)
        return self.process

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()
