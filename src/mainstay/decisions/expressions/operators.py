"""The operators of expressions, within the budget: ``+ - * / // % **``, ``~``, slices, methods."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from mainstay.decisions.expressions import list_operations, text_operations
from mainstay.decisions.expressions.budget import (
    MAX_INTEGER_BITS,
    Budget,
    ExpressionFault,
    as_text,
    check_number,
    kind_of,
)

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def call_method(budget: Budget, value: Any, name: str, *arguments: Any, **named: Any) -> Any:
    """Call a method of a text or a mapping; no other value has any."""
    kind = list_operations if isinstance(value, Mapping) else text_operations
    methods = kind.METHODS
    if name not in methods:
        raise ExpressionFault(f"{kind_of(value)} has no method {name!r}")
    return methods[name](budget, value, *arguments, **named)


def take_slice(budget: Budget, value: Any, start: Any, stop: Any, step: Any) -> Any:
    """Return a part of a text or a list."""
    if not isinstance(value, str | list | tuple):
        raise ExpressionFault(f"[:] needs a list or a text, not {kind_of(value)}")
    wanted = slice(start, stop, step)
    length = len(range(*wanted.indices(len(value))))
    if isinstance(value, str):
        budget.spend_text(length)
    else:
        budget.spend(length)
    return value[wanted]


def concat(budget: Budget, *values: Any) -> str:
    """Join values as texts: the operator ``~``."""
    texts = [as_text(budget, value) for value in values]
    budget.spend_text(sum(map(len, texts)))
    return "".join(texts)


def weigh(budget: Budget, value: Any) -> Any:
    """Pay for comparing a value, and return it."""
    if isinstance(value, str | list | tuple | Mapping):
        budget.weigh(value)
    return value


def operate(budget: Budget, sign: str, left: Any, right: Any) -> Any:
    """Compute one of :data:`OPERATORS` within the limits."""
    is_number = isinstance(left, int | float) and isinstance(right, int | float)
    if sign == "+" and not is_number:
        return _append(budget, left, right)
    if sign == "*" and not is_number:
        return _repeat(budget, left, right)
    if not is_number:
        raise ExpressionFault(
            f"{sign} needs two numbers, not {kind_of(left)} and {kind_of(right)}",
            hint="join texts with ~" if sign == "%" else "",
        )
    if sign == "**" and abs(right) * max(_bits(left), 1) > MAX_INTEGER_BITS:
        raise ExpressionFault("the number is too large")
    return check_number(OPERATORS[sign](left, right))


def _bits(number: int | float) -> int:
    return number.bit_length() if isinstance(number, int) else 1


def _append(budget: Budget, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        budget.spend_text(len(left) + len(right))
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        budget.spend(len(left) + len(right))
        return [*left, *right]
    raise ExpressionFault(
        f"+ cannot add {kind_of(left)} and {kind_of(right)}",
        hint="join texts and numbers with ~" if str in (type(left), type(right)) else "",
    )


def _repeat(budget: Budget, left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, str | list | tuple):
        left, right = right, left
    if not isinstance(left, str | list | tuple) or not isinstance(right, int):
        raise ExpressionFault(f"* cannot multiply {kind_of(left)} and {kind_of(right)}")
    length = len(left) * max(right, 0)
    if isinstance(left, str):
        budget.spend_text(length)
        return left * right
    budget.spend(length)
    return list(left) * right
