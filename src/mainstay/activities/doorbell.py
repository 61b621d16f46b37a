"""Waking workflows: an agent whose mailbox is no longer empty, one whose question is answered.

A signal to a workflow that has ended is no error: whoever waits has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from mainstay.schemas import names
from mainstay.schemas.agent_calls import TellSupervisor
from mainstay.schemas.messages import SendReceipt, Settlement


async def ring(client: Client, agent_ids: Iterable[str]) -> None:
    """Wake agents, each once."""
    await asyncio.gather(
        *(_signal(client, agent_id, names.RING) for agent_id in dict.fromkeys(agent_ids))
    )


async def ring_receivers(receivers: Sequence[str], receipts: Sequence[SendReceipt]) -> None:
    """From an activity, wake those receivers whose bell has to be rung."""
    pairs = zip(receivers, receipts, strict=True)
    await ring(activity.client(), [name for name, receipt in pairs if receipt.must_ring])


async def tell_replied(settled: Iterable[Settlement]) -> None:
    """From an activity, tell the workflows that wait for an answer that it is there."""
    waiting = [one for one in settled if one.reply_workflow]
    if waiting:
        client = activity.client()
        await asyncio.gather(
            *(_signal(client, one.reply_workflow, names.REPLIED, one.message_id) for one in waiting)
        )


async def tell_supervisor(tells: TellSupervisor | None) -> None:
    """From an activity, tell a supervisor of its child; told twice, it counts once."""
    if tells is not None:
        await _signal(activity.client(), tells.supervisor_id, names.CHILD_NEWS, tells.news)


async def has_gone(workflow_id: str) -> bool:
    """From an activity, tell whether a workflow is not open, and never will be by itself."""
    handle = activity.client().get_workflow_handle(workflow_id)
    try:
        status = (await handle.describe()).status
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return True
    return status not in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)


async def _signal(client: Client, workflow_id: str, name: str, *args: object) -> None:
    try:
        await client.get_workflow_handle(workflow_id).signal(name, args=list(args))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
