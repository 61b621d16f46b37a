"""How urgent a message or a task is: five levels, 0 first."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema


class Level(IntEnum):
    """The five levels. Temporal's ``priority_key`` is the level plus one.

    Source: specification 003, schema standardization requirements.
    """

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3
    BULK = 4

    @property
    def temporal_key(self) -> int:
        """Temporal's own number for this level, 1 (first) to 5 (last)."""
        return int(self) + 1


def parse_level(value: Any) -> Any:  # Any: whatever stood in the file; pydantic judges the rest
    """Accept a level's name beside its number."""
    if isinstance(value, str) and value.upper() in Level.__members__:
        return Level[value.upper()]
    if isinstance(value, bool) or (isinstance(value, str) and not value.isdigit()):
        raise ValueError("not a priority: write critical, high, normal, low or bulk, or 0 to 4")
    return value


Priority = Annotated[
    Level,
    BeforeValidator(parse_level),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [level.name.lower() for level in Level]},
                {"type": "integer", "minimum": 0, "maximum": 4},
            ],
            "description": "critical (0), high (1), normal (2, the default), low (3), bulk (4)",
        }
    ),
]
"""A priority level, written as a name or a number from 0 to 4."""
