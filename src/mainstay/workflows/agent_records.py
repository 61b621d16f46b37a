"""What an agent's workflow puts on record: with its next take, or by itself when it is idle.

And what it tells its supervisor.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from mainstay.schemas import names
from mainstay.schemas.agent_calls import (
    AgentEvent,
    AgentRecordCall,
    TakeCall,
    Taken,
    TellSupervisor,
)
from mainstay.schemas.agent_directives import Note
from mainstay.schemas.agent_run import AgentRequest, AgentState, Supervised
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.supervision import ChildExit, ChildNews
from mainstay.workflows.near import do_near
from mainstay.workflows.options import LONG_STEP_TIMEOUT, MACHINE_RETRY, RECORD_TIMEOUT


class AgentRecords:
    """Collects events, and has one activity at a time store them."""

    def __init__(self, request: AgentRequest) -> None:
        self._request = request
        self._waiting: list[AgentEvent] = []
        self._writer: asyncio.Task[None] | None = None
        self._told = 0

    def note(self, note: Note, state: AgentState) -> None:
        """Take an event."""
        self._told += 1
        turn = state.turn
        self._waiting.append(
            AgentEvent(
                agent_id=self._request.agent_id,
                key=f"{workflow.info().run_id}/{self._told}",
                kind=note.kind,
                at=note.at or workflow.now(),
                message_id=turn.message.id if turn else "",
                thread=turn.message.thread if turn else self._request.thread,
                message=note.message[:MAX_MESSAGE_CHARS],
                from_state=note.from_state,
                to_state=note.to_state,
                trigger=note.trigger,
                duration_ms=note.duration_ms,
                data=note.data or {},
            )
        )

    def take_waiting(self) -> tuple[AgentEvent, ...]:
        """Return what waits, for the caller to store it with something else."""
        waiting, self._waiting = tuple(self._waiting), []
        return waiting

    def flush_soon(self) -> None:
        """Store what waits; what a take of the same step stores waits no longer."""
        if self._waiting and self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Wait until everything is on record."""
        self.flush_soon()
        await self._written()

    async def close(self, state: AgentState, tells: TellSupervisor | None) -> bool:
        """Settle for the last time; what is left in the mailbox fails.

        Returns:
            Whether the supervisor was told.
        """
        await (self._written() if tells else self.flush())
        call = TakeCall(
            agent_id=self._request.agent_id,
            batch=0,
            size=0,
            settled=state.settled,
            events=self.take_waiting(),
            is_last=True,
            reason=state.life.detail or f"the agent is {state.life.state}",
            tells=tells,
        )
        await self._store(names.AGENT_TAKE, call, "close the mailbox")
        return tells is not None

    async def leave(self, state: AgentState, tells: TellSupervisor | None) -> bool:
        """Settle for the last time in a run, and leave the mailbox to the next one.

        What cannot be settled is taken again by that one; answers that are kept stay kept.

        Returns:
            Whether the supervisor was told.
        """
        await (self._written() if tells else self.flush())
        settled = state.settled
        if not settled and not tells:
            return False
        events = self.take_waiting()
        call = TakeCall(
            agent_id=self._request.agent_id,
            batch=state.batch + 1,
            size=0,
            settled=settled,
            events=events,
            tells=tells,
        )
        record = AgentRecordCall(agent_id=self._request.agent_id, events=events, tells=tells)
        try:
            if settled:
                await self._store(names.AGENT_TAKE, call, "leave the mailbox")
            else:
                await self._store(names.AGENT_RECORD, record, "leave the mailbox")
        except ActivityError:
            self._waiting = [*(events if tells else ()), *self._waiting]
            await self.flush()
            return False
        return tells is not None

    async def _store(self, name: str, call: TakeCall | AgentRecordCall, summary: str) -> None:
        result = Taken if isinstance(call, TakeCall) else None
        if call.tells:
            with suppress(FailureError):  # what is wrong beside the time shows again below
                await do_near(name, call, result, summary, LONG_STEP_TIMEOUT)
                return
        await workflow.execute_activity(
            name,
            call,
            result_type=result,
            start_to_close_timeout=RECORD_TIMEOUT,
            heartbeat_timeout=self._request.options.heartbeat_timeout,
            retry_policy=MACHINE_RETRY,
            summary=summary,
        )

    async def _written(self) -> None:
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def _write(self) -> None:
        while self._waiting:
            batch = self.take_waiting()
            await workflow.execute_activity(
                names.AGENT_RECORD,
                AgentRecordCall(agent_id=self._request.agent_id, events=batch),
                start_to_close_timeout=RECORD_TIMEOUT,
                heartbeat_timeout=self._request.options.heartbeat_timeout,
                retry_policy=MACHINE_RETRY,
                summary="records",
            )
        self._writer = None


class SupervisorNews:
    """Tells the supervisor that the agent is ready, and how its run ended.

    A supervisor that is gone changes nothing: whoever comes after it looks by itself. In a brief
    run the activity tells that is going to be called anyway.
    """

    def __init__(self, supervised: Supervised | None) -> None:
        self._supervised = supervised
        self._telling: asyncio.Task[None] | None = None
        self._waits = False
        self.is_brief = supervised is not None and supervised.is_brief

    def note_ready(self) -> None:
        """Hear that the agent is ready."""
        self._waits = True
        if not self.is_brief:
            self.tell_soon()

    def take_ready(self) -> TellSupervisor | None:
        """Return what waits to be told, for the caller to have it told."""
        waits, self._waits = self._waits, False
        return self._news(None) if waits else None

    def tell_soon(self) -> None:
        """Tell what waits, and do not wait for it."""
        if self._waits:
            self._waits = False
            self._telling = asyncio.create_task(self._tell(None))

    def of_end(self, told: ChildExit | None) -> TellSupervisor | None:
        """Return how the run ended, for the caller to have it told; None if that is not its way."""
        return self._news(told) if self.is_brief and told else None

    async def tell_end(self, told: ChildExit) -> None:
        """Tell how the run ended."""
        if self._telling is not None:
            await self._telling
        await self._tell(told)

    def _news(self, told: ChildExit | None) -> TellSupervisor | None:
        one = self._supervised
        if one is None:
            return None
        news = ChildNews(name=one.name, incarnation=one.incarnation, exit=told)
        return TellSupervisor(supervisor_id=one.supervisor_id, news=news)

    async def _tell(self, told: ChildExit | None) -> None:
        tells = self._news(told)
        if tells is None:
            return
        handle = workflow.get_external_workflow_handle(tells.supervisor_id)
        with suppress(FailureError):
            await handle.signal(names.CHILD_NEWS, tells.news)
