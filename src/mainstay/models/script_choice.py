"""Which turn of a script is played, and what it says. No state, no clock: any worker, on any
machine, after any crash, plays the same answer to the same request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import regex

from mainstay.models.script_file import SLOT, ScriptSpec, Turn, Use, Value, When
from mainstay.models.wire_names import WireNames
from mainstay.schemas.conversation import Entry, EntryKind, ToolUse
from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.schemas.model_calls import ModelCall

RAW_KEY = "script"
"""Where an answer keeps which turn comes next; it is stored with the answer's entry."""

MAX_SEARCH_SECONDS = 1.0
"""Longest search for one regular expression of a script."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A turn that is to be played; ``following`` is the index of the turn that comes after it."""

    turn: Turn
    following: int


def choose(script: ScriptSpec, call: ModelCall) -> Choice:
    """Choose the turn that answers a request.

    The place in the script is what the last answer left behind; where the window holds no answer
    of this script, it is the number of answers in the whole thread.

    Raises:
        InvalidInput: the script is at its end, or a pattern is wrong.
    """
    index = _place(call)
    told = just_told(call.entries)
    for turn in script.turns:
        if turn.when is not None and _fits(turn.when, told, call):
            return Choice(turn, index)
    turns = [turn for turn in script.turns if turn.when is None]
    total = sum(turn.repeat for turn in turns)
    if script.loop and total:
        return Choice(_turn_at(turns, index % total), index + 1)
    if index >= total:
        raise InvalidInput(
            f"{call.model!r} has {total} turns, and answer {index + 1} was asked of it",
            hint="write more turns, or `loop: true`",
        )
    return Choice(_turn_at(turns, index), index + 1)


def just_told(entries: Sequence[Entry]) -> list[Entry]:
    """Return what the model has been told since its last answer."""
    told: list[Entry] = []
    for entry in reversed(entries):
        if entry.kind is EntryKind.ASSISTANT:
            break
        if entry.kind is not EntryKind.PIN:
            told.append(entry)
    return told[::-1]


def spoken(turn: Turn, call: ModelCall) -> str:
    """Return what a turn says."""
    if turn.say is None:
        return ""
    said = _filled(turn.say, call)
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def uses_of(turn: Turn, call: ModelCall) -> tuple[ToolUse, ...]:
    """Return a turn's tool calls; their ids depend on the answer's key alone."""
    names = WireNames(tool.name for tool in call.tools)
    known = {tool.name for tool in call.tools}
    return tuple(
        ToolUse(
            id=use.id or _id_of(call, index),
            # A script may name a tool as the caller does, or as the tool names itself.
            name=use.name if use.name in known else _known_name(use.name, names, known),
            arguments=_arguments(use, call),
        )
        for index, use in enumerate(turn.tools)
    )


def _place(call: ModelCall) -> int:
    for entry in reversed(call.entries):
        if entry.kind is EntryKind.ASSISTANT and entry.raw is not None:
            left = entry.raw.get(RAW_KEY)
            if isinstance(left, dict) and left.get("model") == call.model:
                return int(left["next"])
    return call.answers_before


def _turn_at(turns: Sequence[Turn], index: int) -> Turn:
    for turn in turns:
        if index < turn.repeat:
            return turn
        index -= turn.repeat
    raise AssertionError("the index lies within the turns")


def _fits(when: When, told: Sequence[Entry], call: ModelCall) -> bool:
    if when.instructions and when.instructions not in call.instructions:
        return False
    if not (when.text or when.matches or when.told_by or when.tool):
        return True
    return any(_fits_entry(when, entry) for entry in told)


def _fits_entry(when: When, entry: Entry) -> bool:
    return (
        (when.told_by is None or when.told_by.value == entry.kind.value)
        and (not when.tool or when.tool == entry.tool)
        and when.text in entry.text
        and (not when.matches or _finds(when.matches, entry.text))
    )


def _finds(pattern: str, text: str) -> bool:
    try:
        return regex.search(pattern, text, timeout=MAX_SEARCH_SECONDS) is not None
    except TimeoutError:
        raise LimitReached(
            f"the pattern {pattern!r} took more than {MAX_SEARCH_SECONDS:g} s",
            hint="write a simpler one",
        ) from None


def _known_name(name: str, names: WireNames, known: set[str]) -> str:
    wire = names.to_wire(name)
    return wire if wire in known else name


def _id_of(call: ModelCall, index: int) -> str:
    seed = f"{call.key or call.answers_before}/{index}"
    return "call_" + hashlib.sha256(seed.encode()).hexdigest()[:20]


def _arguments(use: Use, call: ModelCall) -> dict[str, Any] | str:
    if use.raw_arguments is not None:
        return use.raw_arguments
    filled = _filled(use.arguments, call)
    assert isinstance(filled, dict), "filling in keeps the shape"
    return filled


def _filled(template: Value, call: ModelCall) -> Value:
    """Return JSON-like data with its slots filled in."""
    if isinstance(template, dict):
        return {key: _filled(value, call) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, call) for value in template]
    if not isinstance(template, str) or "${{" not in template:
        return template
    return SLOT.sub(lambda found: _slot(found[1], call) if found[1] else "${{", template)


def _slot(name: str, call: ModelCall) -> str:
    if name == "number":
        return str(call.answers_before)
    if name == "agent":
        return call.instructions
    if name == "user":
        said = [entry for entry in call.entries if entry.kind is EntryKind.USER]
        return said[-1].text if said else ""
    told = just_told(call.entries)
    return told[-1].text if told else ""
