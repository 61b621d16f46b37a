"""``cost``: who spent what, of a plan, of an agent, or of everything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_completion import complete_agent
from mainstay.cli.amounts import format_count, format_money
from mainstay.cli.arguments import JsonOption
from mainstay.cli.completion import complete_plan_id
from mainstay.cli.messages import hint, say
from mainstay.cli.panels import LOOK
from mainstay.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mainstay.client import Mainstay
    from mainstay.schemas.budgets import Account, Spending
    from mainstay.schemas.conversation import Usage


def complete_spender(incomplete: str) -> list[tuple[str, str]]:
    """Return what may have spent something: agents first, then plans."""
    return complete_agent(incomplete) + complete_plan_id(incomplete)


SpenderArgument = Annotated[
    str,
    typer.Argument(
        metavar="PLAN|AGENT",
        help="A plan's id, or an agent's name or id.",
        autocompletion=complete_spender,
        show_default=False,
    ),
]


def cost(spender: SpenderArgument, as_json: JsonOption = False) -> None:
    """Show who spent what: tokens and money, by agent and by model, and in all."""
    asyncio.run(_cost(spender, as_json))


def register(root: typer.Typer) -> None:
    """Add this command."""
    root.command(rich_help_panel=LOOK)(cost)


async def _cost(text: str, as_json: bool) -> None:
    from mainstay.cli.reading import reading

    async with reading() as mainstay:
        name, account_id = await _account_of(mainstay, text)
        accounts = await mainstay.store.get_accounts([account_id])
        shares = await mainstay.store.spending_of(account_id)
        titles = await _titles(mainstay, [share.spender for share in shares])
    if as_json:
        print_json(
            {
                "spender": name,
                "account": accounts[0] if accounts else None,
                "shares": [
                    {"who": titles.get(share.spender, share.spender), **dict(share)}
                    for share in shares
                ],
                "total": _total(share.usage for share in shares),
            }
        )
        return
    if not shares:
        say(f"{name} has spent nothing yet")
        return
    _print_shares(shares, titles)
    _tell_limits(accounts)


async def _account_of(mainstay: Mainstay, text: str) -> tuple[str, str]:
    """Return the name of whoever is meant, and the id of the account: an agent's or a plan's."""
    from mainstay.agent_start import account_of
    from mainstay.schemas.errors import NotFound

    if not text.startswith("plan/"):
        try:
            row = await mainstay.find_agent(text)
        except NotFound as unknown:
            try:
                plan = await mainstay.find(text)
            except NotFound:
                raise NotFound(
                    f"there is no agent and no plan {text!r}", hint=unknown.hint
                ) from None
            return plan, plan
        return row.name or row.agent_id, account_of(row.agent_id)
    plan = await mainstay.find(text)
    return plan, plan


async def _titles(mainstay: Mainstay, spenders: Sequence[str]) -> dict[str, str]:
    accounts = await mainstay.store.get_accounts(spenders)
    return {account.id: account.title or account.id for account in accounts}


def _total(usages: Iterable[Usage]) -> Usage:
    from mainstay.schemas.conversation import Usage

    return sum(usages, Usage())


def _print_shares(shares: Sequence[Spending], titles: dict[str, str]) -> None:
    rows = [
        _row(titles.get(share.spender, share.spender), share.model or "-", share.usage)
        for share in shares
    ]
    total = _total(share.usage for share in shares)
    print_table(
        ["who", "model", "calls", "in", "out", "cached", "tools", "money"],
        [*rows, _row("total", "", total)],
        whole=["who"],
    )
    if total.unpriced_calls:
        say(f"{total.unpriced_calls:,} calls have no known price and are not in the sum (+?)")


def _row(who: str, model: str, usage: Usage) -> list[str]:
    return [
        who,
        model,
        format_count(usage.model_calls),
        format_count(usage.input_tokens),
        format_count(usage.output_tokens),
        format_count(usage.cached_tokens),
        format_count(usage.tool_calls),
        format_money(usage),
    ]


def _tell_limits(accounts: Sequence[Account]) -> None:
    for account in accounts:
        limits = {name: value for name, value in account.limits if value is not None}
        limits.pop("warn_at", None)
        if limits:
            from mainstay.cli.agent_look import spending

            hint(f"of its limits: {spending(account)}")
