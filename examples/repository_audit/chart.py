"""The chart as SVG, made by hand: bars for the languages and for the hot spots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from repository_audit.facts import Summary

WIDTH = 760
LABEL_WIDTH = 230
BAR_WIDTH = 420
ROW_HEIGHT = 22
HEADING_HEIGHT = 40
MARGIN = 16
MOST_BARS = 10
MOST_LABEL_CHARS = 32

CODE, COMMENT, BLANK, HOT = "#2563eb", "#93c5fd", "#e2e8f0", "#dc2626"


@dataclass(frozen=True)
class Bar:
    """A row of the chart: what it is called, and its parts as (value, colour)."""

    label: str
    parts: Sequence[tuple[int, str]]

    @property
    def value(self) -> int:
        """How long it is, in its own unit."""
        return sum(value for value, _ in self.parts)


def draw_chart(summary: Summary) -> str:
    """Draw lines by language (code, comments, blank) above the hot spots (code x commits)."""
    languages = [
        Bar(one.language, [(one.code, CODE), (one.comment, COMMENT), (one.blank, BLANK)])
        for one in summary.languages[:MOST_BARS]
        if one.lines
    ]
    has_history = any(spot.score for spot in summary.hot_spots)
    spots = [
        Bar(spot.path, [(spot.score if has_history else spot.code, HOT)])
        for spot in summary.hot_spots[:MOST_BARS]
    ]
    heading = "Hot spots: code x commits" if has_history else "Largest files: lines of code"
    body, top = "", MARGIN
    for title, bars in (("Lines: code, comments, blank", languages), (heading, spots)):
        group, top = _draw_group(title, bars, top)
        body += group
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" '
        f'height="{top}" font-family="system-ui, sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>\n{body}</svg>\n'
    )


def _draw_group(title: str, bars: Sequence[Bar], top: int) -> tuple[str, int]:
    """Return a heading with its bars, and where the next group begins."""
    text = f'<text x="{MARGIN}" y="{top + 16}" font-weight="600">{escape(title)}</text>\n'
    row = top + HEADING_HEIGHT - 8
    longest = max((bar.value for bar in bars), default=0)
    for bar in bars:
        text += _draw_bar(bar, row, longest)
        row += ROW_HEIGHT
    if not bars:
        text += f'<text x="{MARGIN}" y="{row + 12}" fill="#64748b">nothing to show</text>\n'
        row += ROW_HEIGHT
    return text, row + MARGIN


def _draw_bar(bar: Bar, row: int, longest: int) -> str:
    x = float(LABEL_WIDTH + MARGIN)
    text = (
        f'<text x="{LABEL_WIDTH + 8}" y="{row + 12}" text-anchor="end">'
        f"{escape(_shorten(bar.label))}</text>\n"
    )
    for value, colour in bar.parts:
        width = BAR_WIDTH * value / longest if longest else 0.0
        text += f'<rect x="{x:.1f}" y="{row}" width="{width:.1f}" height="16" fill="{colour}"/>\n'
        x += width
    return text + f'<text x="{x + 6:.1f}" y="{row + 12}" fill="#475569">{bar.value:,}</text>\n'


def _shorten(label: str) -> str:
    """Keep a path's end, which says more than its beginning; leave out what SVG cannot hold."""
    clean = "".join(char if char.isprintable() else "�" for char in label)
    return clean if len(clean) <= MOST_LABEL_CHARS else f"…{clean[1 - MOST_LABEL_CHARS :]}"
