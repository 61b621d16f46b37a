"""The agents whose workers and server are killed, what they are told, and what they must leave.

Three agents of one team play scripts. The lead calls tools in parallel, asks the scribe, and every
second time asks a person; the solo agent works beside them and remembers. Each tool call leaves
its marks in a ledger. The scribe hears only from the lead, so every conversation has one order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mainstay.schemas.agent import AgentSpec, ContextPolicy, ContextSpec

TOLD = {"lead": [f"job-{n}" for n in range(6)], "solo": [f"chore-{n}" for n in range(6)]}
"""What people tell each agent, in order."""

DELAY = "20ms"
PRICES = {"input": 3, "output": 15}


def is_signed(job: str) -> bool:
    """Tell whether the lead asks a person about a job: about every second one."""
    return int(job[-1]) % 2 == 1


def crew(folder: Path, ledger: Path, seconds: float) -> list[AgentSpec]:
    """Write the scripts and return the agents; the scribe comes first, for the lead to find.

    Args:
        folder: where the scripts are written.
        ledger: where the tools leave their marks.
        seconds: how long each tool takes.
    """

    def put(name: str, tool: str = "ledger.put") -> dict[str, Any]:
        return {tool: {"ledger": str(ledger), "name": name, "seconds": seconds}}

    def agent(name: str, turns: list[dict[str, Any]], **more: Any) -> AgentSpec:
        script = folder / f"{name}.yaml"
        timed = [
            {"delay": DELAY, "usage": {"input": 100 + n, "output": 10 + n}, **turn}
            for n, turn in enumerate(turns)
        ]
        plays = {"prices": PRICES, "loop": True, "summary": "in short", "turns": timed}
        script.write_text(json.dumps(plays))
        context = ContextSpec(policy=ContextPolicy.SUMMARY, turns=3)
        return AgentSpec(name=name, model=f"script:{script}", context=context, **more)

    left, right = put("${{ user }} left"), put("${{ user }} right", "ledger.put_async")
    asks = {"ask_agent_scribe": {"prompt": "${{ user }}"}}
    keeps = {"remember": {"key": "${{ user }}", "text": "did ${{ user }}"}}
    signs = {"ask_human": {"question": "Sign ${{ user }}?"}}
    tools = ["ledger.put", "ledger.put_async"]
    says = {"say": "${{ user }}: ${{ last }}"}
    return [
        agent("scribe", [{"tools": [put("note ${{ user }}")]}, says], tools=tools),
        agent(
            "lead",
            [{"tools": [left, right, asks]}, says, {"tools": [left, signs]}, says],
            tools=[*tools, "ask_human"],
            agents=["scribe"],
        ),
        agent(
            "solo",
            [{"tools": [left, right]}, {"tools": [keeps]}, says],
            tools=[*tools, "remember"],
        ),
    ]


def expected_names() -> Iterator[str]:
    """Name every effect; each must have happened once."""
    for job in TOLD["lead"]:
        yield f"{job} left"
        if not is_signed(job):
            yield f"{job} right"
            yield f"note {job}"
    for chore in TOLD["solo"]:
        yield f"{chore} left"
        yield f"{chore} right"
