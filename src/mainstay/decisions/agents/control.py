"""What people and a supervisor may do to an agent; it takes effect at once.

Rules:
    1. What makes no sense in the present state changes nothing; who asks is told by :mod:`.view`.
    2. A stop lets the turn finish within its grace, and closes the mailbox. Only a supervised
       agent is hurried by a later one with a shorter grace.
    3. A supervisor's end is such a stop, without a limit when it gives none; with ``keeps`` it
       leaves the mailbox as it is, see :mod:`.leaving`.
    4. Temporal's own cancel is a stop without a grace.
"""

from __future__ import annotations

from mainstay.decisions.agents import leaving, turn
from mainstay.decisions.agents.draft import AgentDraft
from mainstay.schemas.agent_directives import (
    PauseAsked,
    RestartAsked,
    ResumeAsked,
    ShutDownAsked,
    StopAsked,
    StopTurn,
)
from mainstay.schemas.lifecycle import EndReason, LifeState, PauseReason
from mainstay.schemas.run import Failure, FailureKind


def pause(draft: AgentDraft, event: PauseAsked) -> None:
    """Work on nothing new."""
    if draft.state.life.state is LifeState.RUNNING:
        reason = PauseReason.MANUAL
        draft.move(LifeState.PAUSED, "pause", event.reason, pause_reason=reason)


def resume(draft: AgentDraft, event: ResumeAsked) -> None:
    """Go on."""
    if draft.state.life.state is LifeState.PAUSED:
        draft.move(LifeState.RUNNING, event.trigger)


def _end(draft: AgentDraft, event: StopAsked) -> None:
    state = draft.state.life.state
    if state in (LifeState.RUNNING, LifeState.PAUSED):
        reason = EndReason.MANUAL
        draft.move(LifeState.STOPPING, "stop", event.reason, end_reason=reason, grace=event.grace)
    elif state in (LifeState.INITIALIZING, LifeState.ERROR, LifeState.RESTARTING):
        terminate(draft, "stop", EndReason.MANUAL, event.reason)


def stop(draft: AgentDraft, event: StopAsked) -> None:
    """End, because a person or Temporal's own cancel says so."""
    if event.is_cancel and draft.state.leave is not None:
        leaving.hurry(draft, event.grace)
    elif event.is_cancel and draft.state.supervised is not None:
        shut_down(draft, ShutDownAsked(event.reason, event.grace))
    else:
        _end(draft, event)


def shut_down(draft: AgentDraft, event: ShutDownAsked) -> None:
    """End, because the supervisor says so."""
    draft.change(is_shut_down=True)
    state = draft.state
    if event.keeps:
        leaving.begin_leave(draft, event)
    elif state.leave is not None:
        draft.change_leave(closes=True, reason=event.reason or state.leave.reason)
        leaving.hurry(draft, event.grace)
    elif state.life.state is LifeState.STOPPING:
        draft.hasten(event.grace)
    else:
        _end(draft, StopAsked(event.reason, event.grace))
        if event.grace is None and draft.state.life.state is LifeState.STOPPING:
            draft.unlimit()


def restart(draft: AgentDraft, event: RestartAsked) -> None:
    """Get ready again."""
    may_restart = draft.state.life.state in (LifeState.RUNNING, LifeState.ERROR)
    if may_restart and draft.state.leave is None:
        draft.move(LifeState.RESTARTING, "restart", event.reason)
        if draft.is_flying:
            draft.do(StopTurn())


def terminate(draft: AgentDraft, trigger: str, reason: EndReason, detail: str) -> None:
    """End now; what is still in flight is stopped, and its message fails."""
    if draft.is_flying:
        draft.do(StopTurn())
    if draft.state.turn is not None:
        message = f"the agent was stopped: {detail}" if detail else "the agent was stopped"
        draft.change_turn(
            is_flying=False,
            uses=(),
            verdict=Failure(kind=FailureKind.REFUSED, type="AgentFailed", message=message),
        )
        turn.fail(draft, draft.turn.verdict or Failure(message=message))
    draft.move(LifeState.TERMINATED, trigger, detail, end_reason=reason)
