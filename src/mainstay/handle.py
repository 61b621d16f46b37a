"""One run of a plan, seen from outside: follow it, steer it, get its result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any, TypeVar

from pydantic_core import from_json
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError

from mainstay.schemas.calls import (
    AnswerRequest,
    CancelRequest,
    PlanProgress,
    PlanResult,
    TaskRequest,
)
from mainstay.schemas.errors import NotFound, PlanFailed
from mainstay.schemas.records import EventKind, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import Failure, PlanStatus
from mainstay.storage.store import Store
from mainstay.temporal_calls import UPDATE_TIMEOUT, Callee, ask
from mainstay.workflows.plan import Plan

POLL_SECONDS = 0.1
"""How often events are looked for while a plan is being followed."""

T = TypeVar("T")


class PlanHandle:
    """A run of a plan. Get one from :meth:`mainstay.Mainstay.start` or ``.plan(id)``."""

    def __init__(self, temporal: Client, store: Store, plan_id: str) -> None:
        self.id = plan_id
        self._temporal = temporal
        self._store = store
        self._callee = Callee(
            "plan", plan_id, f"`mainstay status {plan_id}` shows how", "`mainstay list` shows them"
        )

    def __repr__(self) -> str:
        return f"<PlanHandle {self.id}>"

    async def row(self) -> PlanRow:
        """Return what is on record about the plan.

        Raises:
            NotFound: there is no such plan.
        """
        row = await self._store.get_plan(self.id)
        if row is None:
            raise NotFound(f"there is no plan {self.id!r}", hint="`mainstay list` shows them")
        return row

    async def tasks(self) -> list[TaskRow]:
        """Return what is on record about the plan's tasks, in the order of the plan's file."""
        return await self._store.tasks_of(self.id)

    async def progress(self) -> PlanProgress:
        """Ask the workflow itself how far it is, what runs and what it waits for.

        Raises:
            NotFound: there is no such plan.
            Unavailable: no worker answers.
        """
        query = self._workflow().query(Plan.progress, rpc_timeout=timedelta(seconds=10))
        return await self._ask(query)

    async def events(self, after: int = 0) -> AsyncIterator[PlanEvent]:
        """Follow the plan: yield what happened, then what happens, until the plan has ended.

        Args:
            after: leave out events up to this number; 0 begins at the beginning.
        """
        number = after
        while True:
            events = await self._store.events_after(self.id, number)
            for event in events:
                number = event.number
                yield event
            if events and await self._has_ended(events[-1]):
                return
            if not events:
                await asyncio.sleep(POLL_SECONDS)

    async def _has_ended(self, last: PlanEvent) -> bool:
        if last.kind is not EventKind.PLAN_ENDED:
            return False
        return not await self._store.events_after(self.id, last.number)

    async def result(self) -> PlanResult:
        """Wait for the plan to end and return how it did, whether or not it succeeded.

        Raises:
            NotFound: there is no such plan.
            MainstayError: it was terminated from outside.
        """
        try:
            return await self._ask(self._workflow().result())
        except WorkflowFailureError as error:
            return self._result_of(error.cause)

    async def outputs(self) -> Any:  # Any: JSON-like data, as the plan's `outputs` say
        """Wait for the plan to end and return its outputs.

        Raises:
            PlanFailed: it did not succeed.
        """
        result = await self.result()
        if result.status is not PlanStatus.SUCCEEDED:
            message = result.failure.message if result.failure else f"it was {result.status}"
            raise PlanFailed(message, hint=f"`mainstay status {self.id}` shows its tasks")
        return from_json(await self._store.get_document(result.outputs_ref))

    async def output_of(self, task: str) -> Any:  # Any: JSON-like data, as the tool returned it
        """Return what a task gave back: a list when it was done for each item of one.

        Raises:
            NotFound: the plan has no such task, or it gave nothing back yet.
        """
        rows = {row.name: row for row in await self.tasks()}
        if task not in rows:
            raise NotFound(f"plan {self.id!r} has no task {task!r}", hint=", ".join(rows))
        row, chunks = rows[task], await self._store.plan_output(self.id, task)
        values: dict[int, Any] = {}  # Any: JSON-like data
        for chunk in chunks:
            # Chunks overlap when a worker that was taken for dead came back; the first one holds.
            for index, value in enumerate(chunk.values, chunk.start):
                values.setdefault(index, value)
        if not chunks:
            raise NotFound(f"task {task!r} has given nothing back", hint=f"it is {row.status}")
        return [values[i] for i in sorted(values)] if row.items_total is not None else values[0]

    async def pause(self) -> None:
        """Let it hand out nothing new."""
        await self._ask(self._workflow().signal(Plan.pause))

    async def resume(self) -> None:
        """Let it go on."""
        await self._ask(self._workflow().signal(Plan.resume))

    async def cancel(self, reason: str = "", grace: timedelta | None = None) -> None:
        """Stop it: running tools have the grace, are then stopped, and what was done is undone."""
        request = CancelRequest(reason=reason, grace=grace)
        await self._ask(self._workflow().signal(Plan.cancel, request))

    async def answer(self, task: str, approved: bool, *, by: str = "", comment: str = "") -> str:
        """Approve or reject a task that asks.

        Raises:
            NotFound: the plan has no such task.
            Refused: the task does not ask.
        """
        request = AnswerRequest(task=task, approved=approved, by=by, comment=comment)
        update = self._workflow().execute_update(Plan.answer, request, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    async def skip(self, task: str, *, by: str = "", reason: str = "") -> str:
        """Let the plan go on without a task."""
        request = TaskRequest(task=task, by=by, reason=reason)
        update = self._workflow().execute_update(Plan.skip, request, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    async def retry_task(self, task: str, *, by: str = "") -> str:
        """Try a task of a running plan again."""
        request = TaskRequest(task=task, by=by)
        update = self._workflow().execute_update(Plan.retry, request, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    def _workflow(self) -> WorkflowHandle[Plan, PlanResult]:
        return self._temporal.get_workflow_handle_for(Plan.run, self.id)

    async def _ask(self, asked: Awaitable[T]) -> T:
        return await ask(asked, self._callee)

    def _result_of(self, cause: BaseException | None) -> PlanResult:
        if isinstance(cause, ApplicationError):
            detail = cause.details[0] if cause.details else None
            if isinstance(detail, dict) and "plan_id" in detail:
                return PlanResult.model_validate(detail)
            failure = Failure(type=cause.type or "", message=cause.message)
            return PlanResult(plan_id=self.id, status=PlanStatus.FAILED, failure=failure)
        if isinstance(cause, CancelledError):
            return PlanResult(plan_id=self.id, status=PlanStatus.CANCELLED)
        if isinstance(cause, TerminatedError):
            failure = Failure(type="Terminated", message="it was terminated from outside")
            return PlanResult(plan_id=self.id, status=PlanStatus.FAILED, failure=failure)
        return PlanResult(
            plan_id=self.id, status=PlanStatus.FAILED, failure=Failure(message=str(cause))
        )
