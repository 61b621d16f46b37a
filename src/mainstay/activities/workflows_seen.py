"""The workflows of a team as the server sees them: which are open, and ending them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from temporalio.service import RPCError, RPCStatusCode

from mainstay.schemas.search import INCARNATION, TEAM

AT_ONCE = 16
"""Calls to the server in parallel."""

BEGIN_TIMEOUT = timedelta(seconds=5)
"""How long a child may be on its way from its parent's wish to its own start."""

POLL_SECONDS = 0.1

_OPEN = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Seen:
    """A workflow of a team.

    Attributes:
        incarnation: how often its supervisor had started it; 0 when that is not known.
        heartbeat_at: the last sign of life of what it has running; None when nothing runs.
    """

    id: str
    is_open: bool
    incarnation: int = 0
    heartbeat_at: datetime | None = None


async def look(client: Client, workflow_id: str) -> Seen:
    """Look at one workflow, exactly; one that there never was is not open."""
    described = await _describe(client, workflow_id)
    if described is None:
        return Seen(workflow_id, is_open=False)
    return Seen(
        workflow_id,
        is_open=described.status in _OPEN,
        incarnation=await _incarnation(described),
        heartbeat_at=_heartbeat(described),
    )


async def look_at(client: Client, workflow_ids: Iterable[str]) -> dict[str, Seen]:
    """Look at several workflows, exactly."""
    found = await each(list(workflow_ids), lambda one: look(client, one))
    return {seen.id: seen for seen in found}


async def open_workflows(client: Client, team: str) -> dict[str, Seen]:
    """List the open workflows of a team, by id; the list may be a second or two behind."""
    query = f"{TEAM} = {_quote(team)} AND ExecutionStatus = 'Running'"
    return {
        found.id: Seen(found.id, is_open=True, incarnation=await _incarnation(found))
        async for found in client.list_workflows(query)
    }


async def terminate(client: Client, workflow_ids: Iterable[str], reason: str) -> None:
    """Terminate workflows; those that have ended, or never were, are left as they are."""

    async def end(workflow_id: str) -> None:
        try:
            await client.get_workflow_handle(workflow_id).terminate(reason=reason)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    await each(list(dict.fromkeys(workflow_ids)), end)


async def signal(client: Client, workflow_id: str, name: str, *args: object) -> bool:
    """Signal a workflow; False when there is none that is open."""
    try:
        await client.get_workflow_handle(workflow_id).signal(name, args=list(args))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def children_begun(client: Client, workflow_id: str) -> list[str]:
    """Return the children that a workflow has begun and that have not ended.

    What it asked for a moment before it was ended may begin a moment after: that is waited for.
    """
    until = asyncio.get_running_loop().time() + BEGIN_TIMEOUT.total_seconds()
    while True:
        described = await _describe(client, workflow_id)
        if described is None:
            return []
        pending = described.raw_description.pending_children
        if all(child.run_id for child in pending) or asyncio.get_running_loop().time() > until:
            return [child.workflow_id for child in pending]
        await asyncio.sleep(POLL_SECONDS)


async def each(items: Sequence[S], work: Callable[[S], Awaitable[T]]) -> list[T]:
    """Do something with each item, a few at a time; results in their order."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: S) -> T:
        async with places:
            return await work(item)

    return list(await asyncio.gather(*map(one, items)))


async def _describe(client: Client, workflow_id: str) -> WorkflowExecutionDescription | None:
    try:
        return await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def _incarnation(found: WorkflowExecution) -> int:
    value = (await found.memo()).get(INCARNATION, 0)
    return value if isinstance(value, int) else 0


def _heartbeat(described: WorkflowExecutionDescription) -> datetime | None:
    # What waits for a worker gives no sign of life, which is not the agent's fault.
    running = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    signs = [
        moment.ToDatetime(tzinfo=UTC)
        for one in described.raw_description.pending_activities
        if one.state == running
        for moment in (one.last_heartbeat_time, one.last_started_time)
        if moment.seconds
    ]
    return max(signs, default=None)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
