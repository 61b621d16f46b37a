"""How the entries of a conversation are written."""

from __future__ import annotations

from collections.abc import Sequence

from mainstay.cli.messages import can_show_symbols
from mainstay.cli.printing import format_time, one_line
from mainstay.schemas.conversation import Entry, EntryKind, ThreadRow

LONGEST_RESULT = 400
"""Characters of a tool's result that are shown; an export has all that the thread has."""

_TITLES = {
    EntryKind.USER: "said",
    EntryKind.ASSISTANT: "answered",
    EntryKind.TOOL: "result",
    EntryKind.FEEDBACK: "feedback",
    EntryKind.PIN: "pinned",
}


def printable(text: str) -> str:
    """Take out of a foreign text what would steer the terminal; its lines stay."""
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def entry_text(entry: Entry) -> str:
    """Write an entry for the terminal: a line that says whose it is, then its text."""
    text = entry.text
    if entry.kind is EntryKind.TOOL and len(text) > LONGEST_RESULT:
        text = f"{text[:LONGEST_RESULT]}{'…' if can_show_symbols() else '...'}"
    lines = [_title(entry), *(f"  {line}" for line in printable(text).splitlines())]
    lines += [f"  -> {use_text(use.name, use.arguments)}" for use in entry.uses]
    return "\n".join(lines)


def use_text(name: str, arguments: object) -> str:
    """Write a tool call on one line."""
    if isinstance(arguments, dict):
        inside = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    else:
        inside = str(arguments)
    return one_line(f"{name}({inside})")


def to_markdown(row: ThreadRow, entries: Sequence[Entry]) -> str:
    """Write a whole conversation."""
    parts = [f"# {one_line(row.title or row.thread_id)}\n"]
    for entry in entries:
        parts.append(f"## {_title(entry)}\n")
        if entry.text:
            parts.append(f"{entry.text}\n")
        parts += [f"- `{use_text(use.name, use.arguments)}`\n" for use in entry.uses]
    return "\n".join(parts)


def _title(entry: Entry) -> str:
    who = one_line(entry.author)
    if entry.kind is EntryKind.TOOL:
        who = f"{entry.tool}{' failed' if entry.is_error else ''}"
    parts = [str(entry.position), _TITLES[entry.kind], who, format_time(entry.at)]
    return " ".join(part for part in parts if part)
