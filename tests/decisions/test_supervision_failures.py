"""What a failure says about an agent, and how an agent is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from agent_script import CANCELLED, START, Script, header

from mainstay.decisions.retries import classify
from mainstay.decisions.supervision.failures import action, error_class, is_cured_by_restart
from mainstay.decisions.supervision.health import judge
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.supervision_calls import HealthFacts, HealthState
from mainstay.schemas.team import ErrorAction, ErrorPolicy, HealthSpec

MINUTE = timedelta(minutes=1)


def failure(type_: str, **fields: object) -> Failure:
    return Failure.model_validate(
        {"kind": classify(type_), "type": type_, "message": "it failed", **fields}
    )


@pytest.mark.parametrize(
    ("made", "expected", "is_cured"),
    [
        (failure("Timeout"), "timeout", True),
        (failure("TimeoutError"), "timeout", True),
        (failure("Unavailable"), "timeout", True),
        (failure("Unavailable", retry_after=MINUTE), "exhausted", True),
        (failure("BudgetReached"), "exhausted", False),
        (failure("LimitReached", hint="raise limits.tool_calls"), "exhausted", False),
        (failure("MemoryError"), "exhausted", True),
        (failure("InvalidInput"), "fatal", False),
        (failure("NotFound"), "fatal", False),
        (failure("Refused"), "other", False),
        (failure("AgentFailed"), "other", True),
        (failure("AgentFailed", kind=FailureKind.REFUSED), "other", False),
        (failure("TypeError"), "other", True),
        (failure("ToolFailed"), "other", True),
        (failure("UnknownOutcome"), "other", True),
        (Failure(message="it could not be got ready"), "other", True),
    ],
)
def test_failures_are_sorted_by_type(made, expected, is_cured):
    assert error_class(made) == expected
    assert is_cured_by_restart(made) is is_cured


def test_a_turn_that_took_too_long_is_a_timeout_and_may_be_cured():
    script = Script().start().given(header("m"))
    script.wait(days=1).fails(CANCELLED)
    made = script.state.failure
    assert made is not None
    assert made.type == "LimitReached"
    assert error_class(made) == "timeout"
    assert is_cured_by_restart(made)


def test_the_error_policy_says_what_is_done_by_class():
    policy = ErrorPolicy()
    assert action(failure("Timeout"), policy) is ErrorAction.RESTART
    assert action(failure("BudgetReached"), policy) is ErrorAction.PAUSE
    assert action(failure("InvalidInput"), policy) is ErrorAction.STOP
    assert action(failure("ToolFailed"), policy) is ErrorAction.REPORT
    own = ErrorPolicy(other=ErrorAction.RESTART)
    assert action(failure("ToolFailed"), own) is ErrorAction.RESTART


# Health.


def facts(**fields: object) -> HealthFacts:
    known = {
        "agent_id": "agent-x",
        "name": "t/a",
        "state": LifeState.RUNNING,
        "turn_timeout": MINUTE,
        "is_open": True,
    }
    return HealthFacts.model_validate({**known, **fields})


def ago(seconds: float) -> object:
    return START - timedelta(seconds=seconds)


WORKS = {"oldest_delivered_at": ago(1)}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, HealthState.HEALTHY),
        ({"is_open": None}, HealthState.UNKNOWN),
        ({"is_open": None, "oldest_delivered_at": ago(10**6)}, HealthState.UNKNOWN),
        ({"is_open": False}, HealthState.UNHEALTHY),
        ({"is_open": False, "state": LifeState.PAUSED}, HealthState.UNHEALTHY),
        ({"is_open": False, "state": LifeState.ERROR}, HealthState.UNKNOWN),
        ({"is_open": False, "state": LifeState.RESTARTING}, HealthState.UNKNOWN),
        ({"is_open": False, "state": LifeState.TERMINATED}, HealthState.UNKNOWN),
        ({"oldest_delivered_at": ago(90)}, HealthState.HEALTHY),
        ({"oldest_delivered_at": ago(90.001)}, HealthState.UNHEALTHY),
        ({"oldest_delivered_at": ago(10**6), "state": LifeState.PAUSED}, HealthState.HEALTHY),
        ({**WORKS, "heartbeat_at": ago(90)}, HealthState.HEALTHY),
        ({**WORKS, "heartbeat_at": ago(90.001)}, HealthState.UNHEALTHY),
        ({"heartbeat_at": ago(10**6)}, HealthState.HEALTHY),
        ({"processed": 4, "failed": 4}, HealthState.HEALTHY),
        ({"processed": 5, "failed": 1}, HealthState.HEALTHY),
        ({"processed": 5, "failed": 2}, HealthState.DEGRADED),
        ({"processed": 5, "failed": 3}, HealthState.UNHEALTHY),
        ({"processed": 6, "failed": 3}, HealthState.UNHEALTHY),
        ({"processed": 8, "failed": 2}, HealthState.DEGRADED),
    ],
)
def test_the_first_rule_that_holds_says_how_an_agent_is(known, expected):
    state, reason = judge(facts(**known), HealthSpec(), START)
    assert state is expected
    assert bool(reason) is (expected is not HealthState.HEALTHY)
