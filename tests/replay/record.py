"""Record the histories that `test_replay.py` replays: python tests/replay/record.py [NAME...]

Runs small plans, one for each feature, on an embedded server of its own. What depends on the
machine (its name, its paths) is taken out. Record a history again only when the behaviour it
shows was changed on purpose; what was recorded before must go on to replay.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from record_agents import AGENT_SCENARIOS, MODEL, AgentStage
from record_teams import TEAM_SCENARIOS, TeamStage
from temporalio.client import Client

from mainstay.client import Mainstay
from mainstay.connection import connect
from mainstay.devserver import start_server
from mainstay.handle import PlanHandle
from mainstay.rebuild import fetch_histories
from mainstay.schemas.calls import PlanOptions
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import TaskStatus
from mainstay.settings import Settings
from mainstay.worker import running_worker

FOLDER = Path(__file__).parent
HISTORIES = FOLDER / "histories"
GZIP_FROM_BYTES = 200_000
ECHO = {"tool": "record_tools.echo", "with": {"value": "hello"}}
SUB_PLANS = {
    "inner": {
        "name": "inner",
        "inputs": {"value": {"default": "x"}},
        "tasks": {"say": {"tool": "record_tools.echo", "with": {"value": "${{ inputs.value }}"}}},
        "outputs": {"said": "${{ needs.say.outputs }}"},
    }
}
SCENARIOS: dict[str, Callable[[Stage], Awaitable[None]]] = {}


@dataclass
class Stage:
    """Where one scenario plays. Its plan has its name."""

    mainstay: Mainstay
    folder: Path
    name: str

    @property
    def plan_id(self) -> str:
        return f"plan/{self.name}/recorded"

    @property
    def file(self) -> Path:
        """A file that a scenario may make, for the tool `need`."""
        return self.folder / f"{self.name}.file"

    async def start(
        self, tasks: dict[str, Any], options: PlanOptions | None = None, **more: Any
    ) -> PlanHandle:
        spec = PlanSpec.model_validate({"name": self.name, "tasks": tasks, **more})
        return await self.mainstay.start(spec, run="recorded", options=options)

    async def play(
        self, tasks: dict[str, Any], options: PlanOptions | None = None, **more: Any
    ) -> None:
        run = await self.start(tasks, options, **more)
        await run.result()


def scenario(play: Callable[[Stage], Awaitable[None]]) -> Callable[[Stage], Awaitable[None]]:
    SCENARIOS[play.__name__] = play
    return play


async def until(run: PlanHandle, task: str, status: TaskStatus) -> None:
    give_up = time.monotonic() + 20
    while status not in [row.status for row in await run.tasks() if row.name == task]:
        assert time.monotonic() < give_up, f"{task} is never {status}"
        await asyncio.sleep(0.02)


@scenario
async def needs_and_conditions(stage: Stage) -> None:
    await stage.play(
        {
            "a": ECHO,
            "b": {**ECHO, "needs": "a"},
            "c": {**ECHO, "needs": "a", "if": "needs.a.outputs == 'other'"},
            "d": {**ECHO, "needs": ["b", "c"]},
            "e": {**ECHO, "needs": "d", "if": "always()"},
        },
        outputs={"said": "${{ needs.b.outputs }}"},
    )


@scenario
async def batches(stage: Stage) -> None:
    number = {"number": "${{ item * 2 + 1 }}"}
    await stage.play(
        {
            "many": {
                "for_each": "${{ range(9) }}",
                "batch": 2,
                "max_parallel": 2,
                "tool": "record_tools.odd",
                "with": number,
                "outputs": {"sum": "${{ output | sum }}"},
            },
            "none": {"for_each": "${{ [] }}", "tool": "record_tools.odd", "with": number},
        }
    )


@scenario
async def retries(stage: Stage) -> None:
    retry = {"attempts": 3, "initial": "50ms"}
    await stage.play(
        {
            "flaky": {"tool": "record_tools.flaky", "with": {"until": 3}, "retry": retry},
            "never": {
                "tool": "record_tools.flaky",
                "with": {"until": 9},
                "retry": retry,
                "continue_on_error": True,
            },
        }
    )


@scenario
async def timeout(stage: Stage) -> None:
    await stage.play({"slow": {"tool": "record_tools.wait", "timeout": "200ms", "retry": 1}})


@scenario
async def tolerated_errors(stage: Stage) -> None:
    await stage.play(
        {
            "many": {
                "for_each": "${{ range(5) }}",
                "batch": 2,
                "tool": "record_tools.odd",
                "with": {"number": "${{ item }}"},
                "continue_on_error": True,
            },
            "one": {
                "tool": "record_tools.fail",
                "with": {"message": "no"},
                "continue_on_error": True,
            },
            "after": {**ECHO, "needs": ["many", "one"]},
        }
    )


@scenario
async def failed_batches(stage: Stage) -> None:
    await stage.play(
        {
            "many": {
                "for_each": "${{ range(9) }}",
                "batch": 2,
                "tool": "record_tools.odd",
                "with": {"number": "${{ item + 1 }}"},
            },
            "after": {**ECHO, "needs": "many"},
        }
    )


@scenario
async def approvals(stage: Stage) -> None:
    run = await stage.start(
        {
            "ask": {"approval": "Go on?"},
            "work": {**ECHO, "approval": "Work?", "needs": "ask"},
            "expires": {"approval": {"deadline": "200ms", "default": "approve"}},
            "lapses": {"approval": {"deadline": "200ms"}, "continue_on_error": True},
        }
    )
    await until(run, "ask", TaskStatus.ASKING)
    await run.answer("ask", True, by="somebody", comment="fine")
    await until(run, "work", TaskStatus.ASKING)
    await run.answer("work", True, by="somebody")
    await run.result()


@scenario
async def rejection(stage: Stage) -> None:
    run = await stage.start({"ask": {"approval": True}, "after": {**ECHO, "needs": "ask"}})
    await until(run, "ask", TaskStatus.ASKING)
    await run.answer("ask", False, by="somebody", comment="no")
    await run.result()


@scenario
async def sub_plans(stage: Stage) -> None:
    await stage.play(
        {
            "one": {"plan": "inner"},
            "each": {"plan": "inner", "for_each": ["a", "b"], "with": {"value": "${{ item }}"}},
            "after": {**ECHO, "needs": ["one", "each"]},
        },
        plans=SUB_PLANS,
    )


@scenario
async def undo_after_failure(stage: Stage) -> None:
    await stage.play(
        {
            "a": {**ECHO, "undo": ECHO},
            "b": {**ECHO, "undo": {"tool": "record_tools.fail", "with": {"message": "stuck"}}},
            "c": {
                "tool": "record_tools.fail",
                "with": {"message": "no"},
                "needs": ["a", "b"],
            },
        }
    )


@scenario
async def undo_after_cancel(stage: Stage) -> None:
    run = await stage.start(
        {
            "a": {**ECHO, "undo": ECHO},
            "b": {"tool": "record_tools.wait", "needs": "a"},
            "c": {**ECHO, "needs": "b"},
        }
    )
    await until(run, "b", TaskStatus.RUNNING)
    await run.cancel("enough", timedelta(milliseconds=200))
    await run.result()


@scenario
async def cancel_from_outside(stage: Stage) -> None:
    run = await stage.start({"a": {"tool": "record_tools.wait"}})
    await until(run, "a", TaskStatus.RUNNING)
    await stage.mainstay.temporal.get_workflow_handle(run.id).cancel()
    await run.result()


@scenario
async def verification(stage: Stage) -> None:
    feedback = {"tool": "record_tools.echo", "with": {"value": "${{ feedback }}"}}
    await stage.play(
        {
            "again": {**feedback, "verify": {"check": "output != ''", "reason": "say something"}},
            "never": {
                **ECHO,
                "verify": {"check": "false", "attempts": 2},
                "continue_on_error": True,
            },
        }
    )


@scenario
async def pause_and_resume(stage: Stage) -> None:
    run = await stage.start({"ask": {"approval": True}, "after": {**ECHO, "needs": "ask"}})
    await until(run, "ask", TaskStatus.ASKING)
    await run.pause()
    await run.answer("ask", True, by="somebody")
    await until(run, "ask", TaskStatus.SUCCEEDED)
    await run.resume()
    await run.result()


async def start_with_a_failed_task(stage: Stage) -> PlanHandle:
    """Start a plan in which one task has failed and another keeps the plan from ending."""
    run = await stage.start(
        {
            "fails": {"tool": "record_tools.need", "with": {"file": str(stage.file)}},
            "after": {**ECHO, "needs": "fails"},
            "ask": {"approval": True},
        }
    )
    await until(run, "fails", TaskStatus.FAILED)
    await until(run, "ask", TaskStatus.ASKING)
    return run


@scenario
async def manual_retry(stage: Stage) -> None:
    run = await start_with_a_failed_task(stage)
    stage.file.touch()
    await run.retry_task("fails", by="somebody")
    await until(run, "after", TaskStatus.SUCCEEDED)
    await run.answer("ask", True, by="somebody")
    await run.result()


@scenario
async def skip(stage: Stage) -> None:
    run = await start_with_a_failed_task(stage)
    await run.skip("fails", by="somebody", reason="not needed")
    await until(run, "after", TaskStatus.SUCCEEDED)
    await run.skip("ask", by="somebody")
    await run.result()


@scenario
async def unknown_outcomes(stage: Stage) -> None:
    once = {"tool": "record_tools.once"}
    for task in ("a", "b"):
        await stage.mainstay.store.mark_started(f"{stage.plan_id}/{task}/0")
    run = await stage.start({"a": once, "b": once, "after": {**ECHO, "needs": ["a", "b"]}})
    await until(run, "a", TaskStatus.UNKNOWN)
    await until(run, "b", TaskStatus.UNKNOWN)
    await run.retry_task("a", by="somebody")
    await run.skip("b", by="somebody")
    await run.result()


@scenario
async def continue_as_new(stage: Stage) -> None:
    tasks = {f"t{n}": {**ECHO, "needs": [f"t{n - 1}"] if n else []} for n in range(25)}
    await stage.play(tasks, PlanOptions(rollover_events=100))


@scenario
async def taken_up(stage: Stage) -> None:
    run = await stage.start(
        {
            "a": {**ECHO, "undo": ECHO},
            "b": {"tool": "record_tools.need", "with": {"file": str(stage.file)}, "needs": "a"},
            "c": {**ECHO, "needs": "b"},
        }
    )
    await run.result()
    stage.file.touch()
    await (await stage.mainstay.take_up(run.id)).result()


@scenario
async def priorities(stage: Stage) -> None:
    await stage.play(
        {
            "low": {**ECHO, "priority": "low"},
            "high": {**ECHO, "priority": "high"},
            "normal": ECHO,
        },
        max_parallel=1,
        priority="critical",
    )


@scenario
async def plan_timeout(stage: Stage) -> None:
    await stage.play({"slow": {"tool": "record_tools.wait"}, "done": ECHO}, timeout="300ms")


@scenario
async def wrong_outputs(stage: Stage) -> None:
    await stage.play({"a": ECHO}, outputs={"x": "${{ needs.a.outputs.nothing.there }}"})


@scenario
async def agents_in_plans(stage: Stage) -> None:
    worker = {"prompt": "You work.", "model": MODEL, "capabilities": ["work"]}
    await stage.play(
        {
            "one": {"agent": "w", "prompt": "say one"},
            "each": {"for_each": [1, 2], "capability": "work", "prompt": "say ${{ item }}"},
            "judged": {
                "needs": ["one", "each"],
                "agent": "w",
                "prompt": "say ${{ 'good' if feedback else 'bad' }}",
                "verify": {"agent": "judge", "criteria": ["is good"]},
            },
            "refused": {"agent": "w", "prompt": "refuse", "continue_on_error": True},
        },
        agents={
            "w": worker,
            "judge": {"prompt": "You judge.", "model": "code:record_models:judge"},
        },
    )


@scenario
async def agents_in_plans_cancelled(stage: Stage) -> None:
    run = await stage.start(
        {"ask": {"agent": "w", "prompt": 'ask_human {"question": "may I?"}'}},
        agents={"w": {"prompt": "You work.", "model": MODEL, "tools": ["ask_human"]}},
    )
    await until(run, "ask", TaskStatus.RUNNING)
    await run.cancel("enough")
    await run.result()


async def record(names: list[str]) -> None:
    """Play scenarios, all of them when none is named, and write down their histories."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        server = await start_server(database=None, ui=False)
        try:
            settings = Settings(data_dir=folder, tools=[str(FOLDER / "record_tools.py")])
            client = await connect(settings, address=server.address)
            async with (
                running_worker(client, settings),
                await Mainstay.connect(settings, address=server.address) as mainstay,
            ):
                for name in names or [*SCENARIOS, *AGENT_SCENARIOS, *TEAM_SCENARIOS]:
                    ids = await play(mainstay, folder, name)
                    await write_histories(client, name, ids)
        finally:
            await server.stop()


