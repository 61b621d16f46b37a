"""Reading files: once to measure them, and a second time, in another way, to check that."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from mainstay.tools.paths import decode
from repository_audit.facts import FileFacts
from repository_audit.functions import find_long_functions
from repository_audit.languages import BINARY, LINK, count_lines, language_of
from repository_audit.searching import find_secrets, find_todos

MAX_READ_BYTES = 32 * 1024 * 1024
"""Larger files are no sources; reading many at once would fill the memory."""

_LOOK_BYTES = 8_192
"""A NUL in the first so many bytes means that a file is binary. Source: Git's own rule."""

_BLOCK_BYTES = 1 << 16


def measure_file(root: str, path: str, longest: int) -> FileFacts:
    """Measure one file; a file that cannot be read is reported, not raised.

    Args:
        root: the audited folder.
        path: the file, relative to it, as ``fs.list`` writes it.
        longest: lines from which on a function is too long (exclusive).
    """
    place = Path(decode(root)) / decode(path)
    try:
        status = place.lstat()
        if stat.S_ISLNK(status.st_mode):
            return FileFacts(path, LINK)
        if status.st_size > MAX_READ_BYTES:
            return FileFacts(path, problem=f"larger than {MAX_READ_BYTES} bytes")
        body = place.read_bytes()
    except OSError as error:
        return FileFacts(path, problem=(error.strerror or "cannot be read").lower())
    if b"\0" in body[:_LOOK_BYTES]:
        return FileFacts(path, BINARY, bytes=len(body))
    return _measure_text(path, body, longest)


def _measure_text(path: str, body: bytes, longest: int) -> FileFacts:
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    language = language_of(path)
    lines, blank, comment = count_lines(text, language)
    return FileFacts(
        path=path,
        language=language,
        bytes=len(body),
        lines=lines,
        blank=blank,
        comment=comment,
        todos=find_todos(text),
        secrets=find_secrets(text, path),
        functions=find_long_functions(text, language, longest),
    )


def recount(root: str, files: Iterable[FileFacts]) -> str:
    """Count every file again without decoding it; return what differs, empty when nothing does."""
    differing = []
    for facts in files:
        if facts.problem or facts.language == LINK:
            continue
        size, lines = _count_bytes(Path(decode(root)) / decode(facts.path))
        if facts.language == BINARY:
            lines = 0
        if (size, lines) != (facts.bytes, facts.lines):
            differing.append(
                f"{facts.path!r}: {facts.bytes} bytes and {facts.lines} lines at first, "
                f"{size} and {lines} when counted again"
            )
    if not differing:
        return ""
    more = f", and {len(differing) - 1} more" if len(differing) > 1 else ""
    return f"{differing[0]}{more}"


def _count_bytes(place: Path) -> tuple[int, int]:
    """Return a file's size and lines, from its raw bytes; zeros when it is not there."""
    size = lines = 0
    last = b"\n"
    try:
        file = os.open(place, os.O_RDONLY)
        try:
            while block := os.read(file, _BLOCK_BYTES):
                size += len(block)
                lines += block.count(b"\n")
                last = block[-1:]
        finally:
            os.close(file)
    except OSError:
        return (0, 0)
    return (size, lines + (last != b"\n"))
