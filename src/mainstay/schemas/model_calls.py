"""One request to a language model, as whoever answers it sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mainstay.schemas.conversation import Entry
from mainstay.schemas.tools import ToolSpec


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to a language model.

    Attributes:
        model: ``provider:name``, ``script:FILE`` or ``code:MODULE:FUNCTION``.
        instructions: the agent's prompt, with whatever stands above the conversation.
        entries: the window of the conversation, oldest first.
        tools: what it may call, under their own names; what a provider cannot write in a name,
            dots for instance, is replaced on the way out and put back on the way in.
        output_schema: the JSON Schema that its answer must match; None for free text.
        settings: temperature, max_tokens and the like; ``timeout`` is the longest silence in
            seconds, ``prices`` takes the place of the known ones.
        answer_bytes: a larger answer is cut off, and an error.
        answers_before: how many answers the whole thread holds already, outside the window too.
        watch: is given the whole text so far, from time to time while it streams.
        key: names the answer; the same for each attempt.
        purpose: ``answer``, or ``summary`` when it is asked to sum a conversation up.
    """

    model: str
    instructions: str
    entries: Sequence[Entry]
    tools: Sequence[ToolSpec] = ()
    output_schema: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    timeout: timedelta = timedelta(minutes=5)
    answer_bytes: int = 1024 * 1024
    answers_before: int = 0
    watch: Callable[[str], None] | None = None
    key: str = ""
    attempt: int = 1
    purpose: str = "answer"
