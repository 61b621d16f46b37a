"""The workflow of one supervisor: the shell around :mod:`mainstay.decisions.supervision`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from mainstay.decisions.supervision import view as views
from mainstay.decisions.supervision.supervisor import decide, is_at_boundary, next_alarm
from mainstay.decisions.team_files.team_levels import child_names
from mainstay.schemas import names
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.search import STATE
from mainstay.schemas.supervision import (
    ChildCounts,
    ChildNews,
    ChildView,
    ShutDown,
    SupervisorRequest,
    SupervisorResult,
    SupervisorState,
    SupervisorView,
)
from mainstay.schemas.supervision_calls import ChildRequest, OpenedSupervisor
from mainstay.schemas.supervision_directives import (
    BecameReady,
    CloseChild,
    DeleteAsked,
    EndSupervisor,
    Report,
    RestartChildAsked,
    ShutDownAsked,
    StartAsked,
    SupervisorSignal,
    TerminateAsked,
    Ticked,
    WasOpened,
    WasUnhealthy,
)
from mainstay.workflows.alarm import Alarm
from mainstay.workflows.options import SETTLE_DELAY
from mainstay.workflows.supervisor_calls import SupervisorCalls
from mainstay.workflows.supervisor_children import Children, supervisor_exit
from mainstay.workflows.supervisor_health import HealthWatch
from mainstay.workflows.supervisor_records import SupervisorRecords, describe
from mainstay.workflows.supervisor_requests import (
    cut,
    does_not_wait,
    is_alive,
    is_starting,
    plan_of,
    result_of,
    shut_down_asked,
    started,
)
from mainstay.workflows.supervisor_work import SupervisorWork


@workflow.defn(name=names.SUPERVISOR)
class Supervisor:
    """Keeps its children alive. Every rule is a decision; here they are only carried out."""

    @workflow.init
    def __init__(self, request: SupervisorRequest) -> None:
        self._request = request
        self._inbox: list[SupervisorSignal] = []
        self._state = request.state or SupervisorState()
        self._is_opened = request.state is not None
        self._ended: EndSupervisor | None = None
        self._bug: BaseException | None = None
        self._handled = 0
        self._shown = self._state.life
        self._awaited: dict[str, str] = {}
        self._hurrying: asyncio.Task[None] | None = None
        self._alarm = Alarm(lambda: self._note(Ticked()))
        self._children = Children(request)
        self._calls = SupervisorCalls(request)
        self._work = SupervisorWork(
            self._calls, self._children, self._note, self._stop_for, self._remember
        )
        self._records = SupervisorRecords(request, self._children, lambda: self._state, self.view)
        self._health = HealthWatch(
            request,
            is_wanted=lambda: self._state.life is LifeState.RUNNING,
            looked=lambda: self._note(Ticked()),
        )

    @workflow.run
    async def run(self, request: SupervisorRequest) -> SupervisorResult:
        """Start the children, and see to them until told to end."""
        # Temporal's own cancel hits whatever is being awaited; here it only becomes an event.
        life = asyncio.create_task(self._live())
        while True:
            try:
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.done():
                    return life.result()
                reason, keeps = "cancelled from outside", self._state.keeps
                self._note(ShutDownAsked(reason, keeps, is_hurried=True))

    # What wakes it. Handlers record an event and return.

    @workflow.signal(name=names.CHILD_NEWS)
    def child_news(self, news: ChildNews) -> None:
        """Hear that a child is ready, or has ended."""
        if news.exit is None:
            self._note(BecameReady(news.name, news.incarnation))
        else:
            self._work.hear_exit(news.name, news.incarnation, news.exit)

    @workflow.signal(name=names.UNHEALTHY)
    def unhealthy(self, name: str, incarnation: int, reason: str) -> None:
        """Hear that a look at the team's health found a child unhealthy."""
        self._note(WasUnhealthy(name, incarnation, cut(reason)))

    @workflow.signal(name=names.SHUT_DOWN)
    def shut_down(self, order: ShutDown) -> None:
        """End, all children first; what has not ended within the grace is killed."""
        self._note(shut_down_asked(order))
        if order.grace:
            self._hurrying = asyncio.create_task(self._hurry(order, order.grace))

    # OTP's functions for children at run time; each returns when it is carried out.

    @workflow.update
    async def start_child(self, request: ChildRequest) -> str:
        """Add a child behind the others, and start it."""
        plan = plan_of(self._state, request)
        await self._handle(StartAsked(plan))
        return "\n".join([await self._until_started(name) for name in child_names(plan)])

    @workflow.update
    async def terminate_child(self, request: ChildRequest) -> str:
        """Stop a child, and keep its plan."""
        await self._handle(TerminateAsked(request.name))
        await self._until(lambda: not is_alive(self._state, request.name))
        return f"{request.name}: stopped"

    @workflow.update
    async def restart_child(self, request: ChildRequest) -> str:
        """Start a stopped child, or stop and start a running one; it is not counted."""
        await self._handle(RestartChildAsked(request.name))
        return await self._until_started(request.name)

    @workflow.update
    async def delete_child(self, request: ChildRequest) -> str:
        """Forget a child that is stopped."""
        await self._handle(DeleteAsked(request.name))
        return f"{request.name}: deleted"

    @start_child.validator
    def check_start(self, request: ChildRequest) -> None:
        """Refuse a name that is taken, and whatever comes while the supervisor is ending."""
        views.check_start(self._state, plan_of(self._state, request))

    @terminate_child.validator
    def check_terminate(self, request: ChildRequest) -> None:
        """Refuse what is no child."""
        views.check_terminate(self._state, request.name)

    @restart_child.validator
    def check_restart(self, request: ChildRequest) -> None:
        """Refuse what is no child."""
        views.check_restart(self._state, request.name)

    @delete_child.validator
    def check_delete(self, request: ChildRequest) -> None:
        """Refuse what is no child, or runs."""
        views.check_delete(self._state, request.name)

    @workflow.query
    def view(self) -> SupervisorView:
        """The supervisor at a glance."""
        return views.view(self._state, self._request, workflow.now())

    @workflow.query
    def which_children(self) -> tuple[ChildView, ...]:
        """Its children, in starting order."""
        return self.view().children

    @workflow.query
    def count_children(self) -> ChildCounts:
        """How many children it has."""
        return views.count_children(self._state)

    # The loop: wait, decide, carry out.

    async def _live(self) -> SupervisorResult:
        if self._is_opened:
            await workflow.sleep(SETTLE_DELAY)
        else:
            self._work.open()
        self._health.begin()
        while self._ended is None:
            self._alarm.set(next_alarm(self._state))
            await workflow.wait_condition(lambda: self._can_step() or self._bug is not None)
            if self._bug is not None:
                raise self._bug
            self._step()
            if self._ended is None and self._is_due():
                await self._roll_over()
        return await self._end(self._ended)

    def _note(self, event: SupervisorSignal) -> None:
        self._inbox.append(event)

    def _remember(self, opened: OpenedSupervisor) -> None:
        """Count the incarnations of children on from those that a predecessor had."""
        self._state = self._state.model_copy(update={"forgotten": dict(opened.lived)})

    def _stop_for(self, bug: BaseException) -> None:
        """Let a programming error suspend the run, where it can be seen, instead of hanging it."""
        self._bug = bug

    def _can_step(self) -> bool:
        """Whether something is to be decided; what came before the team file was read waits.

        Only who is in a hurry does not: a predecessor's children are to be known first.
        """
        return bool(self._inbox) and (self._is_opened or any(map(does_not_wait, self._inbox)))

    async def _handle(self, event: SupervisorSignal) -> None:
        self._note(event)
        turn = self._handled + 1
        await workflow.wait_condition(lambda: self._handled >= turn)

    def _step(self) -> None:
        events, self._inbox = self._inbox, []
        events.sort(key=lambda event: not isinstance(event, WasOpened))
        self._is_opened |= any(isinstance(event, WasOpened) for event in events)
        dice = workflow.random().random()
        self._state, directives = decide(self._state, events, workflow.now(), dice=dice)
        self._children.learn(self._state)
        self._handled += 1
        self._work.carry_out(directives, self._state)
        for directive in directives:
            match directive:
                case Report():
                    self._records.note(directive)
                case EndSupervisor():
                    self._ended = directive
                case CloseChild() if directive.name in self._awaited:
                    self._awaited[directive.name] = directive.reason
                case _:
                    pass  # carried out above
        self._records.flush_soon()
        self._show()

    def _show(self) -> None:
        if self._state.life is not self._shown:
            self._shown = self._state.life
            workflow.upsert_search_attributes([_STATE.value_set(self._shown)])
        if is_at_boundary(self._state):
            workflow.set_current_details(describe(self.view()))

    async def _until_started(self, name: str) -> str:
        # A child that was added and did not start is forgotten; who asked is told why.
        self._awaited[name] = ""
        await self._until(lambda: not is_starting(self._state, name))
        return started(self._state, name, self._awaited.pop(name))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        await workflow.wait_condition(lambda: self._ended is not None or is_so())

    async def _hurry(self, order: ShutDown, grace: timedelta) -> None:
        await workflow.sleep(grace)
        self._note(shut_down_asked(order, is_over=True))

    # The ends of a run.

    def _is_due(self) -> bool:
        """Whether the history is long enough to begin a new one, and nothing is being done."""
        here, most = workflow.info(), self._request.options.rollover_events
        is_long = here.get_current_history_length() >= most or here.is_continue_as_new_suggested()
        return is_long and self._is_at_rest()

    def _is_at_rest(self) -> bool:
        is_idle = self._work.is_idle and not self._health.is_looking
        return is_idle and not self._inbox and is_at_boundary(self._state)

    async def _roll_over(self) -> None:
        await self._records.flush()
        await workflow.wait_condition(lambda: bool(self._inbox) or workflow.all_handlers_finished())
        if self._is_at_rest():
            workflow.continue_as_new(self._request.model_copy(update={"state": self._state}))

    async def _end(self, ended: EndSupervisor) -> SupervisorResult:
        mine = self._request
        await self._work.settle()
        if not (self._state.keeps and mine.parent):
            reason = ended.reason or "its supervisor has ended"
            await self._calls.close(reason, path=mine.path)
        await self._records.flush()
        result = result_of(mine.supervisor_id, self._state, ended)
        await self._calls.tell_parent(supervisor_exit(result))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result


_STATE = SearchAttributeKey.for_keyword(STATE)
