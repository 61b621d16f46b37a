"""What the agents of healing.yaml think with, in the place of a model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from mainstay.schemas.conversation import Entry, EntryKind, ModelAnswer, ToolUse
from mainstay.schemas.errors import Unavailable

ASK = ("ask_agent_baker_1", "ask_agent_baker_2")
"""The tools that ask the two bakers."""
BAKING_SECONDS = 0.4
FAILS_AT = 5


async def bake(prompt: str, entries: Sequence[Entry]) -> str:
    """Bake the loaf of an order; every fifth one fails when it is ordered first."""
    await asyncio.sleep(BAKING_SECONDS)
    loaf = int(re.findall(r"\d+", prompt)[0])
    if loaf % FAILS_AT == 0 and "once more" not in prompt:
        raise Unavailable(f"loaf {loaf}: the oven is out")
    return f"Here is loaf {loaf}."


def order(prompt: str, entries: Sequence[Entry]) -> ModelAnswer:
    """Order a loaf from each baker at a time, and those once more that failed."""
    wanted = int((re.findall(r"\d+", prompt) or ["10"])[0])
    begin = max(n for n, entry in enumerate(entries) if entry.kind is EntryKind.USER)
    told = [entry for entry in entries[begin:] if entry.kind is EntryKind.TOOL]
    calls = [use for entry in entries[begin:] for use in entry.uses]
    orders = {use.id: use.arguments["prompt"] for use in calls}
    done = {_loaf(orders[entry.use_id]) for entry in told if not entry.is_error}
    tried = {_loaf(text) for text in orders.values()}
    if len(done) >= wanted:
        return ModelAnswer(text=f"All {wanted} loaves are here.")
    next_loaves = [loaf for loaf in range(1, wanted + 1) if loaf not in done][: len(ASK)]
    uses = [
        ToolUse(
            id=f"{len(calls) + number}",
            name=tool,
            arguments={"prompt": f"Bake loaf {loaf}{' once more' if loaf in tried else ''}"},
        )
        for number, (loaf, tool) in enumerate(zip(next_loaves, ASK, strict=False))
    ]
    return ModelAnswer(uses=tuple(uses))


def _loaf(text: str) -> int:
    return int(re.findall(r"\d+", text)[0])
