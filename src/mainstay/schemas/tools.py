"""What a tool says of itself: its arguments, its limits, and what it may touch."""

from __future__ import annotations

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
