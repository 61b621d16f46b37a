"""What is shown of a running supervisor, and which requests make sense.

Rules, as OTP has them:
    1. A child is started under a name that no other child has, whether that one runs or not.
    2. Significant is no permanent child, and none of a supervisor that never shuts itself down.
    3. Restarted by a person is a child that is stopped, or one that runs; what is on its way has
       to arrive first. Deleted is one that is stopped. A dynamic supervisor forgets children
       when they end, so neither makes sense there.
    4. Any child may be terminated at any moment; one that is stopped already stays so.
    5. Whatever is not ready yet, or about to end, starts nothing for anybody.
"""

from __future__ import annotations

from datetime import datetime

from mainstay.decisions.suggestions import did_you_mean
from mainstay.decisions.supervision.intensity import recent, restarts_left
from mainstay.decisions.supervision.strategies import ALIVE
from mainstay.decisions.team_files.team_levels import child_names
from mainstay.schemas.errors import InvalidInput, NotFound, Refused
from mainstay.schemas.ids import supervisor_id, team_agent_id
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import (
    ChildCounts,
    ChildKind,
    ChildPhase,
    ChildPlan,
    ChildState,
    ChildView,
    SupervisorRequest,
    SupervisorState,
    SupervisorView,
)
from mainstay.schemas.team import AutoShutdown, Restart, Strategy


def view(state: SupervisorState, request: SupervisorRequest, now: datetime) -> SupervisorView:
    """Return the supervisor at a glance, its children in starting order."""
    policy = state.policy
    return SupervisorView(
        supervisor_id=request.supervisor_id,
        row_id=request.row_id,
        team=request.team,
        path=request.path,
        life=state.life,
        strategy=policy.strategy,
        max_restarts=policy.intensity.max_restarts,
        window=policy.intensity.window,
        restarts_left=restarts_left(state, now),
        counted=recent(state.restarts, now, policy.intensity),
        restarts=state.restarts_in_all,
        children=tuple(
            _child_view(child, state.plans[child.place], request) for child in state.children
        ),
        detail=state.reason,
    )


def _child_view(child: ChildState, plan: ChildPlan, request: SupervisorRequest) -> ChildView:
    path = f"{request.path}/{child.name}" if request.path else child.name
    return ChildView(
        name=child.name,
        kind=plan.kind,
        id=team_agent_id(request.team, request.run, child.name)
        if plan.kind is ChildKind.AGENT
        else supervisor_id(request.team, path),
        phase=child.phase,
        restart=plan.restart,
        restarts=child.restarts,
        since=child.since,
        until=child.until,
        is_held=child.is_held,
        significant=plan.significant,
        detail=child.detail,
    )


def count_children(state: SupervisorState) -> ChildCounts:
    """Count the children: in all, those whose workflow is open, and by kind."""
    kinds = [state.plans[child.place].kind for child in state.children]
    return ChildCounts(
        specs=len(kinds),
        active=sum(child.phase in ALIVE for child in state.children),
        supervisors=kinds.count(ChildKind.SUPERVISOR),
        workers=kinds.count(ChildKind.AGENT),
    )


def check_start(state: SupervisorState, plan: ChildPlan) -> None:
    """See that a child can be added.

    Raises:
        Refused: the supervisor is not RUNNING, or has a child of that name.
        InvalidInput: it cannot be significant here.
    """
    _check_running(state)
    if plan.significant and plan.restart is Restart.PERMANENT:
        raise InvalidInput(
            f"child {plan.name!r} is permanent, so it cannot be significant: it never ends",
            hint="make it transient or temporary, or leave `significant` out",
        )
    if plan.significant and state.policy.auto_shutdown is AutoShutdown.NEVER:
        raise InvalidInput(
            f"child {plan.name!r} cannot be significant: its supervisor never shuts itself down",
            hint="give the supervisor an `auto_shutdown`, or leave `significant` out",
        )
    wished = set(child_names(plan))
    for child in state.children:
        if child.name in wished:
            raise _taken(child)


def check_terminate(state: SupervisorState, name: str) -> None:
    """See that there is a child to be stopped.

    Raises:
        NotFound: there is none of that name.
    """
    _find(state, name)


def check_restart(state: SupervisorState, name: str) -> None:
    """See that a child can be restarted by a person.

    Raises:
        NotFound: there is none of that name.
        Refused: it is on its way, or the supervisor starts nothing now, or is dynamic.
    """
    child = _find(state, name)
    _check_running(state)
    _check_kept(state, child, "restarted")
    is_settled = child.phase in (ChildPhase.RUNNING, ChildPhase.STOPPED)
    if not is_settled or child.must_stop:
        raise Refused(
            f"child {name!r} is {_doing(child)}: it can be restarted when it runs or is stopped",
            hint="wait a moment and ask again, or terminate it first",
        )


def check_delete(state: SupervisorState, name: str) -> None:
    """See that a child can be forgotten.

    Raises:
        NotFound: there is none of that name.
        Refused: it is not stopped, or the supervisor is dynamic.
    """
    child = _find(state, name)
    _check_kept(state, child, "deleted")
    if child.phase is not ChildPhase.STOPPED:
        raise Refused(
            f"child {name!r} is {_doing(child)}: only a stopped one can be deleted",
            hint="terminate it first",
        )


def _check_running(state: SupervisorState) -> None:
    if state.life is LifeState.INITIALIZING:
        raise Refused(
            "the supervisor is still starting its children",
            hint="ask again when it is RUNNING",
        )
    if state.life is not LifeState.RUNNING:
        raise Refused(f"the supervisor is {state.life}, so it starts nothing any more")


def _check_kept(state: SupervisorState, child: ChildState, wish: str) -> None:
    if state.policy.strategy is Strategy.DYNAMIC:
        raise Refused(
            f"child {child.name!r} cannot be {wish}: its supervisor is dynamic, and forgets its "
            "children when they end",
            hint="terminate it, and start another one",
        )


def _find(state: SupervisorState, name: str) -> ChildState:
    for child in state.children:
        if child.name == name:
            return child
    names = [child.name for child in state.children]
    raise NotFound(
        f"the supervisor has no child {name!r}",
        hint=did_you_mean(name, names) or "`mainstay supervisor children` shows them",
    )


def _taken(child: ChildState) -> Refused:
    if child.phase is ChildPhase.STOPPED:
        return Refused(
            f"there is a child {child.name!r} already, and it is stopped",
            hint="restart that one, or delete it first",
        )
    return Refused(
        f"there is a child {child.name!r} already, and it is {_doing(child)}",
        hint="choose another name",
    )


def _doing(child: ChildState) -> str:
    return "about to be stopped" if child.must_stop else child.phase.replace("_", " ")
