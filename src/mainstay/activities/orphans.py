"""The children that a supervisor left behind when it was killed.

Rules:
    1. A child that is not open is no orphan; it is simply started again.
    2. CASCADE kills them. STOP tells them to end, and kills those that take longer than their
       ``shutdown``. Both keep mailboxes, for the next incarnation.
    3. ADOPT goes on with those that are running, and stops those that are on their way out.
    4. A child that the team file does not know was added at run time. Its plan is lost with its
       supervisor, as in OTP: it is killed and closed. A dynamic supervisor's children are all
       made from its template, so ADOPT goes on with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client

from mainstay.activities.doorbell import tell_replied
from mainstay.activities.parents import see_to_children
from mainstay.activities.supervision_ports import TeamStorage
from mainstay.activities.team_workflows import kill_below
from mainstay.activities.workflows_seen import look, look_at, signal, terminate
from mainstay.decisions.team_files.team_levels import child_names
from mainstay.schemas import names
from mainstay.schemas.ids import supervisor_id, team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import (
    ChildKind,
    ChildPlan,
    ShutDown,
    SupervisorPlan,
    SupervisorRequest,
)
from mainstay.schemas.team import Orphans as Rule
from mainstay.schemas.team import Strategy

POLL_SECONDS = 0.2
REASON = "its supervisor was killed"

_GOES_ON = frozenset({LifeState.INITIALIZING, LifeState.RUNNING, LifeState.PAUSED})


@dataclass(frozen=True, slots=True)
class Orphan:
    """A child that may have been left behind; ``plan`` is None for one that was added."""

    name: str
    kind: ChildKind
    workflow_id: str
    plan: ChildPlan | None
    state: LifeState | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """What a predecessor left: the adopted children, and all that ever were, by name with their
    latest incarnations."""

    alive: tuple[tuple[str, int], ...] = ()
    lived: tuple[tuple[str, int], ...] = ()


class Orphans:
    """Sees to the orphans of one supervisor."""

    def __init__(
        self,
        client: Client,
        storage: TeamStorage,
        request: SupervisorRequest,
        own: SupervisorPlan,
    ) -> None:
        self._client = client
        self._storage = storage
        self._request = request
        self._own = own

    async def see_to_all(self) -> Left:
        """See to all of them."""
        found = await self._find()
        seen = await look_at(self._client, [one.workflow_id for one in found])
        opened = [one for one in found if seen[one.workflow_id].is_open]
        adopted = [one for one in opened if self._is_adopted(one)]
        rest = [one for one in opened if one not in adopted]
        await asyncio.gather(*map(self._end, rest))
        is_open = {one.name for one in opened}
        await self._close([one for one in found if not one.plan and one.name not in is_open])
        incarnations = {one.name: seen[one.workflow_id].incarnation for one in found}
        return Left(
            alive=tuple((one.name, max(incarnations[one.name], 1)) for one in adopted),
            lived=tuple((name, number) for name, number in incarnations.items() if number),
        )

    def _is_adopted(self, one: Orphan) -> bool:
        is_known = one.plan is not None or self._own.policy.strategy is Strategy.DYNAMIC
        goes_on = one.state is None or one.state in _GOES_ON
        return self._own.orphans is Rule.ADOPT and is_known and goes_on

    async def _find(self) -> list[Orphan]:
        """Return all that may have been left: what the plan knows, and what is on record."""
        mine = self._request
        plans = {
            name: plan
            for plan in self._own.children
            for name in child_names(plan)
            if self._own.policy.strategy is not Strategy.DYNAMIC
        }
        rows = await self._storage.team_agents(mine.team, mine.run, mine.path, living=True)
        views = await self._storage.supervisor_views(mine.team, mine.run, mine.path, living=True)
        agents = {
            row.name.partition("/")[2]: row.state
            for row in rows
            if row.supervisor_id == mine.row_id
        }
        supervisors = {
            view.path.rpartition("/")[2]: view.life
            for view in views
            if view.path and view.path != mine.path and view.path.rpartition("/")[0] == mine.path
        }
        known = [
            self._orphan(name, plan.kind, plan, agents, supervisors) for name, plan in plans.items()
        ]
        added = [
            self._orphan(name, kind, None, agents, supervisors)
            for kind, places in ((ChildKind.AGENT, agents), (ChildKind.SUPERVISOR, supervisors))
            for name in places
            if name not in plans
        ]
        return known + added

    def _orphan(
        self,
        name: str,
        kind: ChildKind,
        plan: ChildPlan | None,
        agents: dict[str, LifeState],
        supervisors: dict[str, LifeState],
    ) -> Orphan:
        mine, is_agent = self._request, kind is ChildKind.AGENT
        path = f"{mine.path}/{name}" if mine.path else name
        workflow_id = (
            team_agent_id(mine.team, mine.run, name) if is_agent else supervisor_id(mine.team, path)
        )
        state = (agents if is_agent else supervisors).get(name)
        return Orphan(name, kind, workflow_id, plan, state)

    async def _end(self, one: Orphan) -> None:
        if self._own.orphans is not Rule.CASCADE and one.plan is not None:
            await self._stop(one, one.plan)
        await self._kill(one)

    async def _stop(self, one: Orphan, plan: ChildPlan) -> None:
        """Tell an orphan to end, and wait until it has, as long as it may take."""
        order = ShutDown(reason=REASON, grace=plan.shutdown, keeps=True)
        told = await signal(self._client, one.workflow_id, names.SHUT_DOWN, order)
        seconds = None if plan.shutdown is None else plan.shutdown.total_seconds()
        if told:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._until_closed(one)

    async def _until_closed(self, one: Orphan) -> None:
        while True:
            if not (await look(self._client, one.workflow_id)).is_open:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _kill(self, one: Orphan) -> None:
        """Terminate what is still open, and bring the records in order."""
        client, storage, run = self._client, self._storage, self._request.run
        if one.kind is ChildKind.SUPERVISOR:
            rows = await kill_below(client, storage, one.workflow_id, run, REASON)
        else:
            await terminate(client, [one.workflow_id], REASON)
            rows = [one.workflow_id]
        now = datetime.now(UTC)
        if one.plan is not None:
            await storage.leave_agents(rows, REASON, now)
        else:
            await tell_replied(await storage.close_agents(rows, REASON, now))
            await see_to_children(storage, rows)

    async def _close(self, gone: Sequence[Orphan]) -> None:
        for one in gone:
            await self._kill(one)
