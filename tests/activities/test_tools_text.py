"""Templates, patterns and queries, and what they may cost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.tools import json as queries
from mainstay.tools import text
from mainstay.tools.tool import Tool, ToolContext


def call(tool: Tool, **arguments: Any) -> Any:
    return tool.run_sync(arguments, ToolContext())


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("hello {{ name }}", "hello Ann"),
        ("{{ nothing }}{{ yes }}{{ data }}", 'true{"b": [1, 2]}'),
        ("{% for n in data.b %}{{ loop.index }}:{{ n }}{% if not loop.last %}, {% endif %}"
         "{% endfor %}", "1:1, 2:2"),
        ("{% for n in data.b if n > 1 %}{{ n }}{% else %}none{% endfor %}", "2"),
        ("{% for n in [] %}{{ n }}{% else %}none{% endfor %}", "none"),
        ("{% for k, v in data.items() %}{{ k }}={{ v | length }}{% endfor %}", "b=2"),
        ("{% for k in data %}{{ k }}{% endfor %}", "b"),
        ("{% set x = data.b | sum %}{{ x + 1 }}", "4"),
        ("{% if yes and data.b[0] == 1 %}a{% elif yes %}b{% else %}c{% endif %}", "a"),
        ("{% if data.b[0] == 2 %}a{% elif yes %}b{% else %}c{% endif %}", "b"),
        ("{{ name | upper }}{# a remark #}{{ name[0:1] }}{{ name ~ 1 }}", "ANNAAnn1"),
        ("| a |\n{%- for n in data.b %}\n| {{ n }} |\n{%- endfor %}", "| a |\n| 1 |\n| 2 |"),
    ],
)  # fmt: skip
def test_render_fills_in_a_template(template: str, expected: str) -> None:
    variables = {"name": "Ann", "nothing": None, "yes": True, "data": {"b": [1, 2]}}
    assert call(text.render, template=template, variables=variables) == expected


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("{{ nmae }}", "nmae"),
        ("{% for x in %}", "line 1"),
        ("a\n{% endif %}", "line 2"),
        ("{{ name.__class__ }}", "underscore"),
        ("{{ ''.__class__.__mro__ }}", "underscore"),
        ("{{ name | attr('x') }}", "no filter"),
        ("{% include 'x' %}", "include"),
        ("{% import 'x' as y %}", "import"),
        ("{% extends 'x' %}", "extends"),
        ("{% macro m() %}{% endmacro %}", "macro"),
        ("{% block b %}{% endblock %}", "block"),
        ("{% for x in y recursive %}{% endfor %}", "for"),
        ("{% set _budget = 1 %}", "name"),
        ("{% set x.y = 1 %}", ""),
        ("{% for _ in data %}{% endfor %}", "name"),
        ("{% for x in 5 %}{% endfor %}", "a whole number"),
        ("{{ cycler }}", "cycler"),
        ("{{ lipsum() }}", "lipsum"),
        ("{{ loop }}", "loop"),
        ("{% for x in data %}{{ loop }}{% endfor %}", "gives a function"),
        ("{% for x in data %}{{ loop.cycle }}{% endfor %}", "cycle"),
        ("{{ name + 1 }}", "add"),
    ],
)
def test_render_refuses_what_it_must_not_do(template: str, part: str) -> None:
    with pytest.raises(InvalidInput, match="template") as caught:
        call(text.render, template=template, variables={"name": "Ann", "data": [1]})
    assert part in caught.value.message


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 9 ** 99999999 }}",
        "{% for a in n %}{% for b in n %}{% for c in n %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in n %}{% for b in n %}" + "{% if a %}{% endif %}" * 2000
        + "{% endfor %}{% endfor %}",
        "{% for a in n %}{% for b in n %}{{ a }}{{ long }}{% endfor %}{% endfor %}",
        "".join(f"{{% set x{i + 1} = x{i} ~ x{i} %}}" for i in range(40)),
        "{{ '%999999999d' % 1 }}",
        "{{ long | replace('x', long) }}",
    ],
)  # fmt: skip
def test_render_gives_up_on_too_much_work_within_seconds(template: str) -> None:
    variables = {"n": list(range(1000)), "long": "x" * 100_000, "x0": "x" * 1000}
    began = time.monotonic()
    with pytest.raises(InvalidInput):
        call(text.render, template=template, variables=variables)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("pattern", "options", "expected"),
    [
        (r"(?P<key>\w+)=(?P<value>\d+)", {}, {"key": "a", "value": "1"}),
        (r"(?P<key>\w+)=", {"all": True}, [{"key": "a"}, {"key": "b"}]),
        (r"\w=(\d)", {"all": True}, ["1", "2"]),
        (r"(\w)=(\d)", {"all": True}, [["a", "1"], ["b", "2"]]),
        (r"\w=\d", {}, "a=1"),
        (r"(a)|(c)", {}, ["a", None]),
        (r"none", {}, None),
        (r"none", {"all": True}, []),
        (r"^B", {"flags": ["ignorecase", "multiline"]}, "b"),
    ],
)
def test_extract_gives_groups_or_the_match(
    pattern: str, options: dict[str, Any], expected: Any
) -> None:
    assert call(text.extract, text="a=1\nb=2", pattern=pattern, **options) == expected


def test_extract_is_bounded_in_matches_and_time() -> None:
    with pytest.raises(LimitReached, match="more than 5 times"):
        call(text.extract, text="x" * 6, pattern="x", all=True, max_matches=5)
    for everything in (True, False):
        with pytest.raises(LimitReached, match="took too long"):
            call(text.extract, text="a" * 60 + "b", pattern="^(a|aa)+$", all=everything,
                 time_limit=0.1)  # fmt: skip
    with pytest.raises(InvalidInput, match="no regular expression"):
        call(text.extract, text="", pattern="(")
    with pytest.raises(InvalidInput, match="10001 characters"):
        call(text.extract, text="", pattern="a" * 10_001)


def test_query_picks_values_out_of_data_or_text() -> None:
    data = {"people": [{"name": "a", "age": 40}, {"name": "b", "age": 20}]}
    assert call(queries.query, expression="people[?age > `30`].name", data=data) == ["a"]
    assert (
        call(queries.query, expression="people[1].name", text='{"people": [1, {"name": 2}]}') == 2
    )
    assert call(queries.query, expression="nothing", data=data) is None


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"expression": "people[", "data": {}}, "'people['"),
        ({"expression": "no_such(@)", "data": {}}, "no_such"),
        ({"expression": "length(@)", "data": 5}, "length"),
        ({"expression": "a", "text": "{"}, "not JSON"),
        ({"expression": "", "data": {}}, "'expression'"),
        ({"expression": "(" * 9_000, "data": {}}, "json.query"),
    ],
)
def test_query_that_cannot_be_says_why(arguments: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call(queries.query, **arguments)
    assert part in caught.value.message
