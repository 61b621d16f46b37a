"""What a YAML parser's complaint means, in words for someone who writes plans."""

from __future__ import annotations

import yaml

_HINTS = (
    ("mapping values are not allowed", "quote a text that holds a colon and a space"),
    ("did not find expected ',' or", "quote expressions inside { } and [ ]: {path: '${{ … }}'}"),
    ("expected ',' or", "quote expressions inside { } and [ ]: {path: '${{ … }}'}"),
    ("while parsing a flow", "quote expressions inside { } and [ ]: {path: '${{ … }}'}"),
    ("expected <block end>", "check the indentation: entries of one mapping begin in one column"),
    ("did not find expected key", "check the indentation, and the quotes above"),
    ("did not find expected '-'", "check the indentation of the list"),
    ("could not find expected ':'", "a key is followed by a colon and a space"),
    ("found unexpected end of stream", "a quote or a bracket is not closed"),
    ("undefined alias", "an anchor (&name) stands above its alias (*name)"),
)


def place_of(text: str) -> tuple[int, int]:
    """Return the line and column, from 1, right behind a text."""
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


def explain(error: yaml.YAMLError, text: str) -> tuple[int, int, str, str]:
    """Return the line, the column, the message and the hint for a parser's error."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        line, column = place_of(text[:position])
        return line, column, "a character that no text file may hold", "remove control characters"
    line, column = mark.line + 1, mark.column + 1
    problem = str(getattr(error, "problem", "") or "cannot be read")
    lines = text.split("\n")
    rest = lines[mark.line][mark.column :] if mark.line < len(lines) else ""
    if not text[mark.index :].strip():  # at the end: show where the last thing stands
        line, column = place_of(text.rstrip())
    if rest.startswith("\t"):
        return line, column, "a tab cannot indent or begin a value", "indent by spaces"
    if rest.startswith(("@", "`", "%")):
        return line, column, f"a text cannot begin with {rest[0]}", "put the text in quotes"
    context = str(getattr(error, "context", "") or "")
    whole = f"{context} {problem}"
    hint = next((hint for part, hint in _HINTS if part in whole), "")
    return line, column, f"not YAML: {problem}" + (f" ({context})" if context else ""), hint
