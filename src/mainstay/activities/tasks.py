"""The activities that do a plan's tasks. Contents come from storage and go back there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from temporalio import activity

from mainstay.activities.calling import OpenTask, items_key, reporting
from mainstay.activities.checking import conclude, summarize
from mainstay.activities.failures import as_application_error, shorten
from mainstay.activities.items import Items
from mainstay.activities.ports import Storage, Toolbox
from mainstay.activities.pulse import pulse
from mainstay.activities.scope import Reader
from mainstay.activities.telling import TaskRecord
from mainstay.decisions.expressions import is_true, render
from mainstay.schemas import names
from mainstay.schemas.calls import TaskCall, Verdict
from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.schemas.records import EventKind, PlanEvent
from mainstay.schemas.run import Failure, FailureKind, TaskStatus
from mainstay.schemas.tools import ToolCall

MAX_ITEMS = 1_000_000
"""Longest list a ``for_each`` goes over."""

Value = Any  # JSON-like data


class TaskActivities:
    """Everything that is done for a task with a tool, and the preparation of every other."""

    def __init__(self, storage: Storage, toolbox: Toolbox, reader: Reader) -> None:
        self._storage = storage
        self._toolbox = toolbox
        self._reader = reader

    @activity.defn(name=names.TASK_PREPARE)
    async def prepare(self, call: TaskCall) -> Verdict:
        """Look at a task before it runs: its condition, its items, its question."""
        with reporting():
            async with pulse():
                opened = await self._open(call)
                task, scope = opened.task, opened.scope
                if not is_true(_condition(task.if_), scope):
                    return _not_met(task.if_)
                question = render(task.approval.message, scope) if task.approval else ""
                items = await self._fix_items(opened) if opened.is_list else 1
                return Verdict(items=items, message=shorten(str(question)))

    @activity.defn(name=names.TASK_RUN)
    async def run(self, call: TaskCall) -> Verdict:
        """Do some items of a task, or all of a task that has none."""
        with reporting():
            async with pulse():
                opened = await self._open(call)
                task = opened.task
                prepared = opened.is_list or task.approval is not None
                if not prepared and not is_true(_condition(task.if_), opened.scope):
                    return _not_met(task.if_)
                async with TaskRecord(self._storage, call) as record:
                    return await self._do(opened, record)

    @activity.defn(name=names.TASK_GATHER)
    async def gather(self, call: TaskCall) -> Verdict:
        """Look at a task's whole output: verify it, and make the named outputs."""
        with reporting():
            async with pulse():
                opened = await self._open(call)
                return await conclude(opened, await opened.values())

    async def _fix_items(self, opened: OpenTask) -> int:
        """Store the list that a task goes over, once for each round, and return its length."""
        call = opened.call
        items = _checked_items(render(opened.task.for_each, opened.scope), call.task)
        await self._storage.put_document(items_key(call), to_json(items))
        # It was stored by an earlier preparation if the task was taken up again.
        count = len(await opened.rows())
        await self._tell_items(call, count)
        return count

    async def _open(self, call: TaskCall) -> OpenTask:
        return await OpenTask.open(self._storage, self._toolbox, self._reader, call)

    async def _do(self, opened: OpenTask, record: TaskRecord) -> Verdict:
        call = opened.call
        if call.start == 0 or call.attempt > 1:
            record.begin()
        items = await _items(opened, record)
        await items.run()
        await _judge(items, call)
        if opened.is_list:
            return Verdict(done=len(items.done), errors=len(items.errors))
        if opened.task.verify is not None and opened.task.verify.agent is not None:
            return Verdict(done=1)  # a critic comes first
        verdict = await conclude(opened, items.done[0])
        if verdict.status is TaskStatus.SUCCEEDED:
            await record.end(verdict.message)
        return verdict

    async def _tell_items(self, call: TaskCall, total: int) -> None:
        """Put the number of items on record, once for each time the activity was asked for."""
        info = activity.info()
        event = PlanEvent(
            plan_id=call.plan_id,
            key=f"{info.workflow_run_id}/{info.activity_id}/items",
            kind=EventKind.TASK_PROGRESS,
            at=datetime.now(UTC),
            task=call.task,
            attempt=call.attempt,
            total=total,
        )
        await self._storage.append_events([event])


