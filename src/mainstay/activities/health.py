"""The look at a whole team's health: what the database and the server know, and who is told.

Rules:
    1. Nobody is asked: an idle agent costs a line in one list of open workflows.
    2. Whose record lives without an open workflow is lost: its supervisor is told that it failed.
       The list may be behind, so each of these is looked at exactly, first.
    3. Whoever is UNHEALTHY is told of to its own supervisor, which puts it on record and acts.
    4. That something polls the task queue need not be asked: this very look was taken from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client

from mainstay.activities.calling import reporting
from mainstay.activities.pulse import pulse
from mainstay.activities.supervision import load_team
from mainstay.activities.supervision_ports import TeamStorage
from mainstay.activities.workflows_seen import Seen, look_at, open_workflows, signal
from mainstay.decisions.supervision.health import MISSED, judge
from mainstay.schemas import names
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.ids import supervisor_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.supervision import ChildExit, ChildNews, ExitKind, SupervisorView
from mainstay.schemas.supervision_calls import (
    HealthCheckCall,
    HealthFacts,
    HealthReport,
    HealthState,
)
from mainstay.schemas.team import HealthSpec

MAX_NAMES = 100
"""Names that a report holds at most."""

DRIVEN = frozenset(
    {LifeState.INITIALIZING, LifeState.RUNNING, LifeState.PAUSED, LifeState.STOPPING}
)
"""States in which a record is kept up to date by an open workflow."""


@dataclass(frozen=True, slots=True)
class Member:
    """An agent or a supervisor of the team: what its supervisor calls it, and who that is."""

    workflow_id: str
    name: str
    supervisor: str


class HealthActivities:
    """Looks at teams."""

    def __init__(self, storage: TeamStorage) -> None:
        self._storage = storage

    @activity.defn(name=names.SUPERVISOR_CHECK)
    async def check(self, call: HealthCheckCall) -> HealthReport:
        """Look at a team, and tell the supervisors of those that are lost or unhealthy."""
        with reporting():
            async with pulse():
                return await Look(activity.client(), self._storage, call).take()


class Look:
    """One look at one team."""

    def __init__(self, client: Client, storage: TeamStorage, call: HealthCheckCall) -> None:
        self._client = client
        self._storage = storage
        self._call = call
        self._listed: dict[str, Seen] = {}
        self._seen: dict[str, Seen] = {}

    async def take(self) -> HealthReport:
        """Look, tell, and count."""
        team, run = self._call.team, self._call.run
        health = (await load_team(self._storage, self._call.team_ref)).health
        # Before the records: what they tell of an agent must not be laid to its next incarnation.
        self._listed = await open_workflows(self._client, team)
        agents = await self._storage.team_agents(team, run, living=True)
        views = await self._storage.supervisor_views(team, run, living=True)
        facts = await self._storage.health_facts(team, run, health.sample)
        members = _members(team, agents, views)
        driven = {row.agent_id for row in agents if row.state in DRIVEN}
        driven |= {view.supervisor_id for view in views if view.life in DRIVEN}
        await self._look_closer([one for one in members if one in driven], facts, health)
        lost = [one for key, one in members.items() if key in driven and not self._is_open(key)]
        for one in lost:
            await self._tell_lost(one)
        states = await self._judge(facts, health, members)
        states |= {one.workflow_id: HealthState.UNHEALTHY for one in lost}
        return _report(agents, states)

    async def _look_closer(
        self, driven: Sequence[str], facts: Sequence[HealthFacts], health: HealthSpec
    ) -> None:
        """Look exactly at who is not in the list, and at who has worked for long."""
        since = datetime.now(UTC) - MISSED * health.interval
        working = [
            one.agent_id
            for one in facts
            if one.oldest_delivered_at is not None and one.oldest_delivered_at < since
        ]
        missing = [one for one in driven if one not in self._listed]
        looked = await look_at(self._client, dict.fromkeys([*missing, *working]))
        self._seen = {**self._listed, **looked}

    def _is_open(self, workflow_id: str) -> bool:
        seen = self._seen.get(workflow_id)
        return seen is not None and seen.is_open

    async def _tell_lost(self, one: Member) -> None:
        text = "its workflow ended without a word"
        failure = Failure(kind=FailureKind.TRANSIENT, type="Lost", message=text)
        news = ChildNews(
            name=one.name,
            incarnation=self._seen[one.workflow_id].incarnation,
            exit=ChildExit(kind=ExitKind.FAILED, failure=failure, message=text),
        )
        await signal(self._client, one.supervisor, names.CHILD_NEWS, news)

    async def _judge(
        self, facts: Sequence[HealthFacts], health: HealthSpec, members: Mapping[str, Member]
    ) -> dict[str, HealthState]:
        """Return how those are of whom there are facts; tell of the unhealthy that run."""
        states = {}
        now = datetime.now(UTC)
        for one in facts:
            seen = self._seen.get(one.agent_id)
            known = {
                "is_open": seen is not None and seen.is_open,
                "heartbeat_at": seen.heartbeat_at if seen else None,
            }
            state, reason = judge(one.model_copy(update=known), health, now)
            states[one.agent_id] = state
            member, listed = members.get(one.agent_id), self._listed.get(one.agent_id)
            if state is HealthState.UNHEALTHY and member and listed:
                told = (member.name, listed.incarnation, reason)
                await signal(self._client, member.supervisor, names.UNHEALTHY, *told)
        return states


def _members(
    team: str, agents: Sequence[AgentRow], views: Sequence[SupervisorView]
) -> dict[str, Member]:
    """Return who has a supervisor, by workflow id."""
    by_row = {view.row_id: view.supervisor_id for view in views}
    found = [
        Member(row.agent_id, row.name.partition("/")[2], by_row[row.supervisor_id])
        for row in agents
        if row.supervisor_id in by_row
    ]
    for view in views:
        above, _, name = view.path.rpartition("/")
        if view.path:
            found.append(Member(view.supervisor_id, name, supervisor_id(team, above)))
    return {one.workflow_id: one for one in found}


def _report(agents: Sequence[AgentRow], states: Mapping[str, HealthState]) -> HealthReport:
    each = [(row.name, states.get(row.agent_id, HealthState.HEALTHY)) for row in agents]
    bad = [name for name, state in each if state is not HealthState.HEALTHY]
    return HealthReport(
        counts=dict(Counter(state for _, state in each)), names=tuple(bad[:MAX_NAMES])
    )
