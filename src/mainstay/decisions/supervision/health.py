"""How an agent is, from what the database and the server know of it.

Rules, the first that holds:
    1. An agent that does not run (ERROR, RESTARTING, TERMINATED) is its supervisor's business:
       UNKNOWN. So is one of which the server could not say whether its workflow is open.
    2. UNHEALTHY is one whose workflow is closed although its record lives.
    3. UNHEALTHY is one that is RUNNING and works on a message for longer than a turn may take and
       ``grace`` more, or whose work has shown no sign of life for ``MISSED`` intervals. A paused
       one may hold its message for as long as it is paused.
    4. UNHEALTHY is one that failed at ``error_rate`` of its latest messages or more, DEGRADED one
       that failed at half of that. Fewer than ``sample`` messages make no rate.
    5. Every other is HEALTHY.

Source: specification 003, 3.4.5 and 6.2.
"""

from __future__ import annotations

from datetime import datetime

from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision_calls import HealthFacts, HealthState
from mainstay.schemas.team import HealthSpec

MISSED = 3
"""Intervals of the health check without a sign of life that are one too long."""

AT_REST = frozenset({LifeState.ERROR, LifeState.RESTARTING, LifeState.TERMINATED})
"""States of an agent whose workflow may well be closed."""


def judge(facts: HealthFacts, health: HealthSpec, now: datetime) -> tuple[HealthState, str]:
    """Say how an agent is, and why; HEALTHY needs no reason."""
    if facts.state in AT_REST:
        return HealthState.UNKNOWN, f"it does not run: {facts.state}"
    if facts.is_open is None:
        return HealthState.UNKNOWN, "the server could not say whether it runs"
    if not facts.is_open:
        return HealthState.UNHEALTHY, f"its workflow is closed although it is {facts.state}"
    hanging = _why_hanging(facts, health, now)
    if hanging:
        return HealthState.UNHEALTHY, hanging
    return _judge_rate(facts, health)


def _why_hanging(facts: HealthFacts, health: HealthSpec, now: datetime) -> str:
    taken = facts.oldest_delivered_at
    if facts.state is not LifeState.RUNNING or taken is None:
        return ""
    late = now - taken - facts.turn_timeout
    if late > health.grace:
        return f"it works on a message for {round((now - taken).total_seconds())} s"
    silent = now - facts.heartbeat_at if facts.heartbeat_at is not None else None
    if silent is not None and silent > MISSED * health.interval:
        return f"its work shows no sign of life for {round(silent.total_seconds())} s"
    return ""


def _judge_rate(facts: HealthFacts, health: HealthSpec) -> tuple[HealthState, str]:
    if facts.processed < health.sample:
        return HealthState.HEALTHY, ""
    rate = facts.failed / facts.processed
    reason = f"{facts.failed} of its latest {facts.processed} messages failed"
    if rate >= health.error_rate:
        return HealthState.UNHEALTHY, reason
    if rate >= health.error_rate / 2:
        return HealthState.DEGRADED, reason
    return HealthState.HEALTHY, ""
