"""What expressions can do with lists and mappings, each operation within the budget.

Every operation returns plain data: lists and not iterators, so that what an expression gives can
be stored, and so that nothing is left to be computed after its cost was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2.runtime import StrictUndefined, Undefined

from mainstay.decisions.expressions.budget import (
    Budget,
    ExpressionFault,
    Operation,
    as_text,
    check_number,
    from_json,
    kind_of,
    to_json,
)
from mainstay.decisions.expressions.text_operations import expect_count, expect_number
from mainstay.decisions.suggestions import did_you_mean

Key = Callable[[Any], Any]


class Missing(StrictUndefined):
    """Stands for what is not there. Anything but ``default`` and ``is defined`` fails on it."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = None, name: str | None = None, **_: Any
    ) -> None:
        def complain(message: str | None) -> ExpressionFault:
            return _explain(obj, str(name))

        super().__init__(hint, obj, name, complain)  # type: ignore[arg-type]  # called like a class


def _explain(obj: Any, name: str) -> ExpressionFault:
    if obj is None or isinstance(obj, Undefined):
        return ExpressionFault(f"{name!r} is not known here", unknown_name=name)
    if isinstance(obj, Mapping):
        keys = [str(key) for key in obj]
        hint = did_you_mean(name, keys) or (
            f"there are: {', '.join(keys[:10])}" if keys else "the mapping is empty"
        )
        return ExpressionFault(f"there is no {name!r}", hint=hint)
    if isinstance(obj, list | tuple | str):
        return ExpressionFault(f"{kind_of(obj)} with {len(obj)} entries has no {name!r}")
    return ExpressionFault(f"{kind_of(obj)} has no {name!r}")


def lookup(value: Any, key: Any) -> Any:
    """Return what a mapping or a list holds under a key or an index; Missing when nothing."""
    if isinstance(value, Mapping):
        if isinstance(key, str | int | float | None) and key in value:
            return value[key]
    elif isinstance(value, list | tuple | str):
        if isinstance(key, str) and key.isdecimal() and len(key) < 10:
            key = int(key)
        if isinstance(key, int) and -len(value) <= key < len(value):
            return value[key]
    elif isinstance(value, Undefined):
        value._fail_with_undefined_error()
    elif value is None:
        raise ExpressionFault(f"nothing (null) has no {key!r}")
    return Missing(obj=value, name=str(key))


def follow(budget: Budget, value: Any, path: Any) -> Any:
    """Return what a path like ``author.name`` or ``0.size`` leads to; Missing if nothing."""
    parts = str(path).split(".")
    budget.spend(len(parts))
    for part in parts:
        if isinstance(value, Undefined):
            break
        value = lookup(value, part)
    return value


def entries(budget: Budget, value: Any, name: str) -> list[Any]:
    """Return what a list, or a mapping by its keys, goes through.

    Raises:
        ExpressionFault: it is neither; ``name`` is the operation that needs it.
    """
    if isinstance(value, Mapping | list | tuple):
        budget.spend(2 * len(value) + 1)
        return list(value)
    raise ExpressionFault(f"{name} needs a list, not {kind_of(value)}")


def fold(value: Any) -> Any:
    """Return what two values have in common that count as equal whatever their case."""
    return value.lower() if isinstance(value, str) else value


def _key(budget: Budget, attribute: Any, case_sensitive: Any) -> Key:
    def key(item: Any) -> Any:
        found = item if attribute is None else follow(budget, item, attribute)
        if isinstance(found, Undefined):
            found._fail_with_undefined_error()
        return found if case_sensitive else fold(found)

    return key


def _length(budget: Budget, value: Any) -> int:
    if isinstance(value, str | Mapping | list | tuple):
        return len(value)
    raise ExpressionFault(f"length needs a list, a mapping or a text, not {kind_of(value)}")


def _first(budget: Budget, value: Any) -> Any:
    return (
        lookup(value, 0) if isinstance(value, str) else lookup(entries(budget, value, "first"), 0)
    )


def _last(budget: Budget, value: Any) -> Any:
    return (
        lookup(value, -1) if isinstance(value, str) else lookup(entries(budget, value, "last"), -1)
    )


def _list(budget: Budget, value: Any) -> list[Any]:
    if isinstance(value, str):
        budget.spend(len(value))
        return list(value)
    return entries(budget, value, "list")


def _reverse(budget: Budget, value: Any) -> Any:
    if isinstance(value, str):
        budget.spend_text(len(value))
        return value[::-1]
    return entries(budget, value, "reverse")[::-1]


