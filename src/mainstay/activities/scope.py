"""What an expression of a task can see, read from storage and kept for the next task.

Everything read here never changes once it is written, so it is cached by its key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from mainstay.activities.ports import Storage
from mainstay.decisions.expressions import References, inspect, inspect_condition, render
from mainstay.decisions.needs import expand
from mainstay.schemas.calls import NeedState, TaskCall
from mainstay.schemas.outline import PlanOutline
from mainstay.schemas.plan import PlanSpec, TaskSpec
from mainstay.schemas.run import TaskStatus

OUTPUTS = ":outputs"
"""Suffix of the name under which a task's named outputs are kept, beside its plain output."""

MAX_CACHED = 256
"""Documents and outputs kept in memory per worker."""

MAX_CACHED_VALUES = 200_000
"""Longest list of outputs that is kept in memory."""

_RESULTS = {
    TaskStatus.SUCCEEDED: "success",
    TaskStatus.FAILED: "failure",
    TaskStatus.SKIPPED: "skipped",
    TaskStatus.CANCELLED: "cancelled",
}

Value = Any  # JSON-like data: whatever tools return and plans hold


class Reader:
    """Reads plans, inputs and outputs, and remembers the latest."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._cache: OrderedDict[str, Value] = OrderedDict()

    async def plan(self, ref: str) -> PlanSpec:
        """Return the plan stored under a reference."""
        if ref not in self._cache:
            body = await self._storage.get_document(ref)
            self._remember(ref, PlanSpec.model_validate_json(body))
        plan: PlanSpec = self._recall(ref)
        return plan

    async def outline(self, ref: str) -> PlanOutline:
        """Return the outline stored under a reference."""
        if ref not in self._cache:
            body = await self._storage.get_document(ref)
            self._remember(ref, PlanOutline.model_validate_json(body))
        outline: PlanOutline = self._recall(ref)
        return outline

    async def document(self, ref: str) -> Value:
        """Return a JSON document."""
        if ref not in self._cache:
            self._remember(ref, from_json(await self._storage.get_document(ref)))
        return self._recall(ref)

    async def output(self, plan_id: str, task: str, spec: TaskSpec, round_: int) -> Value:
        """Return what later tasks see as a task's ``outputs``."""
        if spec.outputs:
            return await self.values(plan_id, task + OUTPUTS, round_, False)
        return await self.values(plan_id, task, round_, spec.for_each is not None)

    async def values(self, plan_id: str, task: str, round_: int, is_list: bool) -> Value:
        """Return a task's plain output: a list for a ``for_each``, None when it has none."""
        key = f"{plan_id} {task} {round_}"
        if key in self._cache:
            return self._recall(key)
        found: dict[int, Value] = {}
        for chunk in await self._storage.load_chunks(plan_id, task, round_):
            for index, value in enumerate(chunk.values, chunk.start):
                found.setdefault(index, value)
        value = [found[index] for index in sorted(found)] if is_list else found.get(0)
        if found and (not is_list or len(found) <= MAX_CACHED_VALUES):
            self._remember(key, value)
        return value

    def _remember(self, key: str, value: Value) -> None:
        self._cache[key] = value
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)

    def _recall(self, key: str) -> Value:
        self._cache.move_to_end(key)
        return self._cache[key]


async def build_scope(
    reader: Reader, call: TaskCall, plan: PlanSpec, task: TaskSpec
) -> dict[str, Value]:
    """Return what the expressions of a task see, without ``item``, ``index`` and ``output``.

    Only the outputs that some expression of the task mentions are read.
    """
    mentioned = _mentioned(task)
    needs = {}
    for name, state in expand(call.needs, task.needs).items():
        needs[name] = await view_need(reader, call.plan_id, plan, name, state, mentioned)
    scope = plain_scope(plan, call.plan_id, await reader.document(call.inputs_ref), needs)
    if call.answer is not None:
        scope["answer"] = call.answer.model_dump(mode="json")
    scope["feedback"] = call.feedback
    return scope


def plain_scope(
    plan: PlanSpec, plan_id: str, inputs: Value, needs: Mapping[str, Mapping[str, Value]]
) -> dict[str, Value]:
    """Return the names that every expression of a plan can use."""
    met = all(need["result"] == "success" for need in needs.values())
    failed = any(need["result"] == "failure" for need in needs.values())
    cancelled = any(need["result"] == "cancelled" for need in needs.values())
    identity = {"id": plan_id, "name": plan.name}
    return {
        "inputs": inputs,
        "env": render(plan.env, {"inputs": inputs, "plan": identity}),
        "needs": needs,
        "plan": identity,
        "success": lambda: met,
        "failure": lambda: failed,
        "always": lambda: True,
        "cancelled": lambda: cancelled,
    }


async def view_need(
    reader: Reader,
    plan_id: str,
    plan: PlanSpec,
    name: str,
    state: NeedState,
    mentioned: Sequence[References],
) -> dict[str, Value]:
    """Return what expressions see of a needed task; its outputs only if one mentions them."""
    spec = plan.tasks[name]
    outcome = _RESULTS.get(state.status, "skipped")
    need: dict[str, Value] = {
        "result": "success" if spec.continue_on_error and outcome == "failure" else outcome,
        "outcome": outcome,
        "error": state.error,
    }
    if not any(seen.uses_all_needs or name in seen.needs for seen in mentioned):
        return need
    if state.answer is not None and spec.only_asks:
        need["outputs"] = state.answer.model_dump(mode="json")
    else:
        need["outputs"] = await reader.output(plan_id, name, spec, state.round)
    return need


def _mentioned(task: TaskSpec) -> list[References]:
    """Return what each expression of a task refers to."""
    verify = task.verify
    found = [
        inspect([task.with_, task.plan, task.for_each, task.outputs, task.env]),
        inspect([task.agent, task.prompt]),
        inspect_condition(task.if_),
        inspect(task.approval.message if task.approval else ""),
        inspect(task.undo.with_ if task.undo else {}),
    ]
    if verify is not None:
        found += [inspect([verify.with_, verify.reason]), inspect_condition(verify.check)]
        found.append(inspect([verify.agent, verify.criteria]))
    return found
