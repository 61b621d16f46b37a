"""What a supervisor asks of its activities, and the signals it sends to other workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from mainstay.schemas import names
from mainstay.schemas.supervision import ChildExit, ChildNews, ShutDown, SupervisorRequest
from mainstay.schemas.supervision_calls import (
    CloseCall,
    KillCall,
    OpenedSupervisor,
    OpenSupervisorCall,
)
from mainstay.workflows.options import MACHINE_RETRY, SUPERVISOR_TIMEOUT


class SupervisorCalls:
    """One supervisor's calls. An activity that fails here is a bug; there is nothing to cure."""

    def __init__(self, request: SupervisorRequest) -> None:
        self._request = request

    async def open(self) -> OpenedSupervisor:
        """Read the supervisor's part of the team file, and see to orphans.

        Raises:
            ActivityError: that failed; the message says why.
        """
        call = OpenSupervisorCall(request=self._request)
        opened: OpenedSupervisor = await self._activity(
            names.SUPERVISOR_OPEN, call, OpenedSupervisor, "get ready"
        )
        return opened

    async def kill(self, workflow_ids: Sequence[str], keeps: bool, reason: str) -> None:
        """Terminate children, a supervisor with everything below it."""
        call = KillCall(
            workflow_ids=tuple(workflow_ids), run=self._request.run, reason=reason, keeps=keeps
        )
        await self._activity(names.SUPERVISOR_KILL, call, None, f"kill {len(workflow_ids)}")

    async def close(
        self, reason: str, *, path: str | None = None, agent_ids: tuple[str, ...] = ()
    ) -> None:
        """Close the mailboxes and rows of agents, or of everything below a path."""
        mine = self._request
        call = CloseCall(
            team=mine.team, run=mine.run, path=path, agent_ids=agent_ids, reason=reason
        )
        await self._activity(names.SUPERVISOR_CLOSE, call, None, "close what will not go on")

    async def tell_parent(self, exit_: ChildExit | None = None) -> None:
        """Tell the supervisor above that this one is ready, or how it ended."""
        mine = self._request
        if mine.parent:
            own_name = mine.path.rpartition("/")[2]
            news = ChildNews(name=own_name, incarnation=mine.incarnation, exit=exit_)
            await self.signal(mine.parent, names.CHILD_NEWS, news)

    async def signal(self, workflow_id: str, name: str, about: ShutDown | ChildNews) -> bool:
        """Signal another workflow; False when there is none of that id."""
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(name, about)
        except FailureError:
            return False
        return True

    async def cancel(self, workflow_id: str) -> bool:
        """Cancel another workflow; False when there is none of that id."""
        try:
            await workflow.get_external_workflow_handle(workflow_id).cancel()
        except FailureError:
            return False
        return True

    async def _activity(
        self,
        name: str,
        call: OpenSupervisorCall | KillCall | CloseCall,
        result: type[Any] | None,  # Any: each activity's own model
        summary: str,
    ) -> Any:  # Any: see above
        return await workflow.execute_activity(
            name,
            call,
            result_type=result,
            start_to_close_timeout=SUPERVISOR_TIMEOUT,
            heartbeat_timeout=self._request.options.heartbeat_timeout,
            retry_policy=MACHINE_RETRY,
            summary=summary,
        )
