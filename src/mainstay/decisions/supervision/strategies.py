"""Which end of a child is followed by a restart, and whom a restart concerns.

Rules:
    1. ``RESTARTED``: a permanent child is always started again, a transient one after a failure,
       a temporary one never.
    2. ``one_for_one`` and ``dynamic`` restart the child alone; ``one_for_all`` stops all others
       first and then starts all; ``rest_for_one`` does so with those that come after it. What
       stood still is started with them, as OTP has it, unless it is held.
    3. Instances of one plan are started together, so none of them comes after another.
    4. ``terminate_all`` restarts nothing: a failure that would be a restart ends the supervisor.
    5. A temporary child that is stopped because of another one is forgotten.
    6. Children that wait for their turn start by groups, in the order of their plans, as soon as
       nothing of the group before is on its way. Where order matters (``ORDERED``) a child that
       backs off is on its way too, and nothing starts while another one stops; with
       ``one_for_all`` nothing starts while any backs off.
    7. A supervisor shuts down when any of its significant children has ended by itself without
       being restarted, or when none of them is left, as ``auto_shutdown`` says.

Source: OTP, Supervisor Behaviour; rule 4 is specification 003's ``OneForAll``.
"""

from __future__ import annotations

from collections.abc import Iterable

from mainstay.schemas.supervision import (
    AfterStop,
    ChildExit,
    ChildPhase,
    ChildPlan,
    ChildState,
    ExitKind,
)
from mainstay.schemas.team import AutoShutdown, Restart, Strategy

RESTARTED: dict[Restart, frozenset[ExitKind]] = {
    Restart.PERMANENT: frozenset(ExitKind),
    Restart.TRANSIENT: frozenset({ExitKind.FAILED}),
    Restart.TEMPORARY: frozenset(),
}
"""After which ends a child is started again."""

ORDERED = frozenset({Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE})
"""Strategies for which children depend on those before them, for the whole of their lives."""

ALIVE = frozenset({ChildPhase.STARTING, ChildPhase.RUNNING, ChildPhase.STOPPING})
"""Phases in which a child's workflow may be open."""


def is_restarted(plan: ChildPlan, end: ChildExit) -> bool:
    """Tell whether a child that ended so is to be started again."""
    return end.kind in RESTARTED[plan.restart]


def is_concerned(strategy: Strategy, failed: ChildState, other: ChildState) -> bool:
    """Tell whether the restart of one child stops and starts another one."""
    if strategy is Strategy.ONE_FOR_ALL:
        return True
    return strategy is Strategy.REST_FOR_ONE and other.place > failed.place


def is_forgotten(plan: ChildPlan, strategy: Strategy) -> bool:
    """Tell whether a child that is not started again is forgotten, and its plan with it."""
    return plan.restart is Restart.TEMPORARY or strategy is Strategy.DYNAMIC


def next_group(children: Iterable[ChildState], strategy: Strategy) -> list[ChildState]:
    """Return the children that may be started now, out of those that wait for their turn."""
    everyone = list(children)
    waiting = [child for child in everyone if child.phase is ChildPhase.WAITING]
    if not waiting or any(_is_leaving(child, strategy) for child in everyone):
        return []
    if strategy is Strategy.DYNAMIC:
        return waiting
    first = min(child.place for child in waiting)
    if any(_is_before(child, first, strategy) for child in everyone):
        return []
    return [child for child in waiting if child.place == first]


def _is_leaving(child: ChildState, strategy: Strategy) -> bool:
    """Tell whether a child is being stopped, and has to be gone before others start.

    Where order does not matter only those have to be that a restart of all stops.
    """
    if child.phase is not ChildPhase.STOPPING:
        return child.must_stop
    return strategy in ORDERED or child.after in (AfterStop.START, AfterStop.REMOVE)


def _is_before(child: ChildState, first: int, strategy: Strategy) -> bool:
    """Tell whether a child has to be ready before the group at place ``first`` may start."""
    if child.phase is ChildPhase.BACKING_OFF:
        is_all = strategy is Strategy.ONE_FOR_ALL
        return is_all or (strategy in ORDERED and child.place < first)
    return child.phase is ChildPhase.STARTING and child.place < first


def ends_supervisor(
    auto_shutdown: AutoShutdown, plan: ChildPlan, left: Iterable[tuple[ChildState, ChildPlan]]
) -> bool:
    """Tell whether the supervisor shuts down because a child has ended by itself.

    Args:
        auto_shutdown: the supervisor's rule.
        plan: of the child that ended and is not started again.
        left: all children that there still are.
    """
    if not plan.significant or auto_shutdown is AutoShutdown.NEVER:
        return False
    return auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not any(
        other.significant and child.phase is not ChildPhase.STOPPED for child, other in left
    )
