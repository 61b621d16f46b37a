"""The look at a whole team's health, now and then, by one activity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from mainstay.schemas import names
from mainstay.schemas.supervision import SupervisorRequest
from mainstay.schemas.supervision_calls import HealthCheckCall, HealthReport
from mainstay.workflows.options import HEALTH_LATENESS, HEALTH_TIMEOUT, ONCE


class HealthWatch:
    """Looks at the team's health every interval; whom it concerns is told by the activity.

    What goes wrong with a look is left to the next one.

    Args:
        request: whose team it is.
        is_wanted: tells whether to look now.
        looked: is called after each interval.
    """

    def __init__(
        self,
        request: SupervisorRequest,
        is_wanted: Callable[[], bool],
        looked: Callable[[], None],
    ) -> None:
        self._request = request
        self._is_wanted = is_wanted
        self._looked = looked
        self._looking = False
        self._watcher: asyncio.Task[None] | None = None

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way."""
        return self._looking

    def begin(self) -> None:
        """Look from now on, if this supervisor is the one who does."""
        if self._request.health_interval:
            self._watcher = asyncio.create_task(self._watch(self._request.health_interval))

    async def _watch(self, interval: timedelta) -> None:
        while True:
            due = workflow.now() + interval
            await workflow.sleep(interval)
            if self._is_wanted() and workflow.now() - due < HEALTH_LATENESS:
                await self._look()
            self._looked()

    async def _look(self) -> None:
        call = HealthCheckCall(
            team=self._request.team,
            run=self._request.run,
            team_ref=self._request.team_ref,
            task_queue=workflow.info().task_queue,
        )
        self._looking = True
        try:
            await workflow.execute_activity(
                names.SUPERVISOR_CHECK,
                call,
                result_type=HealthReport,
                schedule_to_close_timeout=HEALTH_TIMEOUT,
                schedule_to_start_timeout=HEALTH_LATENESS,
                heartbeat_timeout=self._request.options.heartbeat_timeout,
                retry_policy=ONCE,
                summary="health",
            )
        except FailureError:
            return
        finally:
            self._looking = False
