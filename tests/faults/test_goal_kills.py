"""A goal survives `kill -9` of its worker: nothing is planned, done, judged or paid for twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from fault_kills import Victim, strike
from fault_rig import Ledger, Rig, running_rig, until

from mainstay.goals.goal_plan import Goal, plan_for
from mainstay.handle import PlanHandle
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.calls import PlanOptions
from mainstay.schemas.durations import parse_duration
from mainstay.schemas.run import PlanStatus

POOR = {"score": 0.2, "confidence": 1, "issues": ["too little"], "suggestions": ["do more"]}
GOOD = {"score": 1, "confidence": 1, "issues": [], "suggestions": []}
EFFECTS = sorted(f"{name} {plan}" for name in ("left", "right", "tool") for plan in ("one", "two"))
MARKS = (1, 4)
"""How many effects there are when the worker is killed; the second time another plan runs."""
END_SECONDS = 90


def made_plan(name: str, ledger: Path) -> Any:
    """Return a plan as the planner writes it: two agents side by side, then a tool."""
    put = {"ledger": str(ledger), "name": f"tool {name}", "seconds": 0.4}
    plan = {
        "name": name,
        "description": f"plan {name}",
        "tasks": {
            "left": {"agent": "left", "prompt": name},
            "right": {"agent": "right", "prompt": name},
            "put": {"needs": ["left", "right"], "tool": "ledger.put", "with": put},
        },
        "outputs": {"said": "$${{ needs.left.outputs }}", "put": "$${{ needs.put.outputs.name }}"},
    }
    return plan


def goal(folder: Path, ledger: Path) -> Goal:
    """Return a goal whose first plan gives too little."""

    def script(name: str, *turns: dict[str, Any]) -> str:
        path = folder / f"{name}.yaml"
        timed = [{"delay": "50ms", "usage": {"input": 100, "output": 10}, **turn} for turn in turns]
        path.write_text(json.dumps({"turns": timed}))
        return f"script:{path}"

    def worker(name: str) -> AgentSpec:
        put = {"ledger": str(ledger), "name": f"{name} ${{{{ user }}}}", "seconds": 0.4}
        model = script(
            name,
            {"when": {"from": "tool"}, "say": f"{name} is done"},
            {"tools": [{"ledger.put": put}]},
        )
        return AgentSpec(name=name, model=model, prompt="Put.", tools=["ledger.put"])

    minds = script(
        "minds",
        {"when": {"text": "Judge what came of this goal", "matches": "two: plan"}, "say": GOOD},
        {"when": "Judge what came of this goal", "say": POOR},
        {"when": "too little", "say": made_plan("two", ledger)},
        {"say": made_plan("one", ledger)},
    )
    team = {name: worker(name) for name in ("left", "right")}
    return Goal(text="Put everything", team=team, model=minds, asks=False)


async def begin(rig: Rig, name: str) -> tuple[PlanHandle, Ledger]:
    folder = rig.folder / name
    folder.mkdir()
    ledger = Ledger(folder / "ledger.db")
    plan, inputs = plan_for(goal(folder, ledger.path))
    options = PlanOptions(heartbeat_timeout=parse_duration(2))
    return await rig.mainstay.start(plan, inputs, run=name, options=options), ledger


async def left_by(rig: Rig, run: PlanHandle, ledger: Ledger) -> dict[str, Any]:
    """Return what a goal leaves: effects, outputs, and what was paid for, once it has ended."""
    async with asyncio.timeout(END_SECONDS):
        result = await run.result()
    assert result.status is PlanStatus.SUCCEEDED, result.failure
    [account] = await rig.mainstay.store.get_accounts([run.id])
    spent = account.spent
    return {
        "effects": ledger.effects(),
        "outputs": await run.outputs(),
        "spent": (spent.model_calls, spent.tool_calls, spent.input_tokens, spent.output_tokens),
    }


async def test_a_goal_leaves_the_same_as_if_nothing_had_been_killed(tmp_path: Path) -> None:
    async with running_rig(tmp_path) as rig:
        calm, calm_ledger = await begin(rig, "calm")
        expected = await left_by(rig, calm, calm_ledger)
        assert expected["effects"] == EFFECTS
        assert expected["outputs"]["critique"] == GOOD
        run, ledger = await begin(rig, "rough")
        for mark in MARKS:
            await until(
                lambda mark=mark: len(ledger.effects()) >= mark, f"{mark} effects", END_SECONDS
            )
            await strike(rig, Victim.WORKER)
        assert await left_by(rig, run, ledger) == expected
        # The control: the kills hit calls, which were made again, and had their effect once.
        assert ledger.doubles > 0
