"""Expressions give what they say, reach nothing else, and cost little whatever they are."""

from __future__ import annotations

import json
from collections import UserDict
from contextlib import suppress
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from mainstay.decisions.expressions import (
    budget,
    check,
    evaluate,
    holds_expression,
    inspect,
    inspect_condition,
    is_expression,
    is_true,
    render,
    rendering,
)
from mainstay.decisions.expressions.budget import MAX_TEXT_CHARS, Budget, ExpressionFault
from mainstay.decisions.expressions.sandbox import ENVIRONMENT, secure
from mainstay.schemas.errors import InvalidInput, Unavailable

SCOPE: dict[str, Any] = {
    "inputs": {"path": "/x", "n": 3, "items": [1, 2], "flag": True, "nothing": None},
    "env": {"HOME": "/root"},
    "needs": {
        "a": {
            "result": "success",
            "outputs": {
                "files": [
                    {"name": "b", "size": 3, "tags": ["x"]},
                    {"name": "A", "size": 1, "tags": []},
                    {"name": "c", "size": 3},
                ],
                "items": "a key",
                "pair": (1, 2),
            },
        }
    },
    "index": 1,
    "lazy": UserDict({"k": [1]}),
    "success": lambda: True,
    "failure": lambda: False,
}

VALUES = [
    ("inputs.n + 1", 4),
    ("inputs.n * 2 - 1 / 2", 5.5),
    ("inputs.n // 2 + inputs.n % 2", 2),
    ("2 ** 10", 1024),
    ("2 ** -1", 0.5),
    ("-inputs.n", -3),
    ("+inputs.n", 3),
    ("inputs['path'] ~ '/' ~ inputs.n ~ true ~ none ~ 1.5", "/x/3true1.5"),
    ("'a' + 'b'", "ab"),
    ("[1] + [2]", [1, 2]),
    ("'ab' * 2", "abab"),
    ("2 * [0]", [0, 0]),
    ("'ab' * -1", ""),
    ("[1, 2, 3][1:]", [2, 3]),
    ("'abc'[::-1]", "cba"),
    ("'abc'[0]", "a"),
    ("inputs.items[-1]", 2),
    ("inputs.items", [1, 2]),
    ("needs.a.outputs.items", "a key"),
    ("needs.a.outputs.pair", (1, 2)),
    ("(1, 2)", [1, 2]),
    ("{'a': [1], 'b': {}}", {"a": [1], "b": {}}),
    ("1 < inputs.n <= 3", True),
    ("inputs.n in [1, 3] and not inputs.n > 3", True),
    ("'b' not in 'abc' or null is none", True),
    ("'x' if false", None),
    ("'x' if inputs.flag else 'y'", "x"),
    ("success() and not failure()", True),
    ("inputs.missing | default('d')", "d"),
    ("'' | d('e', true)", "e"),
    ("inputs.path | default('d')", "/x"),
    ("inputs.missing is defined", False),
    ("inputs.missing is undefined", True),
    ("inputs.get('missing', 7)", 7),
    ("inputs.get('n')", 3),
    ("{'b': 1}.keys()", ["b"]),
    ("{'b': 1}.values()", [1]),
    ("{'b': 1}.items()", [["b", 1]]),
    ("{'b': 1} | items", [["b", 1]]),
    ("{'b': 1, 'A': 2} | dictsort", [["A", 2], ["b", 1]]),
    ("{'b': 1, 'A': 2} | dictsort(by='value', reverse=true)", [["A", 2], ["b", 1]]),
    ("needs.a.outputs.files | map(attribute='name') | sort", ["A", "b", "c"]),
    ("needs.a.outputs.files | map(attribute='name') | sort(case_sensitive=true)", ["A", "b", "c"]),
    ("['b', 'A', 'a'] | sort(true)", ["b", "A", "a"]),
    ("needs.a.outputs.files | map(attribute='tags.0', default='-')", ["x", "-", "-"]),
    ("needs.a.outputs.files | sum('size')", 7),
    ("needs.a.outputs.files | sum(attribute='size', start=1)", 8),
    ("needs.a.outputs.files | max(attribute='name') | length", 2),
    ("[3, 1] | min", 1),
    ("['b', 'A'] | max", "b"),
    ("needs.a.outputs.files | selectattr('size', 'gt', 1) | map(attribute='name')", ["b", "c"]),
    ("needs.a.outputs.files | rejectattr('size', '==', 3) | map(attribute='name')", ["A"]),
    ("needs.a.outputs.files | selectattr('tags', 'defined') | length", 2),
    ("[0, 1, 2] | select | list", [1, 2]),
    ("[0, 1, 2] | reject('even') | list", [1]),
    ("[0, 1] | select('in', [1])", [1]),
    ("needs.a.outputs.files | groupby('size') | map(attribute='grouper')", [1, 3]),
    ("['b', 'B', 'a'] | groupby('0') | map(attribute='list')", [["a"], ["b", "B"]]),
    ("[1, 1.0, true, 'a', 'A', [1], [1]] | unique", [1, True, "a", [1]]),
    ("[{'k': 1}, {'k': 1}] | unique(attribute='k') | length", 1),
    ("['a', 1, none] | join('-')", "a-1-"),
    ("[{'k': 1}, {'k': 2}] | join(',', attribute='k')", "1,2"),
    ("[1, 2, 3] | batch(2)", [[1, 2], [3]]),
    ("[1, 2, 3] | slice(2)", [[1, 2], [3]]),
    ("[1, 2] | first", 1),
    ("'ab' | first ~ 'ab' | last", "ab"),
    ("[1, 2] | last", 2),
    ("[1, 2] | reverse", [2, 1]),
    ("'ab' | reverse", "ba"),
    ("'ab' | list", ["a", "b"]),
    ("{'a': 1} | list", ["a"]),
    ("'ab' | length + ({'a': 1} | count)", 3),
    ("range(3)", [0, 1, 2]),
    ("range(1, 7, 3)", [1, 4]),
    ("contains('abc', 'b') and contains([1], 1) and contains('a1', 1)", True),
    ("{'a': 1} | contains('a')", True),
    ("toJSON({'a': [1, none, true, 'é']})", '{"a": [1, null, true, "é"]}'),
    ("lazy | tojson", '{"k": [1]}'),
    ("lazy.k", [1]),
    ("fromJSON('[1, {}]')", [1, {}]),
    ("'[1]' | fromjson", [1]),
    ("'aB'.upper() ~ 'aB'.lower() ~ 'aB' | capitalize", "ABabAb"),
    ("' a '.strip() ~ (' a ' | trim)", "aa"),
    ("'abc'.startswith('a') and 'abc'.endswith('c')", True),
    ("'aXa' | replace('X', 'yy')", "ayya"),
    ("'aXaX'.replace('X', '', 1)", "aaX"),
    ("'a b'.split()", ["a", "b"]),
    ("'a,b,c'.split(',', 1)", ["a", "b,c"]),
    ("'a,b,c'.split(sep=',', maxsplit=0 + 1)", ["a", "b,c"]),
    ("'a\nb' | splitlines", ["a", "b"]),
    ("'abcdef' | truncate(4)", "abc…"),
    ("'abc' | truncate(4)", "abc"),
    ("'a b' | urlencode", "a%20b"),
    ("5 | string ~ ([1] | string)", "5[1]"),
    ("'5' | int + ('5.9' | int)", 10),
    ("'x' | int(0)", 0),
    ("'1.5' | float", 1.5),
    ("'x' | float(0.5)", 0.5),
    ("2.567 | round(1)", 2.6),
    ("2.5001 | round", 3),
    ("2.1 | round(method='ceil')", 3),
    ("2.19 | round(1, 'floor')", 2.1),
    ("-2 | abs", 2),
    ("3 is odd and 4 is even and 9 is divisibleby(3)", True),
    ("1 is number and 1 is integer and 1.5 is float and true is boolean", True),
    ("'a' is string and {} is mapping and [] is sequence and none is none", True),
    ("true is true and false is false", True),
    ("true is number", False),
    ("2 is gt(1) and 1 is lt(2) and 1 is le(1) and 1 is ge(1) and 1 is ne(2)", True),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_evaluates_to(expression: str, value: object) -> None:
    result = evaluate(expression, SCOPE)
    assert result == value
    assert isinstance(result, bool) is isinstance(value, bool)


RENDERED = [
    ("plain", "plain"),
    ("", ""),
    (5, 5),
    (None, None),
    ("${{ inputs.n }}", 3),
    ("${{inputs.items}}", [1, 2]),
    (" ${{ inputs.n }}", " 3"),
    ("${{ inputs.path }}/${{ inputs.n }}", "/x/3"),
    ("files: ${{ inputs.items }}", "files: [1, 2]"),
    ("$${{ x }}", "${{ x }}"),
    ("$${{ x }} ${{ index }}", "${{ x }} 1"),
    ("${{ '}}' }}", "}}"),
    ('${{ "a\'}}" }}', "a'}}"),
    ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
    ("${{ {'a': 1}['a'] }}", 1),
    ("$ {{ x }} $", "$ {{ x }} $"),
    ({"k": ["${{ index }}", ("${{ index }}",)]}, {"k": [1, [1]]}),
    ("is ${{ inputs.flag }}, ${{ inputs.nothing }}.", "is true, ."),
]


@pytest.mark.parametrize(("template", "value"), RENDERED)
def test_renders_to(template: object, value: object) -> None:
    assert render(template, SCOPE) == value


ESCAPES = [
    "''.__class__",
    "''['__class__']",
    "''.__class__.__mro__[1].__subclasses__()",
    "().__class__.__bases__[0]",
    "inputs.__init__",
    "inputs['__init__']",
    "inputs | map(attribute='__class__') | list",
    "[inputs] | map(attribute='__class__') | list",
    "inputs | attr('__class__')",
    "success.__globals__",
    "success.__code__",
    "success['__globals__']",
    "success.__call__()",
    "[success][0]()",
    "(success)['__globals__']",
    "toJSON.__globals__",
    "lipsum.__globals__['os']",
    "cycler('a')",
    "joiner()",
    "namespace()",
    "dict(a=1)",
    "self",
    "self._TemplateReference__context",
    "caller()",
    "_budget",
    "_result",
    "inputs._x",
    "x|_weigh",
    "inputs|_method('clear')",
    "'%s' | format(1)",
    "'{0.__class__}'.format(inputs)",
    "'{a}'.format_map(inputs)",
    "'' | map('attr', '__class__') | list",
    "['a'] | map('_method', 'format') | list",
    "['a'] | map('format') | list",
    "inputs.clear()",
    "inputs.update({'a': 1})",
    "inputs.pop('n')",
    "inputs.items.append(1)",
    "inputs.items.sort()",
    "'a'.encode()",
    "'a'.translate({})",
    "'a'.join(['b'])",
    "range.__self__",
    "range(3).__iter__()",
    "toJSON(success)",
    "[success]",
    "success",
    "success | string",
    "f(*[1])",
    "f(**{})",
    "'a' | upper(*[1])",
    "(success or 1)()",
    "{'a': 1}|xmlattr",
    "1 if __import__ else 2",
    "__import__('os')",
    "open('/etc/passwd')",
    "eval('1')",
    "'<b>'|safe",
    "'x'|pprint",
    "inputs|random",
    "1; 2",
    "a = 1",
    "x for x in inputs",
    "[x for x in inputs]",
    "lambda: 1",
    "%} {% set x = 1 %}",
    "1 }} {{ 2",
    "loop.index",
    "super()",
    "environment",
    "context",
    "1 is filter('upper')",
    "1 is callable",
]


@pytest.mark.parametrize("expression", ESCAPES)
def test_no_expression_reaches_outside_its_data(expression: str) -> None:
    before = repr(SCOPE)
    with pytest.raises(InvalidInput) as caught:
        evaluate(expression, SCOPE)
    assert "expression" in caught.value.message
    assert repr(SCOPE) == before


BIG: dict[str, Any] = {
    "rows": [{"a": number, "b": str(number) * 5} for number in range(50_000)],
    "text": "word " * 2_000_000,
    "nest": "[" * 500 + "]" * 500,
}
GROWN = "[1]" + "*9" * 11
NESTED = "[" * 11 + "1]" + "*9]" * 10 + "*9"
BOMBS = [
    "'a' * 10 ** 9",
    "10 ** 9 * 'a'",
    "[0] * 10 ** 9",
    "9 ** (9 ** 9)",
    "2 ** (10 ** 9)",
    "2 ** (0 - 10 ** 9)",
    "(2 ** 4000) * (2 ** 4000)",
    "1e308 * 10",
    "9.0 ** 999",
    "(-1) ** 0.5",
    "1 / 0",
    "10 ** 400 / 3",
    "1.5 | round(10 ** 9)",
    "1 | round(-10 ** 9)",
    "'x' | center(10 ** 9)",
    "'%1000000000d' % 1",
    "'x' | indent(10 ** 9)",
    "range(10 ** 9)",
    "range(10 ** 30)",
    "range(0, 0 - 10 ** 12, -1)",
    "[range(100000)] * 100000",
    "[range(1000)] * 1000 | map('sum')",
    "([range(1000)] * 1000) | map('map', 'string')",
    GROWN,
    NESTED,
    f"toJSON({NESTED})",
    f"{NESTED} == {NESTED}",
    f"{NESTED} in [{NESTED}]",
    f"[{NESTED}] | select('eq', {NESTED})",
    f"[{NESTED}, {NESTED}] | sort",
    f"[{NESTED}, {NESTED}] | unique",
    f"[{NESTED}, {NESTED}] | min",
    f"[{NESTED}] | join",
    f"{NESTED} ~ ''",
    "text ~ text",
    "text + text",
    "(text[:8000000] ~ 'a') | upper" + " | lower | upper" * 40,
    "text | replace('w', 'wwwwwwww')",
    "text | replace('', 'wwwwwwww')",
    "text | list",
    "text | split",
    "('a ' * 4000000).split()",
    "('a,' * 4000000).split(',')",
    "('\n' * 8000000) | splitlines",
    "text | urlencode",
    "['x' * 64000] * 1000000",
    "([text] * 1000) | join",
    "[" + ", ".join(["text[1:]"] * 300) + "]",
    "[" + ", ".join(["rows[1:]"] * 300) + "]",
    "rows" + " | sort(attribute='b')" * 30,
    "rows" + " | list" * 37,
    "rows | map(attribute='" + ".".join(["a"] * 2000) + "')",
    "range(2000) | select('in', range(100000))",
    "rows | batch(10 ** 30) | slice(10 ** 30)",
    "fromJSON('[' * 100000)",
    "fromJSON('[' ~ '1,' * 4000000 ~ '1]')",
    "fromJSON('NaN')",
    "fromJSON('9' * 5000)",
    "('9' * 5000) | int",
    "'inf' | float",
    "(" * 3000 + "1" + ")" * 3000,
    "-" * 3000 + "1",
    "not " * 900 + "1",
    "1" + "+1" * 1000,
    "1" + "|abs" * 500,
    "x" + ".x" * 1000,
    "9" * 4001,
    "9" * 5000,
    "1" + "0" * 1500 + "." + "1",
    "'" + "a" * 5000 + "'",
]


COSTLIEST = [
    "([range(1000)] * 1000) | map('map', 'string')",
    f"{NESTED} == {NESTED}",
    "rows" + " | sort(attribute='b')" * 30,
    "(text[:8000000] ~ 'a') | upper" + " | lower | upper" * 40,
    "fromJSON('[' ~ '1,' * 4000000 ~ '1]')",
]


def refuse_within_seconds(expression: str) -> None:
    started = perf_counter()
    with pytest.raises(InvalidInput):
        evaluate(expression, BIG)
    assert perf_counter() - started < 5, "about half a second at most on a quiet machine"


@pytest.mark.parametrize("expression", BOMBS, ids=lambda text: text[:40])
def test_no_bomb_goes_off(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_STEPS", 100_000)  # refused for the same reason, only sooner
    refuse_within_seconds(expression)


@pytest.mark.parametrize("expression", COSTLIEST, ids=lambda text: text[:40])
def test_no_expression_costs_much(expression: str) -> None:
    refuse_within_seconds(expression)


@pytest.mark.deep
@pytest.mark.parametrize("expression", BOMBS, ids=lambda text: text[:40])
def test_no_bomb_costs_much(expression: str) -> None:
    refuse_within_seconds(expression)


def test_a_rendered_text_is_bounded_as_a_whole() -> None:
    with pytest.raises(InvalidInput, match="text of more than"):
        render("${{ text[:5000000] }} ${{ text[:5000000] }}", BIG)
    with pytest.raises(InvalidInput, match="text of more than"):
        render("${{ text }} and more", BIG)


def test_the_value_of_a_plain_path_is_not_copied_or_weighed() -> None:
    rows = [[0] * 1000] * 100_000
    assert evaluate("output.rows", {"output": {"rows": rows}}) is rows


MESSAGES = [
    ("input.n", "'input' is not known here", "did you mean `inputs`?"),
    ("_x", "'_x': no name begins with an underscore here", ""),
    ("inputs._x | default(1)", "'_x': no name begins with an underscore here", ""),
    ("inputs.pth", "there is no 'pth'", "did you mean `path`?"),
    ("needs.a.zzz", "there is no 'zzz'", "there are: result, outputs"),
    ("{}.a", "there is no 'a'", "the mapping is empty"),
    ("inputs.n.x", "a whole number has no 'x'", ""),
    ("inputs.nothing.x", "nothing (null) has no 'x'", ""),
    ("inputs.items[5]", "a list with 2 entries has no '5'", ""),
    ("inputs[zzz]", "'zzz' is not known here", ""),
    ("inputs.missing.more", "there is no 'missing'", ""),
    ("inputs.missing + 1", "there is no 'missing'", ""),
    ("-inputs.missing", "there is no 'missing'", ""),
    ("inputs.missing == 1", "there is no 'missing'", ""),
    ("[1] | map('upper')", "upper needs a text, not a whole number", ""),
    ("['a'] | map('uper')", "there is no filter 'uper'", "did you mean `upper`?"),
    ("[1] | select('ood')", "there is no test 'ood'", "did you mean `odd`?"),
    ("'a' | uper", "there is no filter 'uper'", "did you mean `upper`?"),
    ("1 is ood", "there is no test 'ood'", "did you mean `odd`?"),
    ("'a'.uper()", "there is no method 'uper'", "did you mean `upper`?"),
    ("[].upper()", "upper needs a text, not a list", ""),
    ("{}.upper()", "a mapping has no method 'upper'", ""),
    ("'a'.get('x')", "a text has no method 'get'", ""),
    ("round(1.5)", "'round' is not known here", "round is a filter: value | round"),
    ("succes()", "'succes' is not known here", "did you mean `success`?"),
    ("inputs.path()", "there is no method 'path'", ""),
    ("index()", "is not safely callable", ""),
    ("a && b", "unexpected char '&'", "write `and` for `&&`"),
    ("a || b", "", "write `or` for `||`"),
    ("!a", "unexpected char '!'", "write `not` for `!`"),
    ("1 +", "it ends too early", ""),
    ("1 2", "unexpected 2", ""),
    ("{'a': 1}[{}]", "there is no '{}'", ""),
    ("inputs['a' ~ 'b']", "there is no 'ab'", ""),
    ("1.5.real", "a number has no 'real'", ""),
    ("fromJSON('[]')()", "only functions and methods can be called", ""),
    ("", "it is empty", ""),
    ("'a' + 1", "+ cannot add a text and a whole number", "join texts and numbers with ~"),
    ("[] + {}", "+ cannot add a list and a mapping", ""),
    ("'a' * 'b'", "* cannot multiply a text and a text", ""),
    ("'a' - 1", "- needs two numbers, not a text and a whole number", ""),
    ("-'a'", "- needs a number, not a text", ""),
    ("{}[1:]", "[:] needs a list or a text, not a mapping", ""),
    ("1 | length", "length needs a list, a mapping or a text, not a whole number", ""),
    ("1 | list", "list needs a list, not a whole number", ""),
    ("[] | max", "max of an empty list", "append: | default(0)  to max"),
    ("[] | first", "a list with 0 entries has no '0'", ""),
    ("[] | items", "items needs a mapping, not a list", ""),
    ("{} | dictsort(by='size')", "dictsort sorts by key or by value", ""),
    ("[1] | batch(0)", "batch needs a whole number of at least 1", ""),
    ("['a'] | sum", "sum needs a number, not a text", ""),
    ("[true] | sum", "sum needs a number, not true", ""),
    ("[{}] | sort(attribute='k')", "there is no 'k'", ""),
    ("[{}] | selectattr", "selectattr needs the name of an attribute", ""),
    ("[{}] | map(attribute='k')", "there is no 'k'", ""),
    ("[1] | map", "there is no filter None", ""),
    ("contains(1, 1)", "contains needs a text, a list or a mapping, not a whole number", ""),
    ("fromJSON(1)", "fromJSON needs a text, not a whole number", ""),
    ("fromJSON('{')", "fromJSON: the text is not JSON", ""),
    ("'x' | int", "int cannot read a text as a whole number", ""),
    ("'x' | float", "float cannot read a text as a number", ""),
    ("1 | round(method='up')", "round knows the methods common, ceil and floor", ""),
    ("date", "it gives a date, which is not plain data", ""),
    ("[date]", "it gives a date, which is not plain data", ""),
    ("success", "it gives a function", "call it: put () behind its name"),
    ("'a' < 1", "not supported", "check the types of the values"),
]


@pytest.mark.parametrize(("expression", "message", "hint"), MESSAGES)
def test_an_error_names_the_expression_and_what_to_do(
    expression: str, message: str, hint: str
) -> None:
    import datetime

    scope = {**SCOPE, "date": datetime.date(2024, 1, 1)}
    with pytest.raises(InvalidInput) as caught:
        evaluate(expression, scope)
    assert caught.value.message.startswith(f"expression {expression!r}: ")
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_long_expression_is_shortened_in_its_message() -> None:
    with pytest.raises(InvalidInput) as caught:
        evaluate("1 + " * 500, {})
    assert len(caught.value.message) < 250


def test_an_error_of_the_scope_itself_passes_through() -> None:
    def fail() -> bool:
        raise Unavailable("the database is away")

    with pytest.raises(Unavailable):
        evaluate("success()", {"success": fail})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (True, True),
        (False, False),
        ("inputs.n > 2", True),
        ("${{ inputs.n > 5 }}", False),
        ("  ${{ success() }}\n", True),
        ("inputs.nothing", False),
        ("''", False),
        ("[]", False),
    ],
)
def test_a_condition_stands_bare_or_in_braces(condition: str | bool, expected: bool) -> None:
    assert is_true(condition, SCOPE) is expected


