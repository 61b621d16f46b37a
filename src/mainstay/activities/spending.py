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
            raise breach.error()
        return found

    async def charge_tool_call(self, key: str, accounts: Sequence[str]) -> None:
        """Charge a tool call before it is made, once.

        Raises:
            BudgetReached: one of the accounts has nothing left for it.
        """
        now = datetime.now(UTC)

        def refusal(found: Sequence[Account]) -> BudgetReached | None:
            breach = check(found, now, Step.TOOL_CALL)
            return None if breach is None else breach.error()

        await self._storage.charge_within(key, accounts, Usage(tool_calls=1), refusal)

    def warnings(self, before: Sequence[Account], usage: Usage, was: datetime) -> tuple[str, ...]:
        """Return what people are to be warned of after a charge; ``was`` is when it began."""
        after = [account.model_copy(update={"spent": account.spent + usage}) for account in before]
        now = datetime.now(UTC)
        return tuple(warning.message for warning in warnings(before, after, was, now))
