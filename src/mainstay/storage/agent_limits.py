"""How many agents there may be, looked at in the transaction that adds one.

Rules:
    1. Living agents count, whatever their state; supervisors of teams do not.
    2. ``agents`` are all, ``team_agents`` those of the new one's team, ``roles`` and
       ``team_roles`` those of its role, in all and in its team.
    3. ``children`` are those with the same parent, or with the same supervisor, whichever are more.
    4. ``depth`` is the longest chain of supervisors and parents above it, itself included.
    5. A limit that is reached refuses, and says so on record once for each agent. The agent that
       comes to ``warn_at`` of a limit is let in, and that is put on record.
    6. Whoever adds agents with limits waits for the others who do: the counts are exact.

What is on record belongs to the supervisor, or without one to the parent, or to the agent itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sqlalchemy import Connection, text

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.errors import LimitReached, MainstayError
from mainstay.schemas.supervision_calls import AgentLimits, SupervisionEvent
from mainstay.storage.agent_rows import agent_by_id, insert_agent
from mainstay.storage.agent_tables import LIVING_AGENT
from mainstay.storage.rows import Values
from mainstay.storage.supervision_rows import insert_events
from mainstay.storage.words import Severity, SupervisionEventType

DEEPEST = 1_000
"""How far up is looked when there is no limit of depth to say it."""


EVERY = 2**31 - 1
"""A limit that is none, in both databases."""


@dataclass(frozen=True, slots=True)
class NewAgent:
    """An agent to be inserted: its row, the limits it must keep, and when that is."""

    values: Values
    limits: AgentLimits | None
    now: datetime

    @property
    def locks(self) -> set[str]:
        """What nobody else may write about in the meantime."""
        names = {self.values["agent_id"], f"name of an agent: {self.values['name']}"}
        if self.limits is None:
            return names
        return names | {"limits of agents", self._owner}

    @property
    def _owner(self) -> str:
        owner: str = self.values["supervisor_id"] or self.values["parent_id"]
        return owner or self.values["agent_id"]

    def report(self, use: Use, severity: Severity, message: str) -> SupervisionEvent:
        """Make what is put on record about one of its limits."""
        agent_id = self.values["agent_id"]
        return SupervisionEvent(
            supervisor_id=self._owner,
            subject_id=agent_id,
            key=f"limit/{use.limit}/{severity.lower()}/{agent_id}",
            type=SupervisionEventType.RESOURCE_LIMIT_EXCEEDED,
            severity=severity,
            child=self.values["name"],
            message=message,
            at=self.now,
        )


@dataclass(frozen=True, slots=True)
class Use:
    """How far one limit is used before an agent is added, ``most`` being the limit."""

    limit: str
    used: int
    most: int
    hint: str

    @property
    def is_up(self) -> bool:
        """Whether there is no room for one more."""
        return self.used >= self.most

    def comes_to(self, share: float) -> bool:
        """Tell whether one more is the one that comes to a share of the limit.

        Example:
            Of a limit of 50 and a share of 0.8 that is the fortieth.
        """
        # Rounded first, because 0.7 * 10 is a little more than 7.
        return self.used + 1 == ceil(round(self.most * share, 6))


def create(connection: Connection, new: NewAgent) -> AgentRow | MainstayError:
    """Insert an agent unless it is there, its name is taken, or a limit is reached."""
    if new.limits is None:
        return insert_agent(connection, new.values)
    known = agent_by_id(connection, new.values["agent_id"])
    if known is not None:
        return known
    uses = list(_uses(connection, new.values, new.limits))
    name = new.values["name"] or new.values["agent_id"]
    up = next((use for use in uses if use.is_up), None)
    if up is not None:
        why = f"agent {name!r} is not created: the limit {up.limit!r} of {up.most} is reached"
        insert_events(connection, [new.report(up, Severity.HIGH, why)])
        return LimitReached(why, hint=up.hint)
    outcome = insert_agent(connection, new.values)
    if isinstance(outcome, MainstayError):
        return outcome
    nearing = [
        new.report(use, Severity.LOW, f"{use.used + 1} of {use.most}: {use.limit} come to a limit")
        for use in uses
        if use.comes_to(new.limits.warn_at)
    ]
    insert_events(connection, nearing, new.values["agent_id"])
    return outcome


def _uses(connection: Connection, values: Values, limits: AgentLimits) -> Iterator[Use]:
    role, team = values["agent_type"].lower(), values["team"]
    most = {
        "agents": limits.agents,
        "team_agents": limits.team_agents if team else None,
        "roles": limits.roles.get(role),
        "team_roles": limits.team_roles.get(role) if team else None,
        "children": limits.children,
    }
    which = {name: values[name] or "" for name in ("parent_id", "supervisor_id", "team")}
    siblings = max(1, limits.children or 0)
    row = connection.execute(
        _COUNT,
        {
            **which,
            "type": values["agent_type"],
            "looked_at": _looked_at(most),
            "by_parent": siblings if which["parent_id"] else 0,
            "by_supervisor": siblings if which["supervisor_id"] else 0,
            "depth": DEEPEST if limits.depth is None else limits.depth,
        },
    ).one()
    used = {**row._mapping, "children": max(row.by_parent, row.by_supervisor)}
    for name, number in most.items():
        if number is not None:
            yield Use(name, used[name], number, _HINTS[name].format(role=role))
    # Of all at one depth, the first child of each parent stands for the others.
    if limits.depth is not None and (row.above >= limits.depth or not used["children"]):
        yield Use("depth", row.above, limits.depth, _HINTS["depth"])


def _looked_at(most: Mapping[str, int | None]) -> int:
    limits = {name: number for name, number in most.items() if name != "children"}
    if limits["agents"] is not None:
        return limits["agents"]
    return 0 if all(number is None for number in limits.values()) else EVERY


_SETTING = "raise MAINSTAY_LIMITS__{} for all processes, or end agents that are not needed"
_HINTS = {
    "agents": _SETTING.format("AGENTS"),
    "team_agents": "raise `limits: agents:` in the team's file, and start the team again",
    "roles": _SETTING.format("ROLES__{role}"),
    "team_roles": "raise `limits: roles: {role}:` in the team's file, and start the team again",
    "children": _SETTING.format("CHILDREN") + ", or put a supervisor between",
    "depth": "raise MAINSTAY_LIMITS__DEPTH for all processes, or make the tree flatter",
}

_LIVING = f"FROM agents WHERE {LIVING_AGENT}"
# One scan of a small index. Each count stops at its limit, where the answer is known.
_COUNT = text(
    f"""
    WITH RECURSIVE above (agent_id, height) AS (
        SELECT agent_id, 1 FROM agents WHERE agent_id IN (:parent_id, :supervisor_id)
        UNION
        SELECT upper.agent_id, above.height + 1
        FROM above JOIN agents lower ON lower.agent_id = above.agent_id
        JOIN agents upper ON upper.agent_id IN (lower.parent_id, lower.supervisor_id)
        WHERE above.height < :depth
    )
    SELECT count(*) AS agents,
           count(*) FILTER (WHERE team = :team) AS team_agents,
           count(*) FILTER (WHERE agent_type = :type) AS roles,
           count(*) FILTER (WHERE team = :team AND agent_type = :type) AS team_roles,
           (SELECT count(*) FROM (SELECT 1 AS one {_LIVING} AND parent_id = :parent_id
            LIMIT :by_parent) AS x) AS by_parent,
           (SELECT count(*) FROM (SELECT 1 AS one {_LIVING} AND supervisor_id = :supervisor_id
            LIMIT :by_supervisor) AS x) AS by_supervisor,
           (SELECT coalesce(max(height), 0) FROM above) AS above
    FROM (SELECT team, agent_type {_LIVING} LIMIT :looked_at) AS living
    """  # noqa: S608
)
