"""Accounts, their limits, and the state of circuit breakers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.conversation import Usage
from mainstay.schemas.model import Model


class Account(Model):
    """Who may spend what, and has spent what. The id is ``agent/...`` or a plan's or task's id.

    ``opened_at`` is when the first charge was made or the account was opened.
    """

    id: str
    title: str = ""
    limits: BudgetSpec = Field(default_factory=BudgetSpec)
    spent: Usage = Usage()
    opened_at: datetime
    first_charge_at: datetime | None = None


class Charge(Model):
    """Something that was spent, once under its key.

    Attributes:
        number: the order of arrival.
        spender: the nearest account that paid, so whoever caused it.
        model: the model as the provider names it; empty for what is no model call.
        accounts: all that paid, the nearest first.
    """

    number: int
    key: str
    spender: str = ""
    model: str = ""
    accounts: tuple[str, ...] = ()
    usage: Usage = Usage()
    at: datetime


class Spending(Model):
    """What one spender spent with one model, over all charges to an account."""

    spender: str
    model: str = ""
    charges: int = 0
    usage: Usage = Usage()


class BreakerState(StrEnum):
    """CLOSED lets calls through, OPEN none, HALF_OPEN one, to see.

    Source: specification 003, 8.2.
    """

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker(Model):
    """A circuit breaker. ``probe_at`` is when the one call of HALF_OPEN was let through."""

    name: str
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None


class RateLimit(Model):
    """How often a provider may be asked; 0 sets no limit."""

    requests_per_minute: int = Field(0, ge=0)
    tokens_per_minute: int = Field(0, ge=0)
