"""What of a conversation the model is sent, and when its older part is summarised."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talk_script import Talk

from mainstay.decisions.agents.window import (
    HARD_CUT_TOKENS,
    Window,
    choose,
    cut_summary,
    estimate_tokens,
    summary_request,
)
from mainstay.schemas.agent import ContextPolicy, ContextSpec
from mainstay.schemas.conversation import EntryKind, Summary


def policy(kind: str, tokens: int = 1000, turns: int = 20, result: int = 2000) -> ContextSpec:
    return ContextSpec(
        policy=ContextPolicy(kind), tokens=tokens, turns=turns, tool_result_tokens=result
    )


def positions(window: Window) -> list[int]:
    return [entry.position for entry in window.entries]


def text_of(window: Window, position: int) -> str:
    return next(entry.text for entry in window.entries if entry.position == position)


# Full.


def test_full_sends_every_turn_and_says_when_that_is_too_much():
    talk = Talk().sized(400, 400, 400)
    window = choose(talk.entries, Summary(upto=2, text="old"), policy("full", tokens=1200))
    assert positions(window) == [0, 1, 2, 3, 4, 5]
    assert (window.tokens, window.is_over, window.summary) == (1200, False, "")
    assert choose(talk.entries, None, policy("full", tokens=1199)).is_over


def test_full_cuts_long_results_as_usual_and_no_harder():
    talk = Talk().user("a").says("a", "", "c").result("a", "c", "x" * 4000, ref="doc")
    window = choose(talk.entries, None, policy("full", tokens=100, result=500))
    assert 1900 < len(text_of(window, 2)) <= 2000
    assert window.is_over


# Window.


def test_window_sends_the_latest_turns_within_the_tokens():
    talk = Talk().sized(300, 300, 400, 300)
    assert positions(choose(talk.entries, None, policy("window"))) == [2, 3, 4, 5, 6, 7]
    assert positions(choose(talk.entries, None, policy("window", 999))) == [4, 5, 6, 7]


def test_window_sends_at_most_so_many_turns_and_leaves_no_gap():
    talk = Talk().sized(10, 10, 10, 10)
    window = choose(talk.entries, None, policy("window", turns=2))
    assert (positions(window), window.first, window.tokens) == ([4, 5, 6, 7], 4, 20)
    gap = Talk().sized(10, 2000, 10)
    assert positions(choose(gap.entries, None, policy("window"))) == [4, 5]


def test_window_neither_sends_nor_wants_a_summary():
    window = choose(Talk().sized(*[90] * 30).entries, Summary(upto=2, text="old"), policy("window"))
    assert (window.summary, window.wants_summary, window.summarize_upto) == ("", False, 0)


def test_pins_are_always_sent_and_count():
    talk = Talk().pin("x" * 384).sized(450, 450).pin("y" * 384)
    window = choose(talk.entries, None, policy("window"))
    assert window.pins == ("x" * 384, "y" * 384)
    assert (positions(window), window.tokens) == ([3, 4], 650)
    assert choose(talk.entries, None, policy("window", tokens=1100)).tokens == 1100


def test_pins_over_the_budget_leave_the_newest_turn():
    window = choose(Talk().pin("x" * 8000).sized(10, 10).entries, None, policy("window"))
    assert (positions(window), window.is_over) == ([3, 4], True)


def test_nothing_is_sent_of_an_empty_conversation():
    for kind in ContextPolicy:
        assert choose([], None, policy(kind)) == Window(entries=())


# A newest turn that is too large.


def long_turn(*results: int) -> Talk:
    talk = Talk().sized(50).user("now", "do it", tokens=10)
    for number, chars in enumerate(results):
        call = f"c{number}"
        talk.says("now", "", call, tokens=10).result("now", call, "x" * chars, ref=f"doc/{call}")
    return talk


@pytest.mark.parametrize("kind", ["window", "summary"])
def test_newest_turn_is_sent_whole_with_its_oldest_results_cut_harder(kind):
    window = choose(long_turn(2000, 2000, 2000).entries, None, policy(kind, tokens=1200))
    assert positions(window) == list(range(2, 9))
    sizes = [len(text_of(window, place)) for place in (4, 6, 8)]
    assert sizes[0] <= HARD_CUT_TOKENS * 4 < sizes[1] == sizes[2] == 2000
    assert 'read_result(ref="doc/c0", start=' in text_of(window, 4)
    assert not window.is_over


def test_results_that_the_model_has_not_seen_are_cut_last_and_only_as_far_as_they_must():
    window = choose(long_turn(2000, 2000, 2000).entries, None, policy("window", tokens=500))
    sizes = [len(text_of(window, place)) for place in (4, 6, 8)]
    assert max(sizes[:2]) <= HARD_CUT_TOKENS * 4
    assert 1200 < sizes[2] < 2000
    assert 490 < window.tokens <= 500


def test_newest_turn_that_cannot_be_made_small_enough_is_sent_and_said_to_be_over():
    talk = Talk().sized(50).user("now", "x" * 8000)
    window = choose(talk.entries, None, policy("window"))
    assert (positions(window), window.is_over) == ([2], True)


# Summary.


def test_no_summary_is_wanted_while_the_latest_turns_hold_everything():
    window = choose(Talk().sized(*[25] * 20).entries, None, policy("summary"))
    assert (len(window.entries), window.wants_summary, window.summarize_upto) == (40, False, 0)


def test_turns_that_have_left_are_still_sent_until_they_are_a_quarter_of_the_turns():
    few = choose(Talk().sized(*[10] * 24).entries, None, policy("summary"))
    assert (len(few.entries), few.wants_summary) == (48, False)
    many = choose(Talk().sized(*[10] * 25).entries, None, policy("summary"))
    assert (len(many.entries), many.wants_summary, many.summarize_upto) == (50, True, 10)


def test_turns_that_have_left_are_still_sent_until_they_take_a_quarter_of_the_tokens():
    few = choose(Talk().sized(100, 98, 51, *[150] * 3).entries, None, policy("summary"))
    assert (len(few.entries), few.wants_summary, few.tokens) == (12, False, 699)
    many = choose(Talk().sized(100, 99, 51, *[150] * 3).entries, None, policy("summary"))
    assert (len(many.entries), many.wants_summary, many.summarize_upto) == (12, True, 6)


def test_summary_is_wanted_as_soon_as_a_turn_cannot_be_sent():
    whole = choose(Talk().sized(100, 100, 800).entries, None, policy("summary"))
    assert (positions(whole), whole.wants_summary) == ([0, 1, 2, 3, 4, 5], False)
    tight = choose(Talk().sized(100, 100, 801).entries, None, policy("summary"))
    assert (positions(tight), tight.wants_summary) == ([2, 3, 4, 5], True)
    assert tight.summarize_upto == 4


def test_what_the_summary_covers_is_sent_as_the_summary():
    talk = Talk().sized(*[10] * 25)
    window = choose(talk.entries, Summary(upto=10, text="so far", tokens=77), policy("summary"))
    assert (window.first, len(window.entries), window.summary) == (10, 40, "so far")
    assert window.tokens == 20 * 10 + 77
    assert not window.wants_summary
    unsized = choose(talk.entries, Summary(upto=10, text="x" * 40), policy("summary"))
    assert unsized.tokens == 20 * 10 + 10


def test_what_the_summary_covers_need_not_be_loaded():
    talk, summary = Talk().sized(*[10] * 30), Summary(upto=10, text="so far")
    whole = choose(talk.entries, summary, policy("summary"))
    assert choose(talk.entries[10:], summary, policy("summary")) == whole


def test_turn_that_a_summary_covers_in_part_is_sent_whole():
    talk = Talk().sized(10, 10, 10)
    window = choose(talk.entries, Summary(upto=3, text="so far"), policy("summary"))
    assert positions(window) == [2, 3, 4, 5]


def test_newest_turn_is_sent_even_when_a_summary_claims_to_cover_it():
    talk = Talk().sized(10, 10)
    window = choose(talk.entries, Summary(upto=99, text="so far"), policy("summary"))
    assert positions(window) == [2, 3]


def test_summary_takes_in_no_more_than_the_budget_at_once_but_at_least_a_turn():
    talk = Talk().sized(700, 300, 300, 300, *[40] * 25)
    window = choose(talk.entries, None, policy("summary"))
    assert (window.wants_summary, window.summarize_upto) == (True, 4)
    huge = Talk().sized(5000, 300, 300, 300, *[40] * 25)
    assert choose(huge.entries, None, policy("summary")).summarize_upto == 2


def test_fifty_turns_with_summaries_send_less_than_half_of_what_the_whole_would():
    talk, summary, sent, whole, summaries = Talk(), None, 0, 0, 0
    spec = policy("summary", tokens=4000)
    for _ in range(50):
        talk.sized(300)
        window = choose(talk.entries, summary, spec)
        sent += window.tokens
        whole += choose(talk.entries, None, policy("full")).tokens
        assert window.first <= (summary.upto if summary else 0)
        if window.wants_summary:
            summary = Summary(upto=window.summarize_upto, text="s", tokens=400)
            summaries += 1
    assert sent < whole / 2
    assert 5 <= summaries <= 15


TURNS = st.lists(
    st.tuples(st.integers(1, 900), st.lists(st.integers(0, 9000), max_size=4)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=150)
@given(
    turns=TURNS,
    kind=st.sampled_from(["window", "summary"]),
    tokens=st.integers(100, 4000),
    most=st.integers(1, 12),
    upto=st.integers(0, 60),
)
def test_window_is_whole_turns_up_to_the_newest_within_the_budget(turns, kind, tokens, most, upto):
    talk = Talk()
    for number, (chars, results) in enumerate(turns):
        name = f"t{number}"
        talk.user(name, "x" * chars).says(name, "", *[f"{name}/{c}" for c in range(len(results))])
        for call, size in enumerate(results):
            talk.result(name, f"{name}/{call}", "y" * size, ref="doc")
    summary = Summary(upto=upto, text="so far")
    window = choose(talk.entries, summary, policy(kind, tokens, most, result=500))

    sent = positions(window)
    assert sent == list(range(window.first, len(talk.entries)))
    first_turn = talk.entries[window.first].turn
    assert window.first == next(e.position for e in talk.entries if e.turn == first_turn)
    turns_sent = len({entry.turn for entry in window.entries})
    assert window.tokens <= tokens or turns_sent == 1
    assert window.is_over == (window.tokens > tokens)
    if kind == "window":
        assert turns_sent <= most
        return
    is_lost = any(upto <= e.position < window.first for e in talk.entries)
    assert window.wants_summary or not is_lost
    assert turns_sent <= most + -(-most // 4) - 1 or window.wants_summary
    if window.wants_summary:
        assert upto < window.summarize_upto <= talk.entries[-1].position
        assert talk.entries[window.summarize_upto].kind is EntryKind.USER


def test_summaries_made_as_wanted_leave_nothing_out_and_come_to_an_end():
    talk, summary = Talk().sized(*[700, 20, 350] * 10), None
    spec = policy("summary")
    covered = []
    while (window := choose(talk.entries, summary, spec)).wants_summary:
        covered.append(window.summarize_upto)
        summary = Summary(upto=window.summarize_upto, text="s")
    assert covered == sorted(set(covered))
    assert window.first == covered[-1]


# The request for a summary.


def test_request_shows_what_was_said_and_done_and_not_the_pins():
    talk = Talk().pin("a pinned fact").user("a", "Read it.", author="ann")
    talk.says("a", "Reading.", "c1").result("a", "c1", "no such file", is_error=True)
    talk.result("a", "c1", "42")
    prompt = summary_request(talk.entries, None)
    assert prompt.endswith(
        "<conversation>\n"
        "[ann] Read it.\n\n"
        '[assistant] Reading.\n[calls fs.read with {"path": "c1"}]\n\n'
        "[fs.read failed] no such file\n\n"
        "[fs.read gave] 42\n"
        "</conversation>"
    )
    assert "a pinned fact" not in prompt
    assert "<summary>" not in prompt


def test_request_holds_the_summary_before_and_asks_to_keep_what_matters():
    prompt = summary_request(Talk().sized(10).entries, Summary(upto=3, text="Ann owes Bo 17."))
    assert "<summary>\nAnn owes Bo 17.\n</summary>" in prompt
    for kept in ("name", "number", "decided", "open"):
        assert kept in prompt


def test_request_holds_long_results_only_in_part_and_everything_else_whole():
    talk = Talk().user("a", "q" * 9000).says("a", "", "c").result("a", "c", "z" * 9000)
    prompt = summary_request(talk.entries, None)
    assert prompt.count("q" * 9000) == 1
    assert prompt.count("z") < 2100


def test_a_summary_never_takes_more_than_a_quarter_of_the_budget() -> None:
    policy = ContextSpec(tokens=400)
    assert cut_summary("short", policy) == "short"
    cut = cut_summary("x" * 5_000, policy)
    assert estimate_tokens(cut) == 100
    assert "5,000 characters" in cut
