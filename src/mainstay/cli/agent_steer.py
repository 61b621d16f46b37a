"""Steering an agent: pause it, stop it, start it again, answer it, give it more to spend."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.agent_arguments import AgentArgument, LivingAgentArgument, ReasonOption
from mainstay.cli.agent_filters import (
    CapabilityOption,
    LivingAgentsArgument,
    RoleOption,
    StateOption,
    TeamOption,
    UnderOption,
    YesOption,
)
from mainstay.cli.arguments import JsonOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.printing import print_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from mainstay.agent_handle import AgentHandle
    from mainstay.cli.agent_choice import Choice
    from mainstay.client import Mainstay
    from mainstay.schemas.agent import BudgetSpec
    from mainstay.schemas.agent_calls import AgentRow
    from mainstay.schemas.budgets import Account

GraceOption = Annotated[
    str | None,
    option(
        "--grace",
        metavar="DURATION",
        help="How long it may take to finish what it does: 30s, 5m. By default as its file says.",
        show_default=False,
    ),
]
AnswerArgument = Annotated[
    list[str], typer.Argument(metavar="TEXT...", help="The answer.", show_default=False)
]
QuestionOption = Annotated[
    str, option("--question", metavar="ID", help="Which question, when it asks several.")
]
TokensOption = Annotated[int | None, option("--tokens", min=0, help="Tokens, in and out.")]
UsdOption = Annotated[str | None, option("--usd", metavar="DOLLARS", help="Money.")]
TurnsOption = Annotated[int | None, option("--turns", min=0, help="Messages worked on.")]
CallsOption = Annotated[int | None, option("--tool-calls", min=0, help="Tool calls.")]
TimeOption = Annotated[
    str | None, option("--time", metavar="DURATION", help="Time since its first turn began.")
]


def pause(
    agents: LivingAgentsArgument = None,
    team: TeamOption = "",
    under: UnderOption = "",
    role: RoleOption = "",
    states: StateOption = None,
    capability: CapabilityOption = "",
    reason: ReasonOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let agents begin nothing new; messages wait in their mailboxes."""
    choice = _choice(agents, team, under, role, states, capability)
    asyncio.run(_steer("pause", choice, yes, as_json, reason=reason))


