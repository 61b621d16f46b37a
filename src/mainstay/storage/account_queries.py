"""What is read of accounts and charges, each on a connection of the caller's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, func, or_, select

from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.budgets import Account, Charge, Spending
from mainstay.schemas.conversation import Usage
from mainstay.storage import tables
from mainstay.storage.changes import IN_LIMIT
from mainstay.storage.charging import COUNTS

_a, _c, _w = tables.accounts.c, tables.charges.c, tables.charged_accounts.c


def accounts(connection: Connection, ids: Sequence[str]) -> list[Account]:
    """Return accounts, those that exist, in the order asked for."""
    found: dict[str, Account] = {}
    for first in range(0, len(ids), IN_LIMIT):
        query = select(tables.accounts).where(_a.id.in_(ids[first : first + IN_LIMIT]))
        for row in connection.execute(query).mappings():
            found[row["id"]] = _account(row)
    return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]


def account_tree(connection: Connection, prefix: str) -> list[Account]:
    """Return an account and those whose ids continue its id after a slash, sorted by id."""
    below = f"{prefix}/"
    query = select(tables.accounts).where(
        or_(_a.id == prefix, _a.id.startswith(below, autoescape=True))
    )
    found = [_account(row) for row in connection.execute(query).mappings()]
    # SQLite's LIKE takes upper and lower case for the same.
    kept = (account for account in found if account.id == prefix or account.id.startswith(below))
    return sorted(kept, key=lambda account: account.id)


def charges(connection: Connection, account: str, limit: int) -> list[Charge]:
    """Return what an account was charged, the latest first."""
    query = (
        select(tables.charges)
        .join(tables.charged_accounts, _w.number == _c.number)
        .where(_w.account == account)
        .order_by(_w.number.desc())
        .limit(limit)
    )
    rows = connection.execute(query).mappings().all()
    payers = _payers(connection, [row["number"] for row in rows])
    return [
        Charge(
            number=row["number"],
            key=row["key"],
            spender=row["spender"],
            model=row["model"],
            accounts=tuple(payers[row["number"]]),
            usage=_usage(row),
            at=row["at"],
        )
        for row in rows
    ]


def charged(connection: Connection, key: str) -> Usage:
    """Return what was charged under a key; nothing when it never was."""
    row = connection.execute(select(tables.charges).where(_c.key == key)).mappings().first()
    return Usage() if row is None else _usage(row)


def spending(connection: Connection, account: str) -> list[Spending]:
    """Return who spent what with which model, over all charges to an account; the most first."""
    sums = [func.sum(_c[name]).label(name) for name in COUNTS]
    query = (
        select(_c.spender, _c.model, func.count().label("charges"), *sums)
        .join(tables.charged_accounts, _w.number == _c.number)
        .where(_w.account == account)
        .group_by(_c.spender, _c.model)
    )
    found = [
        Spending(
            spender=row["spender"], model=row["model"], charges=row["charges"], usage=_usage(row)
        )
        for row in connection.execute(query).mappings()
    ]
    return sorted(
        found, key=lambda one: (-one.usage.picodollars, -one.usage.tokens, one.spender, one.model)
    )


def _payers(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    payers: dict[int, list[str]] = defaultdict(list)
    for first in range(0, len(numbers), IN_LIMIT):
        query = select(_w.number, _w.account).where(
            _w.number.in_(numbers[first : first + IN_LIMIT])
        )
        for number, account in connection.execute(query.order_by(_w.number, _w.place)):
            payers[number].append(account)
    return payers


def _account(row: RowMapping) -> Account:
    return Account(
        id=row["id"],
        title=row["title"],
        limits=BudgetSpec(**(row["limits"] or {})),
        spent=_usage(row),
        opened_at=row["opened_at"],
        first_charge_at=row["first_charge_at"],
    )


def _usage(row: RowMapping) -> Usage:
    # PostgreSQL's sums are Decimals.
    return Usage(**{name: int(row[name]) for name in COUNTS})
