"""Judging what a model answered, before anything is done about it."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

from mainstay.schemas.conversation import Entry, Finish, ModelAnswer

_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\n(.*?)\n?```\s*\Z", re.DOTALL)

MAX_COMPLAINTS = 5
"""Faults of an answer that the model is told at once."""


def find_problem(entry: Entry, schema: dict[str, Any] | None) -> str:
    """Return what is wrong with an answer, in words for the model; empty when nothing is.

    Args:
        entry: the answer.
        schema: the JSON Schema it must match, unless it calls tools.
    """
    if entry.uses or entry.finish is Finish.REFUSED:
        return ""
    if entry.finish is Finish.LENGTH:
        return "Your answer was cut off because it grew too long. Answer again, in fewer words."
    if not entry.text.strip():
        return "Your answer was empty. Answer in words, or call a tool."
    return _schema_problem(entry.text, schema) if schema is not None else ""


def read_structured(text: str) -> Any:  # Any: JSON, whatever its schema says
    """Return the JSON of an answer, with or without a code fence around it.

    Raises:
        ValueError: it is no JSON.
    """
    fenced = _FENCE.match(text)
    return from_json(fenced.group(1) if fenced else text)


def with_unique_ids(answer: ModelAnswer) -> ModelAnswer:
    """Give each tool call an id of its own, where the model gave two the same or none."""
    seen: set[str] = set()
    uses = []
    for number, use in enumerate(answer.uses):
        name = use.id if use.id and use.id not in seen else f"call-{number}"
        seen.add(name)
        uses.append(use if name == use.id else use.model_copy(update={"id": name}))
    if tuple(uses) == answer.uses:
        return answer
    return answer.model_copy(update={"uses": tuple(uses), "raw": None})


def _schema_problem(text: str, schema: dict[str, Any]) -> str:
    from jsonschema import Draft202012Validator

    try:
        value = read_structured(text)
    except ValueError as error:
        return f"Your answer must be JSON alone, and it is not: {error}"
    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: list(e.path))
    if not errors:
        return ""
    told = [f"at {error.json_path}: {error.message}" for error in errors[:MAX_COMPLAINTS]]
    return "Your answer does not match its schema. " + "; ".join(told)
