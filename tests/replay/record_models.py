"""The models of the recorded agents: they do what the message tells them to.

A message is a list of steps with a semicolon between. `say WORDS` answers, `NAME {JSON}` calls a
tool, `NAME {JSON} & NAME {JSON}` calls two at once, `fail` fails for a passing reason.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mainstay.schemas.conversation import Entry, EntryKind, Finish, ModelAnswer, ToolUse, Usage
from mainstay.schemas.errors import InvalidInput, Unavailable

FAILED = Path("failed-once")
USAGE = Usage(input_tokens=100, output_tokens=20, model_calls=1)


def think(prompt: str, entries: Sequence[Entry], purpose: str) -> ModelAnswer:
    """Take the step that follows from how many answers the turn has already."""
    if purpose == "summary":
        return ModelAnswer(text="what was said before", usage=USAGE)
    told = [entry for entry in entries if entry.kind is EntryKind.USER][-1]
    steps = [step.strip() for step in told.text.split(";")]
    turn = [entry for entry in entries if entry.turn == told.turn]
    number = sum(entry.kind is EntryKind.ASSISTANT for entry in turn)
    step = steps[min(number, len(steps) - 1)]
    if step == "fail":
        raise Unavailable("not now")
    if step == "refuse":
        raise InvalidInput("never")
    if step.startswith("say"):
        return ModelAnswer(text=step.removeprefix("say").strip(), usage=USAGE)
    uses = tuple(_use(call.strip(), number, at) for at, call in enumerate(step.split("&")))
    return ModelAnswer(uses=uses, finish=Finish.TOOLS, usage=USAGE)


def _use(call: str, number: int, at: int) -> ToolUse:
    name, _, arguments = call.partition(" ")
    return ToolUse(id=f"call-{number}-{at}", name=name, arguments=json.loads(arguments))


def judge(prompt: str, entries: Sequence[Entry], purpose: str) -> ModelAnswer:
    """Find good what says so."""
    score = 0.9 if "good" in entries[-1].text.rpartition("The output:")[2] else 0.2
    found = {"score": score, "confidence": 1, "issues": [], "suggestions": ["say good"]}
    return ModelAnswer(text=json.dumps(found), usage=USAGE)
