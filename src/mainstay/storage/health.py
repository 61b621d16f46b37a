"""What the database knows of the health of a team's agents.

Rules:
    1. Only agents that work on something, or of whose latest messages some have failed, are told
       of. Those that have ended are not.
    2. A message cannot have been worked on since before the agent entered its present state, nor
       since before the last message was settled: those taken together wait for one another.
    3. Messages that ended before the agent entered its present state say nothing about it, so
       that one that was restarted for its failures is not restarted for them again.
    4. When the activity that works for an agent gave its last sign of life, the server knows.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from pydantic_core import from_json
from sqlalchemy import (
    Connection,
    Integer,
    RowMapping,
    ScalarSelect,
    bindparam,
    func,
    or_,
    select,
)

from mainstay.schemas.agent import LimitsSpec
from mainstay.schemas.durations import parse_duration
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.supervision_calls import HealthFacts
from mainstay.storage import tables
from mainstay.storage.changes import IN_LIMIT
from mainstay.storage.supervision_queries import SUPERVISORS

USUAL_TIMEOUT = LimitsSpec().turn_timeout
"""How long a turn may take when an agent's file does not say it."""


def health_facts(connection: Connection, team: str, run: str, sample: int) -> list[HealthFacts]:
    """Return facts about the agents of one life of a team, by name."""
    which = {"of_team": team, "of_run": run, "sample": sample}
    rows = [
        row
        for row in connection.execute(_SELECT_FACTS, which).mappings()
        if row["oldest"] is not None or row["failed"]
    ]
    timeouts = _turn_timeouts(connection, {row["spec_ref"] for row in rows})
    facts = [_fact(row, timeouts.get(row["spec_ref"], USUAL_TIMEOUT)) for row in rows]
    return sorted(facts, key=lambda one: one.name)


def _fact(row: RowMapping, turn_timeout: timedelta) -> HealthFacts:
    began = row["oldest"]
    if began is not None:
        later = (row["state_since"], row["last_end"])
        began = max([began, *(moment for moment in later if moment is not None)])
    return HealthFacts(
        agent_id=row["agent_id"],
        name=row["name"],
        state=row["current_state"],
        oldest_delivered_at=began,
        turn_timeout=turn_timeout,
        processed=row["processed"],
        failed=row["failed"],
    )


def _turn_timeouts(connection: Connection, refs: Collection[str]) -> dict[str, timedelta]:
    d = tables.documents.c
    found: dict[str, timedelta] = {}
    ordered = sorted(refs)
    for first in range(0, len(ordered), IN_LIMIT):
        query = select(d.key, d.body).where(d.key.in_(ordered[first : first + IN_LIMIT]))
        found |= {key: _turn_timeout(body) for key, body in connection.execute(query)}
    return found


def _turn_timeout(body: bytes) -> timedelta:
    # Not the whole model: a newer version's file may have keys that this one does not know.
    try:
        return parse_duration(from_json(body)["limits"]["turn_timeout"])
    except (KeyError, TypeError, ValueError):
        return USUAL_TIMEOUT


_a, _m, _s = tables.agents.c, tables.messages.c, SUPERVISORS.c
_FAILED = MessageStatus.FAILED
_of_agent = _m.receiver_id == _a.agent_id


def _among_latest(*statuses: MessageStatus) -> ScalarSelect[int]:
    since = func.coalesce(_a.state_since, _a.created_at)
    latest = (
        select(_m.status)
        .where(
            _of_agent,
            _m.processed_at.is_not(None),
            _m.processed_at >= since,
            _m.status.in_([MessageStatus.PROCESSED, _FAILED]),
        )
        .order_by(_m.processed_at.desc())
        .limit(bindparam("sample", type_=Integer))
        .correlate(tables.agents)
        .subquery()
    )
    counted = select(func.count()).select_from(latest).where(latest.c.status.in_(statuses))
    return counted.scalar_subquery()


_works = select(_m.number).where(_of_agent, _m.status == MessageStatus.DELIVERED).exists()
_has_failed = select(_m.number).where(_of_agent, _m.status == _FAILED).exists()
_SELECT_FACTS = (
    select(
        _a.agent_id,
        _a.name,
        _a.current_state,
        _a.state_since,
        _a.spec_ref,
        select(func.min(_m.delivered_at))
        .where(_of_agent, _m.status == MessageStatus.DELIVERED)
        .scalar_subquery()
        .label("oldest"),
        select(func.max(_m.processed_at))
        .where(_of_agent, _m.processed_at.is_not(None))
        .scalar_subquery()
        .label("last_end"),
        _among_latest(MessageStatus.PROCESSED, _FAILED).label("processed"),
        _among_latest(_FAILED).label("failed"),
    )
    .join(SUPERVISORS, _s.agent_id == _a.supervisor_id)
    .where(
        _s.team == bindparam("of_team"),
        _s.run == bindparam("of_run"),
        _a.run == "",
        _a.current_state != LifeState.TERMINATED,
        or_(_works, _has_failed),
    )
)