@pytest.mark.parametrize("condition", ["${{ a }} and ${{ b }}", "not ${{ a }}", "$${{ a }}", " "])
def test_a_text_around_expressions_is_no_condition(condition: str) -> None:
    with pytest.raises(InvalidInput):
        is_true(condition, SCOPE)


def test_references_are_told_without_evaluating() -> None:
    found = inspect(
        {
            "a": "${{ needs.x.outputs.y ~ needs['z'].result }} ${{ inputs.n + inputs['m'] }}",
            "b": ["${{ env.HOME | default(needs.w) }}", "plain", 5],
            "c": "${{ item.name[index] }} $${{ needs.not }}",
            "d": "${{ contains(output, 'a') and 'b'.upper() and f(x=needs.k.error) }}",
            "e": "${{ (inputs.l | first).name }} ${{ inputs.get('n') }}",
        }
    )
    assert found.needs == {"x", "z", "w", "k"}
    assert found.inputs == {"n", "m", "l"}
    assert found.env == {"HOME"}
    assert found.names == {"needs", "inputs", "env", "item", "index", "output"}
    assert found.functions == {"contains", "f"}
    assert found.needs_result_fields == {
        "x": {"outputs"},
        "z": {"result"},
        "w": {"*"},
        "k": {"error"},
    }
    assert not found.uses_all_needs
    assert found.uses_all_inputs
    assert found.is_open == {("item", "name")}


