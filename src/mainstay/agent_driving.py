"""Whether anything drives an agent: its workflow is open, and a worker serves it.

What is on record about an agent says how it was when something last drove it. A record alone
therefore never counts as life: whoever shows an agent, or waits for one, asks here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from mainstay.connection import RPC_TIMEOUT, has_worker
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import Unavailable
from mainstay.schemas.lifecycle import LifeState

LOOKS_AT_ONCE = 16
"""Agents that are looked at in parallel."""


class Driving(StrEnum):
    """What drives an agent.

    ENDED needs nothing to; LOST has no open workflow although it has not ended; NO_WORKER waits
    for a worker; UNSEEN could not be looked at, because no server answers.
    """

    DRIVEN = "driven"
    ENDED = "ended"
    LOST = "lost"
    NO_WORKER = "no worker"
    UNSEEN = "unseen"


def has_ended(row: AgentRow) -> bool:
    """Tell whether an agent's life is over, by its record."""
    return row.state is LifeState.TERMINATED


async def is_open(temporal: Client, agent_id: str) -> bool:
    """Tell whether an agent's workflow is open.

    Raises:
        Unavailable: the server does not answer.
    """
    try:
        seen = await temporal.get_workflow_handle(agent_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise Unavailable(
            f"the Temporal server does not answer: {error.message}", hint="`mainstay doctor` looks"
        ) from None
    return seen.status in (
        WorkflowExecutionStatus.RUNNING,
        WorkflowExecutionStatus.CONTINUED_AS_NEW,
    )


async def look_at(temporal: Client, task_queue: str, rows: Sequence[AgentRow]) -> list[Driving]:
    """Tell what drives each agent, in the order of the rows; costs a call for each living one."""
    living = [row for row in rows if not has_ended(row)]
    if not living:
        return [Driving.ENDED for _ in rows]
    try:
        served = await has_worker(temporal, task_queue)
        opened = await _which_are_open(temporal, living)
    except (RPCError, Unavailable, RuntimeError):  # the last is what a lazy connection raises
        return [Driving.ENDED if has_ended(row) else Driving.UNSEEN for row in rows]
    return [_judge(row, opened, served) for row in rows]


async def _which_are_open(temporal: Client, rows: Sequence[AgentRow]) -> set[str]:
    places = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def look(agent_id: str) -> bool:
        async with places:
            return await is_open(temporal, agent_id)

    found = await asyncio.gather(*(look(row.agent_id) for row in rows))
    return {row.agent_id for row, opened in zip(rows, found, strict=True) if opened}


def _judge(row: AgentRow, opened: set[str], served: bool) -> Driving:
    if has_ended(row):
        return Driving.ENDED
    if row.agent_id not in opened:
        return Driving.LOST
    return Driving.DRIVEN if served else Driving.NO_WORKER
