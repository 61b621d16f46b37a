"""Carrying out an agent's directives: each becomes an activity, and its end becomes an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from mainstay.schemas import names
from mainstay.schemas.agent_calls import (
    ActCall,
    Acted,
    AgentEvent,
    CollectCall,
    Collected,
    OpenCall,
    Opened,
    SummarizeCall,
    TakeCall,
    Taken,
    TellSupervisor,
    ThinkCall,
    Thought,
)
from mainstay.schemas.agent_directives import (
    Act,
    AgentSignal,
    Collect,
    Open,
    StopTurn,
    Summarize,
    Take,
    Think,
    WasActed,
    WasCollected,
    WasOpened,
    WasSummarized,
    WasTaken,
    WasThought,
)
from mainstay.schemas.agent_run import AgentRequest, AgentState, TurnState
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.run import Failure
from mainstay.schemas.team import TeamLimits
from mainstay.workflows.near import do_near
from mainstay.workflows.options import (
    AGENT_MARGIN,
    LONG_STEP_TIMEOUT,
    MACHINE_RETRY,
    PREPARE_TIMEOUT,
    RECORD_TIMEOUT,
    STEP_TIMEOUT,
    TOOL_CALL_TIMEOUT,
)
from mainstay.workflows.work import failure_of

InWork = Open | Think | Act | Collect | Summarize | StopTurn
"""Directives that are about work alone."""

Ended = Callable[[Any, Failure | None], AgentSignal]
"""Makes an event of a result (Any: each activity's own model) or a failure."""


class AgentWork:
    """The activities an agent has in flight.

    Reports through ``note``, one event each; through ``bug`` when the code here is wrong.
    """

    def __init__(
        self,
        request: AgentRequest,
        note: Callable[[AgentSignal], None],
        bug: Callable[[BaseException], None],
    ) -> None:
        self._request = request
        self._note = note
        self._bug = bug
        self._turn_tasks: set[asyncio.Task[Any]] = set()

    def carry_out(self, directive: InWork, state: AgentState) -> None:
        """Begin what a directive asks for."""
        match directive:
            case Open():
                self.open(directive)
            case Think():
                self.think(directive, state)
            case Act():
                self.act(directive, state)
            case Collect():
                self.collect(directive)
            case Summarize():
                self.summarize(directive, state)
            case StopTurn():
                self.stop_turn()

    def open(self, directive: Open) -> None:
        """Get the agent ready."""
        request = self._request
        supervised = request.supervised
        # A later opening in the same run is none of its supervisor's restarts.
        counts = supervised is not None and not directive.is_restart
        call = OpenCall(
            agent_id=request.agent_id,
            name=request.name,
            spec_ref=request.spec_ref,
            thread=request.thread,
            parent_id=request.parent_id,
            supervisor_id=supervised.row_id if supervised else "",
            limits=supervised.limits if supervised else TeamLimits(),
            accounts=request.accounts,
            is_restart=directive.is_restart,
            incarnation=supervised.incarnation if supervised and counts else 1,
            asked_at=workflow.now(),
        )
        running = self._open_near(call) if supervised and supervised.is_brief else self._open(call)
        self._start(running, lambda opened, failure: WasOpened(opened, failure))

    def take(
        self, directive: Take, events: tuple[AgentEvent, ...], tells: TellSupervisor | None
    ) -> None:
        """Settle messages and take others; that done, the supervisor may be told something."""
        call = TakeCall(
            agent_id=self._request.agent_id,
            batch=directive.batch,
            size=directive.size,
            settled=directive.settled,
            events=events,
            thread=self._request.thread,
            only=self._request.first_message,
            reclaims=directive.reclaims,
            tells=tells,
        )
        running = self._take(call)
        nothing = Taken(batch=directive.batch)
        self._start(
            running,
            lambda taken, failure: WasTaken(
                taken or nothing, failure, directive.settled if failure else ()
            ),
        )

    def think(self, directive: Think, state: AgentState) -> None:
        """Ask the model."""
        turn = _turn(state)
        call = ThinkCall(
            agent_id=self._request.agent_id,
            agent_name=self._request.name,
            thread=turn.message.thread,
            spec_ref=self._request.spec_ref,
            key=directive.key,
            turn=turn.message.id,
            inputs=directive.inputs,
            accounts=self._accounts(turn),
            output_schema_ref=turn.message.output_schema_ref,
            attempt=directive.attempt,
            model_call=directive.model_call,
        )
        timeout = state.policy.limits.model_timeout + AGENT_MARGIN
        summary = f"ask {state.policy.model}"
        running = self._activity(names.AGENT_THINK, call, Thought, timeout, summary)
        self._start(running, lambda thought, failure: WasThought(thought, failure), in_turn=True)

    def summarize(self, directive: Summarize, state: AgentState) -> None:
        """Have the older part of a thread summarised."""
        call = SummarizeCall(
            agent_id=self._request.agent_id,
            thread=directive.thread,
            spec_ref=self._request.spec_ref,
            accounts=self._accounts(_turn(state)),
            key=directive.key,
        )
        timeout = state.policy.limits.model_timeout + AGENT_MARGIN
        running = self._activity(names.AGENT_SUMMARIZE, call, None, timeout, "summarise")
        self._start(running, lambda _, failure: WasSummarized(failure), in_turn=True)

    def act(self, directive: Act, state: AgentState) -> None:
        """Run a tool call."""
        turn = _turn(state)
        name = next(use.name for use in turn.uses if use.id == directive.use_id)
        call = ActCall(
            agent_id=self._request.agent_id,
            agent_name=self._request.name,
            thread=turn.message.thread,
            spec_ref=self._request.spec_ref,
            position=turn.position,
            use_id=directive.use_id,
            key=directive.key,
            accounts=self._accounts(turn),
            attempt=directive.attempt,
            confirmed=directive.confirmed,
            answer=directive.answer,
            turn=turn.message.id,
        )
        running = self._activity(names.AGENT_ACT, call, Acted, TOOL_CALL_TIMEOUT, name)
        use_id = directive.use_id
        self._start(running, lambda acted, failure: WasActed(use_id, acted, failure), in_turn=True)

    def collect(self, directive: Collect) -> None:
        """Look whether another agent has answered."""
        call = CollectCall(
            agent_id=self._request.agent_id,
            correlation=directive.correlation,
            key=directive.key,
        )
        running = self._activity(names.AGENT_COLLECT, call, Collected, RECORD_TIMEOUT, "collect")
        use_id = directive.use_id
        self._start(
            running,
            lambda found, failure: WasCollected(use_id, found or Collected()),
            in_turn=True,
        )

    def stop_turn(self) -> None:
        """Cancel what the turn has in flight; each piece still reports that it ended."""
        for running in list(self._turn_tasks):
            running.cancel()

    def _accounts(self, turn: TurnState) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._request.accounts, *turn.message.accounts)))

    def _start(
        self, work: Coroutine[Any, Any, Any], ended: Ended, *, in_turn: bool = False
    ) -> None:
        running = asyncio.create_task(work)
        if in_turn:
            self._turn_tasks.add(running)
        running.add_done_callback(lambda done: self._report(done, ended))

    def _report(self, done: asyncio.Task[Any], ended: Ended) -> None:
        self._turn_tasks.discard(done)
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            self._note(ended(done.result(), None))
        elif isinstance(error, FailureError | MainstayError | asyncio.CancelledError):
            self._note(ended(None, failure_of(error)))
        else:
            self._bug(error)

    async def _open(self, call: OpenCall) -> Opened:
        far: Opened = await self._activity(
            names.AGENT_OPEN, call, Opened, PREPARE_TIMEOUT, "get ready"
        )
        return far

    async def _open_near(self, call: OpenCall) -> Opened:
        """Get ready within this step, or else as any activity; see :meth:`_take`."""
        with suppress(FailureError):
            near: Opened = await do_near(
                names.AGENT_OPEN, call, Opened, "get ready", LONG_STEP_TIMEOUT
            )
            return near
        return await self._open(call)

    async def _take(self, call: TakeCall) -> Taken:
        """Take within this step of the workflow, or else, if that takes long, as any activity.

        Both may happen: taking the same batch again returns the same messages.
        """
        # What is wrong beside the time shows again below, where it is retried and reported.
        with suppress(FailureError):
            patience = LONG_STEP_TIMEOUT if call.tells else STEP_TIMEOUT
            near: Taken = await do_near(names.AGENT_TAKE, call, Taken, "mailbox", patience)
            return near
        far: Taken = await self._activity(names.AGENT_TAKE, call, Taken, RECORD_TIMEOUT, "mailbox")
        return far

    async def _activity(
        self,
        name: str,
        call: Any,  # Any: each activity's own model
        result: type[Any] | None,
        timeout: timedelta,
        summary: str,
    ) -> Any:  # Any: see above
        return await workflow.execute_activity(
            name,
            call,
            result_type=result,
            start_to_close_timeout=timeout,
            heartbeat_timeout=self._request.options.heartbeat_timeout,
            retry_policy=MACHINE_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )


def _turn(state: AgentState) -> TurnState:
    assert state.turn is not None
    return state.turn
