"""Carrying out a plan's pieces of work: each becomes activities, or a sub-plan, and one event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    TimeoutError,
    is_cancelled_exception,
)

from mainstay.decisions.draft import Shape
from mainstay.decisions.needs import need_states
from mainstay.decisions.retries import classify
from mainstay.schemas import names
from mainstay.schemas.calls import PlanRequest, TaskCall, Verdict
from mainstay.schemas.directives import DoWork, WorkEnded
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.ids import sub_plan_id
from mainstay.schemas.outline import TaskKind, TaskOutline
from mainstay.schemas.run import (
    Failure,
    FailureKind,
    PlanState,
    PlanStatus,
    Step,
    TaskState,
    TaskStatus,
    Unit,
)
from mainstay.schemas.search import STATE
from mainstay.workflows.agent_tasks import AgentTask
from mainstay.workflows.options import (
    MACHINE_RETRY,
    PREPARE_TIMEOUT,
    TOOL_MARGIN,
    turn_timeout,
)

_ACTIVITIES = {
    Step.PREPARE: names.TASK_PREPARE,
    Step.UNIT: names.TASK_RUN,
    Step.GATHER: names.TASK_GATHER,
    Step.UNDO: names.TASK_UNDO,
}


class PlanWork:
    """The work a plan has in flight.

    Reports through ``ended``, one event a piece; through ``bug`` when the code here is wrong.
    """

    def __init__(
        self,
        request: PlanRequest,
        shape: Shape,
        ended: Callable[[WorkEnded], None],
        bug: Callable[[BaseException], None],
    ) -> None:
        self._request = request
        self._shape = shape
        self._ended = ended
        self._bug = bug
        self._tasks: dict[asyncio.Task[Verdict], DoWork] = {}

    def start(self, directive: DoWork, state: PlanState) -> None:
        """Have a piece of work done."""
        running = asyncio.create_task(self._run(directive, state))
        self._tasks[running] = directive
        running.add_done_callback(self._report)

    def stop(self, task: int | None) -> None:
        """Cancel one task's work, or all of it; each piece still reports that it ended."""
        for running, directive in list(self._tasks.items()):
            if task is None or directive.task == task:
                running.cancel()

    def _report(self, done: asyncio.Task[Verdict]) -> None:
        # A callback also sees what was cancelled before it ever ran.
        work = self._tasks.pop(done)
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            self._ended(WorkEnded(work.task, work.unit, verdict=done.result()))
        elif isinstance(error, FailureError | MainstayError | asyncio.CancelledError):
            self._ended(WorkEnded(work.task, work.unit, failure=failure_of(error)))
        else:
            self._bug(error)

    async def _run(self, directive: DoWork, state: PlanState) -> Verdict:
        position, unit = directive.task, directive.unit
        outline, task = self._shape.outline.tasks[position], state.tasks[position]
        call = self._call(position, outline, task, unit, state)
        if outline.kind is TaskKind.PLAN and unit.step is Step.UNIT:
            return await self._sub_plan(outline, call, unit)
        if outline.kind is TaskKind.AGENT and unit.step is Step.UNIT:
            return await AgentTask(self._request, outline, call).run()
        if outline.has_critic and unit.step is Step.GATHER:
            verdict = await AgentTask(self._request, outline, call, is_critic=True).run()
            if verdict.status is not TaskStatus.SUCCEEDED:
                return verdict
        return await self._activity(_ACTIVITIES[unit.step], call, outline, unit)

    def _call(
        self, position: int, outline: TaskOutline, task: TaskState, unit: Unit, state: PlanState
    ) -> TaskCall:
        request = self._request
        return TaskCall(
            plan_id=request.plan_id,
            plan_ref=request.plan_ref,
            inputs_ref=request.inputs_ref,
            task=outline.name,
            needs=need_states(state, self._shape, position),
            round=task.round,
            attempt=unit.attempt,
            last_attempt=not outline.retries or unit.attempt >= outline.retry.attempts,
            start=unit.start,
            stop=unit.stop,
            items=task.items,
            feedback=task.feedback,
            confirmed=task.confirmed,
            answer=task.answer,
        )

    async def _activity(
        self, name: str, call: TaskCall, outline: TaskOutline, unit: Unit
    ) -> Verdict:
        calls_tool = unit.step in (Step.UNIT, Step.UNDO) or outline.rounds > 1
        pieces = max(1, unit.stop - unit.start)
        limit = outline.timeout * pieces + TOOL_MARGIN if calls_tool else PREPARE_TIMEOUT
        verdict: Verdict = await workflow.execute_activity(
            name,
            call,
            result_type=Verdict,
            start_to_close_timeout=min(limit, timedelta(days=365)),
            heartbeat_timeout=self._request.options.heartbeat_timeout,
            retry_policy=MACHINE_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=_summary(outline, unit),
            priority=Priority(priority_key=outline.priority.temporal_key),
        )
        return verdict

    async def _sub_plan(self, outline: TaskOutline, call: TaskCall, unit: Unit) -> Verdict:
        """Run another plan for one item: render its inputs, run it, keep what it gives back."""
        inputs = await self._activity(names.SUB_PLAN_INPUTS, call, outline, unit)
        item = unit.start if outline.for_each else None
        child_id = sub_plan_id(call.plan_id, outline.name, item, call.round)
        await workflow.execute_child_workflow(
            names.PLAN,
            PlanRequest(
                plan_id=child_id,
                name=inputs.plan_name,
                plan_ref=inputs.plan_ref,
                inputs_ref=inputs.inputs_ref,
                parent_id=call.plan_id,
                options=self._request.options,
                resumed=inputs.resumed,
                accounts=(call.plan_id, *self._request.accounts),
            ),
            id=child_id,
            task_timeout=turn_timeout(self._request.options.heartbeat_timeout),
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            static_summary=f"{outline.name} of {call.plan_id}",
            search_attributes=_RUNNING,
            priority=Priority(priority_key=outline.priority.temporal_key),
        )
        return await self._activity(names.SUB_PLAN_ADOPT, call, outline, unit)


