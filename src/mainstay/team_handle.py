"""One team, seen from outside: see its tree, wait for it, change its children, end it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from mainstay.agent_driving import Driving, is_open
from mainstay.connection import has_worker
from mainstay.decisions.supervision.intensity import seen_at
from mainstay.schemas import names
from mainstay.schemas.errors import MainstayError, NotFound, Unavailable
from mainstay.schemas.ids import supervisor_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import (
    ChildCounts,
    ChildPlan,
    ChildView,
    ShutDown,
    SupervisorResult,
    SupervisorView,
)
from mainstay.schemas.supervision_calls import ChildRequest, SupervisionEvent
from mainstay.storage.store import Store
from mainstay.team_sight import Progress, TeamSight
from mainstay.team_start import start_team
from mainstay.temporal_calls import QUERY_TIMEOUT, UPDATE_TIMEOUT, Callee, ask

POLL_SECONDS = 0.1
"""How often the records are looked at while a team is waited for."""
REST_FACTOR = 15
"""A look is followed by a rest of at least so many times its length: a look at a thousand agents
takes long, on the machine that is busy with starting them."""
STILL_SECONDS = 3.0
"""After so long without any change it is looked whether anything drives the team."""
CHANGE_TIMEOUT = timedelta(minutes=5)
"""How long a change of a child is waited for; it may have a minute to stop in."""

T = TypeVar("T")
Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class _Ended:
    """The root has ended; ``result`` is None when its end was not its own."""

    result: SupervisorResult | None
    reason: str


class TeamHandle:
    """A team. Get one from :meth:`mainstay.Mainstay.team_up` or ``.team(name)``.

    Args:
        temporal: connected to the server, or lazily.
        store: where its records are.
        name: the team's.
        task_queue: the queue of its workers.
        run: which life of it; by default the newest.
        size: how many agents it begins with, if that is known.
    """

    def __init__(
        self,
        temporal: Client,
        store: Store,
        name: str,
        task_queue: str,
        *,
        run: str = "",
        size: int | None = None,
    ) -> None:
        self.name = name
        self.run = run
        self._temporal = temporal
        self._store = store
        self._task_queue = task_queue
        self.size = size

    def __repr__(self) -> str:
        return f"<TeamHandle {self.name}>"

    # What is on record: no server is needed.

    async def sight(self, path: str | None = None) -> TeamSight:
        """Return its supervisors and agents as they are on record; with ``path`` a part of it.

        Raises:
            NotFound: there is no such team, or no such supervisor in it.
        """
        views, agents = await asyncio.gather(
            self._store.supervisor_views(self.name, self.run, path),
            self._store.team_agents(self.name, self.run, path),
        )
        if not views:
            raise await self._unknown(path)
        now = datetime.now(UTC)
        seen = tuple(seen_at(view, now) for view in views)
        return TeamSight(team=self.name, supervisors=seen, agents=tuple(agents))

    async def view(self, path: str = "") -> SupervisorView:
        """Return one supervisor as it is on record, the root by default.

        Raises:
            NotFound: there is no such team, or no such supervisor in it.
        """
        for view in await self._store.supervisor_views(self.name, self.run, path):
            if view.path == path:
                return seen_at(view, datetime.now(UTC))
        raise await self._unknown(path)

    async def events(
        self, *, after: datetime | None = None, limit: int = 100
    ) -> list[SupervisionEvent]:
        """Return the latest events of its supervisors, the oldest of them first."""
        return await self._store.supervision_events(self.name, after=after, limit=limit)

    # The whole of it.

    async def driving(self) -> Driving:
        """Tell what drives its root just now."""
        if (await self.view()).life is LifeState.TERMINATED:
            return Driving.ENDED
        try:
            if not await is_open(self._temporal, supervisor_id(self.name)):
                return Driving.LOST
            served = await has_worker(self._temporal, self._task_queue)
        except (Unavailable, RuntimeError):  # the last is what a lazy connection raises
            return Driving.UNSEEN
        return Driving.DRIVEN if served else Driving.NO_WORKER

    async def wait_ready(
        self, progress: Tell | None = None, timeout: timedelta | None = None
    ) -> TeamSight:
        """Wait until each of its children was started once.

        Args:
            progress: is told how many agents are ready, whenever that changes.
            timeout: how long to wait; by default as long as something drives it.

        Raises:
            MainstayError: it ended instead; the message says why.
            Unavailable: nothing drives it, or the time is up.
        """
        try:
            async with asyncio.timeout(timeout.total_seconds() if timeout else None):
                if await self._watch(_is_ready, progress) is None:
                    raise self._failed(await self._end())
                return await self.sight()
        except TimeoutError:
            raise Unavailable(
                f"team {self.name!r} is not ready in time",
                hint=f"it goes on; `mainstay team tree {self.name}` shows what is not ready",
            ) from None

    async def wait_seen(self) -> None:
        """Wait until its root has put itself on record, as it does when it begins.

        Raises:
            MainstayError: it ended instead; the message says why.
            Unavailable: nothing drives it.
        """
        if await self._watch(lambda sight: True, None) is None:
            raise self._failed(await self._end())

    async def wait_end(self) -> SupervisorResult:
        """Wait until it ends, and return how it did.

        Raises:
            NotFound: there is no such team.
            MainstayError: its end was not its own: it was terminated, say.
        """
        ended = await self._end()
        if ended.result is None:
            raise MainstayError(f"team {self.name!r} did not end by itself: {ended.reason}")
        return ended.result

    async def down(
        self, reason: str = "", grace: timedelta | None = None, progress: Tell | None = None
    ) -> SupervisorResult:
        """End the team, the children of each supervisor in reverse order, and wait for that.

        A team whose root is lost is taken up only to be ended.

        Args:
            reason: why; put on record.
            grace: after so long everything that still runs is killed; by default each child has
                the time that its ``shutdown`` gives it.
            progress: is told how many agents are left, whenever that changes.

        Raises:
            NotFound: there is no such team, or it has ended.
            Unavailable: nothing drives it.
        """
        view = await self.view()
        if view.life is LifeState.TERMINATED:
            raise NotFound(
                f"team {self.name!r} has ended already",
                hint="`mainstay team list` shows the others",
            )
        order = ShutDown(reason=reason or "the team was taken down", grace=grace)
        if await is_open(self._temporal, supervisor_id(self.name)):
            await self._ask(self._workflow().signal(names.SHUT_DOWN, order))
        else:
            await start_team(self._temporal, self._store, view, self._task_queue, order)
        await self._watch(_is_over, progress)
        return await self.wait_end()

    async def take_up(self) -> None:
        """Start its lost root again; what becomes of the children left is ``orphans``' to say.

        Raises:
            NotFound: there is no such team.
        """
        await start_team(self._temporal, self._store, await self.view(), self._task_queue)

    # Children of one supervisor, which ``path`` names: the root by default.

    async def which_children(self, path: str = "") -> tuple[ChildView, ...]:
        """Ask a supervisor for its children. OTP's ``which_children``.

        Raises:
            NotFound: there is no such supervisor, or it has ended; so with the others below.
            Unavailable: no worker answers.
        """
        found: tuple[ChildView, ...]
        found = await self._query("which_children", tuple[ChildView, ...], path)
        return found

    async def count_children(self, path: str = "") -> ChildCounts:
        """Ask a supervisor how many children it has. OTP's ``count_children``."""
        counts: ChildCounts = await self._query("count_children", ChildCounts, path)
        return counts

    async def start_child(
        self, path: str = "", *, name: str = "", plan: ChildPlan | None = None, by: str = ""
    ) -> str:
        """Add a child behind the others, and wait until it is ready. OTP's ``start_child``.

        Args:
            path: the supervisor.
            name: what the child is called; for a dynamic supervisor, which has its plan.
            plan: the child, for the others. See :meth:`mainstay.Mainstay.plan_child`.
            by: who asks; put on record.

        Raises:
            Refused: there is a child of that name, or the supervisor is ending.
        """
        return await self._change("start_child", path, ChildRequest(name=name, plan=plan, by=by))

    async def terminate_child(self, name: str, path: str = "", *, by: str = "") -> str:
        """Stop a child, and keep its plan. OTP's ``terminate_child``."""
        return await self._change("terminate_child", path, ChildRequest(name=name, by=by))

    async def restart_child(self, name: str, path: str = "", *, by: str = "") -> str:
        """Start a stopped child again, or stop and start a running one; this is not counted."""
        return await self._change("restart_child", path, ChildRequest(name=name, by=by))

    async def delete_child(self, name: str, path: str = "", *, by: str = "") -> str:
        """Forget a child that is stopped. OTP's ``delete_child``."""
        return await self._change("delete_child", path, ChildRequest(name=name, by=by))

    # Inside.

    async def _watch(
        self, is_so: Callable[[TeamSight], bool], progress: Tell | None
    ) -> TeamSight | None:
        """Look at the records until something is so; None when the root ended before it was."""
        clock = asyncio.get_running_loop().time
        ending = asyncio.create_task(self._end())
        last, moved = None, clock()
        try:
            while True:
                has_ended, began = ending.done(), clock()
                sight = await self._seen()
                rest = max(POLL_SECONDS, REST_FACTOR * (clock() - began))
                if sight is not None and is_so(sight):
                    return sight
                if has_ended:
                    ending.result()
                    return None
                seen = sight.progress(self.size) if sight else None
                if seen != last:
                    last, moved = seen, clock()
                    if progress is not None and seen is not None:
                        progress(seen)
                elif clock() - moved > STILL_SECONDS:
                    moved = clock()
                    await self._see_served()
                await asyncio.wait({ending}, timeout=min(rest, STILL_SECONDS))
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _seen(self) -> TeamSight | None:
        """Look at its supervisors; None while its root has not put itself on record."""
        views = await self._store.supervisor_views(self.name, self.run)
        return TeamSight(team=self.name, supervisors=tuple(views)) if views else None

    async def _end(self) -> _Ended:
        """Wait for the root's end."""
        workflow = self._temporal.get_workflow_handle(
            supervisor_id(self.name), result_type=SupervisorResult
        )
        try:
            result: SupervisorResult = await self._ask(workflow.result())
        except WorkflowFailureError as error:
            return _Ended(None, str(error.cause))
        return _Ended(result, result.reason)

    async def _see_served(self) -> None:
        try:
            is_served = await has_worker(self._temporal, self._task_queue)
        except RPCError:
            return  # a busy server; waiting for the root's end tells if it is gone
        if not is_served:
            raise Unavailable(
                f"no worker serves team {self.name!r}, so it rests until one does",
                hint="run one with `mainstay up` or `mainstay worker`",
            )

    def _failed(self, ended: _Ended) -> MainstayError:
        return MainstayError(
            f"team {self.name!r} did not come up: {ended.reason or 'it ended'}",
            hint=f"`mainstay team events {self.name}` tells what happened; mend it, then try again",
        )

    async def _unknown(self, path: str | None) -> NotFound:
        if path and await self._store.supervisor_views(self.name, self.run, ""):
            return NotFound(
                f"team {self.name!r} has no supervisor {path!r}",
                hint=f"`mainstay team tree {self.name}` shows them",
            )
        return NotFound(f"there is no team {self.name!r}", hint="`mainstay team list` shows them")

    async def _change(self, update: str, path: str, request: ChildRequest) -> str:
        started = self._workflow(path).execute_update(
            update, request, result_type=str, rpc_timeout=UPDATE_TIMEOUT
        )
        try:
            async with asyncio.timeout(CHANGE_TIMEOUT.total_seconds()) as limit:
                said: str = await self._ask(started, path)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable(
                f"{request.name or 'the child'} has not come to it yet; the request stands",
                hint=f"`mainstay supervisor children {self._place(path)}` shows how it goes",
            ) from None
        return said

    async def _query(self, query: str, kind: Any, path: str) -> Any:  # Any: a type, and one of it
        asked = self._workflow(path).query(query, result_type=kind, rpc_timeout=QUERY_TIMEOUT)
        return await self._ask(asked, path)

    def _workflow(self, path: str = "") -> WorkflowHandle[Any, Any]:  # Any: found by its id
        return self._temporal.get_workflow_handle(supervisor_id(self.name, path))

    def _place(self, path: str) -> str:
        return f"{self.name}/{path}" if path else self.name

    async def _ask(self, asked: Awaitable[T], path: str = "") -> T:
        callee = Callee(
            "supervisor",
            self._place(path),
            f"`mainstay team tree {self.name}` shows how the team is",
            "`mainstay team list` shows the teams",
        )
        return await ask(asked, callee)


def _is_ready(sight: TeamSight) -> bool:
    root = sight.root
    return root is not None and root.life is LifeState.RUNNING


def _is_over(sight: TeamSight) -> bool:
    return sight.is_over
