"""Carrying out a supervisor's directives: children are started, told to stop, killed, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, TemporalError, WorkflowAlreadyStartedError

from mainstay.schemas import names
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.supervision import ChildExit, ChildPlan, ShutDown, SupervisorState
from mainstay.schemas.supervision_calls import OpenedSupervisor
from mainstay.schemas.supervision_directives import (
    CancelChild,
    CloseChild,
    Exited,
    KillChild,
    StartChild,
    SupervisorDirective,
    SupervisorSignal,
    TellParent,
    TellToStop,
    WasOpened,
)
from mainstay.workflows.options import CLOSING_TIMEOUT, TAKEN_WAITS
from mainstay.workflows.supervisor_calls import SupervisorCalls
from mainstay.workflows.supervisor_children import (
    Child,
    Children,
    exit_of,
    exit_of_error,
    is_gone,
)
from mainstay.workflows.work import failure_of

Work = Coroutine[Any, Any, None]  # Any: what a coroutine is sent and yields


@dataclass(slots=True)
class _Life:
    """One incarnation of a child, from its start on: ``watch`` ends when its workflow has.

    ``told`` is the end of which it told while its workflow was still open.
    """

    incarnation: int
    start: asyncio.Task[None]
    watch: asyncio.Task[None] | None = None
    told: ChildExit | None = None


class SupervisorWork:
    """What a supervisor has in flight, and the lives of its children.

    Reports through ``note``; through ``bug`` when the code here is wrong; ``opened`` is told,
    first, what a predecessor left.
    """

    def __init__(
        self,
        calls: SupervisorCalls,
        children: Children,
        note: Callable[[SupervisorSignal], None],
        bug: Callable[[BaseException], None],
        opened: Callable[[OpenedSupervisor], None],
    ) -> None:
        self._calls = calls
        self._children = children
        self._note = note
        self._bug = bug
        self._opened = opened
        self._flying: dict[asyncio.Task[None], None] = {}
        self._lives: dict[str, _Life] = {}
        self._opening: asyncio.Task[None] | None = None
        self._rites: dict[str, asyncio.Task[None]] = {}
        """Who kills, or closes, a child just now."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight, and no child is about to be gone."""
        return not self._flying and not any(life.told for life in self._lives.values())

    def open(self) -> None:
        """Read the team file, and see to what a predecessor left behind."""
        self._opening = self._begin(self._open())

    def hear_exit(self, name: str, incarnation: int, end: ChildExit) -> None:
        """Hear from a child that it ends; it has ended when its workflow is closed, too.

        A child that was started before this run began is known by its words alone.
        """
        life = self._lives.get(name)
        if life is None or life.incarnation != incarnation:
            self._note(Exited(name, incarnation, end))
        else:
            life.told = end

    def carry_out(self, directives: Sequence[SupervisorDirective], state: SupervisorState) -> None:
        """Carry out what the directives of one step say of the children, and tell the parent."""
        condemned: list[KillChild] = []
        done_with: list[CloseChild] = []
        for directive in directives:
            match directive:
                case StartChild():
                    self._start_child(directive, state.plans[directive.place])
                case TellToStop():
                    self._begin(self._tell(directive, state.reason))
                case CancelChild():
                    self._begin(self._cancel(directive))
                case KillChild():
                    condemned.append(directive)
                case CloseChild():
                    done_with.append(directive)
                case TellParent():
                    self._begin(self._calls.tell_parent())
                case _:
                    pass  # the others are for the records, and for the workflow itself
        self._kill_all(condemned, state.reason)
        self._close_all(done_with)

    async def settle(self) -> None:
        """Wait until nothing is in flight; a file that is still being read is not waited for."""
        if self._opening is not None:
            self._opening.cancel()
        while self._flying:
            await workflow.wait(list(self._flying))

    def _start_child(self, directive: StartChild, plan: ChildPlan) -> None:
        """Start a child, as soon as its former incarnation is out of the way."""
        name, before = directive.name, self._lives.get(directive.name)
        starting = self._begin(self._start(directive, plan, before))
        self._lives[name] = _Life(directive.incarnation, starting)

    def _kill_all(self, condemned: Sequence[KillChild], reason: str) -> None:
        for keeps in (True, False):
            some = [one for one in condemned if one.keeps is keeps]
            if some:
                killing = self._begin(self._kill(some, keeps, reason))
                self._rites.update({one.name: killing for one in some})

    def _close_all(self, done_with: Sequence[CloseChild]) -> None:
        if done_with:
            before = [self._rites[one.name] for one in done_with if one.name in self._rites]
            closing = self._begin(self._close(done_with, before))
            self._rites.update({one.name: closing for one in done_with})

    # Each of these runs as a task of its own.

    async def _open(self) -> None:
        try:
            opened = await self._calls.open()
        except FailureError as error:
            self._note(WasOpened(problem=failure_of(error).message or "it could not be opened"))
        else:
            self._opened(opened)
            self._note(WasOpened(opened.policy, opened.plans, opened.alive))

    async def _start(self, directive: StartChild, plan: ChildPlan, before: _Life | None) -> None:
        name, incarnation = directive.name, directive.incarnation
        await self._see_gone(name, before)
        try:
            child = await self._start_patiently(name, plan, incarnation)
        except (TemporalError, MainstayError) as error:
            self._note(Exited(name, incarnation, exit_of_error(error)))
        else:
            life = self._lives[name]
            life.watch = asyncio.create_task(self._watch(name, life, child))
            life.watch.add_done_callback(self._see_bug)

    async def _see_gone(self, name: str, before: _Life | None) -> None:
        """Wait until the last incarnation is out of the way: one that was killed closes late."""
        await self._see_rites(name)
        watch = before.watch if before is not None else None
        if watch is not None and not watch.done():
            await workflow.wait([watch], timeout=CLOSING_TIMEOUT.total_seconds())

    async def _see_rites(self, name: str) -> None:
        """Wait until a child is dead that is being killed: all below it, and on record as well."""
        rites = self._rites.get(name)
        if rites is not None and not rites.done():
            await workflow.wait([rites])

    async def _start_patiently(self, name: str, plan: ChildPlan, incarnation: int) -> Child:
        # Which earlier runs there were, a supervisor that began anew does not know.
        for wait in TAKEN_WAITS:
            try:
                return await self._children.start(name, plan, incarnation)
            except WorkflowAlreadyStartedError:
                await workflow.sleep(wait)
        return await self._children.start(name, plan, incarnation)

    async def _watch(self, name: str, life: _Life, child: Child) -> None:
        try:
            ended = exit_of(await child)
        except FailureError as error:
            ended = exit_of_error(error)
        await self._see_rites(name)
        self._note(Exited(name, life.incarnation, life.told or ended))
        if self._lives.get(name) is life:
            del self._lives[name]

    async def _tell(self, directive: TellToStop, reason: str) -> None:
        order = ShutDown(reason=reason, grace=directive.grace, keeps=directive.keeps)
        await self._see_started(directive.name)
        workflow_id = self._id(directive.name)
        if not await self._calls.signal(workflow_id, names.SHUT_DOWN, order):
            self._note_gone(directive)

    async def _cancel(self, directive: CancelChild) -> None:
        await self._see_started(directive.name)
        if not await self._calls.cancel(self._id(directive.name)):
            self._note_gone(directive)

    async def _kill(self, some: Sequence[KillChild], keeps: bool, reason: str) -> None:
        for one in some:
            await self._see_started(one.name)
        await self._calls.kill([self._id(one.name) for one in some], keeps, reason)
        for one in some:
            self._note(Exited(one.name, one.incarnation, is_gone("it was killed")))

    async def _close(
        self, some: Sequence[CloseChild], before: Sequence[asyncio.Task[None]]
    ) -> None:
        """Close children when those of them that are being killed are dead."""
        flying = [killing for killing in before if not killing.done()]
        if flying:
            await workflow.wait(flying)
        agents = [one for one in some if not self._children.is_supervisor(one.name)]
        if agents:
            ids = tuple(self._id(one.name) for one in agents)
            await self._calls.close(agents[0].reason, agent_ids=ids)
        for one in some:
            if self._children.is_supervisor(one.name):
                await self._calls.close(one.reason, path=self._children.path(one.name))

    async def _see_started(self, name: str) -> None:
        """Wait until it is known whether a child's workflow was started."""
        life = self._lives.get(name)
        if life is not None and not life.start.done():
            await workflow.wait([life.start])

    def _note_gone(self, directive: TellToStop | CancelChild) -> None:
        name, incarnation = directive.name, directive.incarnation
        life = self._lives.get(name)
        if life is None or life.incarnation != incarnation:  # else its end is seen, too
            self._note(Exited(name, incarnation, is_gone("it was gone already")))

    def _id(self, name: str) -> str:
        return self._children.workflow_id(name)

    def _begin(self, work: Work) -> asyncio.Task[None]:
        flying = asyncio.create_task(work)
        self._flying[flying] = None
        flying.add_done_callback(self._land)
        return flying

    def _land(self, flying: asyncio.Task[None]) -> None:
        self._flying.pop(flying, None)
        self._see_bug(flying)

    def _see_bug(self, done: asyncio.Task[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._bug(error)
