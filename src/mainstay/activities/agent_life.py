"""The activities around an agent's turns: it gets ready, takes messages, settles them, ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity

from mainstay.activities.agent_files import AgentFiles
from mainstay.activities.agent_ports import AgentStorage, Models
from mainstay.activities.calling import reporting
from mainstay.activities.doorbell import tell_replied, tell_supervisor
from mainstay.activities.parents import see_to_children, see_to_late_child
from mainstay.activities.pulse import pulse
from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import (
    AgentEvent,
    AgentEventKind,
    AgentRecordCall,
    AgentRow,
    OpenCall,
    Opened,
    TakeCall,
    Taken,
)
from mainstay.schemas.agent_run import AgentPolicy
from mainstay.schemas.conversation import ThreadRow
from mainstay.schemas.errors import NotFound
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus, Settlement
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.schemas.team import TeamLimits


class AgentLife:
    """Getting ready, the mailbox, and the records of an agent."""

    def __init__(
        self,
        storage: AgentStorage,
        models: Models,
        files: AgentFiles,
        limits: AgentLimits | None = None,
    ) -> None:
        self._storage = storage
        self._models = models
        self._files = files
        self._limits = limits

    @activity.defn(name=names.AGENT_OPEN)
    async def open(self, call: OpenCall) -> Opened:
        """Read the agent's file, see to its model and its tools, and write its row."""
        with reporting():
            async with pulse():
                spec = await self._files.spec(call.spec_ref)
                model = spec.model or ""
                await asyncio.to_thread(self._models.check, model)
                self._files.tools_of(spec)
                row = await self._write_row(call, spec)
                await see_to_late_child(self._storage, row)
                thread = await self._thread(call, has_lived=call.is_restart or row.batch > 0)
                return Opened(policy=policy_of(spec), entries=thread.entries, batch=row.batch)

    @activity.defn(name=names.AGENT_TAKE)
    async def take(self, call: TakeCall) -> Taken:
        """Settle what was worked on and take the next batch; at the end, close the mailbox."""
        with reporting():
            async with pulse():
                now = datetime.now(UTC)
                events = (*call.events, *_settled_events(call, now))
                if call.is_last:
                    dead = await self._storage.close_mailbox(
                        call.agent_id, call.settled, events, call.reason, now
                    )
                    await tell_replied((*call.settled, *dead))
                    await see_to_children(self._storage, [call.agent_id])
                    await tell_supervisor(call.tells)
                    return Taken(batch=call.batch)
                headers = await self._storage.settle_and_take(
                    call.agent_id,
                    call.settled,
                    events,
                    call.batch,
                    call.size,
                    now,
                    only=call.only,
                    reclaims=call.reclaims,
                )
                await tell_replied(call.settled)
                await tell_supervisor(call.tells)
                own = [
                    header if header.thread else header.model_copy(update={"thread": call.thread})
                    for header in headers
                ]
                return Taken(batch=call.batch, headers=tuple(own))

    @activity.defn(name=names.AGENT_RECORD)
    async def record(self, call: AgentRecordCall) -> None:
        """Put on record what happened in the workflow itself."""
        with reporting():
            async with pulse():
                await self._storage.append_agent_events(call.events)
                await tell_supervisor(call.tells)

    async def _thread(self, call: OpenCall, has_lived: bool) -> ThreadRow:
        found = await self._storage.get_thread(call.thread)
        if found is not None:
            return found
        if has_lived:
            raise NotFound(
                f"the conversation {call.thread!r} of agent {call.name!r} is gone, and an agent "
                "does not start afresh in silence",
                hint="restore a snapshot of it, or spawn it anew",
            )
        now = datetime.now(UTC)
        made = ThreadRow(
            thread_id=call.thread,
            title=call.name,
            agent_id=call.agent_id,
            created_at=now,
            updated_at=now,
        )
        await self._storage.create_thread(made)
        return made

    async def _write_row(self, call: OpenCall, spec: AgentSpec) -> AgentRow:
        now = datetime.now(UTC)
        row = AgentRow(
            agent_id=call.agent_id,
            name=call.name,
            role=spec.role,
            state=LifeState.INITIALIZING,
            model=spec.model or "",
            description=spec.description,
            thread=call.thread,
            spec_ref=call.spec_ref,
            parent_id=call.parent_id,
            supervisor_id=call.supervisor_id,
            capabilities=tuple(spec.capabilities),
            created_at=now,
            updated_at=now,
        )
        if call.accounts:
            await self._storage.open_account(call.accounts[0], spec.budget, call.name)
        stored = await self._storage.create_agent(row, self._limits_of(call.limits))
        if call.incarnation > 1:
            await self._note_restart(call, stored)
        return stored

    def _limits_of(self, team: TeamLimits) -> AgentLimits | None:
        """Return the installation's limits with those of the agent's team."""
        if self._limits is None and team == TeamLimits():
            return None
        own = self._limits or AgentLimits(agents=None, children=None, depth=None)
        return own.model_copy(update={"team_agents": team.agents, "team_roles": team.roles})

    async def _note_restart(self, call: OpenCall, row: AgentRow) -> None:
        """Put on record that a later run begins, unless the end of the one before says so."""
        if row.state is LifeState.RESTARTING and row.restarts >= call.incarnation - 1:
            return
        restarted = AgentEvent(
            agent_id=call.agent_id,
            key=f"restarted/{call.incarnation}",
            kind=AgentEventKind.STATE,
            at=call.asked_at or datetime.now(UTC),
            thread=call.thread,
            message=f"its supervisor starts it again: run {call.incarnation}",
            from_state=row.state if row.state is not LifeState.RESTARTING else None,
            to_state=LifeState.RESTARTING,
            trigger="restart",
        )
        await self._storage.append_agent_events([restarted])


def policy_of(spec: AgentSpec) -> AgentPolicy:
    """Return what of an agent's file its decisions need."""
    return AgentPolicy(
        limits=spec.limits,
        on_failure=spec.on_failure,
        batch=spec.mailbox.batch,
        model=spec.model or "",
        role=spec.role,
    )


def _settled_events(call: TakeCall, now: datetime) -> Sequence[AgentEvent]:
    ended = [one for one in call.settled if one.status is not MessageStatus.PENDING]
    return [_settled_event(call, one, now) for one in ended]


def _settled_event(call: TakeCall, one: Settlement, now: datetime) -> AgentEvent:
    return AgentEvent(
        agent_id=call.agent_id,
        key=f"settled/{one.message_id}",
        kind=AgentEventKind.MESSAGE_SETTLED,
        at=now,
        message_id=one.message_id,
        thread=one.thread,
        message=one.failure.message if one.failure else "",
        data={"status": one.status, "position": one.position},
    )
