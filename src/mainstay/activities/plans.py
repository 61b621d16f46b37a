"""The activities that serve a plan as a whole: its outline, its records, its end, its sub-plans."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic_core import to_json
from temporalio import activity

from mainstay.activities.agent_ports import Accounts
from mainstay.activities.calling import OpenTask, reporting
from mainstay.activities.made_plans import sub_plan_of
from mainstay.activities.ports import Documents, Storage, Toolbox
from mainstay.activities.pulse import pulse
from mainstay.activities.scope import Reader, plain_scope, view_need
from mainstay.decisions.expressions import inspect, render
from mainstay.decisions.needs import need_state
from mainstay.decisions.outline import compile_outline, page
from mainstay.decisions.plan_files.plan_inputs import check_inputs
from mainstay.schemas import names
from mainstay.schemas.calls import (
    FinishCall,
    OutlineCall,
    RecordCall,
    TaskCall,
    Verdict,
)
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.ids import sub_plan_id
from mainstay.schemas.outline import OutlinePage, PlanOutline
from mainstay.schemas.records import EventKind, OutputChunk, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PlanState, PlanStatus

Value = Any  # JSON-like data


class PlanStorage(Storage, Accounts, Protocol):
    """What plans as a whole need from storage."""


class PlanActivities:
    """What a plan's workflow has done that belongs to no single task."""

    def __init__(self, storage: PlanStorage, toolbox: Toolbox, reader: Reader) -> None:
        self._storage = storage
        self._toolbox = toolbox
        self._reader = reader

    @activity.defn(name=names.PLAN_OUTLINE)
    async def outline(self, call: OutlineCall) -> OutlinePage:
        """Return a page of the outline, which is made once for a plan and then never changes."""
        with reporting():
            async with pulse():
                key = outline_key(call.plan_id)
                if call.page or call.is_continued:
                    return page(await self._reader.outline(key), call.page)
                plan = await self._reader.plan(call.plan_ref)
                made = compile_outline(plan, self._toolbox.specs())
                await self._storage.put_document(key, made.model_dump_json().encode())
                if plan.budget is not None:
                    # Before anything of it, at any depth, can spend.
                    await self._storage.open_account(call.plan_id, plan.budget)
                outline = await self._reader.outline(key)
                await self._open_records(call, outline)
                state = await self._ended_state(call)
                return page(outline, 0).model_copy(update={"state": state})

    @activity.defn(name=names.RECORD)
    async def record(self, call: RecordCall) -> None:
        """Store events that happened in the workflow."""
        with reporting():
            async with pulse():
                await self._storage.append_events(call.events)

    @activity.defn(name=names.PLAN_FINISH)
    async def finish(self, call: FinishCall) -> Verdict:
        """Make the plan's outputs, keep the state it ended in, and close its records."""
        with reporting():
            async with pulse():
                ref = ""
                if call.status is PlanStatus.SUCCEEDED:
                    ref = outputs_key(call.plan_id)
                    await self._storage.put_document(ref, to_json(await self._outputs(call)))
                await self._storage.put_document(
                    state_key(call.plan_id, call.resumed), call.state.model_dump_json().encode()
                )
                event = PlanEvent(
                    plan_id=call.plan_id,
                    key=f"ended/{call.resumed}",
                    kind=EventKind.PLAN_ENDED,
                    at=datetime.now(UTC),
                    status=call.status,
                    message=call.message,
                    ref=ref,
                )
                await self._storage.append_events([event])
                return Verdict(outputs_ref=ref)

    @activity.defn(name=names.SUB_PLAN_INPUTS)
    async def sub_plan_inputs(self, call: TaskCall) -> Verdict:
        """Render a sub-plan's inputs and store what it is started with."""
        with reporting():
            async with pulse():
                opened = await OpenTask.open(self._storage, self._toolbox, self._reader, call)
                scope = opened.scope
                if opened.is_list:
                    rows = await opened.rows()
                    scope = {**scope, "item": rows[call.start], "index": call.start}
                sub_plan = sub_plan_of(opened, scope)
                inputs, problems = check_inputs(sub_plan, render(opened.task.with_, scope))
                if problems:
                    raise InvalidInput(
                        f"inputs of sub-plan {sub_plan.name!r}: {problems[0].message}"
                    )
                body = sub_plan.model_dump_json(by_alias=True, exclude_unset=True).encode()
                plan_ref = f"plan/{hashlib.sha256(body).hexdigest()}"
                await self._storage.put_document(plan_ref, body)
                child = sub_plan_id(
                    call.plan_id, call.task, call.start if opened.is_list else None, call.round
                )
                inputs_ref = f"inputs/{child}"
                await self._storage.put_document(inputs_ref, to_json(inputs))
                return Verdict(
                    plan_name=sub_plan.name,
                    plan_ref=plan_ref,
                    inputs_ref=inputs_ref,
                    resumed=await times_ended(self._storage, child),
                )

    @activity.defn(name=names.SUB_PLAN_ADOPT)
    async def sub_plan_adopt(self, call: TaskCall) -> Verdict:
        """Make a sub-plan's outputs the output of the task, or of the item, that ran it."""
        with reporting():
            async with pulse():
                plan = await self._reader.plan(call.plan_ref)
                is_list = plan.tasks[call.task].for_each is not None
                item = call.start if is_list else None
                child = sub_plan_id(call.plan_id, call.task, item, call.round)
                chunk = OutputChunk(
                    plan_id=call.plan_id,
                    task=call.task,
                    round=call.round,
                    start=call.start,
                    stop=call.start + 1,
                    values=[await self._reader.document(outputs_key(child))],
                )
                event = PlanEvent(
                    plan_id=call.plan_id,
                    key=f"{call.task}/{call.round}/{call.start}/done",
                    kind=EventKind.TASK_PROGRESS,
                    at=datetime.now(UTC),
                    task=call.task,
                    count=1,
                )
                await self._storage.save_chunk(chunk, [event])
                return Verdict(done=1)

    async def _open_records(self, call: OutlineCall, outline: PlanOutline) -> None:
        now = datetime.now(UTC)
        row = PlanRow(
            plan_id=call.plan_id,
            name=call.name,
            status=PlanStatus.RUNNING,
            parent_id=call.parent_id,
            priority=int(outline.priority),
            plan_ref=call.plan_ref,
            inputs_ref=call.inputs_ref,
            created_at=now,
            started_at=now,
            tasks_total=len(outline.tasks),
        )
        tasks = [
            TaskRow(
                plan_id=call.plan_id,
                name=task.name,
                position=position,
                kind=task.kind,
                tool=task.tool,
                priority=int(task.priority),
            )
            for position, task in enumerate(outline.tasks)
        ]
        await self._storage.create_plan(row, tasks)
        started = PlanEvent(
            plan_id=call.plan_id,
            key=f"started/{call.resumed}",
            kind=EventKind.PLAN_STARTED,
            at=now,
            status=PlanStatus.RUNNING,
            total=len(tasks),
        )
        await self._storage.append_events([started])

    async def _ended_state(self, call: OutlineCall) -> PlanState | None:
        if call.resumed == 0:
            return None
        key = state_key(call.plan_id, call.resumed - 1)
        return PlanState.model_validate_json(await self._storage.get_document(key))

    async def _outputs(self, call: FinishCall) -> Value:
        plan = await self._reader.plan(call.plan_ref)
        mentioned = [inspect(plan.outputs)]
        needs = {}
        for name, task in zip(plan.tasks, call.state.tasks, strict=True):
            state = need_state(task)
            needs[name] = await view_need(self._reader, call.plan_id, plan, name, state, mentioned)
        inputs = await self._reader.document(call.inputs_ref)
        return render(plan.outputs, plain_scope(plan, call.plan_id, inputs, needs))


def state_key(plan_id: str, resumed: int) -> str:
    """Name the document with the state in which a plan ended for the n-th time (from 0)."""
    return f"state/{plan_id}/{resumed}"


def outline_key(plan_id: str) -> str:
    """Name the document with a plan's outline."""
    return f"outline/{plan_id}"


def outputs_key(plan_id: str) -> str:
    """Name the document with a plan's outputs."""
    return f"outputs/{plan_id}"


async def times_ended(documents: Documents, plan_id: str) -> int:
    """Return how often a plan has ended, which is how often it can have been taken up again."""
    times = 0
    while True:
        try:
            await documents.get_document(state_key(plan_id, times))
        except NotFound:
            return times
        times += 1
