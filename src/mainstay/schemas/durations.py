"""Lengths of time as people write them: ``90``, ``90s``, ``5m``, ``1h30m``, ``2d``, ``500ms``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
LONGEST = timedelta(days=3650)


def parse_duration(value: Any) -> timedelta:  # Any: whatever stood in the file
    """Read a duration: a number of seconds, or numbers with units, at most ten years.

    Raises:
        ValueError: for anything else, naming the accepted forms.
    """
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # Clamped on both sides before anything is converted: a timedelta cannot hold every number.
        duration = timedelta(seconds=max(min(value, LONGEST.total_seconds() + 1), -1))
    elif isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        seconds = sum(float(n) * UNIT_SECONDS[unit] for n, unit in _PART.findall(value))
        duration = timedelta(seconds=min(seconds, LONGEST.total_seconds() + 1))
    elif isinstance(value, str) and value.strip().replace(".", "", 1).isdigit():
        duration = timedelta(seconds=min(float(value), LONGEST.total_seconds() + 1))
    else:
        raise ValueError("not a duration: write seconds (90) or units (90s, 5m, 1h30m, 2d)")
    if not timedelta(0) <= duration <= LONGEST:
        raise ValueError("a duration lies between 0 and ten years")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration for people: ``340ms``, ``4.2s``, ``3m 20s``, ``2h 05m``, ``3d 4h``."""
    seconds = duration.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda value: value.total_seconds(), return_type=float),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\s*((\d+(\.\d+)?)(ms|s|m|h|d|w))+\s*$"},
            ],
            "description": "seconds, or numbers with units: 90s, 5m, 1h30m, 2d",
        }
    ),
]
"""A length of time; on the wire a number of seconds."""
