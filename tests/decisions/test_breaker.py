"""When a provider or a tool that keeps failing is left alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.decisions.agents.breaker import (
    OPEN_FOR,
    PROBE_FOR,
    RECHECK,
    THRESHOLD,
    admit,
    failed,
    succeeded,
)
from mainstay.schemas.budgets import Breaker, BreakerState
from mainstay.schemas.run import FailureKind

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
NEW = Breaker(name="openai")
HARMLESS = [kind for kind in FailureKind if kind is not FailureKind.TRANSIENT]


def after_failures(count: int) -> Breaker:
    breaker = NEW
    for _ in range(count):
        breaker = failed(breaker, START)
    return breaker


def probing() -> Breaker:
    """A breaker whose probe is under way since the moment it was due."""
    return admit(after_failures(THRESHOLD), START + OPEN_FOR)[0]


def test_fifth_passing_failure_in_a_row_opens_it():
    assert THRESHOLD == 5
    assert after_failures(4).state is BreakerState.CLOSED
    assert admit(after_failures(4), START) == (after_failures(4), None)
    opened = after_failures(5)
    assert (opened.state, opened.opened_at) == (BreakerState.OPEN, START)


def test_success_between_failures_starts_the_count_anew():
    assert succeeded(after_failures(4)) == NEW
    assert failed(succeeded(after_failures(4)), START).failures == 1


@pytest.mark.parametrize("kind", HARMLESS)
def test_refusal_and_invalid_input_change_no_count(kind):
    breaker = after_failures(4)
    assert failed(breaker, START, kind) == breaker


def test_open_it_lets_nothing_through_for_a_minute():
    opened = after_failures(5)
    assert timedelta(seconds=60) == OPEN_FOR
    assert admit(opened, START) == (opened, OPEN_FOR)
    assert admit(opened, START + OPEN_FOR - TICK) == (opened, TICK)


def test_after_a_minute_one_call_goes_through_and_no_other():
    probe, wait = admit(after_failures(5), START + OPEN_FOR)
    assert wait is None
    assert (probe.state, probe.probe_at) == (BreakerState.HALF_OPEN, START + OPEN_FOR)
    assert admit(probe, START + OPEN_FOR) == (probe, RECHECK)


def test_probe_that_succeeds_closes_it():
    assert succeeded(probing()) == NEW


def test_probe_that_fails_opens_it_for_another_minute():
    late = START + OPEN_FOR + timedelta(seconds=9)
    reopened = failed(probing(), late)
    assert (reopened.state, reopened.opened_at) == (BreakerState.OPEN, late)
    assert reopened.probe_at is None
    assert admit(reopened, late) == (reopened, OPEN_FOR)


@pytest.mark.parametrize("kind", HARMLESS)
def test_probe_that_is_refused_leaves_its_place_to_the_next_call(kind):
    now = START + OPEN_FOR + timedelta(seconds=1)
    free = failed(probing(), now, kind)
    probe, wait = admit(free, now)
    assert wait is None
    assert (probe.state, probe.probe_at) == (BreakerState.HALF_OPEN, now)


def test_probe_that_never_reports_is_given_up():
    probe = probing()
    gone = probe.probe_at + PROBE_FOR
    assert timedelta(seconds=60) == PROBE_FOR
    assert admit(probe, gone - TICK) == (probe, TICK)
    again, wait = admit(probe, gone)
    assert wait is None
    assert again.probe_at == gone


def test_reports_of_earlier_calls_change_nothing_while_it_is_open():
    opened = after_failures(5)
    later = START + timedelta(seconds=30)
    assert succeeded(opened) == opened
    assert failed(opened, later) == opened
    assert failed(opened, later, FailureKind.REFUSED) == opened


def test_breaker_kept_without_its_moments_lets_a_probe_through():
    assert admit(Breaker(name="x", state=BreakerState.OPEN), START)[1] is None
    assert admit(Breaker(name="x", state=BreakerState.HALF_OPEN), START)[1] is None


@dataclass
class Reference:
    """The same rules told by when calls are let through, in whole seconds."""

    streak: int = 0
    blocked_until: int | None = None
    probe_until: int | None = None

    def may_call(self, now: int) -> bool:
        if self.blocked_until is None:
            return True
        if now < self.blocked_until or (self.probe_until is not None and now < self.probe_until):
            return False
        self.probe_until = now + 60
        return True

    def report(self, now: int, outcome: str) -> None:
        if self.blocked_until is not None and self.probe_until is None:
            return
        if outcome == "ok":
            self.streak, self.blocked_until, self.probe_until = 0, None, None
        elif outcome == "refused":
            self.probe_until = None
        else:
            self.streak += 1
            if self.probe_until is not None or self.streak >= 5:
                self.blocked_until, self.probe_until = now + 60, None


EVENTS = st.tuples(st.sampled_from(["ask", "ok", "bad", "bad", "refused"]), st.integers(0, 25))


@given(st.lists(EVENTS, max_size=120))
def test_lets_through_what_a_plain_account_of_the_rules_lets_through(events):
    breaker, reference, now = NEW, Reference(), 0
    for event, passed in events:
        now += passed
        moment = START + timedelta(seconds=now)
        if event == "ask":
            breaker, wait = admit(breaker, moment)
            assert (wait is None) == reference.may_call(now)
            assert wait is None or timedelta(0) < wait <= OPEN_FOR
        elif event == "ok":
            breaker = succeeded(breaker)
            reference.report(now, event)
        else:
            kind = FailureKind.REFUSED if event == "refused" else FailureKind.TRANSIENT
            breaker = failed(breaker, moment, kind)
            reference.report(now, event)
