"""How large entries are, how results are cut, and what belongs together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from talk_script import Talk

from mainstay.decisions.agents.entries import (
    NO_RESULT,
    cut_result,
    cut_text,
    entry_tokens,
    estimate_tokens,
    pair_results,
    split_turns,
)
from mainstay.schemas.conversation import EntryKind, ToolUse

# Sizes and cuts.


def test_text_takes_a_token_for_four_characters_rounded_up_and_at_least_one():
    assert [estimate_tokens("x" * n) for n in (0, 1, 4, 5, 8, 9)] == [1, 1, 1, 2, 2, 3]


def test_entry_takes_its_own_count_or_that_of_text_and_calls_with_a_frame():
    talk = Talk().user("a", "x" * 40).user("a", "x" * 40, tokens=7).says("a", "", "c1")
    talk.entries.append(
        talk.entries[2].model_copy(update={"uses": (ToolUse(id="c", name="f", arguments="{{{{{"),)})
    )
    assert [entry_tokens(entry) for entry in talk.entries] == [4 + 10, 7, 4 + 1 + 2 + 4, 4 + 1 + 3]


def test_long_result_is_cut_with_a_note_that_names_the_reference():
    text = "".join(str(n % 10) for n in range(48_213))
    cut = cut_text(text, 100, "doc/1")
    head, note = cut.split("\n")
    assert text.startswith(head)
    assert note == (
        f'[cut: 48,213 characters; read the rest with read_result(ref="doc/1", start={len(head)})]'
    )
    assert 390 < len(cut) <= 400


def test_result_without_a_reference_says_only_how_long_it_was():
    assert cut_text("x" * 500, 50).endswith("x\n[cut: 500 characters]")


def test_text_that_fits_is_not_cut():
    assert cut_text("x" * 400, 100, "doc") == "x" * 400


def test_cut_never_makes_a_text_longer():
    text = "x" * 201
    assert cut_text(text, 50, "doc/" + "y" * 300) == text


@given(st.integers(0, 3000), st.integers(50, 200), st.integers(50, 200))
def test_text_that_is_cut_again_still_tells_its_whole_length(length, first, second):
    text = "x" * length
    again = cut_text(cut_text(text, first, "doc"), second, "doc")
    assert again == cut_text(text, min(first, second), "doc")


def test_text_that_is_cut_again_holds_one_note():
    again = cut_text(cut_text("x" * 3000, 100, "doc/with/a/long/name"), 99)
    assert again.strip("x") == "\n[cut: 3,000 characters]"


def test_only_results_are_cut():
    talk = Talk().user("a", "x" * 900).says("a", "y" * 900, "c").result("a", "c", "z" * 900)
    cut = [cut_result(entry, 50) for entry in talk.entries]
    assert cut[:2] == talk.entries[:2]
    assert len(cut[2].text) <= 200
    assert cut[2].tokens == entry_tokens(cut[2]) < entry_tokens(talk.entries[2])


# What belongs together.


def spans(talk: Talk) -> list[list[int]]:
    return [[entry.position for entry in turn] for turn in split_turns(talk.entries)]


def test_entries_of_a_turn_stay_together_and_turns_that_overlap_do_too():
    talk = Talk().user("a").says("a").user("b").user("c").says("b").says("c").user("d")
    assert spans(talk) == [[0, 1], [2, 3, 4, 5], [6]]
    assert split_turns([]) == []


def test_entries_without_a_turn_begin_one_with_each_user_entry():
    talk = Talk().user("").says("").user("").says("").user("a").says("a")
    assert spans(talk) == [[0, 1], [2, 3], [4, 5]]


def test_each_result_follows_its_call():
    talk = Talk().user("a").says("a", "", "c1", "c2").result("a", "c2", "two")
    talk.user("b").result("a", "c1", "one")
    assert [entry.text for entry in pair_results(talk.entries)] == [
        "hello",
        "",
        "one",
        "two",
        "hello",
    ]


def test_call_without_a_result_gets_one_that_says_so():
    talk = Talk().user("a").says("a", "", "c1").user("b")
    made_up = pair_results(talk.entries)[2]
    assert (made_up.kind, made_up.use_id, made_up.tool) == (EntryKind.TOOL, "c1", "fs.read")
    assert (made_up.text, made_up.is_error) == (NO_RESULT, True)


def test_result_without_its_call_is_left_out():
    talk = Talk().result("a", "gone").user("a")
    assert [entry.kind for entry in pair_results(talk.entries)] == [EntryKind.USER]


def test_result_belongs_to_the_latest_call_of_that_id():
    talk = Talk().says("a", "", "c").result("a", "c", "one").says("a", "", "c")
    talk.result("a", "c", "two")
    assert [entry.text for entry in pair_results(talk.entries)] == ["", "one", "", "two"]
