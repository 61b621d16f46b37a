"""A plan's file is read with the place of everything in it, and never breaks the reader."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.decisions.plan_files.plan_file import MAX_DEPTH, read_plan, resolve
from mainstay.schemas.limits import MAX_PLAN_FILE_BYTES

PLAN = """\
name: demo
tasks:
  first:
    tool: fs.read
    with: {path: 'a b', on: yes}
  second:
    needs: [first,
            other]
"""


def read(text: str | bytes) -> Any:
    document = read_plan(text, "plan.yaml")
    assert not document.problems
    return document.data


def test_every_key_and_value_has_its_place() -> None:
    document = read_plan(PLAN, "plan.yaml")
    assert document.locate(("name",)) == (1, 7)
    assert document.locate(("name",), at_key=True) == (1, 1)
    assert document.locate(("tasks", "first", "tool")) == (4, 11)
    assert document.locate(("tasks", "first", "with", "on"), True) == (5, 25)
    assert document.locate(("tasks", "second", "needs", 1)) == (8, 13)
    assert document.locate(("tasks", "second", "needs", 1), at_key=True) == (8, 13)
    assert document.locate(()) == (1, 1)


def test_what_is_missing_is_located_at_what_surrounds_it() -> None:
    document = read_plan(PLAN, "plan.yaml")
    assert document.locate(("tasks", "first", "missing", "deep")) == (4, 5)
    assert document.locate(("tasks", "first", "missing"), at_key=True) == (3, 3)
    assert read_plan("", "x").locate(("a",)) == (1, 1)


def test_a_scalar_can_be_had_as_it_is_written() -> None:
    document = read_plan("a: 1.10\nb: [true]", "x")
    assert document.text_at(("a",)) == "1.10"
    assert document.text_at(("b", 0)) == "true"
    assert document.text_at(("c", 0)) == document.text_at(("b",)) == ""


SCALARS = [
    ("on", "on"),
    ("off", "off"),
    ("yes", "yes"),
    ("No", "No"),
    ("y", "y"),
    ("true", True),
    ("False", False),
    ("~", None),
    ("null", None),
    ("12:30:45", "12:30:45"),
    ("2024-01-01", "2024-01-01"),
    ("0123", "0123"),
    ("1_000", "1_000"),
    ("0", 0),
    ("-17", -17),
    ("+3", 3),
    ("0x1F", 31),
    ("0o17", 15),
    ("1.50", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("1e999", "1e999"),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("1.2.3", "1.2.3"),
    ("-", "-"),
    ("<<", "<<"),
    ("=", "="),
    ("9" * 400, "9" * 400),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_an_unquoted_scalar_means_what_it_looks_like(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)
    assert read(f"a: '{text}'") == {"a": text}


def test_tags_of_plain_types_are_allowed() -> None:
    assert read("a: !!str 5\nb: !!int 7\nc: !!map {}\nd: !!seq []\ne: ! 5\nf: !!null x") == {
        "a": "5", "b": 7, "c": {}, "d": [], "e": "5", "f": "x",
    }  # fmt: skip


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert read("on: 1\ntrue: 2\n3: 4\nnull: 5") == {"on": 1, "true": 2, "3": 4, "null": 5}


def test_an_alias_stands_for_what_its_anchor_names() -> None:
    assert read("a: &x {k: [1]}\nb: *x\nc: &y 5\n*y : 6") == {
        "a": {"k": [1]}, "b": {"k": [1]}, "c": 5, "5": 6,
    }  # fmt: skip


def test_json_is_yaml_and_a_byte_order_mark_is_no_matter() -> None:
    data = {"name": "x", "tasks": {"a": {"with": {"text": 'é"\n', "n": [1, 2.5, None, True]}}}}
    text = json.dumps(data, indent=1)
    assert read(text) == data
    assert read(b"\xef\xbb\xbf" + text.encode()) == data
    assert read("\ufeff" + text) == data


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BROKEN: list[tuple[str | bytes, str, int, int]] = [
    ("", "the file is empty", 1, 1),
    ("# only a comment\n", "the file is empty", 1, 1),
    ("[1, 2]", "a plan is a mapping", 1, 1),
    ("\n\ntext", "a plan is a mapping", 3, 1),
    ("a: 1\n---\nb: 2\n", "a second document begins here", 2, 1),
    ("a:\n\tb: 1", "a tab cannot indent", 2, 1),
    ("a: @x", "a text cannot begin with @", 1, 4),
    ("a: `x`", "a text cannot begin with `", 1, 4),
    ("a: 1\nb: 2\na: 3", "the key 'a' stands here twice", 3, 1),
    ("t:\n  a: {b: 1, b: 2}", "the key 'b' stands here twice", 2, 13),
    ("a: *x", "there is no finished anchor 'x' above", 1, 4),
    ("a: &x [1, *x]", "there is no finished anchor 'x' above", 1, 11),
    (BOMB, "the file unfolds into more than 1000000 values", 6, 4),
    ("[" * 100_000, f"nested more than {MAX_DEPTH} deep", 1, MAX_DEPTH + 1),
    ("a: " + "{b: " * 100_000, f"nested more than {MAX_DEPTH} deep", 1, 4 * (MAX_DEPTH - 1) + 4),
    (b"a: 1\nb: \xff", "the file is not UTF-8", 2, 4),
    ("a: 1\nb: \ud800", "half a surrogate pair is no character", 2, 4),
    ("a: 1\nb: \x00", "a character that no text file may hold", 2, 4),
    ("? [1]\n: 2", "a mapping or a list cannot be a key", 1, 3),
    ("{a: 1}: 2", "a mapping or a list cannot be a key", 1, 1),
    ("a: !!python/object:os.system x", "the tag tag:yaml.org,2002:python/object:os.system", 1, 4),
    ("a: !mine [1]", "the tag !mine is not allowed", 1, 4),
    ("a: !!timestamp 2024-01-01", "the tag tag:yaml.org,2002:timestamp", 1, 4),
    ("a: !!int five", "'five' is not a int", 1, 4),
    ("a: {b: ${{ x }}}", "not YAML: did not find expected ',' or '}'", 1, 9),
    ("a: b: c", "not YAML: mapping values are not allowed", 1, 5),
    ("a: [1", "not YAML: did not find expected ',' or ']'", 1, 6),
    ("a: 'x", "not YAML: found unexpected end of stream", 1, 6),
    ("a: 1\n b: 2", "not YAML: mapping values are not allowed", 2, 3),
    ("a: 1\nb", "not YAML: could not find expected ':'", 2, 2),
    ("a: %x", "a text cannot begin with %", 1, 4),
    (" " * (MAX_PLAN_FILE_BYTES + 1), "bytes, more than", 1, 1),
    (b" " * (MAX_PLAN_FILE_BYTES + 1), "bytes, more than", 1, 1),
]


@pytest.mark.parametrize(("text", "message", "line", "column"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_a_problem_with_a_place(
    text: str | bytes, message: str, line: int, column: int
) -> None:
    [problem] = read_plan(text, "plan.yaml").problems
    assert message in problem.message
    assert (problem.line, problem.column, problem.source) == (line, column, "plan.yaml")


def test_a_broken_file_gives_no_data() -> None:
    assert read_plan("a: *x", "x").data is None
    assert read_plan("[1]", "x").data is None


plain_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text(max_size=6), plain_data, max_size=4))
def test_any_json_is_read_as_what_it_is(data: dict[str, Any]) -> None:
    text = json.dumps(data)
    with suppress(yaml.YAMLError):
        yaml.safe_load(text)
    document = read_plan(text, "x")
    if not document.problems:  # libyaml refuses some keys that are legal JSON
        assert document.data == data


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@` \n\t#~1.\\\u2028é", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    document = read_plan(text, "x")
    assert document.problems or document.data is not None


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    document = read_plan(content, "x")
    assert document.problems or document.data is not None
