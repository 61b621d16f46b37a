"""The workflow of one run of a plan: the durable shell around :mod:`mainstay.decisions.plan`."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from mainstay.decisions.control import check_request
from mainstay.decisions.draft import Shape
from mainstay.decisions.outline import page_count
from mainstay.decisions.plan import begin, decide, next_alarm, take_up
from mainstay.decisions.progress import describe, progress
from mainstay.decisions.rollover import Rollover, rollover
from mainstay.schemas import names
from mainstay.schemas.calls import (
    AnswerRequest,
    CancelRequest,
    FinishCall,
    OutlineCall,
    PlanProgress,
    PlanRequest,
    PlanResult,
    TaskRequest,
    Verdict,
)
from mainstay.schemas.directives import (
    Answered,
    CancelAsked,
    Directive,
    DoWork,
    Event,
    Finish,
    Paused,
    Resumed,
    RetryAsked,
    SkipAsked,
    Started,
    StopWork,
    Tell,
    Ticked,
)
from mainstay.schemas.outline import OutlinePage, PlanOutline
from mainstay.schemas.run import Answer, PlanState, PlanStatus
from mainstay.schemas.search import STATE
from mainstay.workflows.alarm import Alarm
from mainstay.workflows.options import MACHINE_RETRY, RECORD_TIMEOUT, SETTLE_DELAY
from mainstay.workflows.records import RecordKeeper
from mainstay.workflows.work import PlanWork, failure_of


@workflow.defn(name=names.PLAN)
class Plan:
    """Runs a plan to its end. Every rule is a decision; here they are only carried out."""

    @workflow.init
    def __init__(self, request: PlanRequest) -> None:
        self._request = request
        self._inbox: list[Event] = []
        self._state = request.state or PlanState()
        self._shape: Shape | None = None
        self._finish: PlanStatus | None = None
        self._held_since: datetime | None = None
        self._handled = 0
        self._cancelled_from_outside = False
        self._described_at: datetime | None = None
        self._records = RecordKeeper(request.plan_id)
        self._alarm = Alarm(lambda: self._note(Ticked()))

    @workflow.run
    async def run(self, request: PlanRequest) -> PlanResult:
        """Run the plan.

        Returns:
            The result of a plan that succeeded.

        Raises:
            ApplicationError: of type ``PlanFailed`` or ``PlanCancelled``, with the
                :class:`PlanResult` as its detail.
        """
        if request.state is not None:
            await workflow.sleep(SETTLE_DELAY)
        shape = await self._load()
        work = PlanWork(request, shape, self._note)
        while self._finish is None:
            await self._wait()
            events, self._inbox = self._inbox, []
            self._step(events, shape, work)
            if self._finish is None and self._must_roll_over():
                await self._roll_over()
        return await self._end()

    # Control. Handlers record an event and return; validators only check.

    @workflow.signal
    def pause(self) -> None:
        """Hand out nothing new until resumed."""
        self._inbox.append(Paused())

    @workflow.signal
    def resume(self) -> None:
        """Go on after a pause."""
        self._inbox.append(Resumed())

    @workflow.signal
    def cancel(self, request: CancelRequest) -> None:
        """Stop: running work has the grace, is then stopped, and what was done is undone."""
        grace = self._request.options.grace if request.grace is None else request.grace
        self._inbox.append(CancelAsked(request.reason, grace))

    @workflow.update
    async def answer(self, request: AnswerRequest) -> str:
        """Approve or reject a task that asks."""
        position = await self._position("answer", request.task)
        said = Answer(
            approved=request.approved, by=request.by, comment=request.comment, at=workflow.now()
        )
        await self._handle(Answered(position, said))
        return f"{request.task}: {'approved' if request.approved else 'rejected'}"

    @workflow.update
    async def retry(self, request: TaskRequest) -> str:
        """Try a failed task again, or one whose outcome is unknown."""
        await self._handle(RetryAsked(await self._position("retry", request.task), request.by))
        return f"{request.task}: tried again"

    @workflow.update
    async def skip(self, request: TaskRequest) -> str:
        """Go on without a task."""
        position = await self._position("skip", request.task)
        await self._handle(SkipAsked(position, request.by, request.reason))
        return f"{request.task}: skipped"

    @answer.validator
    def check_answer(self, request: AnswerRequest) -> None:
        """Refuse an answer that nobody asked for."""
        self._check("answer", request.task)

    @retry.validator
    def check_retry(self, request: TaskRequest) -> None:
        """Refuse to retry what has not failed."""
        self._check("retry", request.task)

    @skip.validator
    def check_skip(self, request: TaskRequest) -> None:
        """Refuse to skip what has ended."""
        self._check("skip", request.task)

    @workflow.query
    def progress(self) -> PlanProgress:
        """How far the plan is, what runs, and what it waits for."""
        return progress(self._request.plan_id, self._state, self._shape or _NO_SHAPE)

    def _check(self, verb: str, task: str) -> int | None:
        return check_request(self._state, self._shape, verb, task) if self._shape else None

    async def _position(self, verb: str, task: str) -> int:
        await workflow.wait_condition(lambda: self._shape is not None)
        assert self._shape is not None
        return check_request(self._state, self._shape, verb, task)

    async def _handle(self, event: Event) -> None:
        self._inbox.append(event)
        waiting_for = self._handled + 1
        await workflow.wait_condition(
            lambda: self._handled >= waiting_for or self._finish is not None
        )

    # The loop: wait, decide, carry out.

    def _note(self, event: Event) -> None:
        self._inbox.append(event)

    async def _wait(self) -> None:
        self._alarm.set(next_alarm(self._state))
        try:
            await workflow.wait_condition(lambda: bool(self._inbox))
        except asyncio.CancelledError:
            self._cancelled_from_outside = True
            self._inbox.append(CancelAsked("cancelled from outside", timedelta(0)))

    def _step(self, events: list[Event], shape: Shape, work: PlanWork) -> None:
        hold = self._held_since is not None
        now = workflow.now()
        self._state, directives = decide(self._state, events, shape, now, hold=hold)
        self._handled += 1
        for directive in directives:
            self._carry_out(directive, work)
        if self._described_at is None or now - self._described_at >= timedelta(seconds=1):
            self._described_at = now
            workflow.set_current_details(describe(self.progress()))

    def _carry_out(self, directive: Directive, work: PlanWork) -> None:
        match directive:
            case DoWork():
                work.start(directive, self._state)
            case StopWork():
                work.stop(directive.task)
            case Tell():
                self._tell(directive)
            case Finish():
                self._finish = directive.status

    def _tell(self, told: Tell) -> None:
        assert self._shape is not None
        task = "" if told.task is None else self._shape.outline.tasks[told.task].name
        self._records.tell(told, task)
        if told.task is None and isinstance(told.status, PlanStatus):
            workflow.upsert_search_attributes([_STATE.value_set(told.status.upper())])

    # The ends of a run.

    async def _load(self) -> Shape:
        request = self._request
        call = OutlineCall(
            plan_id=request.plan_id,
            name=request.name,
            plan_ref=request.plan_ref,
            inputs_ref=request.inputs_ref,
            parent_id=request.parent_id,
            resumed=request.resumed,
        )
        first = await self._outline_page(call)
        numbers = range(1, page_count(first.total))
        pages = [first] + await asyncio.gather(
            *(self._outline_page(call.model_copy(update={"page": number})) for number in numbers)
        )
        outline = PlanOutline(
            tasks=tuple(task for page in pages for task in page.tasks),
            max_parallel=first.max_parallel,
            timeout=first.timeout,
            priority=first.priority,
        )
        shape = Shape.of(outline)
        if request.state is None:
            now = workflow.now()
            ended = first.state
            self._state = take_up(ended, shape, now) if ended else begin(outline, now)
            self._inbox.insert(0, Started())
        else:
            self._inbox.insert(0, Ticked())
        self._shape = shape
        return shape

    async def _outline_page(self, call: OutlineCall) -> OutlinePage:
        page: OutlinePage = await workflow.execute_activity(
            names.PLAN_OUTLINE,
            call,
            result_type=OutlinePage,
            start_to_close_timeout=RECORD_TIMEOUT,
            retry_policy=MACHINE_RETRY,
            summary=f"outline, page {call.page + 1}" if call.page else "outline",
        )
        return page

    def _must_roll_over(self) -> bool:
        info, now = workflow.info(), workflow.now()
        held = now - self._held_since if self._held_since else timedelta(0)
        choice = rollover(
            info.get_current_history_length(),
            self._request.options.rollover_events,
            info.is_continue_as_new_suggested(),
            self._state.in_flight,
            held,
        )
        if choice is Rollover.GO_ON:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = now
        return choice is Rollover.CONTINUE_AS_NEW

    async def _roll_over(self) -> None:
        await self._records.flush()
        await workflow.wait_condition(lambda: bool(self._inbox) or workflow.all_handlers_finished())
        if self._inbox:
            return
        workflow.continue_as_new(self._request.model_copy(update={"state": self._state}))

    async def _end(self) -> PlanResult:
        result = await self._finish_records()
        workflow.set_current_details(describe(self.progress()))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if result.status is PlanStatus.SUCCEEDED:
            return result
        if result.status is PlanStatus.CANCELLED and self._cancelled_from_outside:
            raise asyncio.CancelledError
        kind = "PlanFailed" if result.status is PlanStatus.FAILED else "PlanCancelled"
        message = result.failure.message if result.failure else self._state.cancel_reason
        raise ApplicationError(message or kind, result, type=kind, non_retryable=True)

    async def _finish_records(self) -> PlanResult:
        assert self._finish is not None
        await self._records.flush()
        request, state, status = self._request, self._state, self._finish
        failure = state.failure
        call = FinishCall(
            plan_id=request.plan_id,
            plan_ref=request.plan_ref,
            inputs_ref=request.inputs_ref,
            status=status,
            state=state,
            resumed=request.resumed,
        )
        try:
            verdict = await self._finish_activity(call)
        except Exception as error:  # the plan's outputs could not be evaluated
            status, failure = PlanStatus.FAILED, failure_of(error)
            call = call.model_copy(update={"status": status, "message": failure.message})
            verdict = await self._finish_activity(call)
        return PlanResult(
            plan_id=request.plan_id,
            status=status,
            outputs_ref=verdict.outputs_ref,
            failure=failure,
            counts=self.progress().counts,
        )

    async def _finish_activity(self, call: FinishCall) -> Verdict:
        verdict: Verdict = await workflow.execute_activity(
            names.PLAN_FINISH,
            call,
            result_type=Verdict,
            start_to_close_timeout=RECORD_TIMEOUT,
            retry_policy=MACHINE_RETRY,
            summary=f"finish: {call.status}",
        )
        return verdict


_NO_SHAPE = Shape(PlanOutline(tasks=()))
_STATE = SearchAttributeKey.for_keyword(STATE)
