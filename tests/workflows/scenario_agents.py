"""Stand-ins for agents, which do what the script says and tell their supervisor as agents do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from scenario_scene import SCENES, numbered, path_of
from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from mainstay.schemas import names
from mainstay.schemas.agent_calls import AgentResult
from mainstay.schemas.agent_run import AgentRequest
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.supervision import ChildExit, ChildNews, ExitKind, ShutDown

LATE = timedelta(seconds=5)
BUSY = timedelta(seconds=3)
LONG = timedelta(seconds=2_000)

_FAILURES = {
    "fail": Failure(kind=FailureKind.TRANSIENT, type="Odd", message="odd"),
    "refuse": Failure(kind=FailureKind.REFUSED, type="Refused", message="no authority"),
}
NORMAL = ChildExit(kind=ExitKind.NORMAL, message="done")


@workflow.defn(name=names.AGENT)
class StandIn:
    """Plays an agent. Its habits stand in its file, by incarnation: ``2:broken *:busy``.

    broken and refused fail before they are ready, late is ready after 5 s; busy takes 3 s to end,
    long 2,000 s, stubborn ends when it is cancelled, deaf not even then.
    """

    @workflow.init
    def __init__(self, request: AgentRequest) -> None:
        assert request.supervised is not None
        self._mine = request.supervised
        words = (word.split(":") for word in request.spec_ref.split())
        now = ("*", str(self._mine.incarnation))
        self._habits = {habit for when, habit in words if when in now}
        self._scene = SCENES[request.name.partition("/")[0]]
        self._told: ShutDown | None = None
        self._end: ChildExit | None = None
        self._is_dead = False

    @workflow.signal(name=names.SHUT_DOWN)
    def shut_down(self, order: ShutDown) -> None:
        """End, but perhaps not at once."""
        if self._told is None:
            self._say("~" if order.keeps else "-")
        self._told = order

    @workflow.signal
    def die(self) -> None:
        """End at once, as if terminated: this server does not tell parents of terminations."""
        self._say("x")
        self._is_dead = True

    @workflow.signal
    def play(self, part: str) -> None:
        """End as the script says."""
        self._end = _exit(part)

    @workflow.run
    async def run(self, request: AgentRequest) -> AgentResult:
        """Play."""
        name, incarnation = self._mine.name, self._mine.incarnation
        self._scene.lived[path_of(self._mine.supervisor_id)][name] = incarnation
        self._say("+", numbered(name, incarnation))
        life = asyncio.create_task(self._live())
        while not life.done():
            try:
                await workflow.wait_condition(lambda: life.done() or self._is_dead)
            except asyncio.CancelledError:
                self._say("^")
                if "deaf" not in self._habits:
                    life.cancel()
                    self._end = NORMAL
                    break
            if self._is_dead:
                raise ApplicationError("terminated", type="Terminated", non_retryable=True)
        assert self._end is not None
        await self._tell(self._end)
        state = LifeState.ERROR if self._end.failure else LifeState.TERMINATED
        if self._end.kind is ExitKind.SHUTDOWN and self._told and self._told.keeps:
            state = LifeState.RESTARTING
        failure = self._end.failure
        return AgentResult(agent_id=request.agent_id, state=state, failure=failure, exit=self._end)

    async def _live(self) -> None:
        await self._begin()
        if self._end is None:
            await self._tell(None)
            await workflow.wait_condition(lambda: self._told is not None or self._end is not None)
        if self._end is not None:
            self._say("!" if self._end.failure else ".")
            return
        if "busy" in self._habits:
            await workflow.sleep(BUSY)
        if "long" in self._habits:
            await workflow.sleep(LONG)
        if self._habits & {"deaf", "stubborn"}:
            await workflow.wait_condition(lambda: False)
        self._end = ChildExit(kind=ExitKind.SHUTDOWN, message="told to")

    async def _begin(self) -> None:
        if "late" in self._habits:
            try:
                await workflow.wait_condition(lambda: self._told is not None, timeout=LATE)
            except TimeoutError:
                return
        elif "broken" in self._habits:
            self._end = _exit("fail")
        elif "refused" in self._habits:
            self._end = _exit("refuse")

    async def _tell(self, end: ChildExit | None) -> None:
        news = ChildNews(name=self._mine.name, incarnation=self._mine.incarnation, exit=end)
        supervisor = workflow.get_external_workflow_handle(self._mine.supervisor_id)
        with suppress(FailureError):
            await supervisor.signal(names.CHILD_NEWS, news)

    def _say(self, what: str, name: str = "") -> None:
        if not workflow.unsafe.is_replaying():
            self._scene.trace.append(what + (name or self._mine.name))


def _exit(part: str) -> ChildExit:
    if part == "exit":
        return NORMAL
    failure = _FAILURES[part]
    return ChildExit(kind=ExitKind.FAILED, failure=failure, message=failure.message)
