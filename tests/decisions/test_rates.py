"""Callers of a provider wait their turn."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.decisions.agents.rates import BURST, LONGEST, MINUTE, Meters, take_place
from mainstay.schemas.errors import InvalidInput

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def waits_of(calls: list[tuple[timedelta, int]], requests: int, tokens: int) -> list[timedelta]:
    """How long each of some calls waits, given after how long it comes and its tokens."""
    meters, now, waits = Meters(), NOW, []
    for after, amount in calls:
        now += after
        meters, wait = take_place(meters, requests, tokens, amount, now)
        waits.append(wait)
    return waits


def at_once(count: int, amount: int = 0) -> list[tuple[timedelta, int]]:
    return [(timedelta(0), amount)] * count


def test_without_limits_nobody_waits_and_nothing_is_counted():
    assert take_place(Meters(), 0, 0, 10**9, NOW) == (Meters(), timedelta(0))


def test_a_burst_goes_at_once_and_the_rest_is_spread_evenly():
    waits = waits_of(at_once(10), 60, 0)
    assert waits == [timedelta(0)] * 7 + [SECOND, 2 * SECOND, 3 * SECOND]


def test_after_a_rest_the_burst_is_there_again_but_no_more_than_once():
    rest = [(timedelta(hours=9), 0)]
    assert waits_of(at_once(20) + rest + at_once(8), 60, 0)[20:] == waits_of(at_once(9), 60, 0)


def test_tokens_are_waited_for_by_those_who_come_later():
    assert waits_of(at_once(3, 3_000), 0, 60_000) == [timedelta(0)] * 3
    assert waits_of(at_once(3, 30_000), 0, 60_000) == [
        timedelta(0),
        30 * SECOND - BURST,
        60 * SECOND - BURST,
    ]


def test_a_call_with_more_tokens_than_a_minute_has_is_made_all_the_same():
    assert waits_of(at_once(2, 600_000), 0, 60_000) == [timedelta(0), 10 * MINUTE - BURST]


def test_the_slower_of_both_meters_decides_and_both_count():
    assert waits_of(at_once(2, 60_000), 6_000, 60_000)[1] == MINUTE - BURST
    meters, _ = take_place(Meters(), 60, 60_000, 1_000, NOW)
    assert meters == Meters(NOW + SECOND, NOW + SECOND)
    # A meter starts when the call is made, not when its place is taken.
    later, wait = take_place(Meters(tokens_until=NOW + MINUTE), 60, 60_000, 1_000, NOW)
    assert later == Meters(NOW + wait + SECOND, NOW + MINUTE + SECOND)


def test_a_limit_that_was_lifted_is_not_waited_for():
    assert take_place(Meters(NOW + MINUTE, None), 0, 0, 0, NOW)[1] == timedelta(0)


def test_absurdly_many_tokens_hold_others_up_for_a_limited_time():
    assert waits_of(at_once(2, 10**12), 0, 1)[1] == LONGEST - BURST


@pytest.mark.parametrize("numbers", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_negative_numbers_are_refused(numbers):
    with pytest.raises(InvalidInput, match="negative"):
        take_place(Meters(), *numbers, NOW)


CALLS = st.lists(
    st.tuples(st.integers(0, 5_000_000).map(lambda n: timedelta(microseconds=n)),
              st.integers(0, 5_000)),
    min_size=1, max_size=200,
)  # fmt: skip


@given(CALLS, st.integers(1, 600), st.integers(1, 100_000))
def test_no_minute_sees_more_than_its_allowance_and_the_burst(calls, requests, tokens):
    now, made = NOW, []
    for (after, amount), wait in zip(calls, waits_of(calls, requests, tokens), strict=True):
        now += after
        assert wait >= timedelta(0)
        made.append((now + wait, amount))
    moments = [moment for moment, _ in made]
    assert moments == sorted(moments)
    largest = max(amount for _, amount in made)
    slack = len(made) * 1e-6 * tokens
    for first, moment in enumerate(moments):
        stop = bisect_left(moments, moment + MINUTE)
        assert stop - first <= requests * 1.1 + 1
        spent = sum(amount for _, amount in made[first:stop])
        assert spent <= tokens * 1.1 + largest + slack


@given(st.integers(1, 600), st.integers(1, 300))
def test_the_allowance_is_used_up_by_those_who_wait(requests, count):
    last = waits_of(at_once(count), requests, 0)[-1]
    assert last <= MINUTE * count / requests
