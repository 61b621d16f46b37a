"""How amounts are written: money, tokens, and how long ago something was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mainstay.cli.printing import format_span

if TYPE_CHECKING:
    from mainstay.schemas.conversation import Usage

SMALL_PICODOLLARS = 10_000_000_000
"""Below one cent, four digits behind the point would hide what was spent."""


def format_money(usage: Usage) -> str:
    """Write what was spent: ``$1.25``, ``$0.001234``; a ``+`` where some calls have no price."""
    from mainstay.schemas.conversation import PICO_PER_USD

    unknown = "+?" if usage.unpriced_calls else ""
    if not usage.picodollars:
        return f"${'0' if not unknown else ''}{unknown}" if usage.model_calls else "-"
    dollars = usage.picodollars / PICO_PER_USD
    digits = 6 if usage.picodollars < SMALL_PICODOLLARS else 2
    return f"${dollars:,.{digits}f}{unknown}"


def format_count(number: int) -> str:
    """Write a count; a dash for none."""
    return f"{number:,}" if number else "-"


def format_age(moment: datetime | None) -> str:
    """Write how long ago something was."""
    return format_span(moment, None)


def read_duration(option: str, text: str) -> timedelta:
    """Read a duration that was given to an option.

    Raises:
        InvalidInput: it is none.
    """
    from mainstay.schemas.durations import parse_duration
    from mainstay.schemas.errors import InvalidInput

    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInput(f"{option} {text!r}: {error}") from None
