"""What is asked of a running supervisor, and how it turned out."""

from __future__ import annotations

from datetime import timedelta

from mainstay.schemas.errors import AgentFailed, InvalidInput
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.supervision import (
    ChildPhase,
    ChildPlan,
    ChildState,
    ShutDown,
    SupervisorResult,
    SupervisorState,
)
from mainstay.schemas.supervision_calls import ChildRequest
from mainstay.schemas.supervision_directives import (
    EndSupervisor,
    ShutDownAsked,
    SupervisorSignal,
    WasOpened,
)
from mainstay.schemas.team import Strategy

_ON_THE_WAY = frozenset({ChildPhase.WAITING, ChildPhase.STARTING, ChildPhase.STOPPING})


def plan_of(state: SupervisorState, request: ChildRequest) -> ChildPlan:
    """Return the plan of a child that is to be started; a dynamic supervisor has it already.

    Raises:
        InvalidInput: there is none.
    """
    if request.plan is not None:
        return request.plan
    if state.policy.strategy is not Strategy.DYNAMIC or not state.plans:
        raise InvalidInput(
            f"the supervisor has no plan for {request.name!r}",
            hint="only a dynamic supervisor starts children by name alone",
        )
    return state.plans[0].model_copy(update={"name": request.name, "count": 1})


def is_starting(state: SupervisorState, name: str) -> bool:
    """Tell whether it is not known yet if a child is ready."""
    child = _child(state, name)
    return child is not None and child.phase in _ON_THE_WAY


def is_alive(state: SupervisorState, name: str) -> bool:
    """Tell whether a child has not ended yet."""
    child = _child(state, name)
    return child is not None and child.phase is not ChildPhase.STOPPED


def started(state: SupervisorState, name: str, last_words: str = "") -> str:
    """Say that a child is ready; ``last_words`` is why one was closed that is not.

    Raises:
        AgentFailed: it is not; the message says why.
    """
    child = _child(state, name)
    if child is not None and child.phase is ChildPhase.RUNNING:
        return f"{name}: running"
    why = child.detail if child is not None else last_words.removeprefix("it did not start: ")
    raise AgentFailed(
        f"{name!r} did not start: {why or state.reason or 'it ended'}",
        hint="`mainstay supervisor children` shows how it stands",
    )


def shut_down_asked(order: ShutDown, *, is_over: bool = False) -> ShutDownAsked:
    """Return what an order to end asks for, now or when its grace is over."""
    is_hurried = is_over or order.grace == timedelta(0)
    return ShutDownAsked(cut(order.reason), order.keeps, is_hurried=is_hurried)


def does_not_wait(event: SupervisorSignal) -> bool:
    """Tell whether an event is heard before the team file was read."""
    return isinstance(event, WasOpened) or (isinstance(event, ShutDownAsked) and event.is_hurried)


def result_of(supervisor_id: str, state: SupervisorState, ended: EndSupervisor) -> SupervisorResult:
    """Return how a supervisor ended."""
    return SupervisorResult(
        supervisor_id=supervisor_id,
        end=ended.end,
        reason=ended.reason,
        restarts=state.restarts_in_all,
    )


def cut(text: str) -> str:
    """Cut a text to what history keeps of it."""
    return text[:MAX_MESSAGE_CHARS]


def _child(state: SupervisorState, name: str) -> ChildState | None:
    return next((one for one in state.children if one.name == name), None)
