"""Adding everything up, and deciding what deserves attention first. Orders are total: two runs
over the same tree give the same summary."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from mainstay.tools.paths import encode
from repository_audit.facts import (
    FileFacts,
    Finding,
    History,
    HotSpot,
    LanguageTotal,
    Manifest,
    Place,
    Ranked,
    Summary,
)
from repository_audit.languages import DATA

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def read_history(log: str) -> History:
    r"""Read ``git log --format=%x09%H --name-only``: a tab and a hash, then the files touched.

    Git quotes names that are not plain (``"caf\303\251"``), so no name begins with a tab.
    """
    commit, commits, touched = "", 0, Counter[str]()
    for line in log.split("\n"):
        if line.startswith("\t"):
            commits += 1
            commit = commit or line.strip()
        elif line:
            touched[_unquote(line)] += 1
    return History(commit, commits, dict(touched))


def summarize(
    name: str,
    files: Sequence[FileFacts],
    history: History,
    manifests: Sequence[Manifest],
    top: int,
    longest: int,
) -> Summary:
    """Add up what was measured, and keep the first ``top`` of every ranking."""
    return Summary(
        name=name,
        history=History(history.commit, history.commits),
        total=_add_up("Total", files),
        languages=_by_language(files),
        hot_spots=rank_hot_spots(files, history)[:top],
        functions=_long_functions(files, top),
        todos=_places(files, lambda facts: facts.todos, top),
        secrets=_places(files, lambda facts: facts.secrets, top),
        unreadable=_unreadable(files, top),
        manifests=sorted(manifests, key=lambda manifest: manifest.path),
        long_function_lines=longest,
    )


def rank_hot_spots(files: Iterable[FileFacts], history: History) -> list[HotSpot]:
    """Rank source files by size times churn; by size alone where there is no history."""
    spots = []
    for facts in files:
        commits = history.touched.get(facts.path, 0)
        if facts.code and facts.language not in DATA:
            spots.append(HotSpot(facts.path, facts.code, commits, facts.code * commits))
    return sorted(spots, key=lambda spot: (-spot.score, -spot.code, spot.path))


def _by_language(files: Sequence[FileFacts]) -> list[LanguageTotal]:
    groups: dict[str, list[FileFacts]] = {}
    for facts in files:
        if not facts.problem:
            groups.setdefault(facts.language, []).append(facts)
    totals = [_add_up(language, group) for language, group in groups.items()]
    return sorted(totals, key=lambda total: (-total.code, -total.bytes, total.language))


def _add_up(language: str, files: Sequence[FileFacts]) -> LanguageTotal:
    return LanguageTotal(
        language=language,
        files=len(files),
        lines=sum(facts.lines for facts in files),
        code=sum(facts.code for facts in files),
        comment=sum(facts.comment for facts in files),
        blank=sum(facts.blank for facts in files),
        bytes=sum(facts.bytes for facts in files),
    )


def _long_functions(files: Sequence[FileFacts], top: int) -> Ranked:
    found = [(facts.path, function) for facts in files for function in facts.functions]
    found.sort(key=lambda pair: (-pair[1].lines, pair[0], pair[1].line))
    places = [
        Place(path, one.line, f"{'about ' if one.is_estimate else ''}{one.lines}", one.name)
        for path, one in found[:top]
    ]
    return Ranked(len(found), places)


def _places(
    files: Sequence[FileFacts], findings: Callable[[FileFacts], list[Finding]], top: int
) -> Ranked:
    places = [
        Place(facts.path, one.line, one.kind, one.text)
        for facts in files
        for one in findings(facts)
    ]
    places.sort(key=lambda place: (place.path, place.line, place.kind))
    return Ranked(len(places), places[:top])


def _unreadable(files: Sequence[FileFacts], top: int) -> Ranked:
    places = [Place(facts.path, 0, facts.problem, "") for facts in files if facts.problem]
    return Ranked(len(places), sorted(places, key=lambda place: place.path)[:top])


def _unquote(name: str) -> str:
    """Read a file name as Git writes it, into the form in which ``fs.list`` writes it."""
    if not name.startswith('"'):
        return encode(name)
    body, raw, position = name[1:-1], bytearray(), 0
    while position < len(body):
        if body[position] != "\\":
            raw += body[position].encode()
            position += 1
        elif body[position + 1 : position + 4].isdigit():
            raw.append(int(body[position + 1 : position + 4], 8))
            position += 4
        else:
            letter = body[position + 1 : position + 2]
            raw += _ESCAPES.get(letter, letter).encode()
            position += 2
    return encode(os.fsdecode(bytes(raw)))
