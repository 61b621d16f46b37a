"""Functions in the place of a model. They take no time, so that what is left is ours."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from mainstay.schemas.conversation import Entry, EntryKind, ModelAnswer, ToolUse

asked_at: dict[str, float] = {}
"""When a prompt first reached the model, by ``perf_counter``; the worker is in this process."""

TOOL = "json.query"
"""What is called: it does as little as a tool can."""


async def answer(prompt: str, entries: Sequence[Entry]) -> str:
    """Answer at once."""
    asked_at.setdefault(prompt, perf_counter())
    return "done"


async def repeat(prompt: str, entries: Sequence[Entry], purpose: str) -> str:
    """Answer with as much as was said; sum it up in a few words."""
    return prompt if purpose == "answer" else "They exchanged pleasantries."


async def use_tools(prompt: str, entries: Sequence[Entry], purpose: str) -> str | ModelAnswer:
    """Call a tool as often as the prompt's last word says, then answer."""
    if purpose == "summary":
        return "Tools were called."
    asked_at.setdefault(prompt, perf_counter())
    turn = _since_last_told(entries)
    called = sum(entry.kind is EntryKind.TOOL for entry in turn)
    if called >= int(prompt.split()[-1]):
        return "done"
    arguments = {"expression": "value", "data": {"value": called}}
    return ModelAnswer(uses=(ToolUse(id=f"use-{called}", name=TOOL, arguments=arguments),))


def _since_last_told(entries: Sequence[Entry]) -> Sequence[Entry]:
    told = [place for place, entry in enumerate(entries) if entry.kind is EntryKind.USER]
    return entries[told[-1] :] if told else entries
