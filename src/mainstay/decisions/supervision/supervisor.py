"""What a supervisor does next: the one function its workflow calls.

    (state, events, now) -> (new state, directives)

Rules:
    1. A supervisor starts its children in the order of their plans, and is ready when each has
       been ready once. Then it keeps them running until it is told to end, or gives up.
    2. What is told of an earlier incarnation of a child is not heard, so news told twice count
       once.
    3. An unhealthy child is killed, and then counts as one that failed.
    4. An end may be asked for at any moment; a second time it may be hurried, or made final.
    5. After the events the supervisor carries on in one place: children are stopped first, then
       it ends if it is to, and else starts what may be started. So no child is started while
       another of the same restart is still there.

Who restarts is in :mod:`.strategies`, how often in :mod:`.intensity`, what an end means in
:mod:`.endings`, how children are stopped in :mod:`.shutdown`, what people may do to them in
:mod:`.requests`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from mainstay.decisions.supervision import requests, shutdown, strategies
from mainstay.decisions.supervision.backoff import failures_so_far
from mainstay.decisions.supervision.draft import SupervisorDraft
from mainstay.decisions.supervision.endings import child_ended
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.supervision import (
    AfterStop,
    ChildExit,
    ChildPhase,
    ChildState,
    ExitKind,
    IfNotReady,
    StopStep,
    SupervisorEnd,
    SupervisorState,
)
from mainstay.schemas.supervision_calls import Severity, SupervisionEventType
from mainstay.schemas.supervision_directives import (
    BecameReady,
    CancelChild,
    DeleteAsked,
    EndSupervisor,
    Exited,
    KillChild,
    RestartChildAsked,
    ShutDownAsked,
    StartAsked,
    StartChild,
    SupervisorDirective,
    SupervisorSignal,
    TellParent,
    TellToStop,
    TerminateAsked,
    Ticked,
    WasOpened,
    WasUnhealthy,
)
from mainstay.schemas.team import Strategy

PASSING = frozenset({ChildPhase.STARTING, ChildPhase.STOPPING})
"""Phases that end by themselves soon."""


def decide(
    state: SupervisorState,
    events: Sequence[SupervisorSignal],
    now: datetime,
    *,
    dice: float = 0.0,
) -> tuple[SupervisorState, list[SupervisorDirective]]:
    """Decide what becomes of a supervisor after some events.

    Args:
        state: where the supervisor stands.
        events: what happened since, in order.
        now: the time, from the workflow's own clock.
        dice: a random number from 0 (inclusive) to 1 (exclusive), for the jitter of waits.

    Returns:
        Where it stands now, and what is to be done about it, in order.
    """
    draft = SupervisorDraft(state, now, dice)
    for event in events:
        if draft.state.life is not LifeState.TERMINATED:
            _NOTED[type(event)](draft, event)
    _carry_on(draft)
    return draft.finish(), [one for one in draft.directives if not _is_late(draft, one)]


def _is_late(draft: SupervisorDraft, directive: SupervisorDirective) -> bool:
    """Tell whether a stop was asked of a child whose end was told with the very same events.

    Carried out, it would hit the next incarnation, which has the same workflow id.
    """
    if not isinstance(directive, TellToStop | CancelChild | KillChild):
        return False
    return draft.hear(directive.name, directive.incarnation) is None


def next_alarm(state: SupervisorState) -> datetime | None:
    """Return the next moment at which something is due although nothing happens; None if none."""
    moments = (child.until for child in state.children)
    return min((moment for moment in moments if moment is not None), default=None)


def is_at_boundary(state: SupervisorState) -> bool:
    """Tell whether a run may continue as new: no child is on its way up or down."""
    return state.is_open and not any(child.phase in PASSING for child in state.children)


def _opened(draft: SupervisorDraft, event: WasOpened) -> None:
    if draft.is_ending or draft.state.is_open:
        return
    if event.problem:
        draft.report(SupervisionEventType.AGENT_TERMINATED, Severity.HIGH, message=event.problem)
        draft.end(SupervisorEnd.FAILED, event.problem)
        return
    draft.change(is_open=True, policy=event.policy or draft.state.policy, plans=event.plans)
    alive = dict(event.alive)
    if draft.strategy is Strategy.DYNAMIC:
        _adopt_dynamic(draft, alive)
        return
    draft.change(plans=())
    for plan in event.plans:
        draft.add(plan, IfNotReady.END)
    for child in draft.children:
        if child.name in alive:
            _adopt(draft, child.name, alive[child.name])


def _adopt_dynamic(draft: SupervisorDraft, alive: dict[str, int]) -> None:
    """Go on with children whose own plans were lost: they were made from the template."""
    for name, incarnation in alive.items():
        plan = draft.state.plans[0].model_copy(update={"name": name, "count": 1})
        draft.add(plan, IfNotReady.RETRY)
        _adopt(draft, name, incarnation)


def _adopt(draft: SupervisorDraft, name: str, incarnation: int) -> None:
    draft.move(name, ChildPhase.RUNNING, incarnation=incarnation, if_not_ready=IfNotReady.RETRY)


def _became_ready(draft: SupervisorDraft, event: BecameReady) -> None:
    child = draft.hear(event.name, event.incarnation)
    if child is not None and child.phase is ChildPhase.STARTING:
        draft.change_child(
            child.name,
            phase=ChildPhase.RUNNING,
            since=draft.now,
            if_not_ready=IfNotReady.RETRY,
        )


def _exited(draft: SupervisorDraft, event: Exited) -> None:
    child = draft.hear(event.name, event.incarnation)
    if child is None:
        return
    if child.phase is ChildPhase.STOPPING and child.after is AfterStop.FAIL:
        failure = Failure(kind=FailureKind.TRANSIENT, type="Unhealthy", message=child.detail)
        child_ended(draft, child, ChildExit(kind=ExitKind.FAILED, failure=failure))
    else:
        child_ended(draft, child, event.exit)


def _was_unhealthy(draft: SupervisorDraft, event: WasUnhealthy) -> None:
    child = draft.hear(event.name, event.incarnation)
    if child is None or child.phase is not ChildPhase.RUNNING or child.must_stop:
        return
    type_ = SupervisionEventType.HEALTH_CHECK_FAILED
    draft.report(type_, Severity.HIGH, child.name, event.reason)
    backoff, window = draft.plan_of(child).backoff, draft.state.policy.intensity.window
    failures = failures_so_far(child, backoff, window, draft.now)
    killed = draft.move(
        child.name,
        ChildPhase.STOPPING,
        after=AfterStop.FAIL,
        failures=failures,
        detail=event.reason,
    )
    shutdown.kill(draft, killed)


def _shut_down_asked(draft: SupervisorDraft, event: ShutDownAsked) -> None:
    if not draft.is_ending:
        draft.end(SupervisorEnd.STOPPED, event.reason, keeps=event.keeps)
    elif not event.keeps:
        draft.change(keeps=False)
    if event.is_hurried:
        draft.change(is_hurried=True)
        for child in draft.children:
            if child.phase is ChildPhase.STOPPING and child.stop_step is not StopStep.KILLED:
                shutdown.kill(draft, child)


def _ticked(draft: SupervisorDraft, event: Ticked) -> None:
    """Nothing of its own: whatever is due is seen to whenever the supervisor carries on."""


def _carry_on(draft: SupervisorDraft) -> None:
    shutdown.go_on(draft)
    if draft.state.life is LifeState.STOPPING:
        if not any(child.phase in strategies.ALIVE for child in draft.children):
            _end(draft)
        return
    _end_back_offs(draft)
    for child in strategies.next_group(draft.children, draft.strategy):
        _start(draft, child)
    _become_ready(draft)


def _end(draft: SupervisorDraft) -> None:
    draft.change(life=LifeState.TERMINATED)
    how = draft.state.end or SupervisorEnd.FAILED
    draft.do(EndSupervisor(how, draft.state.reason))


def _end_back_offs(draft: SupervisorDraft) -> None:
    """Start what has waited long enough; where order matters it waits for its turn."""
    for child in draft.children:
        is_over = child.until is not None and child.until <= draft.now
        if child.phase is ChildPhase.BACKING_OFF and is_over:
            if draft.strategy in strategies.ORDERED:
                draft.move(child.name, ChildPhase.WAITING)
            else:
                _start(draft, child)


def _start(draft: SupervisorDraft, child: ChildState) -> None:
    is_restart = child.incarnation > 0
    started = draft.move(
        child.name,
        ChildPhase.STARTING,
        incarnation=child.incarnation + 1,
        restarts=child.restarts + is_restart,
    )
    draft.do(StartChild(child.name, child.place, started.incarnation, is_restart))
    if is_restart:
        type_ = SupervisionEventType.AGENT_RESTARTED
        draft.report(type_, Severity.MEDIUM, child.name, child.detail)
    else:
        draft.report(SupervisionEventType.AGENT_SPAWNED, Severity.LOW, child.name)


def _become_ready(draft: SupervisorDraft) -> None:
    state = draft.state
    if state.life is not LifeState.INITIALIZING or not state.is_open:
        return
    if all(child.if_not_ready is not IfNotReady.END for child in draft.children):
        draft.change(life=LifeState.RUNNING)
        draft.do(TellParent())


# Any: each of these takes the one kind of event it stands for.
_NOTED: dict[type[SupervisorSignal], Callable[[SupervisorDraft, Any], None]] = {
    WasOpened: _opened,
    BecameReady: _became_ready,
    Exited: _exited,
    WasUnhealthy: _was_unhealthy,
    ShutDownAsked: _shut_down_asked,
    StartAsked: requests.start_asked,
    TerminateAsked: requests.terminate_asked,
    RestartChildAsked: requests.restart_asked,
    DeleteAsked: requests.delete_asked,
    Ticked: _ticked,
}
