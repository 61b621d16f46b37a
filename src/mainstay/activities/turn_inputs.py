"""Making entries of a thread out of what is new for the model."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from pydantic_core import from_json

from mainstay.activities.agent_ports import AgentStorage
from mainstay.decisions.agents.window import estimate_tokens
from mainstay.schemas.agent_calls import ThinkCall
from mainstay.schemas.agent_run import InputKind, TurnInput
from mainstay.schemas.conversation import Entry, EntryKind


async def input_entries(storage: AgentStorage, call: ThinkCall) -> list[Entry]:
    """Return the entries that a call adds to its thread, in order, with their whole texts."""
    return await asyncio.gather(*(_entry(storage, call, told) for told in call.inputs))


async def _entry(storage: AgentStorage, call: ThinkCall, told: TurnInput) -> Entry:
    match told.kind:
        case InputKind.MESSAGE:
            message = await storage.get_message(told.ref)
            author = message.sender_name or message.sender or "person"
            return _made(call, told, EntryKind.USER, message.text, author=author)
        case InputKind.TOOL:
            text = await result_text(storage, told.ref) if told.ref else told.text
            return _made(
                call,
                told,
                EntryKind.TOOL,
                text,
                use_id=told.use_id,
                tool=told.tool,
                is_error=told.is_error,
                ref=told.ref,
            )
        case InputKind.FEEDBACK:
            return _made(call, told, EntryKind.FEEDBACK, told.text)


async def result_text(storage: AgentStorage, ref: str) -> str:
    """Return the text of a tool call's stored result."""
    text: str = from_json(await storage.get_document(ref))["text"]
    return text


def _made(
    call: ThinkCall, told: TurnInput, kind: EntryKind, text: str, **rest: str | bool
) -> Entry:
    return Entry.model_validate(
        {
            "key": told.key,
            "kind": kind,
            "text": text,
            "tokens": estimate_tokens(text),
            "turn": call.turn,
            "at": datetime.now(UTC),
            **rest,
        }
    )
