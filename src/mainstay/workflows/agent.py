"""The workflow of one agent: the durable shell around :mod:`mainstay.decisions.agents`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from mainstay.decisions.agents.agent import decide, is_at_boundary, next_alarm
from mainstay.decisions.agents.leaving import exit_of, has_ended
from mainstay.decisions.agents.lifecycle import begin_state
from mainstay.decisions.agents.view import (
    SETTLING,
    check_control,
    describe,
    find_question,
    info,
    mailbox,
)
from mainstay.schemas import names
from mainstay.schemas.agent_calls import (
    AgentInfo,
    AgentResult,
    AnswerQuestion,
    MailboxView,
    PauseRequest,
    RestartRequest,
    StopRequest,
)
from mainstay.schemas.agent_directives import (
    AgentDirective,
    AgentSignal,
    Began,
    ClockTicked,
    End,
    Note,
    PauseAsked,
    QuestionAnswered,
    Rang,
    Replied,
    RestartAsked,
    ResumeAsked,
    ShutDownAsked,
    StopAsked,
    Take,
    TellReady,
)
from mainstay.schemas.agent_run import AgentRequest
from mainstay.schemas.lifecycle import Lifecycle, LifeState
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.search import STATE
from mainstay.schemas.supervision import ShutDown
from mainstay.workflows.agent_records import AgentRecords, SupervisorNews
from mainstay.workflows.agent_work import AgentWork
from mainstay.workflows.alarm import Alarm
from mainstay.workflows.options import SETTLE_DELAY


@workflow.defn(name=names.AGENT)
class Agent:
    """Lives until it is told to end. Every rule is a decision; here they are only carried out."""

    @workflow.init
    def __init__(self, request: AgentRequest) -> None:
        self._request = request
        self._inbox: list[AgentSignal] = []
        self._state = request.state or begin_state(workflow.now(), request)
        self._turns_before = self._state.counts.messages
        self._bug: BaseException | None = None
        self._handled = 0
        self._records = AgentRecords(request)
        self._news = SupervisorNews(request.supervised)
        self._alarm = Alarm(lambda: self._note(ClockTicked()), drops=self._news.is_brief)
        self._shown = self._state.life.state if self._news.is_brief else None
        self._work = AgentWork(request, self._note, self._stop_for)

    @workflow.run
    async def run(self, request: AgentRequest) -> AgentResult:
        """Live, and return how it ended; an agent that was stopped has not failed.

        A supervised one that is to be started again ends as ERROR or as RESTARTING.
        """
        # Temporal's own cancel hits whatever is being awaited; here it only becomes an event.
        life = asyncio.create_task(self._live())
        while True:
            try:
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.done():
                    return life.result()
                self._note(StopAsked("cancelled from outside", timedelta(0), is_cancel=True))

    # What wakes it. Handlers record an event and return.

    @workflow.signal(name=names.RING)
    def ring(self) -> None:
        """Say that there is something in the mailbox."""
        if not any(isinstance(event, Rang) for event in self._inbox):
            self._note(Rang())

    @workflow.signal(name=names.REPLIED)
    def replied(self, correlation: str) -> None:
        """Say that another agent has answered a message."""
        self._note(Replied(correlation))

    @workflow.signal(name=names.SHUT_DOWN)
    def shut_down(self, request: ShutDown) -> None:
        """End, because the supervisor says so."""
        self._note(ShutDownAsked(_cut(request.reason), request.grace, request.keeps))

    # Control. It is refused when it makes no sense, and never waits behind messages.

    @workflow.update
    async def pause(self, request: PauseRequest) -> str:
        """Work on nothing new until resumed."""
        await self._be_ready(LifeState.PAUSED)
        return await self._handle(PauseAsked(_cut(request.reason)), "paused")

    @workflow.update
    async def resume(self) -> str:
        """Go on after a pause."""
        return await self._handle(ResumeAsked(), "resumed")

    @workflow.update
    async def stop(self, request: StopRequest) -> str:
        """Finish the present turn within the grace, then end."""
        return await self._handle(StopAsked(_cut(request.reason), request.grace), "stopping")

    @workflow.update
    async def restart(self, request: RestartRequest) -> str:
        """Get ready again and go on from the last good state."""
        await self._be_ready(LifeState.RESTARTING)
        return await self._handle(RestartAsked(_cut(request.reason)), "restarting")

    @workflow.update
    async def answer(self, request: AnswerQuestion) -> str:
        """Answer a question of the agent's."""
        use = find_question(self._state, request.use_id)
        await self._handle(QuestionAnswered(use.id, request.answer, _cut(request.by)), "")
        return f"{use.name}: answered"

    @pause.validator
    def check_pause(self, request: PauseRequest) -> None:
        """Refuse what the agent's state does not allow, naming what it does."""
        check_control(self._state, LifeState.PAUSED, waits=True)

    @resume.validator
    def check_resume(self) -> None:
        """Refuse to resume what is not paused."""
        check_control(self._state, LifeState.RUNNING)

    @stop.validator
    def check_stop(self, request: StopRequest) -> None:
        """Refuse to stop what is ending already."""
        check_control(self._state, LifeState.STOPPING)

    @restart.validator
    def check_restart(self, request: RestartRequest) -> None:
        """Refuse what the agent's state does not allow, naming what it does."""
        check_control(self._state, LifeState.RESTARTING, waits=True)

    @answer.validator
    def check_answer(self, request: AnswerQuestion) -> None:
        """Refuse an answer that nobody waits for."""
        find_question(self._state, request.use_id)

    @workflow.query
    def info(self) -> AgentInfo:
        """The agent at a glance."""
        asked = self._request
        return info(self._state, asked.agent_id, asked.name, asked.thread)

    @workflow.query
    def history(self) -> Lifecycle:
        """Its life so far: the latest transitions, and how many there were."""
        return self._state.life

    @workflow.query
    def mailbox(self) -> MailboxView:
        """What it knows of its mailbox."""
        return mailbox(self._state)

    # The loop: wait, decide, carry out.

    async def _live(self) -> AgentResult:
        if self._request.state is not None:
            await workflow.sleep(SETTLE_DELAY)
        self._inbox.insert(0, Began())
        while not has_ended(self._state):
            self._alarm.set(next_alarm(self._state))
            await workflow.wait_condition(lambda: bool(self._inbox or self._bug))
            if self._bug is not None:
                raise self._bug
            self._step()
            if self._is_due() and is_at_boundary(self._state):
                await self._roll_over()
        return await self._end()

    def _note(self, event: AgentSignal) -> None:
        self._inbox.append(event)

    def _stop_for(self, bug: BaseException) -> None:
        """Let a programming error suspend the run, where it can be seen, instead of hanging it."""
        self._bug = bug

    async def _handle(self, event: AgentSignal, said: str) -> str:
        self._note(event)
        turn = self._handled + 1
        await workflow.wait_condition(lambda: self._handled >= turn)
        return said

    async def _be_ready(self, wish: LifeState) -> None:
        """Wait until the agent is ready, and see that the wish still makes sense."""
        await workflow.wait_condition(lambda: self._state.life.state not in SETTLING)
        check_control(self._state, wish)

    def _step(self) -> None:
        events, self._inbox = self._inbox, []
        before = self._state.life.state
        self._state, directives = decide(self._state, events, workflow.now(), hold=self._is_due())
        self._handled += 1
        for directive in directives:
            self._carry_out(directive)
        self._news.tell_soon()
        if self._news.is_brief and has_ended(self._state):
            return  # the run's last call sees to it
        self._records.flush_soon()
        if self._state.life.state is not before or self._handled == 1:
            self._show()

    def _carry_out(self, directive: AgentDirective) -> None:
        match directive:
            case Note():
                self._records.note(directive, self._state)
            case Take():
                waiting = self._records.take_waiting()
                self._work.take(directive, waiting, self._news.take_ready())
            case TellReady():
                self._news.note_ready()
            case End():
                pass  # the loop sees it
            case _:
                self._work.carry_out(directive, self._state)

    def _show(self) -> None:
        life = self._state.life
        if life.state is not self._shown:
            workflow.upsert_search_attributes([_STATE.value_set(life.state)])
            self._shown = life.state if self._news.is_brief else None
        workflow.set_current_details(describe(self.info()))

    # The ends of a run.

    def _is_due(self) -> bool:
        """Whether the history is long enough to begin a new one."""
        options, here = self._request.options, workflow.info()
        turns = self._state.counts.messages - self._turns_before
        return (
            turns >= options.rollover_turns
            or here.get_current_history_length() >= options.rollover_events
            or here.is_continue_as_new_suggested()
        )

    async def _roll_over(self) -> None:
        await self._records.flush()
        await workflow.wait_condition(lambda: bool(self._inbox) or workflow.all_handlers_finished())
        if not self._inbox and is_at_boundary(self._state):
            # A bell that made the server refuse this step may have been answered by its first try.
            state = self._state.model_copy(update={"rings": True})
            workflow.continue_as_new(self._request.model_copy(update={"state": state}))

    async def _end(self) -> AgentResult:
        state, life = self._state, self._state.life
        told = exit_of(state) if self._request.supervised else None
        tells = self._news.of_end(told)
        last_call = self._records.leave if state.is_over else self._records.close
        is_told = await last_call(state, tells)
        self._show()
        if told is not None and not is_told:
            await self._news.tell_end(told)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return AgentResult(
            agent_id=self._request.agent_id,
            state=life.state,
            reason=life.detail,
            settlement=state.result,
            failure=state.failure,
            usage=state.counts.usage,
            exit=told,
        )


def _cut(text: str) -> str:
    return text[:MAX_MESSAGE_CHARS]


_STATE = SearchAttributeKey.for_keyword(STATE)
