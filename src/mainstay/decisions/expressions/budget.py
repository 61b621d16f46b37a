"""What one expression may cost, counted in steps because a decision has no clock.

Rules:
    1. Whatever is made, copied or compared costs one step per value in it, and one per 64
       characters of text; the same list reached twice costs twice, so that a small value that
       unfolds into a huge one is found before it does any harm.
    2. An expression has a million steps: about a third of a second, and less than 100 MB;
       what it gives may weigh as much again.
    3. No text that an expression makes is longer than 8 Mi characters, no whole number needs
       more than 4,096 bits, no number is infinite.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

MAX_STEPS = 1_000_000
CHARS_PER_STEP = 64
MAX_TEXT_CHARS = 8 * 1024 * 1024
MAX_INTEGER_BITS = 4_096
NUMBER_CHARS = 8
"""Characters a number is taken to need when a value's length as JSON is estimated."""


class ExpressionFault(Exception):
    """Why an expression has no value; becomes an InvalidInput that also names the expression.

    ``unknown_name`` is set when a name is not defined at all, so that one in scope can be offered.
    """

    def __init__(self, message: str, hint: str = "", unknown_name: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.unknown_name = unknown_name


class Budget:
    """The steps that are left to one evaluation."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Take steps away.

        Raises:
            ExpressionFault: fewer are left.
        """
        self.left -= steps
        if self.left < 0:
            raise ExpressionFault(
                "it is too much work", hint="do the work in a task: expressions are for small data"
            )

    def spend_text(self, chars: int) -> None:
        """Take away the steps of a text that is about to be made.

        Raises:
            ExpressionFault: the text is longer than any may be, or too few steps are left.
        """
        if chars > MAX_TEXT_CHARS:
            raise ExpressionFault(
                f"it makes a text of more than {MAX_TEXT_CHARS} characters",
                hint="write large texts to a file in a task",
            )
        self.spend(chars // CHARS_PER_STEP)

    def weigh(self, value: Any) -> int:  # Any: data of any shape
        """Spend what walking through a value costs, and return its characters, roughly.

        Raises:
            ExpressionFault: it is too large, or holds something that is not plain data.
        """
        chars = 0
        pending = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, str):
                chars += len(item)
                if len(item) >= CHARS_PER_STEP:
                    self.spend(len(item) // CHARS_PER_STEP)
            elif item is None or isinstance(item, int | float):
                chars += NUMBER_CHARS
            elif isinstance(item, list | tuple):
                self.spend(len(item) + 1)
                pending.extend(item)
            elif isinstance(item, Mapping):
                self.spend(len(item) + 1)
                pending.extend(item)
                pending.extend(item.values())
            else:
                reject(item)
        return chars


def reject(value: Any) -> None:  # Any: whatever is not plain data
    """Say why a value is none.

    Raises:
        ExpressionFault: always.
    """
    complain = getattr(value, "_fail_with_undefined_error", None)
    if complain is not None:
        complain()
    if callable(value):
        raise ExpressionFault("it gives a function", hint="call it: put () behind its name")
    raise ExpressionFault(f"it gives a {type(value).__name__}, which is not plain data")


def kind_of(value: Any) -> str:  # Any: data of any shape
    """Name a value's type in the words of a plan."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds: tuple[tuple[Any, str], ...] = (
        (str, "a text"),
        (int, "a whole number"),
        (float, "a number"),
        (list | tuple, "a list"),
        (Mapping, "a mapping"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")


def check_number(value: Any) -> Any:  # Any: an operator's result, a number in most cases
    """Return a result unless it is a number beyond the limits.

    Raises:
        ExpressionFault: infinite, not a number, complex, or a huge whole number.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionFault("the number is infinite or undefined")
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise ExpressionFault("the number is too large")
    if isinstance(value, complex):
        raise ExpressionFault("the result is not a real number")
    return value


def to_json(budget: Budget, value: Any) -> str:  # Any: data of any shape
    """Write a value as JSON, without spaces that do not matter to a reader."""
    budget.spend_text(budget.weigh(value))
    return json.dumps(value, ensure_ascii=False, default=_plain)


def from_json(budget: Budget, text: str) -> Any:  # Any: JSON of any shape
    """Read JSON.

    Raises:
        ExpressionFault: it is none, or too large.
    """
    if not isinstance(text, str):
        raise ExpressionFault(f"fromJSON needs a text, not {kind_of(text)}")
    budget.spend(len(text) // CHARS_PER_STEP + sum(text.count(mark) for mark in ",[{:"))
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ExpressionFault(f"fromJSON: the text is not JSON: {error}") from None


def as_text(budget: Budget, value: Any) -> str:  # Any: data of any shape
    """Write a value into a text: null as nothing, all but texts and numbers as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return to_json(budget, value)


def _plain(value: Any) -> Any:  # Any: a mapping that is no dict
    return dict(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


Operation = Callable[..., Any]
"""A filter, test, method or function: takes the budget first, then its value and arguments."""
