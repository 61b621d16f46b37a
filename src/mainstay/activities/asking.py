"""One agent asks another: the message is sent here, and its answer comes by signal."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from pydantic_core import to_json

from mainstay.activities.agent_ports import AgentStorage
from mainstay.activities.built_in import ask_tool_name
from mainstay.activities.doorbell import has_gone, ring_receivers
from mainstay.activities.failures import shorten
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import ActCall, Acted
from mainstay.schemas.conversation import Usage
from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.messages import Message

_KEYS = uuid.UUID("6f1d6e0a-8a0e-4a53-9d5c-0f2d9a3c7b11")
"""Namespace of the ids that are made from idempotency keys."""


def id_from_key(key: str) -> str:
    """Return a message's id that follows from its idempotency key."""
    return str(uuid.uuid5(_KEYS, key))


async def ask_agent(
    storage: AgentStorage, call: ActCall, spec: AgentSpec, tool: str, prompt: str
) -> Acted:
    """Send a question to another agent, once; what it spends is charged to the asker as well."""
    name = next(agent for agent in spec.agents if ask_tool_name(agent) == tool)
    team = call.agent_name.rpartition("/")[0]
    row = await storage.get_agent(name if "/" in name else f"{team}/{name}")
    if row is None:
        return await _unanswerable(storage, call, f"no agent {name!r} is running")
    message = Message(
        id=id_from_key(call.key),
        receiver=row.agent_id,
        type="task",
        text=prompt,
        sender=call.agent_id,
        sender_name=call.agent_name,
        reply_workflow=call.agent_id,
        accounts=call.accounts,
        created_at=datetime.now(UTC),
    )
    try:
        receipts = await storage.send_messages([message])
    except (NotFound, Refused) as error:
        return await _unanswerable(storage, call, error.message)
    await ring_receivers([row.agent_id], receipts)
    return Acted(correlation=message.id, usage=Usage(tool_calls=1))


async def why_lost(storage: AgentStorage, agent_id: str) -> str:
    """Say why an agent will not answer: its workflow was ended from outside. Else an empty text.

    One that a supervisor looks after will be started again.
    """
    row = await storage.get_agent(agent_id)
    if row is None or row.supervisor_id or not await has_gone(agent_id):
        return ""
    return f"the agent {row.name!r} is lost: nothing drives it until somebody restarts it"


async def _unanswerable(storage: AgentStorage, call: ActCall, why: str) -> Acted:
    ref = f"result/{call.key}"
    body = {"text": f"the agent cannot be asked: {why}", "is_error": True, "is_invalid": False}
    await storage.put_document(ref, to_json(body))
    return Acted(ref=ref, is_error=True, text=shorten(why))
