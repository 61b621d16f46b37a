"""Whether a constant fits a tool's JSON Schema: the part of it that function signatures need.

Source: JSON Schema 2020-12, validation vocabulary: type, enum, const, anyOf, oneOf, allOf, $ref
into ``$defs``, items, properties, required, additionalProperties, minimum and maximum, lengths.
A keyword that is not among them is taken to be met. So is everything about a text that holds an
expression, except that it cannot be anything but a text when there is more around the expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mainstay.decisions.expressions import START, is_expression
from mainstay.decisions.expressions.budget import kind_of
from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.errors import InvalidInput

MAX_DEPTH = 32

_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing (null)",
}
Misfit = tuple[Path, str]
Schema = Mapping[str, Any]


def misfits(value: Any, schema: Any, definitions: Schema, depth: int = 0) -> list[Misfit]:
    """Return where and why a value does not fit a schema; the paths begin at the value."""
    schema = _resolve(schema, definitions)
    if not schema or depth > MAX_DEPTH:
        return []
    if isinstance(value, str) and START in value:
        return _check_text_around(value, schema, definitions, depth)
    found: list[Misfit] = []
    for part in schema.get("allOf", []):
        found += misfits(value, part, definitions, depth + 1)
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        found += _check_branches(value, branches, definitions, depth)
    return found or list(_check_value(value, schema, definitions, depth))


def _resolve(schema: Any, definitions: Schema) -> Schema:
    """Return the schema that one refers to; an empty one, which accepts everything, for none."""
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" not in schema:
            return schema
        schema = definitions.get(str(schema["$ref"]).rpartition("/")[2])
    return {}


def _check_text_around(value: str, schema: Schema, definitions: Schema, depth: int) -> list[Misfit]:
    try:
        is_whole = is_expression(value)
    except InvalidInput:
        return []  # reported as what it is, a broken expression
    if is_whole or _may_be_text(schema, definitions, depth):
        return []
    branches = schema.get("anyOf") or schema.get("oneOf") or [schema]
    wanted = _wanted_by(_resolve(branch, definitions) for branch in branches)
    return [((), f"needs {wanted}, not a text around an expression")]


def _may_be_text(schema: Any, definitions: Schema, depth: int) -> bool:
    schema = _resolve(schema, definitions)
    if depth > MAX_DEPTH:
        return True
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return any(_may_be_text(one, definitions, depth + 1) for one in branches)
    kinds = _kinds(schema)
    return not kinds or "string" in kinds


def _check_branches(value: Any, branches: Any, definitions: Schema, depth: int) -> list[Misfit]:
    branches = [_resolve(branch, definitions) for branch in branches]
    results = [misfits(value, branch, definitions, depth + 1) for branch in branches]
    if any(not result for result in results):
        return []
    near = [
        result
        for branch, result in zip(branches, results, strict=True)
        if _kinds(branch) and _fits_type(value, branch)
    ]
    if near:
        return near[0]
    wanted = _wanted_by(branches)
    return [((), f"needs {wanted}, not {_shown(value)}")] if wanted else results[0]


def _check_value(value: Any, schema: Schema, definitions: Schema, depth: int) -> Iterator[Misfit]:
    if not _fits_type(value, schema):
        yield (), f"needs {_wanted(schema)}, not {_shown(value)}"
    elif "enum" in schema and value not in schema["enum"]:
        yield (), f"must be one of {', '.join(map(str, schema['enum']))}, not {_shown(value)}"
    elif "const" in schema and value != schema["const"]:
        yield (), f"must be {schema['const']}, not {_shown(value)}"
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        yield from _check_bounds(value, schema)
    elif isinstance(value, Mapping):
        yield from _check_mapping(value, schema, definitions, depth)
    else:
        yield from _check_length(len(value), schema, isinstance(value, str))
        if not isinstance(value, str):
            for index, item in enumerate(value):
                for path, message in misfits(item, schema.get("items"), definitions, depth + 1):
                    yield (index, *path), message


def _kinds(schema: Schema) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _fits_type(value: Any, schema: Schema) -> bool:
    kinds = _kinds(schema)
    if not kinds:
        return True
    if "format" in schema and isinstance(value, str | int | float):
        return True  # dates, durations and the like are read from several types
    return any(_is_kind(value, kind) for kind in kinds)


def _is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    types: dict[str, Any] = {
        "string": str,
        "number": int | float,
        "array": list | tuple,
        "object": Mapping,
        "null": type(None),
    }
    return kind in types and isinstance(value, types[kind])


def _check_bounds(value: int | float, schema: Schema) -> Iterator[Misfit]:
    if value < schema.get("minimum", value):
        yield (), f"must be at least {schema['minimum']}"
    if value > schema.get("maximum", value):
        yield (), f"must be at most {schema['maximum']}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield (), f"must be more than {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield (), f"must be less than {schema['exclusiveMaximum']}"


def _check_length(length: int, schema: Schema, is_text: bool) -> Iterator[Misfit]:
    kind, unit = ("Length", "characters") if is_text else ("Items", "entries")
    if length < schema.get(f"min{kind}", 0):
        yield (), f"needs at least {schema[f'min{kind}']} {unit}"
    if length > schema.get(f"max{kind}", length):
        yield (), f"may have at most {schema[f'max{kind}']} {unit}"


def _check_mapping(
    value: Mapping[str, Any], schema: Schema, definitions: Schema, depth: int
) -> Iterator[Misfit]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for key, item in value.items():
        if key not in known and others is False:
            hint = did_you_mean(key, known)
            yield (key,), f"unknown key `{key}`" + (f", {hint}" if hint else "")
            continue
        for path, message in misfits(item, known.get(key, others), definitions, depth + 1):
            yield (key, *path), message
    for key in schema.get("required", []):
        if key not in value:
            yield (), f"`{key}` is missing"


def _wanted(schema: Schema) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in _kinds(schema))


def _wanted_by(branches: Iterable[Schema]) -> str:
    return " or ".join(dict.fromkeys(words for one in branches if (words := _wanted(one))))


def is_number(value: Any) -> bool:
    """Tell whether a value is a number, which a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return f"the number {value}" if is_number(value) else kind_of(value)
