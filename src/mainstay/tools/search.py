"""Looking for a text in files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mainstay.schemas.durations import Duration
from mainstay.schemas.errors import InvalidInput, MainstayError, NotFound
from mainstay.tools.files import describe, read_limited
from mainstay.tools.paths import decode, encode
from mainstay.tools.patterns import Flag, Pattern, compile_pattern
from mainstay.tools.tool import tool
from mainstay.tools.walk import Selection, list_sorted

MOST_FILES = 1_000_000
MAX_LINE_CHARS = 500
_PROBE_BYTES = 8192


@dataclass
class _Findings:
    most: int
    matches: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON-like data
    searched: int = 0
    skipped: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.matches) > self.most


@tool(name="fs.search", timeout="5m", heartbeats=True, touches=("fs.read",))
def search(
    path: str,
    pattern: str,
    literal: bool = False,
    flags: list[Flag] | None = None,
    include: list[str] | str = "*",
    exclude: list[str] | str | None = None,
    include_hidden: bool = False,
    max_matches: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000,
    max_file_bytes: Annotated[int, Field(ge=0)] = 5 * 1024 * 1024,
    time_limit: Duration = timedelta(minutes=1),
) -> dict[str, Any]:  # Any: JSON-like data
    """Look for a pattern in the lines of a file, or of all files below a folder.

    Returns matches (each with path, line and column from 1, text), truncated when there are more
    than max_matches, files_searched and files_skipped (binary, too large, vanished, unreadable).

    Args:
        path: a file or a folder.
        pattern: a regular expression, matched within one line.
        literal: take the pattern as the text itself.
        flags: how to match.
        include: globs of the files to search, as in fs.list.
        exclude: globs of what to leave out.
        include_hidden: also names that begin with a dot.
        max_matches: stop after this many.
        max_file_bytes: larger files are skipped.
        time_limit: longest the matching may take, all files together.
    """
    compiled = compile_pattern(
        pattern, seconds=time_limit.total_seconds(), literal=literal, flags=flags
    )
    selection = Selection(
        include=[include] if isinstance(include, str) else include,
        exclude=[exclude] if isinstance(exclude, str) else exclude or (),
        hidden=include_hidden,
    )
    findings = _Findings(max_matches)
    for shown, file in _files(decode(path), selection):
        _search_file(shown, file, compiled, max_file_bytes, findings)
        if findings.is_full:
            break
    return {
        "matches": findings.matches[:max_matches],
        "truncated": findings.is_full,
        "files_searched": findings.searched,
        "files_skipped": findings.skipped,
    }


def _files(root: str, selection: Selection) -> list[tuple[str, str]]:
    """Return the files to search: how each is shown, and its path for the os module."""
    found = describe(root, follow=True)
    if found is None:
        raise NotFound(f"there is nothing at {encode(root)!r}", hint="check the path")
    if found["type"] == "file":
        return [(encode(root), root)]
    if found["type"] != "directory":
        raise InvalidInput(f"cannot search {encode(root)!r}: it is a {found['type']}")
    folder = Path(root)
    listed = list_sorted(root, selection, MOST_FILES)
    return [(encode(name), str(folder / name)) for name in listed]


def _search_file(
    shown: str, file: str, pattern: Pattern, max_bytes: int, findings: _Findings
) -> None:
    try:
        body = read_limited(file, max_bytes)
    except MainstayError:
        findings.skipped += 1
        return
    if b"\0" in body[:_PROBE_BYTES]:
        findings.skipped += 1
        return
    findings.searched += 1
    for number, line in enumerate(body.decode("utf-8", "replace").split("\n"), start=1):
        line = line.rstrip("\r")
        match = pattern.search(line)
        if match is not None:
            findings.matches.append(
                {
                    "path": shown,
                    "line": number,
                    "column": match.start() + 1,
                    "text": line[:MAX_LINE_CHARS],
                }
            )
            if findings.is_full:
                return
