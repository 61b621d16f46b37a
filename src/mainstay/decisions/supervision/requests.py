"""What people ask a supervisor to do with single children, at run time.

Rules:
    1. What cannot be had (``view.check_...``) changes nothing.
    2. Nothing of it counts as a restart. A start that a person asked for and that fails leaves
       the child stopped; one of a child that ran before is a restart like any other.
    3. Terminated children keep their plans, except those that are forgotten whenever they end.
    4. A child that is being stopped with others waits for its turn; what becomes of it then is
       what was asked for last.

Source: OTP, supervisor: start_child, terminate_child, restart_child, delete_child.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainstay.decisions.supervision import shutdown, strategies, view
from mainstay.decisions.supervision.draft import SupervisorDraft
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.supervision import AfterStop, ChildPhase, IfNotReady, SupervisorState
from mainstay.schemas.supervision_directives import (
    DeleteAsked,
    RestartChildAsked,
    StartAsked,
    TerminateAsked,
)


def start_asked(draft: SupervisorDraft, event: StartAsked) -> None:
    """Add a child at the end; it is dropped if its first start fails."""
    if _may(view.check_start, draft, event.plan):
        draft.add(event.plan, IfNotReady.FORGET)


def terminate_asked(draft: SupervisorDraft, event: TerminateAsked) -> None:
    """Stop a child; one that was on its way up, or waited, does not start any more."""
    child = draft.find(event.name)
    if child is None or draft.is_ending:
        return
    if child.phase is ChildPhase.STOPPING or child.must_stop:
        draft.change_child(child.name, after=AfterStop.KEEP)
    elif child.phase in strategies.ALIVE:
        shutdown.stop(draft, child, AfterStop.KEEP)
    elif strategies.is_forgotten(draft.plan_of(child), draft.strategy):
        draft.forget(child.name, "it was terminated")
    else:
        draft.move(child.name, ChildPhase.STOPPED, if_not_ready=IfNotReady.RETRY)


def restart_asked(draft: SupervisorDraft, event: RestartChildAsked) -> None:
    """Start a stopped child, or stop and start a running one."""
    if not _may(view.check_restart, draft, event.name):
        return
    child = draft.find(event.name)
    assert child is not None
    if child.phase is ChildPhase.RUNNING:
        shutdown.stop(draft, child, AfterStop.START)
    else:
        draft.move(child.name, ChildPhase.WAITING, if_not_ready=IfNotReady.STOP, is_held=False)


def delete_asked(draft: SupervisorDraft, event: DeleteAsked) -> None:
    """Forget a stopped child."""
    if _may(view.check_delete, draft, event.name):
        draft.forget(event.name, "it was deleted")


# Any: a check takes what its event asks for.
def _may(check: Callable[[SupervisorState, Any], None], draft: SupervisorDraft, wish: Any) -> bool:
    try:
        check(draft.finish(), wish)
    except MainstayError:
        return False
    return True