@pytest.mark.parametrize("text", ["needs", "needs[item]", "needs.values()", "toJSON(needs)"])
def test_needs_used_as_a_whole_are_noticed(text: str) -> None:
    assert inspect_condition(text).uses_all_needs


def test_a_template_without_expressions_refers_to_nothing() -> None:
    assert inspect({"a": 1}).names == set()
    assert inspect_condition(True).names == inspect_condition(None).names == set()


def test_check_returns_every_syntax_error() -> None:
    problems = check({"a": "${{ 1 + }}", "b": ["${{ x", "${{ y }}"], "c": "${{ a && b }}"})
    assert len(problems) == 3
    assert any("write `and` for `&&`" in problem for problem in problems)
    assert any("no }}" in problem for problem in problems)


def test_whole_and_mixed_texts_are_told_apart() -> None:
    assert is_expression("${{ a }}")
    assert not is_expression("a ${{ a }}")
    assert not is_expression("$${{ a }}")
    assert not is_expression(5)
    assert not is_expression("a")
    assert holds_expression({"a": ["x ${{ a }}"]})
    assert not holds_expression({"a": ["$${{ a }}"]})


@pytest.mark.parametrize("text", ["${{ 'a }}", "${{ {'a': 1 }}", "${{" + " " * 5000 + "a }}"])
def test_an_expression_that_does_not_end_is_an_error(text: str) -> None:
    with pytest.raises(InvalidInput):
        render(text, {})


