"""Taking an agent's file apart: the front matter, which is YAML, and the prompt below it.

Rules:
    1. The first line that is not blank is ``---``; so is the line that ends the front matter.
    2. Whatever stands below is the prompt, without the blank lines around it.
    3. A byte order mark, and any kind of line end, are accepted; a prompt's lines end in ``\\n``.
    4. Lines and columns are those of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mainstay.decisions.plan_files.plan_file import Document, Form, decode, read_plan, report
from mainstay.decisions.plan_files.problems import Findings, Path

MAX_AGENT_FILE_BYTES = 2 * 1024 * 1024
"""Largest agent file that is read: the longest prompt at four bytes a character, twice."""

FENCE = "---"
_BEGINNING = "begin the file with `---`, `name: …` and `---`, then write the prompt"
AGENT_FORM = Form(
    noun="an agent's front matter",
    beginning="write `name: …`",
    when_empty=_BEGINNING,
    when_large="shorten the prompt; long texts are better read by a tool",
    max_bytes=MAX_AGENT_FILE_BYTES,
)

_WORD = re.compile(r"[^\s,(]+(?:\([^)]*\)?)?|\([^)]*\)?")
_BLANK_LINES_ABOVE = re.compile(r"\A(?:[ \t]*\n)+")


@dataclass(frozen=True)
class AgentText:
    """An agent's file in its parts.

    Attributes:
        document: the front matter; its ``data`` is None when it could not be read.
        lines: the file's lines, without their ends.
        body_line: the line, from 1, in which the body begins.
    """

    document: Document
    lines: tuple[str, ...] = ()
    prompt: str = ""
    body_line: int = 1

    def locate(self, path: Path, at_key: bool = False) -> tuple[int, int]:
        """Return the line and column of a value or its key; also of one word among several."""
        data: dict[str, Any] = self.document.data or {}
        if path[:1] == ("prompt",) and "prompt" not in data:
            return self.body_line, 1
        place = self.document.locate(path, at_key)
        if len(path) == 2 and isinstance(path[1], int) and isinstance(data.get(str(path[0])), str):
            return self._locate_word(data[str(path[0])], path[1], place)
        return place

    def _locate_word(self, text: str, index: int, place: tuple[int, int]) -> tuple[int, int]:
        line, column = place
        written = self.lines[line - 1][column - 1 :]
        quote = 1 if written[:1] in {'"', "'"} else 0
        if not written.startswith(text, quote):
            return place  # written over several lines, or with escapes
        return line, column + quote + list(_WORD.finditer(text))[index].start()


def split_words(text: str) -> list[str]:
    """Return the names in a text, ``Read, Bash(git diff:*) Grep``; parentheses hold together."""
    return _WORD.findall(text)


def clean_prompt(body: str) -> str:
    """Return a prompt as it is read from a file's body."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_LINES_ABOVE.sub("", lines).rstrip()


def split_file(content: str | bytes, source: str) -> AgentText:
    """Take a file apart. What is wrong with it is among the document's problems."""
    findings = Findings(source)
    lines = _lines_of(content, findings)
    opening = next((number for number, line in enumerate(lines) if line.strip()), None)
    closing = None
    if findings.problems:
        pass
    elif opening is None:
        report(findings, 1, 1, "the file is empty", _BEGINNING)
    elif lines[opening].rstrip() != FENCE:
        report(findings, opening + 1, 1, "there is no front matter", _hint_at(lines[opening]))
    else:
        closing = _find_closing(lines, opening)
        if closing is None:
            message, hint = (
                "the front matter has no end",
                "put a line `---` between it and the prompt",
            )
            report(findings, opening + 1, 1, message, hint)
    if opening is None or closing is None:
        return AgentText(Document(source, None, None, tuple(findings.problems)))
    return _read_parts(lines, opening, closing, source)


def _read_parts(lines: list[str], opening: int, closing: int, source: str) -> AgentText:
    # Blank lines stand for those above, so that all positions are those of the file.
    front = "\n" * (opening + 1) + "\n".join(lines[opening + 1 : closing])
    if front.strip():
        document = read_plan(front, source, AGENT_FORM)
    else:
        findings = Findings(source)
        report(findings, opening + 1, 1, "the front matter is empty", AGENT_FORM.beginning)
        document = Document(source, None, None, tuple(findings.problems))
    prompt = clean_prompt("\n".join(lines[closing + 1 :]))
    body = next((n for n in range(closing + 1, len(lines)) if lines[n].strip()), closing)
    return AgentText(document, tuple(lines), prompt, body + 1)


def _lines_of(content: str | bytes, findings: Findings) -> list[str]:
    zero = b"\x00" if isinstance(content, bytes) else "\x00"
    if zero in content:  # type: ignore[operator]  # both are texts, or both are bytes
        report(findings, 1, 1, "the file is binary, not a text", "an agent is a Markdown file")
        return []
    text = decode(content, findings, AGENT_FORM)
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _find_closing(lines: list[str], opening: int) -> int | None:
    numbers = range(opening + 1, len(lines))
    return next((number for number in numbers if lines[number].rstrip() == FENCE), None)


def _hint_at(first: str) -> str:
    word = first.strip()
    if word == "+++":
        return "TOML is not read: write YAML between two lines `---`"
    if word == FENCE or re.fullmatch(r"[-–—]{1,}", word):
        return "the line is exactly `---`, three hyphens without a space before them"
    return _BEGINNING
