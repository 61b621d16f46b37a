"""What an agent does after a message that it could not work on.

Rules:
    1. The message has failed, and stays aside whatever follows.
    2. The policy of the agent's supervisor goes first: by class of error it goes on (REPORT),
       ends for a restart (RESTART), pauses for a while (PAUSE), or ends for good (STOP).
    3. A failure that no restart cures ends nothing: it is only reported.
    4. Without such a policy, ``on_failure`` decides: the supervisor's, or else the agent's own.
    5. An agent that serves one message ends anyway, and one that is paused or ending goes on so.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.decisions.agents.draft import AgentDraft
from mainstay.decisions.supervision.failures import action, is_cured_by_restart
from mainstay.schemas.agent import OnFailure
from mainstay.schemas.lifecycle import LifeState, PauseReason
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.team import ErrorAction, ErrorPolicy

STOP_HINT = "the team's file says `stop` for such errors; restart it when that is mended"


def mind_policy(draft: AgentDraft, failure: Failure) -> None:
    """Do what is to be done after a failed turn."""
    state, supervised = draft.state, draft.state.supervised
    if state.life.state is not LifeState.RUNNING or state.is_once:
        return
    if supervised is not None and supervised.errors is not None:
        _mind_errors(draft, failure, supervised.errors)
        return
    own = state.policy.on_failure
    policy = (supervised.on_failure or own) if supervised is not None else own
    if policy is OnFailure.PAUSE:
        _pause(draft, failure, PauseReason.ERROR_RECOVERY)
    elif policy is OnFailure.STOP:
        draft.move(LifeState.STOPPING, "turn_failed", failure.message)
    elif policy is OnFailure.FAIL:
        _end(draft, failure)


def _mind_errors(draft: AgentDraft, failure: Failure, errors: ErrorPolicy) -> None:
    match action(failure, errors):
        case ErrorAction.RESTART if is_cured_by_restart(failure):
            _end(draft, failure)
        case ErrorAction.PAUSE:
            _pause(draft, failure, PauseReason.RESOURCE_CONSTRAINT, errors.retry_after)
        case ErrorAction.STOP:
            _end(draft, _incurable(failure))
        case _:
            pass  # it was reported with the message


def _pause(
    draft: AgentDraft, failure: Failure, reason: PauseReason, lasts: timedelta | None = None
) -> None:
    draft.move(LifeState.PAUSED, "turn_failed", failure.message, pause_reason=reason, grace=lasts)


def _end(draft: AgentDraft, failure: Failure) -> None:
    draft.change(failure=failure)
    draft.move(LifeState.ERROR, "turn_failed", failure.message)


def _incurable(failure: Failure) -> Failure:
    """Mark a failure so that the supervisor holds the agent instead of restarting it."""
    marked = failure.model_copy(update={"kind": FailureKind.PERMANENT})
    if not is_cured_by_restart(marked):
        return marked
    # Neither its type nor, for a turn that took too long, its hint may promise a cure.
    return marked.model_copy(update={"kind": FailureKind.REFUSED, "hint": STOP_HINT})
