"""The report as Markdown. There is no time in it: the same tree gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from repository_audit.facts import LanguageTotal, Place, Ranked, Summary

Row = Sequence[str | int]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def write_report(summary: Summary, chart: str) -> str:
    """Write the report; ``chart`` is the chart's address, relative to it."""
    sections = [
        f"# Audit of {_plain(summary.name)}",
        _opening(summary),
        f"![Lines by language, and the hot spots]({chart})",
        *_languages(summary),
        *_hot_spots(summary),
        *_functions(summary),
        *_section("Possible secrets", summary.secrets, "kind", "begins with"),
        *_section("To do", summary.todos, "kind", "text"),
        *_dependencies(summary),
        *_unreadable(summary.unreadable),
        _notes(summary),
    ]
    return "\n\n".join(sections) + "\n"


def table(heads: Sequence[str], rows: Iterable[Row]) -> str:
    """Write a table; columns of numbers are set to the right. Texts are escaped already."""
    rows = [list(row) for row in rows]
    is_number = [bool(rows) and isinstance(rows[0][column], int) for column in range(len(heads))]
    lines = [
        "| " + " | ".join(heads) + " |",
        "|" + "|".join("---:" if number else "---" for number in is_number) + "|",
    ]
    for row in rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else cell for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _opening(summary: Summary) -> str:
    total, history = summary.total, summary.history
    commits = _count(history.commits, "commit")
    source = (
        f"at commit `{history.commit[:12]}`; churn from the last {commits}"
        if history.commit
        else "without a Git history, so hot spots are ranked by size alone"
    )
    return (
        f"{_count(total.files, 'file')}, {_count(total.lines, 'line')} "
        f"({total.code:,} of code), {source}. "
        f"{_count(summary.functions.total, 'long function')}, "
        f"{_count(summary.todos.total, 'TODO')}, "
        f"{_count(summary.secrets.total, 'possible secret')}."
    )


def _languages(summary: Summary) -> list[str]:
    heads = ("language", "files", "lines", "code", "comments", "blank", "bytes")
    rows = [_total_row(total) for total in [*summary.languages, summary.total]]
    return ["## Languages", table(heads, rows)]


def _total_row(total: LanguageTotal) -> Row:
    name = f"**{total.language}**" if total.language == "Total" else total.language
    return (name, total.files, total.lines, total.code, total.comment, total.blank, total.bytes)


def _hot_spots(summary: Summary) -> list[str]:
    if not summary.hot_spots:
        return ["## Hot spots", "None: there is no code."]
    rows = [(_code(s.path), s.code, s.commits, s.score) for s in summary.hot_spots]
    intro = "Large source files that change often: where mistakes are likeliest."
    return ["## Hot spots", intro, table(("file", "code", "commits", "code x commits"), rows)]


def _functions(summary: Summary) -> list[str]:
    heading = f"## Functions of more than {summary.long_function_lines} lines"
    if not summary.functions.total:
        return [heading, "None."]
    rows = [(_place(place), _code(place.text), place.kind) for place in summary.functions.places]
    return [heading, table(("where", "function", "lines"), rows), *_rest(summary.functions)]


def _section(title: str, ranked: Ranked, kind: str, text: str) -> list[str]:
    if not ranked.total:
        return [f"## {title}", "None."]
    rows = [(_place(place), _plain(place.kind), _plain(place.text)) for place in ranked.places]
    return [f"## {title}", table(("where", kind, text), rows), *_rest(ranked)]


def _dependencies(summary: Summary) -> list[str]:
    if not summary.manifests:
        return ["## Dependencies", "No manifest was found."]
    rows: list[Row] = []
    for manifest in summary.manifests:
        groups: dict[str, list[str]] = {}
        for one in manifest.dependencies:
            text = f"{_code(one.name)} {_plain(one.constraint)}".strip()
            groups.setdefault(one.group, []).append(text)
        for group, packages in groups.items() or [("", [])]:
            listed = ", ".join(packages) or _plain(manifest.problem) or "none"
            rows.append((_code(manifest.path), _plain(group), listed))
    return ["## Dependencies", table(("manifest", "group", "packages"), rows)]


def _unreadable(ranked: Ranked) -> list[str]:
    if not ranked.total:
        return []
    rows = [(_code(place.path), _plain(place.kind)) for place in ranked.places]
    return ["## Not read", table(("file", "why"), rows), *_rest(ranked)]


def _notes(summary: Summary) -> str:
    return (
        "---\n\nA line counts as a comment when nothing else is on it. Python functions are "
        'measured exactly, those of languages with braces by counting braces ("about"). Possible '
        "secrets are found by their form: look at each; there may be others."
    )


def _rest(ranked: Ranked) -> list[str]:
    more = ranked.total - len(ranked.places)
    return [f"And {more:,} more."] if more else []


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _place(place: Place) -> str:
    return _code(f"{place.path}:{place.line}")


def _code(text: str) -> str:
    """Write a text as code in a table's cell, whatever is in it."""
    clean = _printable(text).replace("|", "\\|")
    return f"`` {clean} ``" if "`" in clean else f"`{clean}`"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _printable(text))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)
