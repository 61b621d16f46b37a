"""What accounts and charges do, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection
from thread_examples import ACCOUNT, ONE_CALL

from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.conversation import Usage
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.storage import charging
from mainstay.storage.store import Store, open_store

PLAN, TASK = "plan/p/1", "plan/p/1/write"
LIMITS = BudgetSpec(tokens=1000, usd=Decimal("0.000000000001"), time=timedelta(minutes=5))


@pytest.fixture
async def other(store: Store, url: str) -> AsyncIterator[Store]:
    """Another store on the same database, as another worker has it."""
    opened = await open_store(url)
    yield opened
    await opened.close()


async def spent_by(store: Store, account: str) -> Usage:
    (found,) = await store.get_accounts([account])
    return found.spent


async def test_an_account_keeps_the_limits_it_was_opened_with(store: Store) -> None:
    await store.open_account(ACCOUNT, LIMITS, "main/writer")
    await store.open_account(ACCOUNT, BudgetSpec(), "other")
    (account,) = await store.get_accounts([ACCOUNT])
    assert (account.limits, account.title, account.spent) == (LIMITS, "main/writer", Usage())
    assert account.first_charge_at is None


async def test_accounts_come_in_the_order_asked_for_and_only_those_that_exist(
    store: Store,
) -> None:
    for account in (PLAN, TASK, ACCOUNT):
        await store.open_account(account, BudgetSpec())
    found = await store.get_accounts([TASK, "none", ACCOUNT, PLAN, TASK])
    assert [account.id for account in found] == [TASK, ACCOUNT, PLAN]


async def test_limits_are_replaced_as_a_whole(store: Store) -> None:
    await store.open_account(ACCOUNT, LIMITS)
    await store.set_limits(ACCOUNT, BudgetSpec(turns=3, warn_at=0.5))
    (account,) = await store.get_accounts([ACCOUNT])
    assert account.limits == BudgetSpec(turns=3, warn_at=0.5)
    await store.set_limits(ACCOUNT, BudgetSpec())
    await store.open_account(ACCOUNT, LIMITS)
    (account,) = await store.get_accounts([ACCOUNT])
    assert account.limits == BudgetSpec()
    with pytest.raises(NotFound, match="'none'"):
        await store.set_limits("none", LIMITS)


async def test_what_was_charged_under_a_key_is_found_again(store: Store) -> None:
    await store.charge("c", [ACCOUNT, PLAN], ONE_CALL)
    assert await store.charged("c") == ONE_CALL
    assert await store.charged("never") == Usage()


async def test_a_charge_opens_an_account_without_limits_until_it_is_given_some(
    store: Store,
) -> None:
    await store.charge("c", [ACCOUNT], ONE_CALL)
    (account,) = await store.get_accounts([ACCOUNT])
    assert (account.limits, account.spent) == (BudgetSpec(), ONE_CALL)
    assert account.first_charge_at is not None
    await store.open_account(ACCOUNT, LIMITS, "late")
    (opened,) = await store.get_accounts([ACCOUNT])
    assert opened == account.model_copy(update={"limits": LIMITS, "title": "late"})


async def test_a_key_is_charged_once_to_each_distinct_account(store: Store) -> None:
    assert await store.charge("c", [ACCOUNT, PLAN, ACCOUNT], ONE_CALL)
    (before,) = await store.get_accounts([ACCOUNT])
    assert not await store.charge("c", [ACCOUNT, TASK], ONE_CALL)
    assert await store.charge("d", [ACCOUNT], ONE_CALL)
    (after,) = await store.get_accounts([ACCOUNT])
    assert (before.spent, after.spent) == (ONE_CALL, ONE_CALL + ONE_CALL)
    assert after.first_charge_at == before.first_charge_at
    assert await spent_by(store, PLAN) == ONE_CALL
    assert await store.get_accounts([TASK]) == []


async def test_a_charge_that_nobody_pays_still_takes_its_key(store: Store) -> None:
    assert await store.charge("c", [], ONE_CALL)
    assert not await store.charge("c", [ACCOUNT], ONE_CALL)


async def test_a_large_sum_of_money_stays_exact(store: Store) -> None:
    amount = 987_654_321_987_654_321
    for key in "ab":
        await store.charge(key, [ACCOUNT], Usage(picodollars=amount))
    assert (await spent_by(store, ACCOUNT)).picodollars == 2 * amount
    (spending,) = await store.spending_of(ACCOUNT)
    assert spending.usage.picodollars == 2 * amount


@pytest.mark.parametrize("count", [-1, charging.MAX_COUNT + 1])
async def test_an_absurd_count_is_refused(store: Store, count: int) -> None:
    with pytest.raises(InvalidInput, match=f"'c' counts {count} input_tokens"):
        await store.charge("c", [ACCOUNT], Usage(input_tokens=count))
    assert await store.charge("c", [ACCOUNT], ONE_CALL)


async def test_two_stores_that_charge_the_same_key_at_once_charge_once(
    store: Store, other: Store
) -> None:
    charged = await asyncio.gather(
        *(
            one.charge(f"c{n}", [f"agent/{n % 5}", PLAN], ONE_CALL)
            for n in range(50)
            for one in (store, other)
        )
    )
    assert sum(charged) == 50
    assert (await spent_by(store, PLAN)).model_calls == 50
    assert (await spent_by(store, "agent/3")).model_calls == 10


async def test_a_charge_that_breaks_in_the_middle_leaves_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_accounts = charging._open

    def breaks(connection: Connection, rows: list[object]) -> None:
        open_accounts(connection, rows)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(charging, "_open", breaks)
        with pytest.raises(RuntimeError, match="killed"):
            await store.charge("c", [ACCOUNT], ONE_CALL)
    assert await store.get_accounts([ACCOUNT]) == []
    assert await store.charge("c", [ACCOUNT], ONE_CALL)


def random_usage(dice: random.Random) -> Usage:
    return Usage(**{name: dice.randrange(10**6) for name in Usage.model_fields})


@pytest.mark.slow
async def test_totals_are_exact_for_every_ancestor_over_a_thousand_charges(
    store: Store, other: Store
) -> None:
    dice = random.Random(3)
    wanted: dict[str, Usage] = defaultdict(Usage)
    keys: dict[str, set[str]] = defaultdict(set)
    writes = []
    for number in range(1000):
        steps = [f"{dice.randrange(3)}" for _ in range(dice.randrange(4))]
        path = [PLAN, *("/".join([PLAN, *steps[: n + 1]]) for n in range(len(steps)))]
        accounts = [f"agent/{dice.randrange(4)}", *reversed(path)]
        usage, model = random_usage(dice), dice.choice(["small", "large", ""])
        for account in accounts:
            wanted[account] += usage
            keys[account].add(f"c{number}")
        for one in dice.choices((store, other), k=dice.randrange(1, 3)):
            writes.append(one.charge(f"c{number}", accounts, usage, model=model))
    assert sum(await asyncio.gather(*writes)) == 1000
    for account, usage in wanted.items():
        charges = await store.charges_of(account, 2000)
        assert await spent_by(store, account) == usage
        assert {charge.key for charge in charges} == keys[account]
        assert sum((charge.usage for charge in charges), Usage()) == usage
        spending = await store.spending_of(account)
        assert sum((one.usage for one in spending), Usage()) == usage
        assert sum(one.charges for one in spending) == len(charges)
    tree = await store.account_tree(PLAN)
    assert [account.id for account in tree] == sorted(
        account for account in wanted if account.startswith(PLAN)
    )


async def test_charges_tell_who_paid_for_what_the_latest_first(store: Store) -> None:
    await store.charge("c1", ["agent/a", TASK, PLAN], ONE_CALL, model="small")
    await store.charge("c2", ["agent/b", PLAN], Usage(tool_calls=1))
    latest, first = await store.charges_of(PLAN)
    assert (latest.key, latest.spender, latest.model) == ("c2", "agent/b", "")
    assert (latest.accounts, latest.usage) == (("agent/b", PLAN), Usage(tool_calls=1))
    assert (first.key, first.spender, first.model) == ("c1", "agent/a", "small")
    assert first.accounts == ("agent/a", TASK, PLAN)
    assert first.number < latest.number
    assert first.at <= latest.at
    assert [charge.key for charge in await store.charges_of(PLAN, 1)] == ["c2"]
    assert [charge.key for charge in await store.charges_of(TASK)] == ["c1"]
    assert await store.charges_of("none") == []


async def test_spending_is_told_by_spender_and_model_the_most_first(store: Store) -> None:
    for key, spender, model, picodollars in (
        ("1", "agent/a", "small", 1),
        ("2", "agent/b", "large", 50),
        ("3", "agent/a", "small", 2),
        ("4", "agent/a", "large", 20),
    ):
        await store.charge(key, [spender, PLAN], Usage(picodollars=picodollars), model=model)
    told = [
        (one.spender, one.model, one.charges, one.usage.picodollars)
        for one in await store.spending_of(PLAN)
    ]
    assert told == [
        ("agent/b", "large", 1, 50),
        ("agent/a", "large", 1, 20),
        ("agent/a", "small", 2, 3),
    ]
    assert await store.spending_of("none") == []


async def test_a_tree_is_an_account_and_what_is_below_it_and_nothing_else(store: Store) -> None:
    for account in ("plan/P/1/x", "plan/p/1/x/y", "plan/p/10", PLAN, "plan/p_1", "plan/p/1.x"):
        await store.open_account(account, BudgetSpec())
    assert [account.id for account in await store.account_tree(PLAN)] == [PLAN, "plan/p/1/x/y"]
    assert [account.id for account in await store.account_tree("plan/p_1")] == ["plan/p_1"]
