"""A goal whose planner, critic and workers play written conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plan_stage import Stage

from mainstay.goals.goal_plan import Goal, plan_for
from mainstay.handle import PlanHandle
from mainstay.schemas.agent import AgentSpec

GOAL = "Write a line about rivers and keep it"

PLAN: dict[str, Any] = {
    "name": "rivers",
    "description": "Find a fact, write a line, keep it",
    "tasks": {
        "fact": {"description": "find a fact", "agent": "finder", "prompt": "Find a fact."},
        "line": {
            "description": "write the line",
            "needs": ["fact"],
            "capability": "writing",
            "prompt": "Write a line from this: ${{ needs.fact.outputs }}",
        },
        "keep": {
            "description": "keep the line",
            "needs": ["line"],
            "tool": "test.note",
            "with": {"path": "KEPT", "text": "${{ needs.line.outputs }}"},
        },
    },
    "outputs": {"line": "${{ needs.line.outputs }}"},
}
"""What the planner means: two agents and a tool, one after another."""

WRONG = {**PLAN, "tasks": {**PLAN["tasks"], "fact": {"agent": "findr", "prompt": "x", "wth": {}}}}
"""The same with mistakes in it."""

POOR = {"score": 0.4, "confidence": 0.9, "issues": ["too short"], "suggestions": ["say more"]}
GOOD = {"score": 0.9, "confidence": 0.8, "issues": [], "suggestions": []}


def said(value: Any) -> Any:
    """Return what a script says so that the model means this: expressions stay as they are."""
    return json.loads(json.dumps(value).replace("${{", "$${{"))


class GoalStage:
    """Where goals are pursued; ``kept`` is the file in which plans leave their lines."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.kept = stage.file("kept.txt")

    def plan(self, plan: dict[str, Any]) -> Any:
        """Return a plan as the planner writes it, with the place of the file in it."""
        return said(json.loads(json.dumps(plan).replace("KEPT", self.kept)))

    def script(self, name: str, *turns: dict[str, Any]) -> str:
        """Write a conversation, and return the model that plays it."""
        path = Path(self.stage.file(f"{name}.yaml"))
        path.write_text(json.dumps({"turns": list(turns)}))
        return f"script:{path}"

    def agent(self, name: str, *turns: dict[str, Any], **spec: Any) -> AgentSpec:
        """Return an agent of the team."""
        model = self.script(name, *turns)
        return AgentSpec.model_validate({"name": name, "model": model, "prompt": name, **spec})

    def team(self, **more: AgentSpec) -> dict[str, AgentSpec]:
        """Return the agents that do the work of ``PLAN``."""
        finder = self.agent(
            "finder",
            {"when": {"from": "tool"}, "say": "a fact: ${{ last }}"},
            {"tools": [{"test.note": {"path": self.stage.file("looked.txt"), "text": "looked"}}]},
            tools=["test.note"],
        )
        writer = self.agent("writer", {"say": "Rivers run."}, capabilities=["writing"])
        return {"finder": finder, "writer": writer, **more}

    async def pursue(self, *turns: dict[str, Any], **goal: Any) -> PlanHandle:
        """Begin to pursue the goal; planner and critic play these turns."""
        model = self.script("minds", *turns)
        plan, inputs = plan_for(Goal(text=GOAL, model=model, **{"team": self.team(), **goal}))
        return await self.stage.mainstay.start(plan, inputs)
