"""Whether ``output`` is a JSON Schema, so that a typo in it does not let every answer through.

Source: JSON Schema 2020-12; the keywords that people use are checked, others are passed over.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

from mainstay.decisions.expressions.budget import kind_of
from mainstay.decisions.plan_files.problems import Findings, Path
from mainstay.decisions.suggestions import did_you_mean

Schema = Mapping[str, Any]  # JSON

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_BY_NAME = ("properties", "$defs", "definitions", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONES = ("items", "additionalProperties", "not", "contains", "if", "then", "else")
_NUMBERS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
)  # fmt: skip
_SAYS_NOTHING = ("title", "description", "$schema", "$id", "$comment", "examples", "default")
KEYWORDS = (
    "type", "enum", "const", "$ref", "required", "format", "pattern", "uniqueItems",
    *_BY_NAME, *_LISTS, *_ONES, *_NUMBERS, *_SAYS_NOTHING,
)  # fmt: skip


def check_output(findings: Findings, path: Path, schema: Schema) -> None:
    """Check the schema of an agent's answers."""
    if not any(key in KEYWORDS and key not in _SAYS_NOTHING for key in schema):
        hint = "begin with `type: object` and `properties:`"
        findings.add(path, "`output` is no JSON Schema", hint, at_key=True)
        return
    _check_schema(findings, path, schema, schema)


def _check_schema(findings: Findings, path: Path, schema: Any, root: Schema) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        findings.add(path, f"a schema is a mapping, not {kind_of(schema)}", _hint_for(schema))
        return
    _check_words(findings, path, schema, root)
    for key in _BY_NAME:
        if key in schema:
            entries = schema[key]
            if not isinstance(entries, Mapping):
                findings.add((*path, key), f"`{key}` must be a mapping of schemas by name")
                continue
            for name, one in entries.items():
                _check_schema(findings, (*path, key, name), one, root)
    for key in _LISTS:
        if key in schema:
            if not isinstance(schema[key], list) or not schema[key]:
                findings.add((*path, key), f"`{key}` must be a list of schemas")
                continue
            for index, one in enumerate(schema[key]):
                _check_schema(findings, (*path, key, index), one, root)
    for key in _ONES:
        if key in schema:
            _check_schema(findings, (*path, key), schema[key], root)


def _check_words(findings: Findings, path: Path, schema: Schema, root: Schema) -> None:
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in TYPES:
            hint = did_you_mean(str(kind), TYPES) or f"there are: {', '.join(TYPES)}"
            findings.add((*path, "type"), f"there is no type {kind!r}", hint)
    for key in _NUMBERS:
        value = schema.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            findings.add((*path, key), f"`{key}` must be a number, not {kind_of(value)}")
    if "enum" in schema and (not isinstance(schema["enum"], list) or not schema["enum"]):
        findings.add((*path, "enum"), "`enum` must be a list of values, not an empty one")
    reference = schema.get("$ref", "#")
    if not _is_inside(reference, root):
        findings.add((*path, "$ref"), f"`$ref` refers to nothing: {reference!r}")
    _check_required(findings, path, schema)
    _check_pattern(findings, path, schema.get("pattern", ""))


def _is_inside(reference: Any, root: Schema) -> bool:
    """Tell whether a reference points at something in the schema. Source: RFC 6901."""
    if not isinstance(reference, str) or not re.match(r"#(/|$)", reference):
        return False
    found: Any = root
    for part in reference.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = {str(index): one for index, one in enumerate(found)}
        if not isinstance(found, Mapping) or key not in found:
            return False
        found = found[key]
    return True


def _check_required(findings: Findings, path: Path, schema: Schema) -> None:
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        hint = "`required: [a, b]` stands beside `properties`"
        findings.add((*path, "required"), "`required` must be a list of names", hint)
        return
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return
    for index, name in enumerate(required):
        if name not in properties:
            findings.add(
                (*path, "required", index),
                f"`{name}` is required, and not among the properties",
                did_you_mean(name, properties),
            )


def _check_pattern(findings: Findings, path: Path, pattern: Any) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, TypeError, OverflowError, RecursionError):
        findings.add((*path, "pattern"), "`pattern` is no regular expression")


def _hint_for(schema: Any) -> str:
    return f"did you mean `{{type: {schema}}}`?" if schema in TYPES else ""