def test_a_small_mapping_renders_quickly() -> None:
    template = {"path": "${{ inputs.path }}/f", "n": "${{ inputs.n + 1 }}", "x": ["${{ index }}"]}
    render(template, SCOPE)
    fastest = 1.0
    for _ in range(50):
        started = perf_counter()
        render(template, SCOPE)
        fastest = min(fastest, perf_counter() - started)
    assert fastest < 100e-6, "about 15 µs on a quiet machine"


def test_nothing_is_computed_while_compiling() -> None:
    assert ENVIRONMENT.optimized is False
    assert rendering._expression("'a' * 10 ** 9").source == "'a' * 10 ** 9"


def test_only_expressions_of_allowed_kinds_become_part_of_a_template() -> None:
    with pytest.raises(ExpressionFault, match="Output is not allowed"):
        secure(nodes.Output([]))
    assert isinstance(secure(nodes.Tuple([], "load")), nodes.List)


def test_the_sandbox_behind_the_syntax_gives_no_attribute_and_calls_no_class() -> None:
    assert not ENVIRONMENT.is_safe_attribute("a", "upper", "a".upper)
    with pytest.raises(InvalidInput, match="not safely callable"):
        evaluate("kind(1)", {"kind": str})


def test_a_text_beyond_the_limit_is_refused_before_it_is_made() -> None:
    with pytest.raises(ExpressionFault):
        Budget().spend_text(MAX_TEXT_CHARS + 1)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(json_values)
