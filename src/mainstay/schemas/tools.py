"""What a tool says of itself: its arguments, its limits, and what it may touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import Field

from mainstay.schemas.durations import Duration
from mainstay.schemas.model import Model


class ToolSpec(Model):
    """A tool as its users see it; everything that validation needs, and no code.

    ``parameters`` and ``returns`` are JSON Schemas; ``parameters`` is always an object's.
    """

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    returns: dict[str, Any] = Field(default_factory=dict)
    idempotent: bool = True
    timeout: Duration = timedelta(minutes=1)
    heartbeats: bool = False
    touches: tuple[str, ...] = ()
    module: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool that is to be made. It never leaves its process.

    Attributes:
        arguments: JSON-like data.
        key: the idempotency key; the same for every attempt.
        attempt: which attempt it is, from 1.
        env: environment variables the plan gives.
        timeout: longest it may take.
        watch: is given each line the tool logs, from any thread.
    """

    arguments: Mapping[str, Any]
    key: str = ""
    attempt: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: timedelta = timedelta(minutes=1)
    watch: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What came of a call: a value (JSON-like data), or an error."""

    value: Any = None
    error: Exception | None = None
