"""What an answer costs, in whole picodollars."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from pydantic import Field, ValidationError

from mainstay.schemas.conversation import PICO_PER_USD, Usage
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.model import Spec

TOKENS_PER_PRICE = 1_000_000

CHARS_PER_TOKEN = 4
"""About; for what nobody counts: scripts, and servers that do not say."""


class Prices(Spec):
    """US dollars for a million tokens."""

    input: Decimal = Field(Decimal(0), ge=0, description="input that was not cached")
    output: Decimal = Field(Decimal(0), ge=0, description="output")
    cached: Decimal | None = Field(None, ge=0, description="cached input; else as other input")

    def picodollars(self, usage: Usage) -> int:
        """Return the price of what was used.

        1,000 input and 100 output tokens at 3 and 15 dollars are 0.0045 dollars: 4,500,000,000.
        """
        cached = self.input if self.cached is None else self.cached
        fresh = max(usage.input_tokens - usage.cached_tokens, 0)
        total = (
            fresh * self.input + usage.cached_tokens * cached + usage.output_tokens * self.output
        )
        return in_picodollars(total / TOKENS_PER_PRICE)


def in_picodollars(usd: Decimal) -> int:
    """Return US dollars in whole picodollars, halves to even."""
    return int((usd * PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def prices_in(settings: Mapping[str, Any]) -> Prices | None:
    """Return the prices that an agent's settings name.

    Raises:
        InvalidInput: they cannot be read.
    """
    given = settings.get("prices")
    if given is None:
        return None
    try:
        return Prices.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(
            f"settings.prices: {error.errors()[0]['msg']}",
            hint="write input, output and cached: US dollars for a million tokens",
        ) from None


def estimated_tokens(chars: int) -> int:
    """Return about how many tokens a text of that length has."""
    return -(-chars // CHARS_PER_TOKEN)