def test_any_data_goes_through_unchanged(value: Any) -> None:
    assert render("${{ output }}", {"output": value}) == value
    assert evaluate("fromJSON(toJSON(output))", {"output": value}) == value
    assert evaluate("toJSON(output)", {"output": value}) == json.dumps(value, ensure_ascii=False)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(json_values)
def test_a_template_without_braces_renders_to_itself(value: Any) -> None:
    if "${{" not in json.dumps(value):
        assert render(value, {}) == value


_ATOMS = ["1", "'a'", "x", "x.y", "[1, 'b']", "{'k': 2}", "none", "true", "0.5", "__class__", "()"]
_FORMS = [
    "({} + {})", "({} * {})", "({} ** {})", "({} ~ {})", "({} == {})", "({} in {})", "({} if {})",
    "({}|list|length + {})", "{}[{}]", "({} and {})", "[{}, {}]", "({} % {})", "{}.upper({})",
    "({}|map('string')|join({}))", "contains({}, {})", "({}|sort({}))", "({}|default({}))",
    "f({}, {})", "({} is eq({}))", "({}|replace('a', {}))", "{}[{}:]", "({}|unique|sum({}))",
]  # fmt: skip

made_expressions = st.recursive(
    st.sampled_from(_ATOMS),
    lambda inner: st.builds(
        lambda form, a, b: form.format(a, b), st.sampled_from(_FORMS), inner, inner
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(made_expressions)
def test_a_made_expression_has_a_plain_value_or_a_clear_error(expression: str) -> None:
    try:
        value = evaluate(expression, {"x": {"y": [3, 1, 2]}, "f": lambda *values: 1})
    except InvalidInput:
        return
    json.dumps(value)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="${}[]()'\"\\ aб.|~+-*/%=<>!&,:0_\n", max_size=40))
def test_no_text_breaks_rendering(text: str) -> None:
    for template in ("${{" + text, text + "}}", "${{" + text + "}}"):
        with suppress(InvalidInput):
            render(template, {"a": 1})
