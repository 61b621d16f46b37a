"""What is read of teams, each on a connection of the caller's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, or_, select

from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.ids import supervisor_name
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import SupervisorView
from mainstay.schemas.supervision_calls import SupervisionEvent
from mainstay.storage import tables
from mainstay.storage.agent_rows import AGENT_COLUMNS, agent_from
from mainstay.storage.supervision_rows import event_from, view_from

_a, _e = tables.agents.c, tables.supervision_events.c
SUPERVISORS = tables.agents.alias("supervisors")
_s = SUPERVISORS.c


def views(
    connection: Connection, team: str, run: str, path: str | None, living: bool
) -> list[SupervisorView]:
    """Return supervisors by team and path; of the newest life of each team, if no run is given."""
    runs = {team: run} if team and run else newest_runs(connection, team)
    query = select(_a.team, _a.run, _a.current_state, _a.detail, _a.state_data).where(
        _a.run != "", _a.run.in_({run} if run else set(runs.values()))
    )
    if team:
        query = query.where(_a.team == team)
    if living:
        query = query.where(_a.current_state != LifeState.TERMINATED)
    rows = connection.execute(query).mappings()
    found = [view_from(row) for row in rows if run or runs.get(row["team"]) == row["run"]]
    chosen = [view for view in found if path is None or is_below(view.path, path)]
    return sorted(chosen, key=lambda view: (view.team, view.path.split("/")))


def team_agents(
    connection: Connection, team: str, run: str, path: str | None, living: bool
) -> list[AgentRow]:
    """Return the agents of a team's supervisors, by supervisor and then by name."""
    run = run or newest_runs(connection, team).get(team, "")
    query = (
        select(*AGENT_COLUMNS, _s.name.label("under"))
        .join(SUPERVISORS, _s.agent_id == _a.supervisor_id)
        .where(_s.team == team, _s.run == run, _a.run == "", *_below(team, path))
    )
    if living:
        query = query.where(_a.current_state != LifeState.TERMINATED)
    rows = connection.execute(query).mappings().all()
    # Sorted here, because databases sort texts in their own ways.
    return [agent_from(row) for row in sorted(rows, key=lambda row: (row["under"], row["name"]))]


def events(
    connection: Connection, team: str, after: datetime | None, limit: int
) -> list[SupervisionEvent]:
    """Return the latest events of a team, the oldest of them first."""
    query = (
        select(tables.supervision_events)
        .join(tables.agents, _a.agent_id == _e.supervisor_id)
        .where(_a.team == team)
    )
    if after is not None:
        query = query.where(_e.created_at > after)
    latest = query.order_by(_e.created_at.desc(), _e.number.desc()).limit(limit)
    return [event_from(row) for row in connection.execute(latest).mappings()][::-1]


def newest_runs(connection: Connection, team: str = "") -> dict[str, str]:
    """Return the newest life of a team, or of each, by the team."""
    query = select(_a.team, _a.run).where(_a.run != "")
    if team:
        # By the index of names; one row is enough.
        query = query.where(_a.name == supervisor_name(team))
        newest = query.order_by(_a.created_at.desc(), _a.agent_id.desc()).limit(1)
    else:
        newest = query.where(_a.name == _a.team + supervisor_name("")).order_by(
            _a.created_at, _a.agent_id
        )
    return {row.team: row.run for row in connection.execute(newest)}


def is_below(path: str, top: str) -> bool:
    """Tell whether a supervisor is the one of a path, or under it."""
    return not top or path == top or path.startswith(f"{top}/")


def _below(team: str, path: str | None) -> list[ColumnElement[bool]]:
    if not path:
        return []
    top = supervisor_name(team, path)
    start = f"{top}/"
    return [or_(_s.name == top, func.substr(_s.name, 1, len(start)) == start)]
