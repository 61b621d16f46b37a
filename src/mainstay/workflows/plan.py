"""The workflow of one run of a plan: the durable shell around :mod:`mainstay.decisions.plan`."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from mainstay.decisions.control import check_request
from mainstay.decisions.draft import Shape
from mainstay.decisions.plan import begin, decide, next_alarm
from mainstay.decisions.progress import describe, progress
from mainstay.decisions.revival import take_up
from mainstay.decisions.rollover import lighten
from mainstay.schemas import names
from mainstay.schemas.calls import (
    AnswerRequest,
    CancelRequest,
    PlanProgress,
    PlanRequest,
    PlanResult,
    TaskRequest,
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
from mainstay.schemas.errors import Refused
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.outline import PlanOutline
from mainstay.schemas.run import Answer, PlanState, PlanStatus
from mainstay.schemas.search import STATE
from mainstay.workflows.alarm import Alarm
from mainstay.workflows.finishing import close_records, failed_run
from mainstay.workflows.length import HistoryLength
from mainstay.workflows.loading import load_outline
from mainstay.workflows.options import SETTLE_DELAY
from mainstay.workflows.records import RecordKeeper
from mainstay.workflows.work import PlanWork

DETAILS_INTERVAL = timedelta(seconds=1)
"""How often the Web UI's text is made again while work comes and goes: it is not free."""

SMALL = 200
"""Tasks up to which making that text costs next to nothing."""


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
        self._handled = 0
        self._bug: BaseException | None = None
        self._cancelled_from_outside = False
        self._described_at: datetime | None = None
        self._records = RecordKeeper(request.plan_id, request.options.heartbeat_timeout)
        self._length = HistoryLength(request.options.rollover_events)
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
        # Temporal's own cancel hits whatever is being awaited; here it only becomes an event.
        life = asyncio.create_task(self._live())
        while True:
            try:
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.done():
                    return life.result()
                self._cancelled_from_outside = True
                self._note(CancelAsked("cancelled from outside", timedelta(0)))

    # Control. Handlers record an event and return; validators only check.

    @workflow.signal
    def pause(self) -> None:
        """Hand out nothing new until resumed."""
        self._note(Paused())

    @workflow.signal
    def resume(self) -> None:
        """Go on after a pause."""
        self._note(Resumed())

    @workflow.signal
    def cancel(self, request: CancelRequest) -> None:
        """Stop: running work has the grace, is then stopped, and what was done is undone."""
        grace = self._request.options.grace if request.grace is None else request.grace
        self._note(CancelAsked(_cut(request.reason), grace))

    @workflow.update
    async def answer(self, request: AnswerRequest) -> str:
        """Approve or reject a task that asks."""
        position = await self._position("answer", request.task)
        by, comment = _cut(request.by), _cut(request.comment)
        said = Answer(approved=request.approved, by=by, comment=comment, at=workflow.now())
        await self._handle(Answered(position, said))
        return f"{request.task}: {'approved' if request.approved else 'rejected'}"

    @workflow.update
    async def retry(self, request: TaskRequest) -> str:
        """Try a failed task again, or one whose outcome is unknown."""
        position = await self._position("retry", request.task)
        await self._handle(RetryAsked(position, _cut(request.by)))
        return f"{request.task}: tried again"

    @workflow.update
    async def skip(self, request: TaskRequest) -> str:
        """Go on without a task."""
        position = await self._position("skip", request.task)
        await self._handle(SkipAsked(position, _cut(request.by), _cut(request.reason)))
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

    def _check(self, verb: str, task: str) -> None:
        if self._shape is not None:
            check_request(self._state, self._shape, verb, task)

    async def _position(self, verb: str, task: str) -> int:
        await workflow.wait_condition(lambda: self._shape is not None and self._handled > 0)
        assert self._shape is not None
        return check_request(self._state, self._shape, verb, task)

    async def _handle(self, event: Event) -> None:
        self._note(event)
        turn = self._handled + 1
        await workflow.wait_condition(lambda: self._handled >= turn or self._finish is not None)
        if self._handled < turn:
            raise Refused(f"the plan is {self._finish}", hint="it ended before it could be told")

    # The loop: wait, decide, carry out.

    async def _live(self) -> PlanResult:
        if self._request.state is not None:
            await workflow.sleep(SETTLE_DELAY)
        shape = self._shape = await self._load()
        work = PlanWork(self._request, shape, self._note, self._stop_for)
        while self._finish is None:
            self._alarm.set(next_alarm(self._state))
            self._alarm.set(self._length.patience_ends_at())
            await workflow.wait_condition(lambda: bool(self._inbox or self._bug))
            if self._bug is not None:
                raise self._bug
            self._step(shape, work)
            if self._finish is None:
                await self._mind_length()
        return await self._end(self._finish)

    def _note(self, event: Event) -> None:
        self._inbox.append(event)

    def _stop_for(self, bug: BaseException) -> None:
        """Let a programming error suspend the run, where it can be seen, instead of hanging it."""
        self._bug = bug

    def _step(self, shape: Shape, work: PlanWork) -> None:
        events, self._inbox = self._inbox, []
        now = workflow.now()
        self._state, directives = decide(self._state, events, shape, now, hold=self._length.holds)
        self._handled += 1
        for directive in directives:
            self._carry_out(directive, work)
        self._describe(now)

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
            _show_state(told.status)

    def _describe(self, now: datetime) -> None:
        is_due = self._described_at is None or now - self._described_at >= DETAILS_INTERVAL
        if is_due or self._state.in_flight == 0 or len(self._state.tasks) <= SMALL:
            self._described_at = now
            workflow.set_current_details(describe(self.progress()))

    # The ends of a run.

    async def _load(self) -> Shape:
        outline, ended = await load_outline(self._request)
        shape = Shape.of(outline)
        self._length.begin()
        if self._request.state is not None:
            self._inbox.insert(0, Ticked())
            return shape
        self._inbox.insert(0, Started())
        self._state = begin(outline, workflow.now())
        if ended is not None:
            self._shape = shape
            self._state, told = take_up(ended, shape, workflow.now())
            for directive in told:
                assert isinstance(directive, Tell)
                self._tell(directive)
        return shape

    async def _mind_length(self) -> None:
        held = self._length.holds
        if self._length.is_over(self._state.in_flight):
            await self._roll_over()
        elif held and not self._length.holds:
            self._note(Ticked())  # what was held back can be handed out now

    async def _roll_over(self) -> None:
        await self._records.flush()
        await workflow.wait_condition(lambda: bool(self._inbox) or workflow.all_handlers_finished())
        if not self._inbox:
            state = lighten(self._state)
            workflow.continue_as_new(self._request.model_copy(update={"state": state}))

    async def _end(self, status: PlanStatus) -> PlanResult:
        await self._records.flush()
        result = await close_records(self._request, self._state, status, self.progress().counts)
        _show_state(result.status)
        workflow.set_current_details(describe(self.progress()))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if result.status is PlanStatus.SUCCEEDED:
            return result
        if result.status is PlanStatus.CANCELLED and self._cancelled_from_outside:
            raise asyncio.CancelledError
        raise failed_run(self._request, result, self._state, self._shape or _NO_SHAPE)


def _show_state(status: PlanStatus) -> None:
    workflow.upsert_search_attributes([_STATE.value_set(status.upper())])


def _cut(text: str) -> str:
    return text[:MAX_MESSAGE_CHARS]


_NO_SHAPE = Shape(PlanOutline(tasks=()))
_STATE = SearchAttributeKey.for_keyword(STATE)
