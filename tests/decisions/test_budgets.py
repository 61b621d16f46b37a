"""What may still be spent, and when to warn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.decisions.agents.budgets import (
    TOUCHED,
    Limit,
    Step,
    check,
    format_usd,
    left,
    warnings,
)
from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.budgets import Account
from mainstay.schemas.conversation import PICO_PER_USD, Usage

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPENT_BY_LIMIT = {
    "tokens": Usage(input_tokens=60, output_tokens=40),
    "usd": Usage(picodollars=100 * PICO_PER_USD),
    "turns": Usage(turns=100),
    "tool_calls": Usage(tool_calls=100),
}
LATER = START + timedelta(seconds=100)


def account(name: str = "agent/a", spent: Usage | None = None, **limits) -> Account:
    return Account(
        id=name,
        limits=BudgetSpec(**limits),
        spent=spent or Usage(),
        opened_at=START,
        first_charge_at=START if spent else None,
    )


def spent_on(limit: str) -> Usage:
    """What spends exactly 100 of a limit; time passes by itself."""
    return SPENT_BY_LIMIT.get(limit, Usage(model_calls=1))


@pytest.mark.parametrize("limit", Limit)
@pytest.mark.parametrize("step", Step)
def test_limit_is_reached_when_as_much_as_it_allows_was_spent(step, limit):
    spent = spent_on(limit)
    is_touched = limit in TOUCHED[step]
    for allowed, is_reached in ((99, True), (100, True), (101, False)):
        breach = check([account(spent=spent, **{limit: allowed})], LATER, step)
        assert (breach is not None) == (is_reached and is_touched)
        assert breach is None or breach.standing.kind is limit


def test_each_step_is_held_to_the_limits_that_it_touches():
    used_up = account(tokens=0, usd=0, turns=0, tool_calls=0, time=0)
    reached = [standing.kind for standing in left(used_up) if standing.is_reached]
    assert reached == list(Limit)
    assert {step: " ".join(kind for kind in reached if kind in TOUCHED[step]) for step in Step} == {
        Step.TURN: "tokens usd turns time",
        Step.MODEL_CALL: "tokens usd time",
        Step.TOOL_CALL: "tool_calls time",
    }


def test_limit_that_is_absent_is_never_reached():
    everything = Usage(
        input_tokens=10**12, turns=10**9, tool_calls=10**9, picodollars=10**24, model_calls=1
    )
    poor = account(spent=everything)
    assert [check([poor], START + timedelta(days=3650), step) for step in Step] == [None] * 3
    assert left(poor, LATER) == []


@pytest.mark.parametrize("limit", Limit)
def test_limit_of_zero_is_reached_from_the_start(limit):
    step = Step.TOOL_CALL if limit is Limit.TOOL_CALLS else Step.TURN
    breach = check([account(**{limit: 0})], START, step)
    assert breach is not None
    assert breach.standing.left == 0


def test_last_turn_may_make_all_its_model_calls():
    poor = account(spent=Usage(turns=5), turns=5)
    assert check([poor], START, Step.MODEL_CALL) is None
    assert check([poor], START, Step.TURN) is not None


def test_answer_may_be_given_after_the_last_tool_call():
    poor = account(spent=Usage(tool_calls=5), tool_calls=5)
    assert check([poor], START, Step.MODEL_CALL) is None
    assert check([poor], START, Step.TOOL_CALL) is not None


def test_first_account_that_is_used_up_is_named():
    accounts = [account("agent/a"), account("agent/b", turns=0), account("plan/c", turns=0)]
    assert check(accounts, START, Step.TURN).standing.account == "agent/b"


def test_time_counts_from_the_first_charge():
    waiting = account(time=60)
    assert check([waiting], START + timedelta(days=9), Step.TURN) is None
    begun = account(spent=Usage(model_calls=1), time=60)
    assert check([begun], START + timedelta(seconds=59.999999), Step.TURN) is None
    assert check([begun], START + timedelta(seconds=60), Step.TURN) is not None
    assert left(begun, START - timedelta(hours=1))[0].spent == 0


def test_money_is_compared_to_the_picodollar():
    limit = Decimal("0.1")
    just_under = account(spent=Usage(picodollars=PICO_PER_USD // 10 - 1), usd=limit)
    reached = account(spent=Usage(picodollars=PICO_PER_USD // 10), usd=limit)
    assert check([just_under], START, Step.MODEL_CALL) is None
    assert left(just_under)[0].left == Decimal("0.000000000001")
    assert check([reached], START, Step.MODEL_CALL) is not None


@pytest.mark.parametrize(
    ("limit", "allowed", "text"),
    [
        ("tokens", 100, "100 of 100 tokens"),
        ("usd", Decimal("99.5"), "$100.00 of $99.50"),
        ("turns", 90, "100 of 90 turns"),
        ("tool_calls", 100, "100 of 100 tool calls"),
        ("time", 60, "1m 40s of 1m 00s"),
    ],
)
def test_breach_says_what_is_used_up_and_how_to_give_more(limit, allowed, text):
    step = Step.TOOL_CALL if limit == "tool_calls" else Step.TURN
    error = check([account(spent=spent_on(limit), **{limit: allowed})], LATER, step).error()
    assert error.message == f"budget of 'agent/a' is used up: {text}"
    option = f"--{limit.replace('_', '-')} "
    assert error.hint.startswith(f"give it more with `mainstay agent budget agent/a {option}")


def test_account_is_called_by_its_title_where_it_has_one():
    titled = account(turns=0).model_copy(update={"title": "team/ann"})
    breach = check([titled], START, Step.TURN)
    assert breach.message == "budget of 'team/ann' is used up: 0 of 0 turns"
    assert "`mainstay agent budget team/ann --turns N`" in breach.hint


def test_what_is_left_is_told_for_every_limit_and_never_negative():
    spent = Usage(input_tokens=2000, turns=1, picodollars=PICO_PER_USD // 4, tool_calls=3)
    budget = {"tokens": 1000, "usd": 1, "turns": 3, "tool_calls": 4, "time": 90}
    amounts = {s.kind: (s.left, s.is_reached) for s in left(account(spent=spent, **budget), LATER)}
    assert amounts == {
        Limit.TOKENS: (0, True),
        Limit.USD: (Decimal("0.75"), False),
        Limit.TURNS: (2, False),
        Limit.TOOL_CALLS: (1, False),
        Limit.TIME: (0, True),
    }


def test_warning_comes_with_the_charge_that_passes_the_share():
    def warned(before: int, after: int, **limits) -> int:
        one = account(spent=Usage(turns=before), turns=10, **limits)
        return len(warnings([one], [account(spent=Usage(turns=after), turns=10, **limits)]))

    assert warned(6, 7) == 0
    assert warned(7, 8) == 1
    assert warned(8, 9) == 0
    assert warned(7, 25) == 1
    assert warned(4, 5, warn_at=0.5) == 1
    assert warned(9, 10, warn_at=1) == 1


@given(
    limit=st.integers(0, 500),
    warn_at=st.sampled_from([0.1, 0.5, 0.8, 0.95, 1.0]),
    charges=st.lists(st.integers(0, 60), max_size=30),
)
def test_of_all_charges_exactly_the_one_that_passes_the_share_warns(limit, warn_at, charges):
    total, warned_at = 0, []
    for charge in charges:
        budget = {"turns": limit, "warn_at": warn_at}
        before = account(spent=Usage(turns=total), **budget)
        total += charge
        if warnings([before], [account(spent=Usage(turns=total), **budget)]):
            warned_at.append(total)
    threshold = limit * Decimal(str(warn_at))
    passes = threshold > 0 and total >= threshold
    assert len(warned_at) == passes
    assert all(threshold <= moment < threshold + 60 for moment in warned_at)


def test_warning_comes_again_when_more_was_given_and_has_another_key():
    def charged(limit: int, before: int, after: int):
        old = account(spent=Usage(turns=before), turns=limit)
        return warnings([old], [account(spent=Usage(turns=after), turns=limit)])

    (first,), (second,) = charged(10, 7, 8), charged(20, 15, 16)
    assert first.key != second.key
    assert first.message == "budget of 'agent/a' is nearly used up: 8 of 10 turns"


def test_each_account_and_limit_warns_for_itself():
    before = [account("agent/a", turns=5, tokens=100), account("plan/p", turns=100, tokens=100)]
    spent = Usage(turns=4, output_tokens=80)
    after = [
        account("agent/a", spent, turns=5, tokens=100),
        account("plan/p", spent, turns=100, tokens=100),
    ]
    found = [(w.standing.account, w.standing.kind) for w in warnings(before, after)]
    assert found == [
        ("agent/a", Limit.TOKENS),
        ("agent/a", Limit.TURNS),
        ("plan/p", Limit.TOKENS),
    ]
    assert len({w.key for w in warnings(before, after)}) == 3


def test_account_that_was_missing_before_had_spent_nothing():
    assert len(warnings([], [account(spent=Usage(turns=9), turns=10)])) == 1


def test_time_warns_when_its_share_passed_between_two_looks():
    begun = account(spent=Usage(model_calls=1), time=100)
    moments = [START + timedelta(seconds=s) for s in (0, 79, 80, 99)]
    looks = pairwise(moments)
    assert [len(warnings([begun], [begun], *look)) for look in looks] == [0, 1, 0]
    assert warnings([begun], [begun]) == []


@pytest.mark.parametrize(
    ("picodollars", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000000001"),
        (153_000_000, "$0.000153"),
        (PICO_PER_USD * 5 // 4, "$1.25"),
        (PICO_PER_USD * 3 // 2, "$1.50"),
        (PICO_PER_USD * 1_234_567, "$1,234,567.00"),
    ],
)
def test_money_is_written_exactly_and_no_longer_than_needed(picodollars, text):
    assert format_usd(picodollars) == text


@given(st.integers(0, 10**22))
def test_written_money_can_be_read_back_to_the_picodollar(picodollars):
    text = format_usd(picodollars)
    assert Decimal(text[1:].replace(",", "")) * PICO_PER_USD == picodollars
    decimals = text.partition(".")[2]
    assert len(decimals) == 2 or not decimals.endswith("0")
