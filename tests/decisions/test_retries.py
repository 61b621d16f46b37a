"""When a failed attempt is made again, and after how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.decisions.retries import LONGEST_RETRY_AFTER, backoff, classify, may_retry
from mainstay.schemas.errors import ERRORS
from mainstay.schemas.plan import RetrySpec
from mainstay.schemas.run import Failure, FailureKind


@pytest.mark.parametrize("kind", FailureKind)
def test_only_a_transient_failure_is_tried_again(kind):
    failure = Failure(kind=kind, message="x")
    assert may_retry(failure, 1, RetrySpec(), True) == (kind is FailureKind.TRANSIENT)


def test_only_what_may_be_done_twice_is_tried_again():
    failure = Failure(kind=FailureKind.TRANSIENT, message="x")
    assert not may_retry(failure, 1, RetrySpec(), repeatable=False)


def test_there_are_at_most_so_many_attempts_with_the_first():
    failure = Failure(kind=FailureKind.TRANSIENT, message="x")
    tried = [n for n in range(1, 6) if may_retry(failure, n, RetrySpec(attempts=3), True)]
    assert tried == [1, 2]


def test_wait_grows_by_its_factor_up_to_its_maximum():
    retry = RetrySpec(initial=timedelta(seconds=1), factor=2, maximum=timedelta(seconds=10))
    waits = [backoff(attempt, retry).total_seconds() for attempt in range(1, 7)]
    assert waits == [1, 2, 4, 8, 10, 10]


def test_wait_of_a_late_attempt_costs_no_more_to_work_out():
    retry = RetrySpec(factor=100.0, attempts=1000)
    assert backoff(10**9, retry) == retry.maximum


def test_initial_wait_is_no_longer_than_the_maximum():
    retry = RetrySpec(initial=timedelta(hours=1), maximum=timedelta(seconds=5))
    assert backoff(1, retry) == timedelta(seconds=5)


def test_server_that_asks_for_more_patience_gets_it_up_to_a_day():
    asked = timedelta(minutes=7)
    assert backoff(1, RetrySpec(), asked) == asked
    assert backoff(1, RetrySpec(), timedelta(milliseconds=1)) == timedelta(seconds=1)
    assert backoff(1, RetrySpec(), timedelta(days=400)) == LONGEST_RETRY_AFTER


@given(st.integers(1, 100), st.floats(1, 100), st.integers(0, 10**6), st.integers(0, 10**6))
def test_wait_never_shrinks_and_stays_within_bounds(attempt, factor, initial, maximum):
    retry = RetrySpec(
        factor=factor,
        initial=timedelta(milliseconds=initial),
        maximum=timedelta(milliseconds=maximum),
    )
    wait, later = backoff(attempt, retry), backoff(attempt + 1, retry)
    assert timedelta(0) <= wait <= later <= retry.maximum


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("InvalidInput", FailureKind.PERMANENT),
        ("NotFound", FailureKind.PERMANENT),
        ("ValueError", FailureKind.PERMANENT),
        ("PlanFailed", FailureKind.PERMANENT),
        ("PlanCancelled", FailureKind.PERMANENT),
        ("Refused", FailureKind.REFUSED),
        ("LimitReached", FailureKind.REFUSED),
        ("UnknownOutcome", FailureKind.UNKNOWN),
        ("Unavailable", FailureKind.TRANSIENT),
        ("ToolFailed", FailureKind.TRANSIENT),
        ("ConnectionError", FailureKind.TRANSIENT),
        ("NeverHeardOf", FailureKind.TRANSIENT),
    ],
)
def test_name_of_an_error_tells_what_it_means(name, kind):
    assert classify(name) is kind


def test_what_our_errors_say_of_themselves_agrees_with_how_they_are_classified():
    for name, error in ERRORS.items():
        if name != "MainstayError":
            assert (classify(name) is FailureKind.TRANSIENT) == error.is_retryable
