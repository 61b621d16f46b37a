"""What the commands about teams read: names of supervisors, and a team as JSON-like data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.agent_driving import Driving
from mainstay.cli.printing import plain
from mainstay.cli.team_tree import counts_of, state_of
from mainstay.client import Mainstay
from mainstay.connection import configured_address, is_answering
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ChildCounts, ChildKind, SupervisorView
from mainstay.team_handle import TeamHandle
from mainstay.team_sight import ALIVE, TeamSight

DRIVING_NOTES = {
    Driving.LOST: "nothing drives its root supervisor, whatever its record says",
    Driving.NO_WORKER: "no worker serves it, so it rests",
    Driving.UNSEEN: "from the records: no Temporal server answers, so it rests",
}
"""What is said of a team that does not go on by itself."""

Data = dict[str, Any]  # JSON


def split_place(text: str) -> tuple[str, str]:
    """Take ``TEAM[/PATH]`` apart; ``supervisor/`` before it, as in its workflow's id, is left out.

    Returns:
        The team and the path, which is empty for the root.
    """
    team, _, path = text.removeprefix("supervisor/").strip("/").partition("/")
    return team, path.removeprefix("@")


def team_data(sight: TeamSight, tasks: Mapping[str, str], driving: Driving) -> Data:
    """Write a team as nested data: each supervisor with its children, and those with theirs."""
    rows = {row.agent_id: row for row in sight.agents}
    return {
        "team": sight.team,
        "driving": driving.value,
        "agents": dict(sorted(counts_of(sight).items())),
        "supervisor": _supervisor(sight, sight.supervisors[0], rows, tasks),
    }


def count_children(view: SupervisorView) -> ChildCounts:
    """Count a supervisor's children as they are on record, as OTP's ``count_children`` does."""
    supervisors = sum(child.kind is ChildKind.SUPERVISOR for child in view.children)
    return ChildCounts(
        specs=len(view.children),
        active=sum(child.phase in ALIVE for child in view.children),
        supervisors=supervisors,
        workers=len(view.children) - supervisors,
    )


async def look(mainstay: Mainstay, team: TeamHandle) -> Driving:
    """See what drives a team, without waiting for a server that does not answer."""
    if not await is_answering(configured_address(mainstay.settings)):
        is_over = (await team.view()).life is LifeState.TERMINATED
        return Driving.ENDED if is_over else Driving.UNSEEN
    return await team.driving()


def _supervisor(
    sight: TeamSight,
    view: SupervisorView,
    rows: Mapping[str, AgentRow],
    tasks: Mapping[str, str],
) -> Data:
    own: Data = {**plain(view)}
    children: list[Data] = []
    for child in view.children:
        row = rows.get(child.id)
        data: Data = {**plain(child), "state": state_of(child, row, sight.below(view, child))}
        if child.kind is ChildKind.AGENT:
            data |= {
                "agent": row.name if row else "",
                "task": tasks.get(child.id, ""),
                "pending": row.pending if row else 0,
                "error": row.detail if row else "",
            }
        elif (below := sight.below(view, child)) is not None:
            data["supervisor"] = _supervisor(sight, below, rows, tasks)
        children.append(data)
    own["children"] = children
    return own
