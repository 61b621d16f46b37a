"""What follows when a child has ended, or did not become ready.

Rules:
    1. A child that was told to stop has stopped, however it ended: it is started again, kept or
       forgotten, as was decided when it was told. The same holds for one that ended while it
       waited to be told. Neither counts.
    2. A failure before a child is ready is a failed start: in the start-up it ends the
       supervisor; one that belongs to a restart counts, and is tried again; an added child is
       dropped; one whose start a person asked for stays stopped. An end that is no failure means
       that it was ready for a moment.
    3. A failure that is not cured by a restart is not restarted and not counted: the child is
       held, until a person starts it.
    4. An end that is followed by a restart counts; too many escalate (``escalation``): TERMINATE
       ends the supervisor as if it had decided to, ESCALATE as a failure. RESTART stops all
       children and starts them anew, once.
    5. Children that are not started again are forgotten if they are temporary or dynamic, else
       kept as stopped.
"""

from __future__ import annotations

from mainstay.decisions.supervision import intensity, strategies
from mainstay.decisions.supervision.backoff import failures_so_far, wait
from mainstay.decisions.supervision.draft import SupervisorDraft
from mainstay.decisions.supervision.failures import is_cured_by_restart
from mainstay.schemas.supervision import (
    AfterStop,
    ChildExit,
    ChildPhase,
    ChildState,
    ExitKind,
    IfNotReady,
    SupervisorEnd,
)
from mainstay.schemas.supervision_calls import Severity, SupervisionEventType
from mainstay.schemas.team import Escalation, Restart, Strategy


def child_ended(draft: SupervisorDraft, child: ChildState, end: ChildExit) -> None:
    """Note the end of a child that was alive."""
    if draft.is_ending:
        draft.move(child.name, ChildPhase.STOPPED, detail=_why(end))
        _report_end(draft, child, end, Severity.LOW)
    elif _was_stopped(child):
        _stopped(draft, child, end)
    elif child.phase is ChildPhase.STARTING and end.kind is ExitKind.FAILED:
        _did_not_start(draft, child, end)
    else:
        _ended_by_itself(draft, child, end)


def _was_stopped(child: ChildState) -> bool:
    if child.phase is ChildPhase.STOPPING:
        return child.after is not AfterStop.FAIL
    return child.must_stop


def _stopped(draft: SupervisorDraft, child: ChildState, end: ChildExit) -> None:
    _report_end(draft, child, end, Severity.LOW)
    is_forgotten = strategies.is_forgotten(draft.plan_of(child), draft.strategy)
    if child.after is AfterStop.START:
        draft.move(child.name, ChildPhase.WAITING)
    elif child.after is AfterStop.REMOVE or is_forgotten:
        draft.forget(child.name, "it was stopped, and is not started again")
    else:
        # RETRY: a start-up that it belonged to goes on without it.
        retry = IfNotReady.RETRY
        draft.move(child.name, ChildPhase.STOPPED, detail=_why(end), if_not_ready=retry)


def _did_not_start(draft: SupervisorDraft, child: ChildState, end: ChildExit) -> None:
    match child.if_not_ready:
        case IfNotReady.RETRY:
            _ended_by_itself(draft, child, end)
        case IfNotReady.END:
            _report_end(draft, child, end, Severity.HIGH)
            draft.move(child.name, ChildPhase.STOPPED, detail=_why(end))
            reason = f"child {child.name!r} did not start: {_why(end)}"
            draft.end(SupervisorEnd.FAILED, reason)
        case IfNotReady.FORGET:
            _report_end(draft, child, end, Severity.HIGH)
            draft.forget(child.name, f"it did not start: {_why(end)}")
        case _:  # STOP
            _report_end(draft, child, end, Severity.HIGH)
            held = _is_held(end)
            draft.move(child.name, ChildPhase.STOPPED, detail=_why(end), is_held=held)


def _ended_by_itself(draft: SupervisorDraft, child: ChildState, end: ChildExit) -> None:
    plan = draft.plan_of(child)
    child = draft.change_child(child.name, if_not_ready=IfNotReady.RETRY)
    if strategies.is_restarted(plan, end):
        if _is_held(end):
            _report_end(draft, child, end, Severity.HIGH)
            draft.move(child.name, ChildPhase.STOPPED, detail=_why(end), is_held=True)
        else:
            _restart(draft, child, end)
        return
    severity = Severity.HIGH if end.kind is ExitKind.FAILED else Severity.LOW
    _report_end(draft, child, end, severity)
    draft.move(child.name, ChildPhase.STOPPED, detail=_why(end))
    if strategies.is_forgotten(plan, draft.strategy):
        draft.forget(child.name, _why(end))
    left = [(other, draft.plan_of(other)) for other in draft.children]
    if strategies.ends_supervisor(draft.state.policy.auto_shutdown, plan, left):
        reason = f"significant child {child.name!r} has ended"
        draft.end(SupervisorEnd.SHUTDOWN, reason)


