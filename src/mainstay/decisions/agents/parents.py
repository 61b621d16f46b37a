"""What becomes of an agent when the life of its parent, the agent that it was spawned under, ends.

Rules:
    1. Only an end for good counts, the one that closes the mailbox. A parent that fails and is
       started again by its supervisor, or that continues as new, keeps its children.
    2. Each child does what its own file says. ORPHAN: it goes on, and its parent is now the
       nearest ancestor that lives, or nobody. A plan that started an ancestor is no ancestor.
    3. STOP: it is told to end, and may finish its present turn within its own ``limits.stop``.
    4. CASCADE: it is told to end at once.
    5. Those that are told end for good in turn, and so it goes on down the tree.
    6. A child that has ended stays on record with the parent it had.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainstay.schemas.agent import AgentSpec, OnParentEnd
from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind, AgentRow
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ShutDown

AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class ParentEnd:
    """What follows from a parent's end: which children go on without it, and who is told what."""

    orphans: tuple[str, ...] = ()
    told: tuple[tuple[str, ShutDown], ...] = ()


def at_parent_end(parent: AgentRow, children: Iterable[tuple[AgentRow, AgentSpec]]) -> ParentEnd:
    """Return what becomes of children, each given with its file, whose parent has ended."""
    orphans: list[str] = []
    told: list[tuple[str, ShutDown]] = []
    for row, spec in children:
        if row.state is LifeState.TERMINATED or row.parent_id != parent.agent_id:
            continue
        if spec.on_parent_end is OnParentEnd.ORPHAN:
            orphans.append(row.agent_id)
            continue
        is_cascade = spec.on_parent_end is OnParentEnd.CASCADE
        grace = AT_ONCE if is_cascade else spec.limits.stop
        told.append((row.agent_id, ShutDown(reason=why(parent), grace=grace)))
    return ParentEnd(tuple(orphans), tuple(told))


def next_parent(ancestors: Iterable[AgentRow]) -> AgentRow | None:
    """Return the one that takes an orphan in, given the ancestors from the nearest to the root."""
    return next((one for one in ancestors if one.state is not LifeState.TERMINATED), None)


def orphaned(agent_id: str, ended: AgentRow, taker: AgentRow | None, now: datetime) -> AgentEvent:
    """Say on record that an agent goes on without its parent."""
    whose = f"its parent is {_named(taker)} now" if taker else "it has none now"
    return AgentEvent(
        agent_id=agent_id,
        key=f"parent_ended/{ended.agent_id}",
        kind=AgentEventKind.STATE,
        at=now,
        message=f"{why(ended)}; {whose}",
        trigger="parent_ended",
        data={"before": ended.agent_id, "parent": taker.agent_id if taker else ""},
    )


def why(parent: AgentRow) -> str:
    """Say, for people, that a parent has ended."""
    return f"its parent {_named(parent)} has ended"


def _named(row: AgentRow) -> str:
    return repr(row.name or row.agent_id)