async def play(mainstay: Mainstay, folder: Path, name: str) -> list[str]:
    """Play a scenario; return the ids of the workflows that took part."""
    if name in AGENT_SCENARIOS:
        agents = AgentStage(mainstay, name.replace("_", "-"))
        await AGENT_SCENARIOS[name](agents)
        return agents.ids
    if name in TEAM_SCENARIOS:
        teams = TeamStage(mainstay, name.replace("_", "-"))
        await TEAM_SCENARIOS[name](teams)
        return teams.ids
    stage = Stage(mainstay, folder, name)
    await SCENARIOS[name](stage)
    plans = [stage.plan_id, *await mainstay.store.find_plans(f"{stage.plan_id}/")]
    rows = [row for plan in plans for row in await mainstay.agents(parent=plan)]
    return [*plans, *sorted(row.agent_id for row in rows)]


async def write_histories(client: Client, name: str, ids: list[str]) -> None:
    """Write the runs of a scenario's workflows, each to a file of its own."""
    for old in HISTORIES.glob(f"{name}.*"):
        old.unlink()
    expected = await all_runs(client, ids)
    number = 0
    for workflow_id in ids:
        for history in await fetch_histories(client, workflow_id):
            text = json.dumps(without_machine(history.to_json_dict()), separators=(",", ":"))
            path = HISTORIES / f"{name}.{number}.json"
            number += 1
            if len(text) > GZIP_FROM_BYTES:
                path.with_suffix(".json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
            else:
                path.write_text(text + "\n")
    print(f"{name}: {number} runs")
    assert number == expected


async def all_runs(client: Client, ids: list[str]) -> int:
    """Count the runs once the server's list, which lags behind, has all of them closed."""
    give_up = time.monotonic() + 20
    while True:
        runs = [
            run
            for workflow_id in ids
            for run in [one async for one in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
        ]
        known = {run.id for run in runs}
        if known == set(ids) and all(run.close_time for run in runs):
            return len(runs)
        assert time.monotonic() < give_up, "the list of runs never settles"
        await asyncio.sleep(0.1)


def without_machine(value: Any) -> Any:
    """Take out what tells of the machine that recorded: its name, its process, its paths."""
    if isinstance(value, list):
        return [without_machine(item) for item in value]
    if not isinstance(value, dict):
        return value
    scrubbed = {"identity": "recorder", "stackTrace": ""}
    return {
        key: scrubbed.get(key, without_machine(item))
        for key, item in value.items()
        if key not in ("stickyAttributes", "binaryChecksum")
    }


if __name__ == "__main__":
    HISTORIES.mkdir(exist_ok=True)
    asyncio.run(record(sys.argv[1:]))
    # See mainstay.cli.main.leave: the SDK can crash while Python takes itself apart.
    sys.stdout.flush()
    os._exit(0)
