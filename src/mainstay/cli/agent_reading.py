"""Connections of the commands about agents, and what can be seen of agents with one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mainstay.agent_driving import Driving
from mainstay.agent_start import account_of
from mainstay.cli.logs import log_to_file
from mainstay.client import Mainstay
from mainstay.connection import configured_address, is_answering
from mainstay.schemas.agent_calls import AgentInfo, AgentRow
from mainstay.schemas.conversation import Usage
from mainstay.schemas.errors import MainstayError
from mainstay.settings import Settings

ANSWER_SECONDS = 3.0
"""How long agents may take to say how they are, before their records have to do."""
ASKED_AT_ONCE = 16
ASKED_AT_MOST = 200
"""Agents that are asked what they do when many are listed; the others' records do."""

WORDS = {
    Driving.LOST: "nothing drives it",
    Driving.NO_WORKER: "no worker",
    Driving.UNSEEN: "no server answers",
}


@dataclass(frozen=True)
class Sight:
    """An agent as it is shown.

    Attributes:
        info: what it says itself; None when it was not asked or did not answer.
        spent: what was charged to its account.
    """

    row: AgentRow
    driving: Driving
    info: AgentInfo | None = None
    spent: Usage | None = None

    @property
    def state(self) -> str:
        """Its state in lower case, as it really is: ``lost`` when nothing drives it."""
        if self.driving is Driving.LOST:
            return "lost"
        return (self.info.state if self.info else self.row.state).value.lower()

    @property
    def activity(self) -> str:
        """What it is doing, or why it does nothing."""
        if self.driving in WORDS:
            return WORDS[self.driving]
        return self.info.activity if self.info else ""


@asynccontextmanager
async def agents_online() -> AsyncIterator[Mainstay]:
    """Connect to the server that agents live on.

    Raises:
        Unavailable: none answers.
    """
    settings = Settings()
    log_to_file(settings.data_dir)
    async with await Mainstay.connect(settings) as mainstay:
        yield mainstay


async def take_sights(
    mainstay: Mainstay, rows: Sequence[AgentRow], *, ask: bool = True
) -> list[Sight]:
    """See how agents really are, in the order of their rows, as far as that can be seen."""
    if await is_answering(configured_address(mainstay.settings)):
        driving = await mainstay.look_at_agents(rows)
    else:
        driving = [Driving.ENDED if row.state == "TERMINATED" else Driving.UNSEEN for row in rows]
    found = dict(zip((row.agent_id for row in rows), driving, strict=True))
    driven = [agent_id for agent_id, how in found.items() if how is Driving.DRIVEN]
    infos = await _ask_all(mainstay, driven[:ASKED_AT_MOST]) if ask else {}
    accounts = await mainstay.store.get_accounts([account_of(row.agent_id) for row in rows])
    spent = {account.id: account.spent for account in accounts}
    return [
        Sight(
            row,
            found[row.agent_id],
            infos.get(row.agent_id),
            spent.get(account_of(row.agent_id)),
        )
        for row in rows
    ]


async def _ask_all(mainstay: Mainstay, agent_ids: Sequence[str]) -> dict[str, AgentInfo]:
    places, answers = asyncio.Semaphore(ASKED_AT_ONCE), dict[str, AgentInfo]()

    async def ask(agent_id: str) -> None:
        async with places:
            try:
                answers[agent_id] = await mainstay.agent_handle(agent_id).info()
            except MainstayError:
                return  # its record has to do

    asked = [asyncio.create_task(ask(agent_id)) for agent_id in agent_ids]
    if asked:
        _, late = await asyncio.wait(asked, timeout=ANSWER_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return answers
