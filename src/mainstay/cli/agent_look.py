"""``agent list`` and ``agent info``: which agents there are, and how they really are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.agent_arguments import AgentArgument
from mainstay.cli.agent_filters import (
    CapabilityOption,
    OlderOption,
    ParentOption,
    RoleOption,
    StateOption,
    TeamOption,
    UnderOption,
)
from mainstay.cli.amounts import format_age, format_count, format_money
from mainstay.cli.arguments import JsonOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.printing import (
    format_time,
    one_line,
    plain,
    print_json,
    print_state,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainstay.cli.agent_reading import Sight
    from mainstay.schemas.budgets import Account
    from mainstay.schemas.messages import Message

LATEST_MESSAGES = 5
LONGEST_TEXT = 100

AllOption = Annotated[bool, option("--all", help="Those that have ended, too.")]
LimitOption = Annotated[int, option("--limit", min=1, max=10_000, help="At most so many.")]


def list_agents(
    states: StateOption = None,
    role: RoleOption = "",
    team: TeamOption = "",
    under: UnderOption = "",
    capability: CapabilityOption = "",
    parent: ParentOption = "",
    older_than: OlderOption = None,
    show_all: AllOption = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List agents: what each does, what waits for it, what it has cost."""
    asked = {"role": role, "team": team, "under": under, "capability": capability}
    asyncio.run(
        _list(states or [], {**asked, "parent": parent}, older_than, show_all, limit, as_json)
    )


def info(agent: AgentArgument, as_json: JsonOption = False) -> None:
    """Show how an agent is: its state, what it does, what it asks, what it has spent."""
    asyncio.run(_info(agent, as_json))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("list")(list_agents)
    app.command()(info)


async def _list(
    texts: list[str],
    asked: dict[str, str],
    older_than: str | None,
    show_all: bool,
    limit: int,
    as_json: bool,
) -> None:
    from mainstay.cli.agent_choice import Choice, choose, living_states, read_state
    from mainstay.cli.agent_many import take_all_sights
    from mainstay.cli.amounts import read_duration
    from mainstay.cli.reading import reading

    wanted = {read_state(text) for text in texts}
    age = None if older_than is None else read_duration("--older-than", older_than)
    async with reading() as mainstay:
        rows = await choose(
            mainstay,
            Choice(**asked, older_than=age),
            states=living_states() if not (show_all or texts) else (),
            limit=limit,
        )
        sights = await take_all_sights(mainstay, rows)
    sights = [sight for sight in sights if not wanted or sight.state in wanted]
    if as_json:
        print_json([as_data(sight) for sight in sights])
        return
    if not sights:
        say("no agents")
        hint("`mainstay agent spawn FILE` makes one; --all shows those that have ended, too")
        return
    _print_sights(sights)
    _tell_what_is_wrong(sights)


def as_data(sight: Sight) -> dict[str, Any]:  # Any: JSON-like data
    """Write an agent as JSON: its record, and how it really is."""
    return {
        **plain(sight.row),
        "state": sight.state.upper(),
        "recorded_state": sight.row.state.value,
        "driving": sight.driving.value,
        "activity": sight.activity,
        "spent": plain(sight.spent),
        "info": plain(sight.info),
    }


def _print_sights(sights: Sequence[Sight]) -> None:
    print_table(
        ["state", "name", "role", "activity", "model", "pending", "age", "cost"],
        [
            [
                sight.state,
                sight.row.name or sight.row.agent_id,
                sight.row.role.lower(),
                sight.activity,
                sight.row.model,
                format_count(sight.row.pending),
                format_age(sight.row.created_at),
                format_money(sight.spent) if sight.spent else "-",
            ]
            for sight in sights
        ],
        whole=["name"],
    )


def _tell_what_is_wrong(sights: Sequence[Sight]) -> None:
    lost = next((sight.row.name for sight in sights if sight.state == "lost"), None)
    if lost:
        say("nothing drives the agents that are lost, whatever their record says")
        hint(f"`mainstay agent restart {lost}` takes one up where it was")
    if any(sight.driving.value == "no worker" for sight in sights):
        say("no worker serves the agents: they rest until one does")
        hint("`mainstay up`, or `mainstay worker`, runs one")
    if any(sight.driving.value == "unseen" for sight in sights):
        say("from the records: no Temporal server answers, so the agents rest")
        hint("`mainstay up` lets them go on")


async def _info(text: str, as_json: bool) -> None:
    from mainstay.cli.agent_reading import take_sights
    from mainstay.cli.reading import reading

    async with reading() as mainstay:
        row = await mainstay.find_agent(text)
        sight = (await take_sights(mainstay, [row]))[0]
        messages = await mainstay.store.messages_of(row.agent_id, limit=LATEST_MESSAGES)
        accounts = await mainstay.store.get_accounts([f"agent/{row.agent_id}"])
    if as_json:
        print_json(
            {
                **as_data(sight),
                "limits": accounts[0].limits if accounts else None,
                "messages": messages,
            }
        )
        return
    _print_info(sight, accounts)
    _print_messages(messages)
    _tell_what_is_wrong([sight])
    _tell_questions(sight)


def _print_info(sight: Sight, accounts: Sequence[Account]) -> None:
    row, info = sight.row, sight.info
    detail = one_line((info.detail if info else "") or row.detail)
    print(row.name or row.agent_id)
    print_state("  state    ", sight.state, f": {detail}" if detail else "")
    since = info.since if info else row.updated_at
    print(f"  since    {format_time(since)}, {format_age(since)}")
    if sight.activity:
        print(f"  does     {one_line(sight.activity)}")
    print(f"  role     {row.role.lower()}")
    print(f"  model    {row.model or '-'}")
    if row.description:
        print(f"  about    {one_line(row.description)}")
    if row.capabilities:
        print(f"  good at  {', '.join(row.capabilities)}")
    print(f"  mailbox  {row.pending:,} waiting")
    if info:
        print(f"  handled  {info.messages:,} messages, {info.failed:,} failed")
    if row.restarts:
        print(f"  restarts {row.restarts:,}")
    print(f"  thread   {row.thread}")
    print(f"  id       {row.agent_id}")
    for account in accounts[:1]:
        print(f"  spent    {spending(account)}")


def spending(account: Account) -> str:
    """Write what an account has spent, and of how much."""
    spent, limits = account.spent, account.limits
    parts = [
        f"{format_money(spent)}{f' of ${limits.usd}' if limits.usd is not None else ''}",
        f"tokens: {spent.tokens:,}{_of(limits.tokens)}",
        f"turns: {spent.turns:,}{_of(limits.turns)}",
        f"tool calls: {spent.tool_calls:,}{_of(limits.tool_calls)}",
    ]
    return ", ".join(parts)


def _of(limit: int | None) -> str:
    return "" if limit is None else f" of {limit:,}"


def _print_messages(messages: Sequence[Message]) -> None:
    if not messages:
        return
    print()
    print_table(
        ["message", "status", "from", "age", "text"],
        [
            [
                message.id,
                message.status.value.lower(),
                message.sender_name or message.sender or "-",
                format_age(message.created_at),
                message.text[:LONGEST_TEXT],
            ]
            for message in messages
        ],
        whole=["message"],
    )


def _tell_questions(sight: Sight) -> None:
    for question in sight.info.questions if sight.info else ():
        say(f"it asks: {one_line(question.question)}")
        hint(f"`mainstay agent answer {sight.row.name} TEXT --question {question.use_id}`")
