"""Tools that make and take apart texts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from mainstay.schemas.durations import Duration
from mainstay.schemas.errors import LimitReached
from mainstay.tools.patterns import Flag, compile_pattern
from mainstay.tools.template import render_template
from mainstay.tools.tool import tool

Value = Any  # JSON-like data


@tool(name="text.render")
def render(template: str, variables: dict[str, Value] | None = None) -> str:
    """Fill in a Jinja2 template; returns the text.

    It may use {{ }}, {% if %}, {% for %}, {% set %} and the filters of plan expressions. It
    reaches nothing but the variables, and the work it may do is bounded. In a plan, variables
    are given by `${{ }}` in `variables`, and `{{ }}` in the template uses them.

    Args:
        template: the template.
        variables: what it may use, by name.
    """
    return render_template(template, variables or {})


@tool(name="text.extract")
def extract(
    text: str,
    pattern: str,
    all: bool = False,
    flags: list[Flag] | None = None,
    max_matches: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000,
    time_limit: Duration = timedelta(seconds=10),
) -> Value:
    """Find what a regular expression matches; returns null, or a list when all is set.

    A match is a mapping of its named groups, if the pattern has any; else the text of its only
    group, a list of its groups, or the whole match.

    Args:
        text: where to look.
        pattern: the regular expression.
        all: return a list of every match, in place of the first.
        flags: how to match.
        max_matches: more than this is an error.
        time_limit: longest it may take.
    """
    compiled = compile_pattern(pattern, seconds=time_limit.total_seconds(), flags=flags)
    if not all:
        match = compiled.search(text)
        return None if match is None else _value_of(match)
    found = []
    for match in compiled.find_all(text):
        found.append(_value_of(match))
        if len(found) > max_matches:
            raise LimitReached(
                f"{pattern!r} matches more than {max_matches} times", hint="raise max_matches"
            )
    return found


def _value_of(match: Any) -> Value:  # Any: a match of the regex package, which has no types
    if named := match.groupdict():
        return named
    groups = match.groups()
    if len(groups) == 1:
        return groups[0]
    return list(groups) if groups else match.group()
