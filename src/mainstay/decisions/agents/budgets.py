"""What may still be spent, and when to warn.

Rules:
    1. A limit is reached when as much as it allows has been spent, not only when more has; a limit
       of 0 is reached from the start. A limit that is absent is never reached.
    2. Before each step every account that pays is asked, the nearest first, and only about the
       limits that the step touches (``TOUCHED``): the last turn that is allowed may make all its
       model calls, and an answer may still be given after the last tool call.
    3. Time counts from an account's first charge.
    4. A warning comes with the charge by which ``warn_at`` of a limit was passed, and with no
       other; whoever is given a higher limit may be warned again.
    5. Money is counted in whole picodollars and compared exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from mainstay.schemas.budgets import Account
from mainstay.schemas.conversation import Usage
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import BudgetReached

USD_DECIMALS = 12
"""Decimals of a dollar that a picodollar needs; see ``PICO_PER_USD``."""


class Limit(StrEnum):
    """What can be limited, by its name in ``BudgetSpec``."""

    TOKENS = "tokens"
    USD = "usd"
    TURNS = "turns"
    TOOL_CALLS = "tool_calls"
    TIME = "time"


class Step(StrEnum):
    """What is about to be done: begin a turn, ask the model again in it, or call a tool."""

    TURN = "turn"
    MODEL_CALL = "model_call"
    TOOL_CALL = "tool_call"


TOUCHED: dict[Step, tuple[Limit, ...]] = {
    Step.TURN: (Limit.TOKENS, Limit.USD, Limit.TURNS, Limit.TIME),
    Step.MODEL_CALL: (Limit.TOKENS, Limit.USD, Limit.TIME),
    Step.TOOL_CALL: (Limit.TOOL_CALLS, Limit.TIME),
}
"""Which limits each step is held to."""

_UNITS = {Limit.TOKENS: "tokens", Limit.TURNS: "turns", Limit.TOOL_CALLS: "tool calls"}
_MORE = {
    Limit.TOKENS: "--tokens N",
    Limit.USD: "--usd N",
    Limit.TURNS: "--turns N",
    Limit.TOOL_CALLS: "--tool-calls N",
    Limit.TIME: "--time DURATION",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands with one of its limits.

    ``spent`` and ``limit`` are in tokens, US dollars, turns, calls or seconds, exactly.
    """

    account: str
    title: str
    kind: Limit
    spent: Decimal
    limit: Decimal

    @property
    def left(self) -> Decimal:
        """What may still be spent, never less than 0."""
        return max(Decimal(0), self.limit - self.spent)

    @property
    def is_reached(self) -> bool:
        """Nothing is left."""
        return self.spent >= self.limit

    @property
    def text(self) -> str:
        """Both amounts for people: ``1,024 of 1,000 tokens``, ``$1.25 of $2.00``."""
        if self.kind is Limit.USD:
            return f"{_dollars(self.spent)} of {_dollars(self.limit)}"
        if self.kind is Limit.TIME:
            return f"{_duration(self.spent)} of {_duration(self.limit)}"
        return f"{self.spent:,f} of {self.limit:,f} {_UNITS[self.kind]}"

    @property
    def owner(self) -> str:
        """Whose account it is, for people."""
        return repr(self.title or self.account)


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is reached, so that the next step must not be done."""

    standing: Standing

    @property
    def message(self) -> str:
        """What is reached, and by whom."""
        return f"budget of {self.standing.owner} is used up: {self.standing.text}"

    @property
    def hint(self) -> str:
        """How to give more."""
        who = self.standing.title or self.standing.account
        return f"give it more with `mainstay agent budget {who} {_MORE[self.standing.kind]}`"

    def error(self) -> BudgetReached:
        """Return it as the error to raise."""
        return BudgetReached(self.message, hint=self.hint)


@dataclass(frozen=True, slots=True)
class BudgetWarning:
    """A charge took an account past the share of a limit at which to warn."""

    standing: Standing

    @property
    def key(self) -> str:
        """Names the warning: the same limit of the same account has the same key."""
        return f"warning/{self.standing.account}/{self.standing.kind}/{self.standing.limit}"

    @property
    def message(self) -> str:
        """How it stands, for people."""
        return f"budget of {self.standing.owner} is nearly used up: {self.standing.text}"


def check(accounts: Sequence[Account], now: datetime, step: Step) -> Breach | None:
    """Find the first account whose limit forbids a step that has not been begun.

    Args:
        accounts: those that pay, the nearest first.
        now: for limits of time.
        step: what is about to be done.
    """
    for account in accounts:
        for standing in left(account, now):
            if standing.kind in TOUCHED[step] and standing.is_reached:
                return Breach(standing)
    return None


def warnings(
    before: Sequence[Account],
    after: Sequence[Account],
    was: datetime | None = None,
    now: datetime | None = None,
) -> list[BudgetWarning]:
    """Return the limits of which ``warn_at`` was passed between two looks at the accounts.

    Args:
        before: the accounts before a charge; one that is missing had spent nothing.
        after: the same accounts after it.
        was: the moment of the first look. Without moments, time warns nobody.
        now: the moment of the second look.
    """
    earlier = {account.id: account for account in before}
    found = []
    for account in after:
        old = earlier.get(account.id, account.model_copy(update={"spent": Usage()}))
        spent_before = _spent(old, was)
        for standing in left(account, now):
            threshold = standing.limit * Decimal(str(account.limits.warn_at))
            if spent_before[standing.kind] < threshold <= standing.spent:
                found.append(BudgetWarning(standing))
    return found


def left(account: Account, now: datetime | None = None) -> list[Standing]:
    """Return how an account stands with each limit that it has, for display.

    Args:
        account: the account.
        now: for its limit of time; None counts no time.
    """
    spent = _spent(account, now)
    return [
        Standing(account.id, account.title, kind, spent[kind], limit)
        for kind, limit in _limits(account).items()
        if limit is not None
    ]


def format_usd(picodollars: int) -> str:
    """Write an amount of money exactly, with two decimals or as many as it needs.

    Example:
        153,000,000 is ``$0.000153``; 1,250,000,000,000 is ``$1.25``; 0 is ``$0.00``.
    """
    return _dollars(_usd(picodollars))


def _limits(account: Account) -> dict[Limit, Decimal | None]:
    limits = account.limits
    return {
        Limit.TOKENS: _whole(limits.tokens),
        Limit.USD: limits.usd,
        Limit.TURNS: _whole(limits.turns),
        Limit.TOOL_CALLS: _whole(limits.tool_calls),
        Limit.TIME: None if limits.time is None else _seconds(limits.time),
    }


def _spent(account: Account, now: datetime | None) -> dict[Limit, Decimal]:
    spent, since = account.spent, account.first_charge_at
    elapsed = timedelta(0) if now is None or since is None else max(timedelta(0), now - since)
    return {
        Limit.TOKENS: Decimal(spent.tokens),
        Limit.USD: _usd(spent.picodollars),
        Limit.TURNS: Decimal(spent.turns),
        Limit.TOOL_CALLS: Decimal(spent.tool_calls),
        Limit.TIME: _seconds(elapsed),
    }


def _whole(limit: int | None) -> Decimal | None:
    return None if limit is None else Decimal(limit)


def _usd(picodollars: int) -> Decimal:
    return Decimal(picodollars).scaleb(-USD_DECIMALS)


def _seconds(duration: timedelta) -> Decimal:
    return Decimal(duration // timedelta(microseconds=1)).scaleb(-6)


def _duration(seconds: Decimal) -> str:
    return format_duration(timedelta(microseconds=int(seconds.scaleb(6))))


def _dollars(amount: Decimal) -> str:
    whole, _, decimals = f"{amount:,f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"
