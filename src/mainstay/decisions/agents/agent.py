"""What an agent does next: the one function its workflow calls.

    (state, events, now) -> (new state, directives)

Rules:
    1. An agent gets ready, then works on one message at a time, most urgent first and then in
       the order of arrival, until it is told to end.
    2. The mailbox is asked when its bell has rung, or when there is something to settle; never
       twice at the same time.
    3. Control does not queue: pause, resume, stop and restart take effect at once. A pause lets
       what is in flight finish and begins nothing; a stop lets the turn finish within its grace;
       a restart stops what is in flight, gets ready again, and goes on with the same turn.
    4. A failure to get ready is an ERROR and shown as such: nothing is begun afresh in silence.
       What only took too long, because no worker was there, is restarted as soon as it has ended.
    5. An agent that serves one message ends after it.
    6. A supervised agent that cannot go on ends, and its supervisor starts it again; slowness is
       no such failure. It tells that one once in a run that it is ready.

The turn itself is in :mod:`.turn` and :mod:`.acting`, the states of a life in :mod:`.lifecycle`,
the ends of a supervised run in :mod:`.leaving`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from mainstay.decisions.agents import acting, control, leaving, lifecycle, settling, turn
from mainstay.decisions.agents.draft import LIVING, AgentDraft
from mainstay.decisions.agents.leaving import has_ended as has_ended
from mainstay.schemas.agent_calls import Opened
from mainstay.schemas.agent_directives import (
    AgentDirective,
    AgentSignal,
    Began,
    ClockTicked,
    End,
    Open,
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
    WasActed,
    WasCollected,
    WasOpened,
    WasSummarized,
    WasTaken,
    WasThought,
)
from mainstay.schemas.agent_run import AgentState
from mainstay.schemas.lifecycle import EndReason, LifeState
from mainstay.schemas.messages import MessageHeader, Settlement
from mainstay.schemas.run import Failure


def decide(
    state: AgentState, events: Sequence[AgentSignal], now: datetime, *, hold: bool = False
) -> tuple[AgentState, list[AgentDirective]]:
    """Decide what becomes of an agent after some events.

    Args:
        state: where the agent stands.
        events: what happened since, in order.
        now: the time, from the workflow's own clock.
        hold: begin no turn, because the run is about to continue as new.

    Returns:
        Where it stands now, and what is to be done about it, in order.
    """
    draft = AgentDraft(state, now)
    for event in events:
        _NOTED[type(event)](draft, event)
    turn.go_on(draft)
    _dispatch(draft, hold)
    return draft.state, draft.directives


def next_alarm(state: AgentState) -> datetime | None:
    """Return the next moment at which something is due although nothing happens; None if none."""
    moments = [state.life.until, state.leave.by if state.leave else None]
    if state.turn is not None and state.turn.verdict is None:
        moments.append(state.turn.deadline)
        if state.life.state in LIVING and not state.turn.is_flying:
            moments += [state.turn.not_before, acting.next_collect(state.turn.uses)]
    return min((moment for moment in moments if moment is not None), default=None)


def is_at_boundary(state: AgentState) -> bool:
    """Tell whether a run may continue as new: no turn, no take, nothing being got ready."""
    is_quiet = state.turn is None and state.taking is None and not state.is_opening
    return is_quiet and state.leave is None and not state.is_over


def _began(draft: AgentDraft, event: Began) -> None:
    if draft.state.life.state is LifeState.INITIALIZING and not draft.state.is_opening:
        draft.change(is_opening=True)
        draft.do(Open())


def _opened(draft: AgentDraft, event: WasOpened) -> None:
    draft.change(is_opening=False)
    if draft.state.life.state is not LifeState.INITIALIZING:
        return  # it took too long, or the agent was stopped meanwhile
    if event.opened is None:
        failure = event.failure or Failure(message="it could not be got ready")
        draft.change(failure=failure)
        draft.move(LifeState.ERROR, "open_failed", failure.message)
        if draft.state.is_once:
            draft.move(LifeState.TERMINATED, "open_failed", end_reason=EndReason.ERROR)
        return
    is_restart = draft.state.life.restarts > 0
    batch = max(draft.state.batch, event.opened.batch)
    detail = _goes_on_from(draft.state, event.opened)
    draft.change(reclaims=batch > draft.state.batch, batch=batch)
    draft.change(policy=event.opened.policy, is_open=True, failure=None, rings=True)
    draft.move(LifeState.RUNNING, "restarted" if is_restart else "opened", detail)
    if draft.state.supervised is not None and not draft.state.is_told:
        draft.change(is_told=True)
        draft.do(TellReady())


def _goes_on_from(state: AgentState, opened: Opened) -> str:
    """Say what a later run of an agent goes on from; empty in the first one, and when it knows."""
    if state.supervised is None or state.is_told or state.supervised.incarnation == 1:
        return ""
    run = state.supervised.incarnation
    return f"run {run} goes on with its mailbox and a conversation of {opened.entries} entries"


def _rang(draft: AgentDraft, event: Rang) -> None:
    draft.change(rings=True)


def _taken(draft: AgentDraft, event: WasTaken) -> None:
    asked, state = draft.state.taking, draft.state
    headers = event.taken.headers
    known = {header.id for header in state.queue} | {one.message_id for one in state.settled}
    known |= {state.turn.message.id} if state.turn else set()
    fresh = [header for header in headers if header.id not in known]
    good = [header for header in fresh if header.losses < settling.MAX_LOSSES]
    queue = sorted((*state.queue, *good), key=_urgency)
    is_full = asked is not None and asked > 0 and len(headers) >= asked
    draft.change(taking=None, queue=tuple(queue), rings=state.rings or is_full)
    for header in fresh:
        if header not in good:
            settling.set_aside(draft, header)
    if event.failure is not None:
        _mailbox_failed(draft, event.failure, event.unsettled)


def _mailbox_failed(draft: AgentDraft, failure: Failure, unsettled: tuple[Settlement, ...]) -> None:
    """Keep what could not be settled, and stop where it can be seen."""
    draft.change(
        settled=(*unsettled, *draft.state.settled), failure=failure, is_open=False, rings=True
    )
    may_fail = LifeState.ERROR in lifecycle.TRANSITIONS[draft.state.life.state]
    if may_fail and draft.state.leave is None:
        draft.move(LifeState.ERROR, "mailbox_failed", failure.message)


def _urgency(header: MessageHeader) -> int:
    return int(header.priority)  # sorting is stable: within a priority the order stays


def _tick(draft: AgentDraft, event: ClockTicked) -> None:
    life = draft.state.life
    if lifecycle.is_overdue(life, draft.now):
        to, trigger = lifecycle.overdue_move(life)
        if to is LifeState.TERMINATED:
            detail = "; ".join(filter(None, (life.detail, "it did not stop in time")))
            control.terminate(draft, trigger, EndReason.TIMEOUT, detail)
        else:
            draft.move(to, trigger)
    turn.check_deadline(draft)


def _dispatch(draft: AgentDraft, hold: bool) -> None:
    """Begin what can be begun now."""
    _move_on(draft)
    if _leaves(draft):
        return
    state = draft.state
    if state.life.state is LifeState.TERMINATED:
        draft.do(End())
        return
    if state.life.state is LifeState.RUNNING and state.turn is None and state.queue and not hold:
        draft.change(queue=state.queue[1:])
        turn.begin_turn(draft, state.queue[0])
    _ask_mailbox(draft, hold)


def _leaves(draft: AgentDraft) -> bool:
    """Tell whether the run leaves, and end it as soon as it may go."""
    if draft.state.leave is None and _has_failed(draft.state):
        leaving.leave_in_error(draft)
    leave = draft.state.leave
    if leave is None or draft.state.life.state is LifeState.TERMINATED:
        return False
    if not leaving.is_ready_to_go(draft):
        return True
    if leave.closes:
        draft.change(leave=None)
        control.terminate(draft, "shut_down", EndReason.MANUAL, leave.reason)
        return False
    leaving.go(draft)
    return True


def _has_failed(state: AgentState) -> bool:
    """Tell whether a supervised agent cannot go on, and not for slowness alone."""
    if state.supervised is None or state.is_once or state.life.state is not LifeState.ERROR:
        return False
    return state.life.transitions[-1].trigger not in _SLOW


def _move_on(draft: AgentDraft) -> None:
    """Leave the states of a life that are over as soon as nothing is in flight."""
    state = draft.state
    if state.leave is not None:
        return
    if state.life.state is LifeState.RESTARTING and not draft.is_flying and not state.is_opening:
        draft.move(LifeState.INITIALIZING, "restart")
        draft.change(is_opening=True)
        draft.do(Open(is_restart=True))
    elif _has_recovered(draft):
        draft.move(LifeState.RESTARTING, "recovered")
        _move_on(draft)
    elif state.life.state is LifeState.STOPPING and state.turn is None:
        reason = state.life.end_reason or EndReason.ERROR
        draft.move(LifeState.TERMINATED, "stopped", state.life.detail, end_reason=reason)
    elif state.is_once and state.result is not None and state.life.state is LifeState.RUNNING:
        draft.move(LifeState.STOPPING, "completed", end_reason=EndReason.COMPLETED)
        _move_on(draft)


def _has_recovered(draft: AgentDraft) -> bool:
    """Tell whether an ERROR was only slowness, and what was slow has ended."""
    life = draft.state.life
    if life.state is not LifeState.ERROR or draft.is_flying or draft.state.is_opening:
        return False
    return life.transitions[-1].trigger in _SLOW


def _ask_mailbox(draft: AgentDraft, hold: bool) -> None:
    state = draft.state
    if not state.is_open or state.taking is not None:
        return
    is_hungry = state.rings and state.life.state is LifeState.RUNNING and not hold
    room = state.policy.batch - len(state.queue) if is_hungry else 0
    if state.settled or room > 0:
        batch = state.batch + 1
        draft.change(batch=batch, taking=room, settled=(), rings=state.rings and room <= 0)
        draft.change(reclaims=False)
        draft.do(Take(batch, room, state.settled, state.reclaims))


_SLOW = frozenset(
    lifecycle.OVERDUE[state][1] for state in (LifeState.INITIALIZING, LifeState.RESTARTING)
)
"""Triggers of an ERROR that says only that something took too long."""

# Any: each of these takes the one kind of event it stands for.
_NOTED: dict[type[AgentSignal], Callable[[AgentDraft, Any], None]] = {
    Began: _began,
    WasOpened: _opened,
    Rang: _rang,
    WasTaken: _taken,
    WasThought: turn.thought,
    WasSummarized: turn.summarized,
    WasActed: acting.acted,
    WasCollected: acting.collected,
    QuestionAnswered: acting.answered,
    Replied: acting.replied,
    PauseAsked: control.pause,
    ResumeAsked: control.resume,
    StopAsked: control.stop,
    ShutDownAsked: control.shut_down,
    RestartAsked: control.restart,
    ClockTicked: _tick,
}
