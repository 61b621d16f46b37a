"""The tests behind ``is`` in expressions, and the filters that apply a filter or a test to each."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from jinja2.runtime import Undefined

from mainstay.decisions.expressions import list_operations, text_operations
from mainstay.decisions.expressions.budget import Budget, ExpressionFault, Operation
from mainstay.decisions.expressions.list_operations import (
    ACCEPTS_MISSING,
    contains,
    entries,
    follow,
)
from mainstay.decisions.expressions.text_operations import expect_number
from mainstay.decisions.suggestions import did_you_mean

CALL_STEPS = 2
"""Steps for calling a filter or a test on one item, besides what it does."""


def _is_kind(*kinds: type) -> Operation:
    def check(budget: Budget, value: Any) -> bool:
        return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))

    return check


def _compare(relation: Callable[[Any, Any], bool]) -> Operation:
    def check(budget: Budget, value: Any, other: Any) -> bool:
        budget.weigh([value, other])
        return relation(value, other)

    return check


def _is_defined(budget: Budget, value: Any) -> bool:
    return not isinstance(value, Undefined)


def _is_undefined(budget: Budget, value: Any) -> bool:
    return isinstance(value, Undefined)


def _is_in(budget: Budget, value: Any, haystack: Any) -> bool:
    return contains(budget, haystack, value)


def _is_divisible(budget: Budget, value: Any, divisor: Any) -> bool:
    return expect_number(value, "divisibleby") % expect_number(divisor, "divisibleby") == 0


def _is_even(budget: Budget, value: Any) -> bool:
    return expect_number(value, "even") % 2 == 0


def _is_odd(budget: Budget, value: Any) -> bool:
    return expect_number(value, "odd") % 2 == 1


def _is_true(budget: Budget, value: Any) -> bool:
    return value is True


def _is_false(budget: Budget, value: Any) -> bool:
    return value is False


def _is_none(budget: Budget, value: Any) -> bool:
    return value is None


TESTS: dict[str, Operation] = {
    "defined": _is_defined,
    "undefined": _is_undefined,
    "none": _is_none,
    "true": _is_true,
    "false": _is_false,
    "boolean": _is_kind(bool),
    "string": _is_kind(str),
    "number": _is_kind(int, float),
    "integer": _is_kind(int),
    "float": _is_kind(float),
    "mapping": _is_kind(Mapping),
    "sequence": _is_kind(list, tuple, str),
    "even": _is_even,
    "odd": _is_odd,
    "divisibleby": _is_divisible,
    "in": _is_in,
    **dict.fromkeys(("eq", "equalto", "=="), _compare(operator.eq)),
    **dict.fromkeys(("ne", "!="), _compare(operator.ne)),
    **dict.fromkeys(("lt", "lessthan", "<"), _compare(operator.lt)),
    **dict.fromkeys(("le", "<="), _compare(operator.le)),
    **dict.fromkeys(("gt", "greaterthan", ">"), _compare(operator.gt)),
    **dict.fromkeys(("ge", ">="), _compare(operator.ge)),
}
"""What may stand behind ``is``, and be named in ``select`` and its relatives."""


def find(table: Mapping[str, Operation], name: Any, kind: str) -> Operation:
    """Return a filter or a test by its name, made to fail on what is not there.

    Raises:
        ExpressionFault: there is none of that name.
    """
    operation = table.get(name) if isinstance(name, str) else None
    if operation is None:
        raise ExpressionFault(
            f"there is no {kind} {name!r}", hint=did_you_mean(str(name), [*table])
        )
    return operation if name in ACCEPTS_MISSING else refuse_missing(operation)


def refuse_missing(operation: Operation) -> Operation:
    """Make an operation fail, with the missing thing's name, when an argument is not there."""

    def apply(budget: Budget, *values: Any, **named: Any) -> Any:
        for value in (*values, *named.values()):
            if isinstance(value, Undefined):
                value._fail_with_undefined_error()
        return operation(budget, *values, **named)

    return apply


def _map(budget: Budget, value: Any, name: Any = None, *arguments: Any, **named: Any) -> list[Any]:
    items = entries(budget, value, "map")
    if name is None and "attribute" in named:
        found = [follow(budget, item, named["attribute"]) for item in items]
        if "default" in named:
            return [named["default"] if isinstance(item, Undefined) else item for item in found]
        return found
    operation = find(FILTERS, name, "filter")
    budget.spend(CALL_STEPS * len(items))
    return [operation(budget, item, *arguments, **named) for item in items]


def _selection(name: str, wanted: bool, by_attribute: bool) -> Operation:
    def apply(budget: Budget, value: Any, *arguments: Any) -> list[Any]:
        rest = list(arguments)
        if by_attribute and not rest:
            raise ExpressionFault(f"{name} needs the name of an attribute")
        attribute = rest.pop(0) if by_attribute else None
        test = find(TESTS, rest.pop(0), "test") if rest else refuse_missing(_truth)
        kept = []
        items = entries(budget, value, name)
        budget.spend(CALL_STEPS * len(items))
        for item in items:
            looked_at = follow(budget, item, attribute) if by_attribute else item
            if bool(test(budget, looked_at, *rest)) is wanted:
                kept.append(item)
        return kept

    return apply


def _truth(budget: Budget, value: Any) -> bool:
    return bool(value)


FILTERS: dict[str, Operation] = {
    **text_operations.FILTERS,
    **list_operations.FILTERS,
    "map": _map,
    "select": _selection("select", True, False),
    "reject": _selection("reject", False, False),
    "selectattr": _selection("selectattr", True, True),
    "rejectattr": _selection("rejectattr", False, True),
}
"""Every filter there is."""

METHODS: dict[str, Operation] = {**text_operations.METHODS, **list_operations.METHODS}
"""Every method that can be called on a value."""
