"""The plans that are measured. Their tool does as little as a tool can, but is a real one."""

from __future__ import annotations

from typing import Any

from mainstay.schemas.plan import PlanSpec

Value = Any  # JSON-like data


def chain(steps: int) -> PlanSpec:
    """Tasks that each need the one before."""
    tasks = {f"step{n}": _task(str(n), [f"step{n - 1}"] if n else []) for n in range(steps)}
    return _plan("chain", tasks)


def diamond(width: int) -> PlanSpec:
    """One task, then ``width`` that need it, then one that needs all of those."""
    middle = {f"middle{n}": _task(str(n), ["first"]) for n in range(width)}
    return _plan("diamond", {"first": _task("0"), **middle, "last": _task("0", [*middle])})


def many_items(count: int, batch: int, max_parallel: int) -> PlanSpec:
    """One task that is done for each of many small items."""
    each = _task("${{ item * 2 }}")
    each |= {"for_each": f"${{{{ range({count}) }}}}", "batch": batch, "max_parallel": max_parallel}
    return _plan("items", {"each": each})


def _task(value: str, needs: list[str] | None = None) -> dict[str, Value]:
    with_ = {"expression": "value", "data": {"value": value}}
    return {"tool": "json.query", "with": with_, "needs": needs or []}


def _plan(name: str, tasks: dict[str, Value]) -> PlanSpec:
    return PlanSpec.model_validate({"name": name, "tasks": tasks})
