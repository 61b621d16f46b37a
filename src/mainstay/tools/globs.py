"""Which paths a glob means.

- ``*`` any characters but ``/``; ``?`` one of them; ``[ab]``, ``[a-z]``, ``[!a]`` one of a set.
- ``**`` as a whole part: any number of folders, none included.
- A pattern without ``/`` is compared with the last part of a path, at any depth: ``*.py``.
- A pattern with ``/`` is compared with the whole path: ``src/**/*.py``. A leading ``/`` is only
  a way to have one; a trailing ``/`` is ignored.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable


def compile_globs(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a test of relative paths with ``/`` between their parts: does any pattern match?"""
    of_names, of_paths = [], []
    for pattern in patterns:
        trimmed = pattern.rstrip("/")
        if "/" in trimmed or trimmed == "**":
            of_paths.append(_translate_path(trimmed.lstrip("/")))
        else:
            of_names.append(_translate_part(trimmed))
    match_name = re.compile("|".join(of_names), re.DOTALL).fullmatch if of_names else None
    match_path = re.compile("|".join(of_paths), re.DOTALL).fullmatch if of_paths else None

    def matches(path: str) -> bool:
        if match_name is not None and match_name(path.rpartition("/")[2]):
            return True
        return match_path is not None and match_path(path) is not None

    return matches


def _translate_path(pattern: str) -> str:
    parts = pattern.split("/")
    result = ""
    for position, part in enumerate(parts):
        is_last = position == len(parts) - 1
        if part == "**":
            result += ".+" if is_last else "(?:[^/]+/)*"
        else:
            result += _translate_part(part) + ("" if is_last else "/")
    return result


@functools.lru_cache(maxsize=1024)
def _translate_part(part: str) -> str:
    result = ""
    position = 0
    while position < len(part):
        char = part[position]
        position += 1
        if char == "*":
            # Several stars in a row mean what one means, and would only slow the match down.
            result += "" if result.endswith("[^/]*") else "[^/]*"
        elif char == "?":
            result += "[^/]"
        elif char == "[" and (end := _end_of_set(part, position)) > 0:
            result += _translate_set(part[position:end])
            position = end + 1
        else:
            result += re.escape(char)
    return result


def _end_of_set(part: str, start: int) -> int:
    """Return where a set that begins at ``start`` ends, or -1; it never is empty."""
    return part.find("]", start + (2 if part.startswith("!", start) else 1))


def _translate_set(chars: str) -> str:
    """Turn the inside of ``[...]`` into a regular expression's set."""
    negated = chars.startswith("!")
    rest = chars[1:] if negated else chars
    body = ""
    while rest:
        first, dash, last = rest[0], rest[1:2], rest[2:3]
        if dash == "-" and last:
            # A range that runs backwards is an error in a regular expression, empty in a glob.
            body += f"{re.escape(first)}-{re.escape(last)}" if first <= last else ""
            rest = rest[3:]
        else:
            body += re.escape(first)
            rest = rest[1:]
    if not body:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{body}]"
