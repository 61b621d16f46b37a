"""How commands print: data to stdout, everything else to stderr, colour never alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mainstay.cli.messages import can_show_symbols

if TYPE_CHECKING:
    from rich.console import Console

PIPE_COLUMNS = 10_000
"""Width on a pipe, where nobody wants ids and messages cut."""

STATES: dict[str, tuple[str, str, str]] = {
    "pending": ("·", ".", "dim"),
    "preparing": ("◌", "o", "cyan"),
    "asking": ("?", "?", "yellow"),
    "running": ("▶", ">", "cyan"),
    "gathering": ("▶", ">", "cyan"),
    "waiting": ("↻", "~", "yellow"),
    "unknown": ("!", "!", "red"),
    "succeeded": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "skipped": ("-", "-", "dim"),
    "cancelled": ("⊘", "/", "magenta"),
    "undoing": ("↶", "<", "yellow"),
    "undone": ("↶", "<", "magenta"),
    "undo_failed": ("✗", "x", "red"),
    "paused": ("‖", "|", "yellow"),
    "cancelling": ("⊘", "/", "yellow"),
    "initializing": ("◌", "o", "cyan"),
    "stopping": ("⊘", "/", "yellow"),
    "terminated": ("■", "#", "dim"),
    "error": ("✗", "x", "red"),
    "restarting": ("↻", "~", "yellow"),
    "lost": ("!", "!", "red"),
    "starting": ("◌", "o", "cyan"),
    "backing off": ("↻", "~", "yellow"),
    "stopped": ("■", "#", "dim"),
    "held": ("!", "!", "red"),
}
"""Each state's symbol, its symbol where only ASCII can be shown, and its colour."""


def stdout() -> Console:
    """Return the console for data: as wide as the terminal, and without end on a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPE_COLUMNS
    return Console(file=sys.stdout, highlight=False, markup=False, width=width, soft_wrap=False)


def print_json(value: Any) -> None:  # Any: JSON-like data, or models
    """Print one JSON document, indented."""
    print(to_json_text(value, indent=2))


def print_json_line(value: Any) -> None:  # Any: as above
    """Print one JSON document on one line."""
    print(to_json_text(value))


def to_json_text(value: Any, indent: int | None = None) -> str:  # Any: as above
    """Write JSON, in ASCII where stdout cannot show it otherwise (a file's odd name)."""
    data = plain(value)
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return json.dumps(data, indent=indent)
    return text


def plain(value: Any) -> Any:  # Any: as above
    """Turn models, and what they hold, into JSON's own types."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Sequence[str] = ()
) -> None:
    """Print aligned columns.

    Args:
        columns: their titles.
        rows: plain texts. A text that is a state is coloured and gets its symbol.
        whole: titles of columns that are folded, when there is no room, rather than cut.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for column in columns:
        is_whole = column in whole
        table.add_column(
            Text(column),
            no_wrap=not is_whole,
            overflow="fold" if is_whole else "ellipsis",
            ratio=None,
        )
    for row in rows:
        cells = [
            Text(*mark(cell)) if column == "state" else Text(one_line(cell))
            for column, cell in zip(columns, row, strict=True)
        ]
        table.add_row(*cells)
    console = stdout()
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def mark(state: str) -> tuple[str, str]:
    """Return a state with its symbol, and its colour."""
    symbol, ascii_symbol, colour = STATES.get(state, ("·", ".", ""))
    return f"{symbol if can_show_symbols() else ascii_symbol} {state}", colour


def print_state(before: str, state: str, after: str = "") -> None:
    """Print one line with a state in it."""
    from rich.text import Text

    text, colour = mark(state)
    stdout().print(Text.assemble(before, (text, colour), after), soft_wrap=True)


def one_line(text: str) -> str:
    """Put a text on one line, without what would steer the terminal that shows it."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def format_time(moment: datetime | None) -> str:
    """Write a time in the reader's own zone; a dash for none."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else "-"


def format_span(start: datetime | None, end: datetime | None) -> str:
    """Write how long something took, or takes until now; a dash when it has not begun."""
    from mainstay.schemas.durations import format_duration

    if start is None:
        return "-"
    return format_duration(max((end or now()) - start, timedelta(0)))
