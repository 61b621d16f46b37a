"""Messages as rows of a mailbox. History holds only their headers."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from mainstay.schemas.durations import Duration
from mainstay.schemas.model import Model
from mainstay.schemas.priority import Level
from mainstay.schemas.run import Failure

DEFAULT_TTL = timedelta(seconds=300)
"""Source: specification 003, 3.4.1. Zero means that a message never expires."""

MAX_MESSAGE_BYTES = 1024 * 1024
"""Largest text of one message; larger things are passed as documents or files."""


class MessageStatus(StrEnum):
    """How far a message has come. Source: specification 003, 14.1.3."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    PROCESSED = "PROCESSED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


MESSAGE_ENDS = frozenset({MessageStatus.PROCESSED, MessageStatus.FAILED, MessageStatus.EXPIRED})


class Message(Model):
    """One message to an agent, with the answer once there is one.

    Attributes:
        id: a UUID; sending the same id twice sends once.
        type: what kind of message; ``chat``, ``task``, or a word of the sender's.
        sender: an agent's id; empty for a person or a service, which ``sender_name`` names.
        reply_workflow: the workflow to wake when it is answered, if one waits.
        thread: the conversation it belongs to; empty for the agent's own.
        accounts: who pays beside the agent itself, the nearest first.
        output_schema_ref: a document: the JSON Schema that the answer must match.
        number: the order of arrival; 0 until stored.
        answer: the text of the answer, or the failure's message.
    """

    id: str
    receiver: str
    type: str = "chat"
    text: str
    sender: str = ""
    sender_name: str = ""
    correlation: str = ""
    reply_workflow: str = ""
    thread: str = ""
    accounts: tuple[str, ...] = ()
    output_schema_ref: str = ""
    priority: Level = Level.NORMAL
    ttl: Duration = timedelta(0)
    payload: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    number: int = 0
    status: MessageStatus = MessageStatus.PENDING
    delivered_at: datetime | None = None
    processed_at: datetime | None = None
    answer: str = ""
    failure: Failure | None = None
    answer_thread: str = ""
    answer_position: int = -1


class MessageHeader(Model):
    """What the workflow knows of a message: everything but its text.

    ``losses`` says how many runs of the agent were lost while they worked on it.
    """

    id: str
    type: str = "chat"
    sender: str = ""
    sender_name: str = ""
    reply_workflow: str = ""
    correlation: str = ""
    thread: str
    accounts: tuple[str, ...] = ()
    output_schema_ref: str = ""
    priority: Level = Level.NORMAL
    bytes: int = 0
    losses: int = 0


class Settlement(Model):
    """What became of a message; told to storage with the next take, together with its answer.

    PENDING puts it back. ``position`` is the entry of its thread that answers it.
    """

    message_id: str
    status: MessageStatus
    thread: str = ""
    position: int = -1
    failure: Failure | None = None
    reply_workflow: str = ""


class SendReceipt(Model):
    """What came of sending: whether the message is new, and whether the agent must be woken."""

    message_id: str
    is_new: bool
    must_ring: bool
