"""What a plan is given when it starts: checked, completed by defaults, read from a command line.

Rules:
    1. An input that is required and not given is a problem; one that is neither given nor has a
       default is null.
    2. A value has the declared type and, with ``choices``, is one of them. Null is allowed for
       an input that is not required.
    3. Text from a command line is read by the declared type; everywhere else a text is a text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from mainstay.decisions.expressions.budget import kind_of
from mainstay.decisions.plan_files.problems import Findings, Path, Problem
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.plan import InputSpec, InputType, PlanSpec

MAX_NUMBER_CHARS = 300

_WORDS = {
    InputType.STRING: "a text",
    InputType.INTEGER: "a whole number",
    InputType.NUMBER: "a number",
    InputType.BOOLEAN: "true or false",
    InputType.LIST: "a list",
    InputType.MAPPING: "a mapping",
}
_TYPES: dict[InputType, Any] = {
    InputType.STRING: str,
    InputType.INTEGER: int,
    InputType.NUMBER: int | float,
    InputType.BOOLEAN: bool,
    InputType.LIST: list | tuple,
    InputType.MAPPING: Mapping,
}
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def is_of_type(kind: InputType, value: Any) -> bool:
    """Tell whether a value has an input's type. A boolean is no number."""
    if isinstance(value, bool):
        return kind is InputType.BOOLEAN
    return isinstance(value, _TYPES[kind])


def misfit_of_input(spec: InputSpec, value: Any) -> str:
    """Say why an input cannot have a value, as the end of a sentence; empty when it can."""
    if value is None:
        return "" if not spec.is_required else f"needs {_WORDS[spec.type]}, not nothing (null)"
    if not is_of_type(spec.type, value):
        return f"needs {_WORDS[spec.type]}, not {kind_of(value)}"
    if spec.choices is not None and not any(_same(value, choice) for choice in spec.choices):
        return f"must be one of {_listed(spec.choices)}"
    return ""


def check_input_spec(findings: Findings, path: Path, spec: InputSpec) -> None:
    """Check the declaration of the input at a path."""
    if spec.choices is not None and not spec.choices:
        findings.add((*path, "choices"), "`choices` is empty: nothing could be given")
    for position, choice in enumerate(spec.choices or []):
        if not is_of_type(spec.type, choice):
            findings.add(
                (*path, "choices", position),
                f"a choice must be {_WORDS[spec.type]}, not {kind_of(choice)}",
            )
    if spec.default is None:
        return
    if not is_of_type(spec.type, spec.default):
        findings.add(
            (*path, "default"),
            f"the default must be {_WORDS[spec.type]}, not {kind_of(spec.default)}",
            "give the input another `type`, or quote the default",
        )
    elif spec.choices and not any(_same(spec.default, choice) for choice in spec.choices):
        findings.add(
            (*path, "default"),
            f"the default is not one of {_listed(spec.choices)}",
            "add it to `choices`",
        )


def check_inputs(plan: PlanSpec, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return a plan's inputs with defaults filled in, and what is wrong with those given.

    Every declared input is among those returned, in the order of the plan.
    """
    findings = Findings()
    values: dict[str, Any] = {}
    for name, spec in plan.inputs.items():
        values[name] = given.get(name, spec.default)
        if name in given:
            message = misfit_of_input(spec, values[name])
            if message:
                findings.add(("inputs", name), f"the input `{name}` {message}")
        elif spec.is_required and spec.default is None:
            what = f": {spec.description}" if spec.description else ""
            findings.add(
                ("inputs", name),
                f"the input `{name}` is missing{what}",
                f"give it: -i {name}=…",
            )
    for name in given:
        if name not in plan.inputs:
            hint = findings.suggest(name, plan.inputs) or (
                f"there are: {', '.join(plan.inputs)}" if plan.inputs else "the plan takes none"
            )
            findings.add(("inputs", name), f"the plan `{plan.name}` has no input `{name}`", hint)
    return values, findings.problems


def coerce_text(spec: InputSpec, text: str) -> Any:  # Any: the type that the input declares
    """Read a text from a command line as the type an input declares.

    Booleans are true/false, yes/no, on/off or 1/0; mappings are JSON; a list is JSON, or texts
    with commas between them. An empty text is null for any type but text.

    Raises:
        InvalidInput: the text cannot be read as that type.
    """
    if spec.type is InputType.STRING:
        return text
    stripped = text.strip()
    if not stripped and not spec.is_required:
        return None
    try:
        return _coerce(spec.type, stripped)
    except (ValueError, RecursionError):
        shown = text if len(text) <= 60 else f"{text[:60]}…"
        raise InvalidInput(
            f"{shown!r} is not {_WORDS[spec.type]}", hint=_EXAMPLES[spec.type]
        ) from None


_EXAMPLES = {
    InputType.INTEGER: "write digits: 42",
    InputType.NUMBER: "write digits: 1.5",
    InputType.BOOLEAN: "write true or false",
    InputType.LIST: 'write a,b,c or JSON: ["a", "b"]',
    InputType.MAPPING: 'write JSON: {"key": "value"}',
}


def _coerce(kind: InputType, text: str) -> Any:
    if kind is InputType.BOOLEAN:
        if text.lower() not in _BOOLEANS:
            raise ValueError(text)
        return _BOOLEANS[text.lower()]
    if kind is InputType.LIST and not text.startswith("["):
        return [part.strip() for part in text.split(",")] if text else []
    if kind in (InputType.LIST, InputType.MAPPING):
        value = json.loads(text)
    elif len(text) > MAX_NUMBER_CHARS:
        raise ValueError(text)
    else:
        value = _number(text) if kind is InputType.NUMBER else int(text)
    if not is_of_type(kind, value):
        raise ValueError(text)
    return value


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        value = float(text)
    if not isfinite(value):
        raise ValueError(text)
    return value


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _listed(choices: list[Any]) -> str:
    return ", ".join(str(choice) for choice in choices)