def _is_held(end: ChildExit) -> bool:
    if end.kind is not ExitKind.FAILED or end.failure is None:
        return False
    return not is_cured_by_restart(end.failure)


def _restart(draft: SupervisorDraft, child: ChildState, end: ChildExit) -> None:
    if draft.strategy is Strategy.TERMINATE_ALL:
        _report_end(draft, child, end, Severity.HIGH)
        draft.move(child.name, ChildPhase.STOPPED, detail=_why(end))
        draft.end(SupervisorEnd.FAILED, f"child {child.name!r} ended: {_why(end)}")
        return
    policy, state = draft.state.policy, draft.state
    if state.restarted and intensity.has_been_quiet(state, draft.now):
        draft.change(restarted=False, restarted_at=None)
    restarts = intensity.add_restart(state.restarts, draft.now, policy.intensity)
    if intensity.is_too_many(restarts, policy.intensity):
        _escalate(draft, child, end)
        return
    draft.change(restarts=restarts, restarts_in_all=state.restarts_in_all + 1)
    if draft.state.restarted:
        draft.change(restarted_at=draft.now)
    _back_off(draft, child, end)
    for other in draft.children:
        is_other = other.name != child.name
        if is_other and strategies.is_concerned(policy.strategy, child, other):
            _start_again(draft, other)


def _back_off(draft: SupervisorDraft, child: ChildState, end: ChildExit) -> None:
    backoff = draft.plan_of(child).backoff
    window = draft.state.policy.intensity.window
    failures = failures_so_far(child, backoff, window, draft.now) + 1
    until = draft.now + wait(backoff, failures, draft.dice)
    draft.move(child.name, ChildPhase.BACKING_OFF, until=until, failures=failures, detail=_why(end))


def _start_again(draft: SupervisorDraft, child: ChildState) -> None:
    """Stop and start a child because of another one; what stands still is started with it."""
    is_temporary = draft.plan_of(child).restart is Restart.TEMPORARY
    after = AfterStop.REMOVE if is_temporary else AfterStop.START
    match child.phase:
        case ChildPhase.STARTING | ChildPhase.RUNNING:
            draft.change_child(child.name, must_stop=True, after=after)
        case ChildPhase.STOPPING if child.after is not AfterStop.REMOVE:
            draft.change_child(child.name, after=after)
        case ChildPhase.STOPPED if not child.is_held:
            draft.move(child.name, ChildPhase.WAITING, if_not_ready=IfNotReady.RETRY)


def _escalate(draft: SupervisorDraft, child: ChildState, end: ChildExit) -> None:
    policy = draft.state.policy
    seconds = policy.intensity.window.total_seconds()
    reason = (
        f"more than {policy.intensity.max_restarts} restarts within {seconds:g} s; "
        f"the last was of {child.name!r}: {_why(end)}"
    )
    draft.report(SupervisionEventType.POLICY_VIOLATION, Severity.CRITICAL, child.name, reason)
    draft.move(child.name, ChildPhase.STOPPED, detail=_why(end))
    if policy.escalation is Escalation.RESTART and not draft.state.restarted:
        _restart_all(draft)
    elif policy.escalation is Escalation.TERMINATE:
        draft.end(SupervisorEnd.SHUTDOWN, reason)
    else:
        draft.end(SupervisorEnd.FAILED, reason)


def _restart_all(draft: SupervisorDraft) -> None:
    draft.change(restarts=(), restarted=True, restarted_at=draft.now)
    for child in draft.children:
        draft.change_child(child.name, failures=0)
        if child.phase is ChildPhase.BACKING_OFF:
            draft.move(child.name, ChildPhase.WAITING)
        _start_again(draft, child)


def _report_end(
    draft: SupervisorDraft, child: ChildState, end: ChildExit, severity: Severity
) -> None:
    type_ = SupervisionEventType.AGENT_TERMINATED
    draft.report(type_, severity, child.name, _why(end))


def _why(end: ChildExit) -> str:
    if end.message:
        return end.message
    return end.failure.message if end.failure is not None else _WORDS[end.kind]


_WORDS: dict[ExitKind, str] = {
    ExitKind.NORMAL: "it ended by itself",
    ExitKind.SHUTDOWN: "it was told to end",
    ExitKind.FAILED: "it failed",
}
"""What an end is called that nobody said more about."""
