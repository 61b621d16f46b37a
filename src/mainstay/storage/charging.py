"""Charging accounts, inside a transaction that holds the accounts' locks.

A charge is a row under a unique key, with a row for each account that it went to; each account's
totals change in the same transaction. So the totals are always the sums over the charges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from mainstay.schemas.conversation import Usage
from mainstay.schemas.errors import InvalidInput
from mainstay.storage import tables
from mainstay.storage.changes import insert_new
from mainstay.storage.columns import utc_now
from mainstay.storage.rows import Values, exact, shown

COUNTS = tuple(Usage.model_fields)
"""The columns that count what was spent."""

MAX_COUNT = 10**18
"""Most that one charge may say of anything: a million dollars. Sums still fit into 63 bits."""


@dataclass(frozen=True, slots=True)
class NewCharge:
    """A charge's row without its number, and the distinct accounts that pay, nearest first."""

    row: Values
    accounts: tuple[str, ...]

    @property
    def locks(self) -> list[str]:
        """The names of the locks that charging needs."""
        return [account_lock(account) for account in self.accounts]


def account_lock(account: str) -> str:
    """Name the lock of an account; plans and agents have locks of their own."""
    return f"account {account}"


def new_charge(key: str, accounts: Sequence[str], usage: Usage, model: str = "") -> NewCharge:
    """Make a charge.

    Raises:
        InvalidInput: an identifier cannot be kept exactly, or a count is negative or absurd.
    """
    for name, count in usage:
        if not 0 <= count <= MAX_COUNT:
            raise InvalidInput(f"charge {key!r} counts {count} {name}", hint=f"0 to {MAX_COUNT:,}")
    payers = tuple(dict.fromkeys(exact(account, "account") for account in accounts))
    row = {
        "key": exact(key, "the charge key"),
        "spender": payers[0] if payers else "",
        "model": shown(model),
        "at": utc_now(),
        **dict(usage),
    }
    return NewCharge(row, payers)


def charge(connection: Connection, new: NewCharge) -> bool:
    """Charge each account once; False when the key was charged before, and nothing changes."""
    c = tables.charges
    number = connection.execute(insert_new(connection, c).returning(c.c.number), new.row).scalar()
    if number is None:
        return False
    if not new.accounts:
        return True
    at = new.row["at"]
    _open(connection, [{"id": account, "opened_at": at} for account in new.accounts])
    amounts = {f"more_{name}": new.row[name] for name in COUNTS}
    connection.execute(
        _ADD, [{"of_account": account, "at": at, **amounts} for account in new.accounts]
    )
    connection.execute(
        tables.charged_accounts.insert(),
        [
            {"account": account, "number": number, "place": place}
            for place, account in enumerate(new.accounts)
        ],
    )
    return True


def is_charged(connection: Connection, key: str) -> bool:
    """Tell whether a key was charged before."""
    query = select(tables.charges.c.number).where(tables.charges.c.key == key)
    return connection.execute(query).first() is not None


def open_account(connection: Connection, row: Values) -> None:
    """Open an account, or give limits to one that only a charge had opened."""
    _open(connection, [row])
    connection.execute(
        _GIVE_LIMITS, {"of_account": row["id"], "given": row["limits"], "named": row["title"]}
    )


def _open(connection: Connection, rows: Iterable[Values]) -> None:
    connection.execute(insert_new(connection, tables.accounts), list(rows))


_a = tables.accounts.c
_ADD = (
    update(tables.accounts)
    .where(_a.id == bindparam("of_account"))
    .values(
        first_charge_at=func.coalesce(_a.first_charge_at, bindparam("at", type_=_a.opened_at.type)),
        **{name: _a[name] + bindparam(f"more_{name}") for name in COUNTS},
    )
)
_GIVE_LIMITS = (
    update(tables.accounts)
    .where(_a.id == bindparam("of_account"), _a.limits.is_(None))
    .values(limits=bindparam("given"), title=bindparam("named"))
)
