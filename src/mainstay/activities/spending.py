"""Looking at the accounts before something is spent, and warning afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mainstay.activities.agent_ports import AgentStorage
from mainstay.decisions.agents.budgets import Step, check, warnings
from mainstay.schemas.budgets import Account
from mainstay.schemas.conversation import Usage
from mainstay.schemas.errors import BudgetReached


class Spending:
    """The accounts that pay for an agent's calls."""

    def __init__(self, storage: AgentStorage) -> None:
        self._storage = storage

    async def check(self, accounts: Sequence[str], step: Step) -> list[Account]:
        """Return the accounts as they stand.

        Raises:
            BudgetReached: one of them has nothing left for this step.
        """
        found = await self._storage.get_accounts(accounts)
        breach = check(found, datetime.now(UTC), step)
        if breach is not None:
            raise BudgetReached(breach.message, hint=breach.hint)
        return found

    def warnings(self, before: Sequence[Account], usage: Usage) -> tuple[str, ...]:
        """Return what people are to be warned of after a charge."""
        after = [account.model_copy(update={"spent": account.spent + usage}) for account in before]
        return tuple(warning.message for warning in warnings(before, after))