def resume(
    agents: LivingAgentsArgument = None,
    team: TeamOption = "",
    under: UnderOption = "",
    role: RoleOption = "",
    states: StateOption = None,
    capability: CapabilityOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let paused agents go on."""
    choice = _choice(agents, team, under, role, states, capability)
    asyncio.run(_steer("resume", choice, yes, as_json))


def stop(
    agents: LivingAgentsArgument = None,
    team: TeamOption = "",
    under: UnderOption = "",
    role: RoleOption = "",
    states: StateOption = None,
    capability: CapabilityOption = "",
    grace: GraceOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """End agents: each finishes what it does, and what waits in its mailbox fails.

    One of a team is stopped by its supervisor, within its `shutdown`, and can be started again.
    """
    choice = _choice(agents, team, under, role, states, capability)
    within = _duration("--grace", grace)
    asyncio.run(_steer("stop", choice, yes, as_json, reason=reason, grace=within))


def restart(
    agents: LivingAgentsArgument = None,
    team: TeamOption = "",
    under: UnderOption = "",
    role: RoleOption = "",
    states: StateOption = None,
    capability: CapabilityOption = "",
    reason: ReasonOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let agents get ready again, and take up those that are lost; conversations go on."""
    choice = _choice(agents, team, under, role, states, capability)
    asyncio.run(_steer("restart", choice, yes, as_json, reason=reason))


def answer(agent: LivingAgentArgument, text: AnswerArgument, question: QuestionOption = "") -> None:
    """Answer a question that an agent asks."""
    asyncio.run(_answer(agent, " ".join(text), question))


def budget(
    agent: AgentArgument,
    tokens: TokensOption = None,
    usd: UsdOption = None,
    turns: TurnsOption = None,
    tool_calls: CallsOption = None,
    time: TimeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an agent, or a plan by its id, may spend, or change the limits that are named."""
    changes = {
        "tokens": tokens,
        "usd": usd,
        "turns": turns,
        "tool_calls": tool_calls,
        "time": _duration("--time", time),
    }
    named = {name: value for name, value in changes.items() if value is not None}
    asyncio.run(_budget(agent, named, as_json))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (pause, resume, stop, restart, answer, budget):
        app.command()(command)


@asynccontextmanager
async def _found(text: str) -> AsyncIterator[tuple[AgentHandle, AgentRow]]:
    """Connect and find an agent that can be steered.

    Raises:
        Refused: it has ended.
        Unavailable: no worker would hear of it.
    """
    from mainstay.cli.agent_reading import agents_online
    from mainstay.connection import has_worker
    from mainstay.schemas.errors import Refused, Unavailable

    async with agents_online() as mainstay:
        row = await mainstay.find_agent(text)
        if row.state == "TERMINATED":
            raise Refused(
                f"agent {row.name!r} has ended{f': {row.detail}' if row.detail else ''}",
                hint="`mainstay agent spawn FILE --thread ID` makes one that goes on from it; "
                f"its thread is {row.thread}",
            )
        if not await has_worker(mainstay.temporal, mainstay.settings.task_queue):
            raise Unavailable(
                f"no worker serves agent {row.name!r}, so nobody hears this",
                hint="run one with `mainstay up` or `mainstay worker`, then ask again",
            )
        yield mainstay.agent_handle(row.agent_id), row


def _choice(
    names: list[str] | None,
    team: str,
    under: str,
    role: str,
    states: list[str] | None,
    capability: str,
) -> Choice:
    from mainstay.cli.agent_choice import Choice, read_state
    from mainstay.schemas.errors import InvalidInput

    wanted = tuple(read_state(text) for text in states or ())
    choice = Choice(tuple(names or ()), team, under, role, capability, wanted)
    if not (choice.names or choice.has_filters):
        raise InvalidInput(
            "no agent is named", hint="name some, or choose them: --team, --under, --role, --state"
        )
    return choice


async def _steer(
    verb: str,
    choice: Choice,
    yes: bool,
    as_json: bool,
    *,
    reason: str = "",
    grace: timedelta | None = None,
) -> None:
    from mainstay.cli.agent_bulk import Order, steer

    await steer(Order(verb, reason, grace), choice, yes=yes, as_json=as_json)


async def _answer(text: str, words: str, question: str) -> None:
    from mainstay.cli.people import user_name

    async with _found(text) as (agent, _):
        say(await agent.answer(words, use_id=question, by=user_name()))


async def _budget(text: str, changes: Mapping[str, object], as_json: bool) -> None:
    from mainstay.agent_start import account_of
    from mainstay.cli.agent_look import spending
    from mainstay.cli.reading import reading

    async with reading() as mainstay:
        name = text if text.startswith("plan/") else account_of((await mainstay.agent(text)).id)
        account = await _see_account(mainstay, name)
        if changes:
            await mainstay.store.set_limits(name, _changed(account.limits, changes))
            account = await _see_account(mainstay, name)
    if as_json:
        print_json(account)
        return
    print(spending(account))
    if changes and text.startswith("plan/"):
        hint("`mainstay status` names the agents that paused for want of budget")
    elif changes:
        hint(f"`mainstay agent resume {text}` lets it go on, if it paused for want of budget")


async def _see_account(mainstay: Mainstay, name: str) -> Account:
    """Return an account: an agent's, a plan's, or that of a task of a plan."""
    from mainstay.schemas.errors import NotFound

    accounts = await mainstay.store.get_accounts([name])
    if not accounts:
        raise NotFound(f"{name!r} has no account", hint="agents, and plans with agents, have one")
    return accounts[0]


def _changed(limits: BudgetSpec, changes: Mapping[str, object]) -> BudgetSpec:
    from pydantic import ValidationError

    from mainstay.schemas.agent import BudgetSpec
    from mainstay.schemas.errors import InvalidInput

    try:
        return BudgetSpec.model_validate({**dict(limits), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"--{first['loc'][0]} {first['input']!r}: {first['msg']}") from None


def _duration(name: str, text: str | None) -> timedelta | None:
    from mainstay.cli.amounts import read_duration

    return None if text is None else read_duration(name, text)
