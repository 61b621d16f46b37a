"""Ending what is below a supervisor, from above: its workflows first, then its rows."""

from __future__ import annotations

from temporalio.client import Client

from mainstay.activities.supervision_ports import SupervisionStorage
from mainstay.activities.workflows_seen import children_begun, terminate
from mainstay.schemas.ids import supervisor_id, supervisor_row_id

_PREFIX = supervisor_id("")


def is_supervisor(workflow_id: str) -> bool:
    """Tell whether a workflow id is a supervisor's."""
    return workflow_id.startswith(_PREFIX)


def place_of(workflow_id: str) -> tuple[str, str]:
    """Return the team and the path of the supervisor with a workflow id."""
    team, _, path = workflow_id.removeprefix(_PREFIX).partition("/")
    return team, path


async def kill_below(
    client: Client,
    storage: SupervisionStorage,
    workflow_id: str,
    run: str,
    reason: str,
    spared: str = "",
) -> list[str]:
    """Terminate a supervisor and everything below it.

    Supervisors go first, from above: one that is left would start again what is killed. Who has
    just been started has no row yet, so the server is asked as well as the records.

    Args:
        client: connected to the server.
        storage: where the records are.
        workflow_id: the supervisor's.
        run: the life of its team.
        reason: why, for people.
        spared: a supervisor's workflow id that ends by itself.

    Returns:
        The rows of all of them.
    """
    team, path = place_of(workflow_id)
    views = await storage.supervisor_views(team, run, path, living=True)
    rows = await storage.team_agents(team, run, path, living=True)
    agents = dict.fromkeys(row.agent_id for row in rows)
    waiting = [workflow_id, *sorted((view.supervisor_id for view in views), key=_depth)]
    seen: dict[str, None] = {}
    while waiting:
        supervisor = waiting.pop(0)
        if supervisor not in seen and supervisor != spared:
            await terminate(client, [supervisor], reason)
            begun = await children_begun(client, supervisor)
            waiting.extend(filter(is_supervisor, begun))
            agents |= dict.fromkeys(one for one in begun if not is_supervisor(one))
        seen[supervisor] = None
    await terminate(client, agents, reason)
    return [*agents, *(supervisor_row_id(team, run, place_of(one)[1]) for one in seen)]


def _depth(workflow_id: str) -> int:
    return workflow_id.count("/")
