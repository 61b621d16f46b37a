"""What expressions can do with texts and numbers, each operation within the budget.

Nothing here takes a format string or a regular expression, and whatever can make a text longer
works out how long before it does.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

from mainstay.decisions.expressions.budget import (
    Budget,
    ExpressionFault,
    Operation,
    as_text,
    check_number,
    kind_of,
)

MAX_DECIMALS = 15
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def expect_text(value: Any, name: str) -> str:  # Any: data of any shape
    """Return a text as it is.

    Raises:
        ExpressionFault: it is something else; ``name`` is the operation that needs it.
    """
    if isinstance(value, str):
        return value
    raise ExpressionFault(f"{name} needs a text, not {kind_of(value)}")


def expect_number(value: Any, name: str) -> int | float:  # Any: data of any shape
    """Return a number as it is.

    Raises:
        ExpressionFault: it is something else; ``name`` is the operation that needs it.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ExpressionFault(f"{name} needs a number, not {kind_of(value)}")


def expect_count(value: Any, name: str) -> int:  # Any: data of any shape
    """Return a whole number of at least 1.

    Raises:
        ExpressionFault: it is something else; ``name`` is the operation that needs it.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ExpressionFault(f"{name} needs a whole number of at least 1")


def _plain_method(name: str) -> Operation:
    method = getattr(str, name)

    def apply(budget: Budget, value: Any, *arguments: Any) -> Any:  # Any: expression data
        text = expect_text(value, name)
        budget.spend_text(len(text))
        return method(text, *arguments)

    return apply


def _replace(budget: Budget, value: Any, old: Any, new: Any, count: int = -1) -> str:
    text, old = expect_text(value, "replace"), expect_text(old, "replace")
    new = expect_text(new, "replace")
    found = text.count(old) if count < 0 else min(count, text.count(old))
    budget.spend_text(len(text) + found * max(len(new) - len(old), 0))
    budget.spend(found)
    return text.replace(old, new, count)


def _split(budget: Budget, value: Any, sep: Any = None, maxsplit: int = -1) -> list[str]:
    text = expect_text(value, "split")
    marks = {None: len(text) // 2, "": 0}  # an empty one is refused by Python
    parts = marks[sep] if sep in marks else text.count(expect_text(sep, "split"))
    budget.spend_text(len(text))
    budget.spend(parts if maxsplit < 0 else min(parts, maxsplit))
    return text.split(sep, maxsplit)


def _splitlines(budget: Budget, value: Any) -> list[str]:
    text = expect_text(value, "splitlines")
    budget.spend_text(len(text))
    budget.spend(sum(text.count(end) for end in LINE_ENDS))
    return text.splitlines()


def _truncate(budget: Budget, value: Any, length: int = 255, end: Any = "…") -> str:
    text, mark = expect_text(value, "truncate"), expect_text(end, "truncate")
    length = expect_count(length, "truncate")
    if len(text) <= length:
        return text
    kept = max(length - len(mark), 0)
    budget.spend_text(kept + len(mark))
    return text[:kept] + mark


def _urlencode(budget: Budget, value: Any) -> str:
    text = expect_text(value, "urlencode")
    budget.spend(len(text))
    budget.spend_text(12 * len(text))
    return quote(text)


def _string(budget: Budget, value: Any) -> str:
    return as_text(budget, value)


def _int(budget: Budget, value: Any, default: Any = None) -> Any:
    try:
        if isinstance(value, str) and "." in value:
            value = float(value)
        return check_number(int(value))
    except (ValueError, TypeError, OverflowError):
        if default is not None:
            return default
        raise ExpressionFault(f"int cannot read {kind_of(value)} as a whole number") from None


def _float(budget: Budget, value: Any, default: Any = None) -> Any:
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    if math.isfinite(number):
        return number
    if default is not None:
        return default
    raise ExpressionFault(f"float cannot read {kind_of(value)} as a number")


def _round(budget: Budget, value: Any, decimals: Any = 0, method: str = "common") -> Any:
    number = expect_number(value, "round")
    if not isinstance(decimals, int) or not 0 <= decimals <= MAX_DECIMALS:
        raise ExpressionFault(f"round needs 0 to {MAX_DECIMALS} decimals")
    if method == "common":
        return round(number, decimals) if decimals else round(number)
    if method not in ("ceil", "floor"):
        raise ExpressionFault("round knows the methods common, ceil and floor")
    scaled = check_number(float(number) * 10**decimals)
    whole = math.ceil(scaled) if method == "ceil" else math.floor(scaled)
    return whole / 10**decimals if decimals else whole


def _abs(budget: Budget, value: Any) -> Any:
    return abs(expect_number(value, "abs"))


METHODS: dict[str, Operation] = {
    **{
        name: _plain_method(name)
        for name in (
            "upper", "lower", "capitalize", "title", "strip", "lstrip", "rstrip",
            "startswith", "endswith", "removeprefix", "removesuffix", "find", "rfind", "count",
            "isdigit", "isalpha", "isalnum", "isupper", "islower", "isspace",
        )
    },
    "replace": _replace,
    "split": _split,
    "splitlines": _splitlines,
}  # fmt: skip
"""Methods of texts."""

FILTERS: dict[str, Operation] = {
    **{name: METHODS[name] for name in ("upper", "lower", "capitalize", "title")},
    "trim": METHODS["strip"],
    "replace": _replace,
    "split": _split,
    "splitlines": _splitlines,
    "truncate": _truncate,
    "urlencode": _urlencode,
    "string": _string,
    "int": _int,
    "float": _float,
    "round": _round,
    "abs": _abs,
}
"""Filters for texts and numbers."""