def _sort(
    budget: Budget,
    value: Any,
    reverse: Any = False,
    case_sensitive: Any = False,
    attribute: Any = None,
) -> list[Any]:
    items = entries(budget, value, "sort")
    keys = [_key(budget, attribute, case_sensitive)(item) for item in items]
    budget.weigh(keys)
    budget.spend(len(items) * (len(items).bit_length() // 4))
    places = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(reverse))
    return [items[place] for place in places]


def _identity(budget: Budget, value: Any) -> Any:
    if isinstance(value, list | tuple | Mapping):
        return to_json(budget, value)
    return (isinstance(value, bool), value)


def _unique(
    budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None
) -> list[Any]:
    key = _key(budget, attribute, case_sensitive)
    kept: dict[Any, Any] = {}
    for item in entries(budget, value, "unique"):
        kept.setdefault(_identity(budget, key(item)), item)
    return list(kept.values())


def _group_by(
    budget: Budget, value: Any, attribute: Any, case_sensitive: Any = False
) -> list[dict[str, Any]]:
    key = _key(budget, attribute, True)
    groups: dict[Any, dict[str, Any]] = {}
    for item in _sort(budget, value, case_sensitive=case_sensitive, attribute=attribute):
        name = key(item)
        mark = _identity(budget, name if case_sensitive else fold(name))
        groups.setdefault(mark, {"grouper": name, "list": []})["list"].append(item)
    return list(groups.values())


def _sum(budget: Budget, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    key = _key(budget, attribute, True)
    numbers = [expect_number(key(item), "sum") for item in entries(budget, value, "sum")]
    return check_number(sum(numbers, expect_number(start, "sum")))


def _extreme(name: str, choose: Callable[..., Any]) -> Operation:
    def apply(
        budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None
    ) -> Any:
        items = entries(budget, value, name)
        key = _key(budget, attribute, case_sensitive)
        budget.weigh([key(item) for item in items])
        if not items:
            raise ExpressionFault(
                f"{name} of an empty list", hint=f"append: | default(0)  to {name}"
            )
        return choose(items, key=key)

    return apply


def _join(budget: Budget, value: Any, separator: Any = "", attribute: Any = None) -> str:
    items = entries(budget, value, "join")
    if attribute is not None:
        items = [_key(budget, attribute, True)(item) for item in items]
    mark = as_text(budget, separator)
    budget.spend_text(budget.weigh(items) + len(mark) * len(items))
    return mark.join([as_text(budget, item) for item in items])


def _batch(budget: Budget, value: Any, size: Any) -> list[list[Any]]:
    items, size = entries(budget, value, "batch"), expect_count(size, "batch")
    return [items[start : start + size] for start in range(0, len(items), size)]


def _slice(budget: Budget, value: Any, parts: Any) -> list[list[Any]]:
    items, parts = entries(budget, value, "slice"), expect_count(parts, "slice")
    budget.spend(parts)
    each, more = divmod(len(items), parts)
    starts = [part * each + min(part, more) for part in range(parts + 1)]
    return [items[starts[part] : starts[part + 1]] for part in range(parts)]


def _mapping(value: Any, name: str) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    raise ExpressionFault(f"{name} needs a mapping, not {kind_of(value)}")


def _items(budget: Budget, value: Any) -> list[list[Any]]:
    pairs = _mapping(value, "items").items()
    budget.spend(3 * len(pairs) + 1)
    return [[key, item] for key, item in pairs]


def _keys(budget: Budget, value: Any) -> list[Any]:
    return entries(budget, _mapping(value, "keys"), "keys")


def _values(budget: Budget, value: Any) -> list[Any]:
    return entries(budget, list(_mapping(value, "values").values()), "values")


def _get(budget: Budget, value: Any, key: Any, default: Any = None) -> Any:
    found = lookup(_mapping(value, "get"), key)
    return default if isinstance(found, Undefined) else found


def _dictsort(
    budget: Budget,
    value: Any,
    case_sensitive: Any = False,
    by: Any = "key",
    reverse: Any = False,
) -> list[Any]:
    if by not in ("key", "value"):
        raise ExpressionFault("dictsort sorts by key or by value")
    return _sort(budget, _items(budget, value), reverse, case_sensitive, int(by == "value"))


def _default(budget: Budget, value: Any, default: Any = "", boolean: Any = False) -> Any:
    if isinstance(value, Undefined) or (boolean and not value):
        return default
    return value


def range_list(budget: Budget, *bounds: Any) -> list[int]:
    """Return whole numbers as Python's range does, paid for before they are made."""
    numbers = range(*bounds)
    budget.spend(len(numbers) if len(numbers) < 1 << 40 else 1 << 40)
    return list(numbers)


def contains(budget: Budget, haystack: Any, needle: Any) -> bool:
    """Tell whether a text, a list or a mapping's keys contain something."""
    if isinstance(haystack, str) and not isinstance(needle, str):
        needle = as_text(budget, needle)
    if not isinstance(haystack, str | list | tuple | Mapping):
        raise ExpressionFault(
            f"contains needs a text, a list or a mapping, not {kind_of(haystack)}"
        )
    budget.weigh([haystack, needle])
    return needle in haystack


FILTERS: dict[str, Operation] = {
    "length": _length,
    "count": _length,
    "first": _first,
    "last": _last,
    "list": _list,
    "reverse": _reverse,
    "sort": _sort,
    "unique": _unique,
    "groupby": _group_by,
    "sum": _sum,
    "min": _extreme("min", min),
    "max": _extreme("max", max),
    "join": _join,
    "batch": _batch,
    "slice": _slice,
    "items": _items,
    "dictsort": _dictsort,
    "default": _default,
    "d": _default,
    "tojson": to_json,
    "fromjson": from_json,
    "contains": contains,
}
"""Filters for lists and mappings."""

METHODS: dict[str, Operation] = {"get": _get, "keys": _keys, "values": _values, "items": _items}
"""Methods of mappings."""

FUNCTIONS: dict[str, Operation] = {
    "toJSON": to_json,
    "fromJSON": from_json,
    "contains": contains,
    "range": range_list,
}
"""Functions that are always there."""

ACCEPTS_MISSING = frozenset({"default", "d", "defined", "undefined"})
"""Filters and tests that may be given what is not there."""
