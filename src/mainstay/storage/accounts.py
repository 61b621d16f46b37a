"""Accounts: who may spend what, and who spent what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, update

from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.budgets import Account, Charge, Spending
from mainstay.schemas.conversation import Usage
from mainstay.schemas.errors import MainstayError, NotFound
from mainstay.storage import account_queries, charging, tables
from mainstay.storage.access import Access
from mainstay.storage.columns import utc_now
from mainstay.storage.rows import Values, exact, shown


class AccountStore(Access):
    """Accounts and charges."""

    async def open_account(self, account: str, limits: BudgetSpec, title: str = "") -> None:
        """Open an account; a no-op when it is open.

        An account that only a charge has opened gets its limits and its title now.
        """
        row = {
            "id": exact(account, "account"),
            "title": shown(title),
            "limits": _limits(limits),
            "opened_at": utc_now(),
        }
        await self._write(
            lambda connection: charging.open_account(connection, row),
            (charging.account_lock(account),),
        )

    async def set_limits(self, account: str, limits: BudgetSpec) -> None:
        """Give an account new limits, in place of all the old ones.

        Raises:
            NotFound: there is no such account.
        """
        statement = (
            update(tables.accounts)
            .where(tables.accounts.c.id == account)
            .values(limits=_limits(limits))
            .returning(tables.accounts.c.id)
        )

        def change(connection: Connection) -> NotFound | None:
            if connection.execute(statement).first() is None:
                return NotFound(f"there is no account {account!r}")
            return None

        await self._decide(change, (charging.account_lock(account),))

    async def get_accounts(self, accounts: Sequence[str]) -> list[Account]:
        """Return accounts, those that exist, in the order asked for."""
        return await self._read(account_queries.accounts, accounts)

    async def account_tree(self, prefix: str) -> list[Account]:
        """Return an account and those whose ids continue its id after a slash, sorted by id.

        For a plan these are its tasks and the plans that they started.
        """
        return await self._read(account_queries.account_tree, prefix)

    async def charge(
        self, key: str, accounts: Sequence[str], usage: Usage, *, model: str = ""
    ) -> bool:
        """Charge each account once under a key; False when that key was charged before.

        An account that was not opened is opened without limits.

        Args:
            key: names the charge, whoever pays.
            accounts: who pays, the nearest first, who counts as the spender.
            usage: what was spent.
            model: the model as the provider names it, if one was asked.

        Raises:
            InvalidInput: a count is negative, or an identifier cannot be stored.
        """
        new = charging.new_charge(key, accounts, usage, model)
        return await self._write(lambda connection: charging.charge(connection, new), new.locks)

    async def charge_within(
        self,
        key: str,
        accounts: Sequence[str],
        usage: Usage,
        refusal: Callable[[Sequence[Account]], MainstayError | None],
    ) -> None:
        """Charge each account once under a key, unless what they have spent forbids it.

        Looked at and charged in one transaction, so that calls made at the same moment cannot
        pass a limit together.

        Args:
            key: names the charge; one that was charged before is not looked at again.
            accounts: who pays, the nearest first.
            usage: what is going to be spent.
            refusal: is given the accounts, and returns why not; it may be called more than once.

        Raises:
            MainstayError: what ``refusal`` returned.
        """
        new = charging.new_charge(key, accounts, usage)

        def work(connection: Connection) -> MainstayError | None:
            if charging.is_charged(connection, key):
                return None
            error = refusal(account_queries.accounts(connection, new.accounts))
            if error is None:
                charging.charge(connection, new)
            return error

        await self._decide(work, new.locks)

    async def charged(self, key: str) -> Usage:
        """Return what was charged under a key; nothing when it never was."""
        return await self._read(account_queries.charged, key)

    async def charges_of(self, account: str, limit: int = 100) -> list[Charge]:
        """Return what an account was charged, the latest first."""
        return await self._read(account_queries.charges, account, limit)

    async def spending_of(self, account: str) -> list[Spending]:
        """Return who spent what with which model, over all charges to an account; most first.

        The sum of it is what the account has spent, exactly.
        """
        return await self._read(account_queries.spending, account)


def _limits(limits: BudgetSpec) -> Values:
    return limits.model_dump(mode="json", exclude_defaults=True)
