"""Showing agents as ended, or as about to start again, when their workflows cannot tell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Settlement
from mainstay.storage.agent_events import insert_agent_events, load_states, storable_events
from mainstay.storage.closing import close
from mainstay.storage.rows import Values

_MILLISECOND = timedelta(milliseconds=1)


def leave_all(connection: Connection, agent_ids: Sequence[str], reason: str, now: datetime) -> None:
    """Show agents as RESTARTING that were killed; the caller holds their locks."""
    unless = {LifeState.RESTARTING, LifeState.TERMINATED}
    _change(connection, agent_ids, LifeState.RESTARTING, unless, ("killed", reason), now)


def close_all(
    connection: Connection, agent_ids: Sequence[str], reason: str, now: datetime
) -> list[Settlement]:
    """Show agents as TERMINATED and close their mailboxes; the caller holds their locks.

    Returns:
        What was left in the mailboxes.
    """
    left = close(connection, agent_ids, reason, now)
    _change(
        connection,
        agent_ids,
        LifeState.TERMINATED,
        {LifeState.TERMINATED},
        ("closed", reason),
        now,
    )
    return left


def _change(
    connection: Connection,
    agent_ids: Sequence[str],
    state: LifeState,
    unless: Collection[LifeState],
    why: tuple[str, str],
    now: datetime,
) -> None:
    rows = load_states(connection, sorted(agent_ids))
    told = [
        _event(row, state, why, now) for row in rows.values() if row["current_state"] not in unless
    ]
    insert_agent_events(connection, storable_events(told))


def _event(row: Values, state: LifeState, why: tuple[str, str], now: datetime) -> AgentEvent:
    since, (trigger, reason) = row["state_since"], why
    # Another machine's clock may be ahead; what is told here is later all the same.
    at = max(now, since) if since is not None else now
    return AgentEvent(
        agent_id=row["of_agent"],
        key=f"{trigger}/{at.isoformat()}",
        kind=AgentEventKind.STATE,
        at=at,
        message=reason,
        from_state=row["current_state"],
        to_state=state,
        trigger=trigger,
        duration_ms=(at - since) // _MILLISECOND if since is not None else None,
    )
