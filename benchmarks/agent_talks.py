"""Conversations with an agent, and what each of their turns leaves in Temporal's history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from mainstay.agent_handle import AgentHandle
from mainstay.schemas import names

SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
ANSWER_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True)
class TalkSize:
    """What a conversation left behind.

    Attributes:
        totals: bytes of history up to the end of each turn, over all runs.
        runs: how many runs there were; each but the last one continued as new.
        longest: events of the longest run.
    """

    totals: Sequence[int]
    runs: int
    longest: int

    def per_turn(self, first: int, last: int) -> float:
        """Return the bytes of a turn, at the mean of turns ``first`` (exclusive) to ``last``."""
        before = self.totals[first - 1] if first else 0
        return (self.totals[last - 1] - before) / (last - first)


async def talk(agent: AgentHandle, turns: int, chars: int) -> None:
    """Have a conversation: each message of so many characters is answered before the next."""
    for number in range(turns):
        text = f"{number:06d} ".ljust(chars, "q")
        await agent.ask(text, timeout=ANSWER_TIMEOUT)


async def size_of_talk(client: Client, workflow_id: str, asking: str) -> TalkSize:
    """Weigh a conversation; a turn lasts until the model is asked for the next.

    Args:
        client: connected to the server that ran it.
        workflow_id: who talked.
        asking: the activity that asks the model, once a turn.
    """
    found = await histories(client, workflow_id)
    totals: list[int] = []
    total = 0
    for event in (event for history in found for event in history.events):
        if is_scheduled(event, asking):
            totals.append(total)
        total += event.ByteSize()
    # What came before the first turn is no turn's.
    return TalkSize(
        [until - totals[0] for until in (*totals[1:], total)],
        len(found),
        max(len(history.events) for history in found),
    )


async def histories(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """Return the histories of all runs of a workflow, the first one first."""
    found: list[WorkflowHistory] = []
    run_id = (await client.get_workflow_handle(workflow_id).describe()).run_id
    while run_id:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        found.insert(0, history)
        started = history.events[0].workflow_execution_started_event_attributes
        run_id = started.continued_execution_run_id
    return found


async def until_quiet(agent: AgentHandle) -> None:
    """Wait until an agent has nothing to do and has told storage so."""
    while True:
        info, mailbox = await agent.info(), await agent.mailbox()
        if info.activity == "idle" and not mailbox.unsettled and not mailbox.rings:
            return
        await asyncio.sleep(0.01)


def is_scheduled(event: object, activity: str) -> bool:
    """Tell whether an event of a history schedules an activity of this name."""
    if getattr(event, "event_type", None) != SCHEDULED:
        return False
    attributes = getattr(event, "activity_task_scheduled_event_attributes", None)
    return attributes is not None and attributes.activity_type.name == activity


THINK = names.AGENT_THINK
