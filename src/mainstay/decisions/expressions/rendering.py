"""Expressions in plans: ``${{ inputs.path }}`` and what surrounds them.

Rules:
    1. A text that is exactly one ``${{ }}`` becomes the expression's value, of whatever type.
    2. In any other text each ``${{ }}`` is replaced by its value as text, mappings and lists as
       JSON.
    3. ``$${{`` stands for ``${{`` itself.
    4. What is not there is an error, unless ``default`` or ``is defined`` asks.

Inside stands Jinja2's expression syntax, within the limits of :mod:`.sandbox`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from mainstay.decisions.expressions.budget import (
    MAX_TEXT_CHARS,
    Budget,
    ExpressionFault,
    as_text,
    reject,
)
from mainstay.decisions.expressions.condition_operations import FILTERS
from mainstay.decisions.expressions.references import (
    NO_REFERENCES,
    References,
    collect,
    is_plain_path,
)
from mainstay.decisions.expressions.sandbox import (
    FUNCTIONS,
    MAX_EXPRESSION_CHARS,
    compile_program,
    parse,
)
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.errors import InvalidInput, MainstayError

START = "${{"
CACHED_EXPRESSIONS = 8_192
SHOWN_CHARS = 120
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[{}]", re.DOTALL)


class Expression:
    """One expression: read at once, compiled when first evaluated."""

    def __init__(self, source: str) -> None:
        self.source = source.strip()
        if not self.source:
            raise ExpressionFault("it is empty")
        tree = parse(self.source)
        self.references = collect(tree)
        self._is_path = is_plain_path(tree)

    @cached_property
    def _program(self) -> Any:  # Any: a Program, which mypy would take for a method
        return compile_program(parse(self.source))

    def evaluate(self, scope: Mapping[str, Any]) -> Any:  # Any: the expression decides
        """Return the value.

        Raises:
            InvalidInput: there is none; the message names the expression.
        """
        try:
            value = self._program(scope)
            if self._is_path:
                _check_plain(value)
            else:
                Budget().weigh(value)
            return value
        except MainstayError:
            raise
        except ExpressionFault as fault:
            hint = fault.hint
            if fault.unknown_name:
                hint = _hint_for(fault.unknown_name, scope)
            raise _invalid(self.source, fault.message, hint) from None
        except Exception as error:  # whatever Python says of the values it was given
            raise _invalid(self.source, f"{error}", "check the types of the values") from None


def _hint_for(name: str, scope: Mapping[str, Any]) -> str:
    if name in FILTERS:
        return f"{name} is a filter: value | {name}"
    return did_you_mean(name, [*scope, *FUNCTIONS])


def _check_plain(value: Any) -> None:
    if not isinstance(value, str | int | float | list | tuple | Mapping | None):
        reject(value)


def _invalid(source: str, message: str, hint: str = "") -> InvalidInput:
    shown = source if len(source) <= SHOWN_CHARS else f"{source[:SHOWN_CHARS]}…"
    return InvalidInput(f"expression {shown!r}: {message}", hint=hint)


@lru_cache(maxsize=CACHED_EXPRESSIONS)
def _expression(source: str) -> Expression:
    return Expression(source)


@lru_cache(maxsize=CACHED_EXPRESSIONS)
def _parts(text: str) -> tuple[str | Expression, ...]:
    """Split a text into literal texts and expressions.

    Raises:
        InvalidInput: an expression does not end, or is none.
    """
    parts: list[str | Expression] = []
    literal, position = "", 0
    while (start := text.find(START, position)) >= 0:
        if start > position and text[start - 1] == "$":
            literal += text[position : start - 1] + START
            position = start + len(START)
            continue
        literal += text[position:start]
        stop = _end(text, start + len(START))
        if literal:
            parts.append(literal)
        parts.append(_read(text[start + len(START) : stop]))
        literal, position = "", stop + 2
    literal += text[position:]
    return (*parts, literal) if literal or not parts else tuple(parts)


def _end(text: str, start: int) -> int:
    depth = 0
    window = text[start : start + MAX_EXPRESSION_CHARS + 2]
    for token in _TOKEN.finditer(window):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}" and depth:
            depth -= 1
        elif token[0] == "}" and window.startswith("}}", token.start()):
            return start + token.start()
    raise _invalid(
        window.strip(),
        f"there is no }}}} within {MAX_EXPRESSION_CHARS} characters",
        "an expression ends with }}; write $${{ for a literal ${{",
    )


def _read(source: str) -> Expression:
    try:
        return _expression(source)
    except ExpressionFault as fault:
        raise _invalid(source.strip(), fault.message, fault.hint) from None


def _condition(condition: str) -> Expression:
    parts = _parts(condition.strip()) if START in condition else (_read(condition),)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0]
    raise _invalid(
        condition,
        "a condition is one expression, not a text around some",
        "write it without ${{ }}",
    )


def _texts(template: Any) -> Iterator[str]:
    """Go through every text in a template that may hold an expression."""
    pending = [template]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if START in item:
                yield item
        elif isinstance(item, Mapping):
            pending.extend(reversed(list(item.values())))
        elif isinstance(item, list | tuple):
            pending.extend(reversed(item))


def render(template: Any, scope: Mapping[str, Any]) -> Any:  # Any: JSON-like in, JSON-like out
    """Replace every expression in a template, texts in mappings and lists included.

    Raises:
        InvalidInput: an expression is none, or has no value in this scope.
    """
    if isinstance(template, str):
        return _render_text(template, scope) if START in template else template
    if isinstance(template, Mapping):
        return {key: render(value, scope) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [render(value, scope) for value in template]
    return template


def _render_text(text: str, scope: Mapping[str, Any]) -> Any:
    parts = _parts(text)
    if len(parts) == 1:
        only = parts[0]
        return only if isinstance(only, str) else only.evaluate(scope)
    budget = Budget()
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        try:
            texts.append(as_text(budget, part.evaluate(scope)))
            budget.spend_text(len(texts[-1]))
        except ExpressionFault as fault:
            raise _invalid(part.source, fault.message, fault.hint) from None
    whole = "".join(texts)
    if len(whole) > MAX_TEXT_CHARS:
        raise _invalid(text, f"it makes a text of more than {MAX_TEXT_CHARS} characters")
    return whole


def evaluate(expression: str, scope: Mapping[str, Any]) -> Any:  # Any: the expression decides
    """Return the value of a bare expression, without ``${{ }}``.

    Raises:
        InvalidInput: it is none, or has no value in this scope.
    """
    return _read(expression).evaluate(scope)


def is_true(condition: str | bool, scope: Mapping[str, Any]) -> bool:
    """Decide a condition: true or false, or one expression, bare or in ``${{ }}``.

    Zero, null, empty texts, lists and mappings are false.

    Raises:
        InvalidInput: it is no expression, or has no value in this scope.
    """
    if isinstance(condition, bool):
        return condition
    return bool(_condition(condition).evaluate(scope))


def inspect(template: Any) -> References:
    """Tell what a template refers to, as far as it can be read.

    Raises:
        InvalidInput: an expression in it is none.
    """
    found = [
        part.references
        for text in _texts(template)
        for part in _parts(text)
        if isinstance(part, Expression)
    ]
    return References.union(found) if found else NO_REFERENCES


def inspect_condition(condition: str | bool | None) -> References:
    """Tell what a condition refers to; it may stand bare or in ``${{ }}``.

    Raises:
        InvalidInput: it is no expression.
    """
    if isinstance(condition, str):
        return _condition(condition).references
    return NO_REFERENCES


def check(template: Any) -> list[str]:
    """Return what is wrong with the syntax of the expressions in a template."""
    problems = []
    for text in _texts(template):
        try:
            _parts(text)
        except InvalidInput as error:
            problems.append(f"{error.message} ({error.hint})" if error.hint else error.message)
    return problems


def is_expression(value: Any) -> bool:  # Any: any part of a template
    """Tell whether a value is a text that is exactly one expression, so of any type once known."""
    if not isinstance(value, str) or START not in value:
        return False
    parts = _parts(value)
    return len(parts) == 1 and isinstance(parts[0], Expression)


def holds_expression(template: Any) -> bool:
    """Tell whether a template holds an expression anywhere."""
    return any(isinstance(part, Expression) for text in _texts(template) for part in _parts(text))


__all__ = [
    "Expression",
    "References",
    "check",
    "evaluate",
    "holds_expression",
    "inspect",
    "inspect_condition",
    "is_expression",
    "is_true",
    "render",
]
