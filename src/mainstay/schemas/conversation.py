"""A conversation: the entries of a thread, what was spent on them, and what a model answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from mainstay.schemas.model import Model

PICO_PER_USD = 1_000_000_000_000
"""Money is counted in whole picodollars: the cheapest token there is costs some thousands."""


class EntryKind(StrEnum):
    """What an entry of a thread is.

    USER is what the agent was told, ASSISTANT what the model said, TOOL what a tool gave back.
    FEEDBACK tells the model what was wrong with its answer. PIN is a fact that is always sent.
    """

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    FEEDBACK = "feedback"
    PIN = "pin"


class Finish(StrEnum):
    """Why a model stopped: it answered, wants tools, ran into a length limit, or refused."""

    ANSWER = "answer"
    TOOLS = "tools"
    LENGTH = "length"
    REFUSED = "refused"


class ToolUse(Model):
    """A tool call that a model asks for; ``arguments`` is a text where it was not valid JSON."""

    id: str
    name: str
    arguments: dict[str, Any] | str = Field(default_factory=dict)


class Usage(Model):
    """What was spent, all counts exact. ``picodollars`` is money; see :data:`PICO_PER_USD`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens, those the provider had in its cache."""
    model_calls: int = 0
    tool_calls: int = 0
    turns: int = 0
    picodollars: int = 0
    unpriced_calls: int = 0
    """Model calls whose price nobody knows."""

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            **{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields}
        )


class Entry(Model):
    """One entry of a thread. Never changed once written.

    Attributes:
        position: its place, from 0; given by storage.
        key: unique in the thread; writing the same key twice changes nothing.
        author: an agent's name, ``person`` or whoever else spoke.
        uses: for ASSISTANT, the tool calls it asks for.
        use_id, tool, is_error: for TOOL, which call it answers and whether it went wrong.
        ref: the document with the whole text, when ``text`` is cut.
        raw: for ASSISTANT, what the provider sent, in the model layer's own form.
        finish: for ASSISTANT, why the model stopped.
        tokens: about how many tokens it takes.
        turn: which message it belongs to: all entries of a turn have the same.
    """

    position: int = -1
    key: str
    kind: EntryKind
    text: str = ""
    author: str = ""
    uses: tuple[ToolUse, ...] = ()
    use_id: str = ""
    tool: str = ""
    is_error: bool = False
    ref: str = ""
    raw: dict[str, Any] | None = None
    finish: Finish = Finish.ANSWER
    tokens: int = 0
    turn: str = ""
    at: datetime


class Summary(Model):
    """What was said before position ``upto`` (exclusive), in short."""

    upto: int
    text: str
    tokens: int = 0


class ModelAnswer(Model):
    """What a model answered to one request."""

    text: str = ""
    uses: tuple[ToolUse, ...] = ()
    finish: Finish = Finish.ANSWER
    usage: Usage = Usage()
    raw: dict[str, Any] | None = None
    model: str = ""
    """The model as the provider names it."""


class ThreadRow(Model):
    """A thread at a glance. ``parent`` and ``forked_at`` name what it was forked from."""

    thread_id: str
    title: str = ""
    agent_id: str = ""
    entries: int = 0
    parent: str = ""
    forked_at: int | None = None
    created_at: datetime
    updated_at: datetime


class LiveText(Model):
    """What a model is saying just now. A retry begins it anew, with a higher attempt."""

    thread_id: str
    key: str
    attempt: int
    text: str
    at: datetime
