"""Agents and messages to store, as small as they can be."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID

from record_examples import NOON, at

from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind, AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message, MessageStatus, Settlement

PROCESSED, FAILED = MessageStatus.PROCESSED, MessageStatus.FAILED
_numbers = count(1)


def agent_id(number: int) -> str:
    return f"agent-{number:08x}-0000-4000-8000-000000000000"


ANNA, BERT = agent_id(1), agent_id(2)


def agent_row(which: str = ANNA, **fields: Any) -> AgentRow:
    fields = {"state": LifeState.RUNNING, "created_at": NOON, "updated_at": NOON, **fields}
    return AgentRow(agent_id=which, **fields)


def message(text: str = "hello", receiver: str = ANNA, **fields: Any) -> Message:
    fields = {"id": str(UUID(int=next(_numbers))), "created_at": NOON, **fields}
    return Message(receiver=receiver, text=text, **fields)


def settled(message_id: str, status: MessageStatus = PROCESSED, **fields: Any) -> Settlement:
    return Settlement(message_id=message_id, status=status, **fields)


def state_event(
    key: str, from_state: LifeState | None, to_state: LifeState, seconds: float = 0, **fields: Any
) -> AgentEvent:
    fields = {"agent_id": ANNA, "kind": AgentEventKind.STATE, "at": at(seconds), **fields}
    return AgentEvent(key=key, from_state=from_state, to_state=to_state, **fields)
