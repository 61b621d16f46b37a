"""What the agents of a plan wait for, by their records: somebody's answer, or more budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind, AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import PlanStatus
from mainstay.storage.store import Store

MAX_AGENTS = 50
"""Agents of one plan that are looked at; more would wait for the same."""

_STUCK = (LifeState.PAUSED, LifeState.ERROR)
_OPEN = (PlanStatus.RUNNING, PlanStatus.PAUSED, PlanStatus.CANCELLING)


@dataclass(frozen=True, slots=True)
class AgentWait:
    """An agent that cannot go on by itself: why, and the command that lets it."""

    agent: str
    reason: str
    step: str


async def agent_waits(store: Store, plan_id: str) -> list[AgentWait]:
    """Return which agents of a plan, and of the plans inside it, wait for somebody."""
    inside = [
        row.plan_id
        for row in await store.list_plans(statuses=_OPEN, limit=1000)
        if row.plan_id.startswith(f"{plan_id}/")
    ]
    found: list[AgentWait] = []
    for one in (plan_id, *inside):
        states = (*_STUCK, LifeState.RUNNING)
        for row in await store.list_agents(states, parent=one, limit=MAX_AGENTS):
            found += await _wait(store, row)
    return found


async def _wait(store: Store, row: AgentRow) -> list[AgentWait]:
    if row.state in _STUCK:
        verb = "resume" if row.state is LifeState.PAUSED else "restart"
        why = f"is {row.state}" + (f": {row.detail}" if row.detail else "")
        return [AgentWait(row.name, why, f"`mainstay agent {verb} {row.name}`")]
    questions = open_questions(await store.agent_events_after(row.agent_id, 0))
    step = f'`mainstay agent answer {row.name} "..."`'
    return [AgentWait(row.name, f"asks: {question}", step) for question in questions]


def open_questions(events: Sequence[AgentEvent]) -> list[str]:
    """Return the questions to people that nobody has answered, the oldest first."""
    asked = [event.message for event in events if event.kind is AgentEventKind.QUESTION]
    answered = sum(event.kind is AgentEventKind.QUESTION_ANSWERED for event in events)
    return asked[answered:]
