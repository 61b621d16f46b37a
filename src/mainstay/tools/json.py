"""The tool that picks values out of data."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

from pydantic import Field

from mainstay.schemas.errors import InvalidInput
from mainstay.tools.tool import tool

Value = Any  # JSON-like data

MAX_EXPRESSION_CHARS = 10_000


@tool(name="json.query")
def query(
    expression: Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION_CHARS)],
    data: Value = None,
    text: str | None = None,
) -> Value:
    """Pick values out of data with a JMESPath expression; null when there is nothing there.

    Args:
        expression: for instance "people[?age > `30`].name".
        data: the data.
        text: the data as JSON text, in place of data.
    """
    import jmespath
    from jmespath.exceptions import JMESPathError

    if text is not None:
        data = _parse(text)
    try:
        return jmespath.search(expression, data)
    except JMESPathError as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(
            f"json.query: {expression!r}: {reason}", hint="see jmespath.org for the syntax"
        ) from None
    except RecursionError:
        raise InvalidInput(f"json.query: {expression[:80]!r} is nested too deeply") from None


def _parse(text: str) -> Value:
    try:
        return jsonlib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"json.query: the text is not JSON: {error}", hint="give data, or a JSON text"
        ) from None
