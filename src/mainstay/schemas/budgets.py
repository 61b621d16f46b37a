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