def failure_of(error: BaseException) -> Failure:
    """Read the failure out of what Temporal raised; only a type's name and a message survive."""
    if is_cancelled_exception(error):
        return Failure(kind=FailureKind.REFUSED, type="Cancelled", message="it was cancelled")
    cause: BaseException = error
    while isinstance(cause, ActivityError | ChildWorkflowError) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, TimeoutError):
        return Failure(kind=FailureKind.TRANSIENT, type="Timeout", message="it took too long")
    if isinstance(cause, ApplicationError):
        detail = cause.details[0] if cause.details else None
        if isinstance(detail, dict) and "kind" in detail:
            return Failure.model_validate(detail)
        refusal = _refusal_in(detail)
        if refusal is not None:
            return refusal.model_copy(update={"message": cause.message})
        kind = classify(cause.type or "")
        return Failure(kind=kind, type=cause.type or "", message=cause.message)
    hint = cause.hint if isinstance(cause, MainstayError) else ""
    return Failure(type=type(cause).__name__, message=str(cause), hint=hint)


def _refusal_in(detail: object) -> Failure | None:
    """Return the refusal for which a sub-plan failed: it stays one in the plan above it."""
    failure = detail.get("failure") if isinstance(detail, dict) else None
    if not isinstance(failure, dict):
        return None
    found = Failure.model_validate(failure)
    return found if found.kind is FailureKind.REFUSED else None


_RUNNING = TypedSearchAttributes(
    [SearchAttributePair(SearchAttributeKey.for_keyword(STATE), PlanStatus.RUNNING.upper())]
)


def _summary(outline: TaskOutline, unit: Unit) -> str:
    """Name a piece of work for the Web UI; at most 200 bytes are shown there."""
    what = outline.name if unit.step is Step.UNIT else f"{unit.step} {outline.name}"
    if outline.for_each and unit.stop > unit.start:
        what += f" [{unit.start}..{unit.stop - 1}]"
    return what if unit.attempt == 1 else f"{what}, attempt {unit.attempt}"
