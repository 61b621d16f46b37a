"""Walking through a folder: in one order on every machine, and never in a circle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mainstay.schemas.errors import LimitReached, NotFound
from mainstay.tools.globs import compile_globs
from mainstay.tools.paths import decode, encode, explain

Kind = Literal["file", "directory", "any"]

MAX_FOLDERS = 1_000_000
"""Folders that one walk may enter: far above any tree of sources, far below for ever."""


@dataclass(frozen=True)
class Selection:
    """Which entries of a tree are wanted. Patterns are those of :mod:`mainstay.tools.globs`."""

    include: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    recursive: bool = True
    hidden: bool = False
    links: bool = False
    kind: Kind = "file"


def walk(root: str, selection: Selection) -> Iterator[str]:
    """Yield the wanted paths below a folder, relative to it, unordered, as the os module has them.

    A folder that is excluded or hidden is not entered. A folder that is its own ancestor, by a
    symbolic link, is not entered again. One that vanishes meanwhile is passed over.

    Raises:
        NotFound, Refused: the folder cannot be read, or one below it cannot.
        LimitReached: more than :data:`MAX_FOLDERS` folders.
    """
    included = compile_globs(decode(pattern) for pattern in selection.include)
    excluded = compile_globs(decode(pattern) for pattern in selection.exclude)
    pending: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [(root, "", ())]
    entered = 0
    while pending:
        folder, prefix, ancestors = pending.pop()
        entered += 1
        if entered > MAX_FOLDERS:
            raise LimitReached(
                f"more than {MAX_FOLDERS} folders below {encode(root)!r}",
                hint="exclude some, or do not follow links",
            )
        for entry in _scan(folder, is_root=not prefix):
            path = prefix + entry.name
            if (entry.name.startswith(".") and not selection.hidden) or excluded(path):
                continue
            if _is_wanted(entry, selection.kind) and included(path):
                yield path
            if selection.recursive and _is_folder(entry, selection.links):
                line = _lineage(entry, ancestors) if selection.links else ()
                if line is not None:
                    pending.append((entry.path, f"{path}/", line))


def list_sorted(root: str, selection: Selection, most: int) -> list[str]:
    """Return the wanted paths in the order of their bytes.

    Raises:
        LimitReached: there are more than ``most``.
    """
    found = []
    for path in walk(root, selection):
        found.append(path)
        if len(found) > most:
            raise LimitReached(
                f"more than {most} entries below {encode(root)!r}",
                hint="raise max_entries, or narrow include and exclude",
            )
    found.sort(key=os.fsencode)
    return found


def _scan(folder: str, *, is_root: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        problem = explain(error, "list", folder)
        if isinstance(problem, NotFound) and not is_root:
            return []
        raise problem from None


def _is_wanted(entry: os.DirEntry[str], kind: Kind) -> bool:
    try:
        return kind == "any" or (entry.is_file() if kind == "file" else entry.is_dir())
    except OSError:
        return False  # a link to itself, or into a folder that may not be looked into


def _is_folder(entry: os.DirEntry[str], links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=links)
    except OSError:
        return False


def _lineage(
    entry: os.DirEntry[str], ancestors: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...] | None:
    """Return the folder's identity and its ancestors', or None if it is one of them."""
    try:
        status = entry.stat()
    except OSError:
        return None
    identity = (status.st_dev, status.st_ino)
    return None if identity in ancestors else (*ancestors, identity)
