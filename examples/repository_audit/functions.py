"""Finding functions that are too long.

Python is parsed, so its figures are exact. Of languages with braces the figures are estimates: a
line that looks like the head of a function begins one, and it ends where its braces are even
again; texts and comments are taken out of each line first, but those over several lines are not.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings
from collections.abc import Iterator

from repository_audit.facts import LongFunction

BRACED = frozenset(
    {"C", "C++", "C#", "Java", "Kotlin", "Scala", "Swift", "Go", "Rust", "JavaScript",
     "TypeScript", "PHP", "Dart", "Shell", "Perl"}
)  # fmt: skip

_MAX_LINE_CHARS = 400
"""Longer lines are generated code, and would make the patterns slow."""

_WORDY_HEAD = re.compile(r"\b(?:func|function|fn|fun|sub)\b\s*(?:\([^)]*\)\s*)?\*?\s*(\w+)")
_PLAIN_HEAD = re.compile(r"^[^;=\"'#]*?\b(\w+)\s*\([^;{}]*\)[^;{}()=]*\{\s*$")
_PYTHON_HEAD = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")
_NOT_A_NAME = frozenset(
    {"if", "for", "while", "switch", "catch", "match", "return", "else", "foreach", "using",
     "lock", "synchronized", "with", "when", "until", "unless", "elsif", "elif", "do", "try"}
)  # fmt: skip
_TEXTS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|//.*|/\*.*?\*/")

_PARSING = threading.Lock()
"""``warnings.catch_warnings`` changes the whole process, and tools run in threads."""


def find_long_functions(text: str, language: str, longest: int) -> list[LongFunction]:
    """Return the functions of more than ``longest`` lines, in the order of their lines."""
    if text.count("\n") < longest:
        return []  # parsing costs more than everything else, and half of all files are short
    if language == "Python":
        found = _parse_python(text)
        if found is None:
            found = _estimate_by_indent(text)
    elif language in BRACED:
        found = _estimate_by_braces(text)
    else:
        return []
    return sorted(
        (function for function in found if function.lines > longest),
        key=lambda function: (function.line, function.name),
    )


def _parse_python(text: str) -> list[LongFunction] | None:
    """Return every function, or None when the text is no Python that this Python reads."""
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return [
        LongFunction(node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in _statements(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Go through all statements, but not the expressions in them, of which there are far more."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):  # the body of a lambda is one expression
                pending.extend(inner)


def _estimate_by_indent(text: str) -> list[LongFunction]:
    found: list[LongFunction] = []
    pending: list[tuple[int, int, str]] = []  # indentation, line and name of each open function
    last = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        while pending and depth <= pending[-1][0]:
            _, start, name = pending.pop()
            found.append(LongFunction(start, name, last - start + 1, is_estimate=True))
        if head := _PYTHON_HEAD.match(line):
            pending.append((depth, number, head[2]))
        last = number
    for _, start, name in pending:
        found.append(LongFunction(start, name, last - start + 1, is_estimate=True))
    return found


def _estimate_by_braces(text: str) -> list[LongFunction]:
    found: list[LongFunction] = []
    pending: list[tuple[int, int, str]] = []  # depth outside, line and name of each open function
    head: tuple[int, str] | None = None
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _MAX_LINE_CHARS:
            continue
        plain = _TEXTS.sub("", line)
        head = _read_head(plain, number) or head
        if head is not None and "{" in plain:
            pending.append((depth, *head))
            head = None
        elif ";" in plain:
            head = None  # a declaration without a body
        depth = max(depth + plain.count("{") - plain.count("}"), 0)
        while pending and depth <= pending[-1][0]:
            _, start, name = pending.pop()
            found.append(LongFunction(start, name, number - start + 1, is_estimate=True))
    return found


def _read_head(line: str, number: int) -> tuple[int, str] | None:
    match = _WORDY_HEAD.search(line) or _PLAIN_HEAD.match(line)
    if match is None or match[1] in _NOT_A_NAME:
        return None
    return number, match[1]