async def _items(opened: OpenTask, record: TaskRecord) -> Items:
    call, task = opened.call, opened.task
    is_simple = not opened.is_list and task.verify is None and not task.outputs
    name = task.tool
    assert name is not None
    rows: Sequence[Value] = await opened.rows() if opened.is_list else ()

    def make_call(index: int) -> ToolCall:
        if not opened.is_list:
            return opened.tool_call(name, task.with_, opened.scope, "")
        scope = {**opened.scope, "item": rows[index], "index": index}
        return opened.tool_call(name, task.with_, scope, str(index))

    def events(output: Value) -> list[PlanEvent]:
        return record.take_end(summarize(output)) if is_simple else record.take()

    repeatable = opened.toolbox.spec(name).idempotent
    if task.idempotent is not None:
        repeatable = task.idempotent
    return Items(
        storage=opened.storage,
        toolbox=opened.toolbox,
        tool=name,
        plan_id=call.plan_id,
        task=call.task,
        round=call.round,
        start=call.start,
        stop=call.stop,
        make_call=make_call,
        repeatable=repeatable,
        confirmed=call.confirmed,
        tolerant=task.continue_on_error and opened.is_list,
        is_first_try=repeatable and _is_first_try(call),
        counts=opened.is_list,
        events=events,
    )


def _is_first_try(call: TaskCall) -> bool:
    """Tell whether no attempt of this unit was ever begun: not by a worker, not by a person."""
    return activity.info().attempt == 1 and call.attempt == 1 and not call.confirmed


async def _judge(items: Items, call: TaskCall) -> None:
    """Fail the unit because of its failed items, unless they are tolerated."""
    if not items.failures:
        return
    failures = items.failures
    passing = all(failure.kind is FailureKind.TRANSIENT for failure in failures.values())
    unknown = any(failure.kind is FailureKind.UNKNOWN for failure in failures.values())
    if items.tolerant and not unknown and (call.last_attempt or not passing):
        await items.tolerate()
        return
    raise as_application_error(_sum_up(failures, items))


def _sum_up(failures: dict[int, Failure], items: Items) -> Failure:
    """Make one failure of those of the items: the one that will not pass comes first."""
    order = [FailureKind.UNKNOWN, FailureKind.REFUSED, FailureKind.PERMANENT, FailureKind.TRANSIENT]
    index, worst = min(failures.items(), key=lambda pair: (order.index(pair[1].kind), pair[0]))
    if not items.counts:
        return worst
    many = f" ({len(failures)} items failed)" if len(failures) > 1 else ""
    return worst.model_copy(update={"message": shorten(f"item {index}: {worst.message}{many}")})


def _checked_items(value: Value, task: str) -> list[Value]:
    if isinstance(value, dict):
        return [{"key": key, "value": item} for key, item in value.items()]
    if not isinstance(value, list):
        raise InvalidInput(
            f"`for_each` of task {task!r} gave a {type(value).__name__}, not a list",
            hint="an expression in it must give a list or a mapping",
        )
    if len(value) > MAX_ITEMS:
        raise LimitReached(
            f"`for_each` of task {task!r} gave {len(value):,} items; at most {MAX_ITEMS:,}",
            hint="divide the list among several plans",
        )
    return value


def _condition(condition: str | bool | None) -> str | bool:
    return True if condition is None else condition


def _not_met(condition: str | bool | None) -> Verdict:
    return Verdict(status=TaskStatus.SKIPPED, message=shorten(f"`if: {condition}` is false"))
