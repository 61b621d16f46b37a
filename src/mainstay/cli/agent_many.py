"""How many agents are at once: one list of the server's in the place of a question to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.service import RPCError

from mainstay.agent_driving import Driving, has_ended
from mainstay.agent_start import account_of
from mainstay.cli.agent_reading import Sight, take_sights
from mainstay.client import Mainstay
from mainstay.connection import configured_address, has_worker, is_answering
from mainstay.schemas import names
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import Unavailable
from mainstay.schemas.supervision import ChildPhase

MANY = 50
"""More agents than these are not asked one by one how they are."""
PAGE = 1000


@dataclass(frozen=True)
class ChildSight(Sight):
    """An agent that a supervisor keeps stopped, or is about to start again."""

    phase: str = ""

    @property
    def state(self) -> str:
        """What its supervisor says of it."""
        return self.phase

    @property
    def activity(self) -> str:
        """Nothing: it does not run."""
        return ""


async def take_all_sights(mainstay: Mainstay, rows: Sequence[AgentRow]) -> list[Sight]:
    """See how agents really are, however many, in the order of their rows."""
    if len(rows) <= MANY:
        sights = await take_sights(mainstay, rows)
    else:
        sights = await _take_many(mainstay, rows)
    return await _with_phases(mainstay, sights)


async def _take_many(mainstay: Mainstay, rows: Sequence[AgentRow]) -> list[Sight]:
    driving = await _drivings(mainstay, rows)
    accounts = await mainstay.store.get_accounts([account_of(row.agent_id) for row in rows])
    spent = {account.id: account.spent for account in accounts}
    return [
        Sight(row, how, None, spent.get(account_of(row.agent_id)))
        for row, how in zip(rows, driving, strict=True)
    ]


async def _drivings(mainstay: Mainstay, rows: Sequence[AgentRow]) -> list[Driving]:
    unseen = [Driving.ENDED if has_ended(row) else Driving.UNSEEN for row in rows]
    if not await is_answering(configured_address(mainstay.settings)):
        return unseen
    try:
        served = await has_worker(mainstay.temporal, mainstay.settings.task_queue)
        opened = await _open_ids(mainstay)
    except (RPCError, Unavailable, RuntimeError):  # the last is what a lazy connection raises
        return unseen
    driven = Driving.DRIVEN if served else Driving.NO_WORKER
    found = {row.agent_id: driven for row in rows if row.agent_id in opened}
    # The list is a moment behind: those that it lacks are looked at themselves.
    doubtful = [row for row in rows if row.agent_id not in found and not has_ended(row)]
    looked = await mainstay.look_at_agents(doubtful)
    found |= {row.agent_id: how for row, how in zip(doubtful, looked, strict=True)}
    return [found.get(row.agent_id, Driving.ENDED) for row in rows]


async def _open_ids(mainstay: Mainstay) -> set[str]:
    query = f"WorkflowType = '{names.AGENT}' AND ExecutionStatus = 'Running'"
    found = mainstay.temporal.list_workflows(query, page_size=PAGE)
    return {one.id async for one in found}


async def _with_phases(mainstay: Mainstay, sights: Sequence[Sight]) -> list[Sight]:
    """Say of children that do not run what their supervisors say: that is not to be lost."""
    lost = [one for one in sights if one.driving is Driving.LOST and one.row.supervisor_id]
    if not lost:
        return list(sights)
    phases: dict[str, ChildPhase] = {}
    for team in {one.row.name.partition("/")[0] for one in lost}:
        views = await mainstay.store.supervisor_views(team, living=True)
        phases |= {
            child.id: child.phase
            for view in views
            for child in view.children
            if child.phase is not ChildPhase.RUNNING
        }
    return [
        ChildSight(one.row, Driving.ENDED, None, one.spent, phases[one.row.agent_id].value)
        if one in lost and one.row.agent_id in phases
        else one
        for one in sights
    ]
