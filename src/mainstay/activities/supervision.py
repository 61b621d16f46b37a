"""The activities of a supervisor: it gets ready, puts itself on record, kills and closes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity

from mainstay.activities.calling import reporting
from mainstay.activities.doorbell import tell_replied
from mainstay.activities.orphans import Left, Orphans
from mainstay.activities.parents import see_to_children
from mainstay.activities.pulse import pulse
from mainstay.activities.supervision_ports import TeamStorage
from mainstay.activities.team_workflows import is_supervisor, kill_below
from mainstay.activities.workflows_seen import terminate
from mainstay.decisions.supervision.view import view
from mainstay.decisions.team_files.team_levels import level
from mainstay.schemas import names
from mainstay.schemas.ids import supervisor_id
from mainstay.schemas.supervision import (
    SupervisorPlan,
    SupervisorRequest,
    SupervisorState,
    TeamPlan,
)
from mainstay.schemas.supervision_calls import (
    CloseCall,
    KillCall,
    OpenedSupervisor,
    OpenSupervisorCall,
    SupervisorRecordCall,
)


class SupervisionActivities:
    """What supervisors have done in the world."""

    def __init__(self, storage: TeamStorage) -> None:
        self._storage = storage

    @activity.defn(name=names.SUPERVISOR_OPEN)
    async def open(self, call: OpenSupervisorCall) -> OpenedSupervisor:
        """Read the supervisor's part of the team file, write its row, see to orphans."""
        with reporting():
            async with pulse():
                request = call.request
                own = level(await load_team(self._storage, request.team_ref), request.path)
                has_lived = await self._write_row(request, own)
                left = Left()
                if has_lived:
                    client = activity.client()
                    left = await Orphans(client, self._storage, request, own).see_to_all()
                return OpenedSupervisor(
                    policy=own.policy, plans=own.children, alive=left.alive, lived=left.lived
                )

    @activity.defn(name=names.SUPERVISOR_RECORD)
    async def record(self, call: SupervisorRecordCall) -> None:
        """Put on record how the supervisor is, and what it noted."""
        with reporting():
            async with pulse():
                await self._storage.put_supervisor(
                    call.view, call.run, call.parent_row, call.events
                )

    @activity.defn(name=names.SUPERVISOR_KILL)
    async def kill(self, call: KillCall) -> None:
        """Terminate children, a supervisor with everything below it, and say so on record."""
        with reporting():
            async with pulse():
                client = activity.client()
                rows = [one for one in call.workflow_ids if not is_supervisor(one)]
                await terminate(client, rows, call.reason)
                for workflow_id in filter(is_supervisor, call.workflow_ids):
                    below = await kill_below(
                        client, self._storage, workflow_id, call.run, call.reason
                    )
                    rows.extend(below)
                await self._end_rows(rows, call.reason or "it was killed", keeps=call.keeps)

    @activity.defn(name=names.SUPERVISOR_CLOSE)
    async def close(self, call: CloseCall) -> None:
        """Close what will not be started again; what of it still runs is killed."""
        with reporting():
            async with pulse():
                rows = list(call.agent_ids)
                if call.path is not None:
                    below = await kill_below(
                        activity.client(),
                        self._storage,
                        supervisor_id(call.team, call.path),
                        call.run,
                        call.reason,
                        spared=activity.info().workflow_id or "",
                    )
                    rows.extend(below)
                await self._end_rows(rows, call.reason, keeps=False)

    async def _write_row(self, request: SupervisorRequest, own: SupervisorPlan) -> bool:
        """Write the supervisor's row; tells whether it had one, and so may have left children."""
        path, storage = request.path, self._storage
        earlier = await storage.supervisor_views(request.team, request.run, path)
        state, now = SupervisorState(policy=own.policy), datetime.now(UTC)
        await storage.put_supervisor(view(state, request, now), request.run, request.parent_row, ())
        return any(one.path == path for one in earlier)

    async def _end_rows(self, rows: Sequence[str], reason: str, *, keeps: bool) -> None:
        if not rows:
            return
        now = datetime.now(UTC)
        if keeps:
            await self._storage.leave_agents(rows, reason, now)
        else:
            await tell_replied(await self._storage.close_agents(rows, reason, now))
            await see_to_children(self._storage, rows)


async def load_team(storage: TeamStorage, team_ref: str) -> TeamPlan:
    """Return a stored team file.

    Raises:
        NotFound: it was never stored.
    """
    return TeamPlan.model_validate_json(await storage.get_document(team_ref))
