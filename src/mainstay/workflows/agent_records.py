"""What an agent's workflow puts on record: with its next take, or by itself when it is idle.

And what it tells its supervisor.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from mainstay.schemas import names
from mainstay.schemas.agent_calls import AgentEvent, AgentRecordCall, TakeCall, Taken
from mainstay.schemas.agent_directives import Note
from mainstay.schemas.agent_run import AgentRequest, AgentState, Supervised
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.messages import Settlement
from mainstay.schemas.supervision import ChildExit, ChildNews
from mainstay.workflows.options import MACHINE_RETRY, RECORD_TIMEOUT


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
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def close(self, settled: tuple[Settlement, ...], reason: str) -> None:
        """Settle for the last time; what is left in the mailbox fails with the reason."""
        await self.flush()
        await workflow.execute_activity(
            names.AGENT_TAKE,
            TakeCall(
                agent_id=self._request.agent_id,
                batch=0,
                size=0,
                settled=settled,
                events=self.take_waiting(),
                is_last=True,
                reason=reason,
            ),
            result_type=Taken,
            start_to_close_timeout=RECORD_TIMEOUT,
            heartbeat_timeout=self._request.options.heartbeat_timeout,
            retry_policy=MACHINE_RETRY,
            summary="close the mailbox",
        )

    async def leave(self, settled: tuple[Settlement, ...], batch: int) -> None:
        """Settle for the last time in a run, and leave the mailbox to the next one.

        What cannot be settled is taken again by that one; answers that are kept stay kept.
        """
        await self.flush()
        if not settled:
            return
        with suppress(ActivityError):
            await workflow.execute_activity(
                names.AGENT_TAKE,
                TakeCall(
                    agent_id=self._request.agent_id,
                    batch=batch,
                    size=0,
                    settled=settled,
                    events=self.take_waiting(),
                ),
                result_type=Taken,
                start_to_close_timeout=RECORD_TIMEOUT,
                heartbeat_timeout=self._request.options.heartbeat_timeout,
                retry_policy=MACHINE_RETRY,
                summary="leave the mailbox",
            )

    async def _write(self) -> None:
        while self._waiting:
            batch = self.take_waiting()
            await workflow.execute_activity(
                names.AGENT_RECORD,
                AgentRecordCall(agent_id=self._request.agent_id, events=batch),
                start_to_close_timeout=RECORD_TIMEOUT,
                heartbeat_timeout=self._request.options.heartbeat_timeout,
                retry_policy=MACHINE_RETRY,
                summary=f"{len(batch)} records",
            )
        self._writer = None


class SupervisorNews:
    """Tells the supervisor that the agent is ready, and how its run ended.

    A supervisor that is gone changes nothing: whoever comes after it looks by itself.
    """

    def __init__(self, supervised: Supervised | None) -> None:
        self._supervised = supervised
        self._telling: asyncio.Task[None] | None = None

    def tell_ready(self) -> None:
        """Tell that the agent is ready, and do not wait for it."""
        self._telling = asyncio.create_task(self._tell(None))

    async def tell_end(self, told: ChildExit) -> None:
        """Tell how the run ended."""
        if self._telling is not None:
            await self._telling
        await self._tell(told)

    async def _tell(self, told: ChildExit | None) -> None:
        supervised = self._supervised
        if supervised is None:
            return
        news = ChildNews(name=supervised.name, incarnation=supervised.incarnation, exit=told)
        handle = workflow.get_external_workflow_handle(supervised.supervisor_id)
        with suppress(FailureError):
            await handle.signal(names.CHILD_NEWS, news)
