"""How the run of a supervised agent ends for another to go on, and what the supervisor is told.

Rules:
    1. An agent that its supervisor ends with ``keeps`` leaves: its mailbox stays open. The present
       turn may finish within the grace, begins no wait, and no other turn begins.
    2. After the grace, or when the turn only waits, what is in flight is stopped and waited for,
       for ``LANDING`` at most.
    3. What was taken and not worked on to the end is put back, which is no loss; the next run
       takes it again, and answers and results that are kept already are not made twice.
    4. An agent that cannot go on ends in ERROR, and its supervisor starts it again. Slowness of
       the machine ends nothing: it recovers by itself (see :mod:`.agent`), as does an agent
       without a supervisor when somebody restarts it.
    5. Told to end for good while it leaves, it keeps its grace and then ends for good. Temporal's
       own cancel only hurries it.
    6. It ended by SHUTDOWN when its supervisor told it to, NORMAL when it ended otherwise by
       itself or by a person, FAILED when it could not go on.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.decisions.agents.draft import AgentDraft
from mainstay.schemas.agent_directives import End, ShutDownAsked, StopTurn
from mainstay.schemas.agent_run import AgentState, Leave
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageHeader, MessageStatus, Settlement
from mainstay.schemas.run import Failure
from mainstay.schemas.supervision import ChildExit, ExitKind

LANDING = timedelta(milliseconds=1500)
"""How long what was stopped is waited for: a cancel arrives within a second, and a supervisor
kills two seconds after its own."""

NOW = timedelta(0)


def begin_leave(draft: AgentDraft, event: ShutDownAsked) -> None:
    """Leave because the supervisor says so, in whatever state the agent is."""
    life = draft.state.life.state
    if draft.state.leave is not None:
        hurry(draft, event.grace)
    elif life is LifeState.STOPPING:
        draft.hasten(event.grace)  # it is ending for good
    elif life is not LifeState.TERMINATED:
        grace = event.grace if life is LifeState.RUNNING else NOW
        if life is not LifeState.RESTARTING:
            draft.move(LifeState.RESTARTING, "shut_down", event.reason, leaves=True)
        draft.unlimit()
        by = None if grace is None else draft.now + grace
        draft.change(leave=Leave(by=by, reason=event.reason))


def hurry(draft: AgentDraft, grace: timedelta | None) -> None:
    """Leave within ``grace`` if that is sooner; None changes nothing."""
    leave = draft.state.leave
    if leave is not None and grace is not None and not leave.is_landing:
        by = draft.now + grace
        draft.change_leave(by=by if leave.by is None else min(leave.by, by))


def leave_in_error(draft: AgentDraft) -> None:
    """Leave at once because the agent cannot go on."""
    draft.change(leave=Leave(by=draft.now, reason=draft.state.life.detail))


def is_ready_to_go(draft: AgentDraft) -> bool:
    """Tell whether a leaving agent may go; stop what is in flight when it takes too long."""
    leave = draft.state.leave
    assert leave is not None
    is_busy = draft.is_flying or draft.state.taking is not None
    if not is_busy:
        return True
    if leave.by is None or draft.now < leave.by:
        return False
    if leave.is_landing:
        return True
    draft.change_leave(is_landing=True, by=draft.now + LANDING)
    if draft.is_flying:
        draft.do(StopTurn())
    return False


def go(draft: AgentDraft) -> None:
    """End the run: put back what was taken."""
    state = draft.state
    held = (state.turn.message, *state.queue) if state.turn else state.queue
    draft.change(
        turn=None,
        queue=(),
        settled=(*state.settled, *map(_put_back, held)),
        leave=None,
        is_over=True,
    )
    draft.do(End())


def has_ended(state: AgentState) -> bool:
    """Tell whether nothing is left for the run to do."""
    return state.is_over or state.life.state is LifeState.TERMINATED


def exit_of(state: AgentState) -> ChildExit:
    """Return what the supervisor is told of an end."""
    detail = state.life.detail
    if state.is_shut_down:
        return ChildExit(kind=ExitKind.SHUTDOWN, message=detail)
    if state.life.state is LifeState.TERMINATED:
        return ChildExit(kind=ExitKind.NORMAL, message=detail)
    failure = state.failure or Failure(message=detail or f"it ended as {state.life.state}")
    return ChildExit(kind=ExitKind.FAILED, failure=failure, message=failure.message)


def _put_back(header: MessageHeader) -> Settlement:
    # Without reply_workflow: nobody is to be told yet.
    return Settlement(message_id=header.id, status=MessageStatus.PENDING, thread=header.thread)
