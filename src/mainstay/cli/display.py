"""The live picture of a plan: a header, its tasks as a tree, what it waits for.

Everything here is pure: rows, the time and the size of the screen in, lines out. No line is wider
than the screen and there are never more lines than it has, so that it can be drawn in place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from textwrap import wrap

from rich.console import Group
from rich.text import Text

from mainstay.cli.printing import STATES, one_line
from mainstay.cli.waiting import next_steps, waits
from mainstay.schemas.durations import format_duration
from mainstay.schemas.records import PlanRow, TaskRow
from mainstay.schemas.run import PLAN_ENDS, TaskStatus

MIN_WIDTH = 20
MIN_HEIGHT = 6
STATE_WIDTH = 13
"""The longest state, its symbol and a space: ``· undo_failed``."""
MAX_NAME_WIDTH = 32
BAR_WIDTHS = ((110, 20), (80, 12), (56, 6))
"""From which width of the screen on a progress bar is how wide."""
ELAPSED_FROM_WIDTH = 44
MAX_FOOTER_LINES = 8

_RANKS = {
    TaskStatus.ASKING: 0,
    TaskStatus.UNKNOWN: 0,
    TaskStatus.FAILED: 1,
    TaskStatus.UNDO_FAILED: 1,
    TaskStatus.RUNNING: 2,
    TaskStatus.PREPARING: 2,
    TaskStatus.GATHERING: 2,
    TaskStatus.UNDOING: 2,
    TaskStatus.WAITING: 2,
    TaskStatus.PENDING: 4,
}
_ENDED_RANK = 3
_TALKS = (TaskStatus.RUNNING, TaskStatus.GATHERING, TaskStatus.UNDOING)


@dataclass(frozen=True)
class Sight:
    """All that is shown: a plan, its tasks by position, and the sub-plans that wait for somebody.

    ``note`` is a sentence of the watcher's own, below everything else.
    """

    plan: PlanRow
    tasks: Sequence[TaskRow]
    sub_plans: Sequence[tuple[PlanRow, Sequence[TaskRow]]] = ()
    note: str = ""


@dataclass(frozen=True)
class Screen:
    """How much fits, in columns and lines, and whether more than ASCII can be shown."""

    width: int
    height: int
    symbols: bool = True
    bar_width: int = field(init=False)

    def __post_init__(self) -> None:
        wide = next((bar for width, bar in BAR_WIDTHS if self.width >= width), 0)
        object.__setattr__(self, "bar_width", wide)


def draw(sight: Sight, now: datetime, screen: Screen) -> Group:
    """Draw a plan.

    Returns:
        Lines, at most ``screen.height`` of them, each at most ``screen.width`` wide.
    """
    screen = Screen(max(screen.width, MIN_WIDTH), max(screen.height, MIN_HEIGHT), screen.symbols)
    header = _header(sight, now, screen)
    footer = _footer(sight, screen)[: max(0, screen.height - len(header) - 2)]
    room = screen.height - len(header) - len(footer)
    lines = [*header, *_tree(sight.tasks, room, now, screen), *footer]
    for line in lines:
        line.truncate(screen.width, overflow="ellipsis" if screen.symbols else "crop")
    return Group(*lines)


def select(tasks: Sequence[TaskRow], room: int) -> list[TaskRow]:
    """Choose the tasks to show where not all fit: those that need somebody, failed, are being done,
    ended last, come next; in the order of the plan's file.
    """
    if len(tasks) <= room:
        return list(tasks)
    return sorted(sorted(tasks, key=_interest)[:room], key=lambda task: task.position)


def _interest(task: TaskRow) -> tuple[int, float, int]:
    rank = _RANKS.get(task.status, _ENDED_RANK)
    ended = task.ended_at.timestamp() if task.ended_at and rank == _ENDED_RANK else 0.0
    return (rank, -ended, task.position)


def _header(sight: Sight, now: datetime, screen: Screen) -> list[Text]:
    plan = sight.plan
    first = Text.assemble((plan.plan_id, "bold"), "  ", _state(plan.status, screen))
    first.append(f"  {format_duration(_span(plan.started_at, plan.ended_at, now))}", "dim")
    counts = Counter(task.status for task in sight.tasks)
    parts = [f"{number:,} {status}" for status, number in sorted(counts.items(), key=_by_rank)]
    second = Text(f"{plan.tasks_done:,} of {plan.tasks_total:,} tasks done", "dim")
    second.append(": " + ", ".join(parts) if parts else "", "dim")
    return [first, second]


def _by_rank(count: tuple[TaskStatus, int]) -> tuple[int, str]:
    return (_RANKS.get(count[0], _ENDED_RANK), count[0])


def _tree(tasks: Sequence[TaskRow], room: int, now: datetime, screen: Screen) -> list[Text]:
    shown = select(tasks, room if len(tasks) <= room else room - 1)
    hidden = Counter(task.status for task in tasks)
    hidden.subtract(Counter(task.status for task in shown))
    left = sorted(((status, n) for status, n in hidden.items() if n > 0), key=_by_rank)
    width = max((len(task.name) for task in shown), default=0)
    width = min(width, MAX_NAME_WIDTH, max(8, screen.width // 3))
    lines = [
        _task_line(task, width, now, screen, is_last=not left and task is shown[-1])
        for task in shown
    ]
    if left:
        more = ", ".join(f"{number:,} {status}" for status, number in left)
        lines.append(Text(f"{_branch(screen, is_last=True)}and {more}", "dim"))
    return lines


def _task_line(
    task: TaskRow, name_width: int, now: datetime, screen: Screen, *, is_last: bool
) -> Text:
    line = Text(_branch(screen, is_last=is_last), "dim")
    state = _state(task.status, screen)
    state.pad_right(STATE_WIDTH - state.cell_len)
    line.append_text(state)
    name = Text(f" {task.name}", "bold" if task.status in _TALKS else "")
    name.truncate(name_width + 1, overflow="ellipsis" if screen.symbols else "crop", pad=True)
    line.append_text(name)
    if task.items_total is not None:
        line.append_text(_bar(task, screen))
    if task.started_at is not None and screen.width >= ELAPSED_FROM_WIDTH:
        spent = format_duration(_span(task.started_at, task.ended_at, now))
        line.append(f"  {spent:>6}", "dim")
    if task.attempt > 1:
        line.append(f"  attempt {task.attempt}", "yellow")
    detail = task.last_line if task.status in _TALKS and task.last_line else task.message
    if detail:
        line.append(f"  {clean(detail, screen)}", "dim")
    return line


def _bar(task: TaskRow, screen: Screen) -> Text:
    total, done = task.items_total or 0, task.items_done
    text = Text("  ")
    if screen.bar_width:
        filled = screen.bar_width * min(done, total) // total if total else screen.bar_width
        full, empty = ("█", "░") if screen.symbols else ("#", "-")
        text.append(full * filled, "green")
        text.append(empty * (screen.bar_width - filled), "dim")
        text.append(" ")
    text.append(f"{done:,}/{total:,}")
    return text


def _footer(sight: Sight, screen: Screen) -> list[Text]:
    lines: list[Text] = []
    for plan, tasks in ((sight.plan, sight.tasks), *sight.sub_plans):
        if plan.status in PLAN_ENDS:
            continue
        lines += [Text(clean(f"waits for {line}", screen), "yellow") for line in waits(plan, tasks)]
        for step in next_steps(plan, tasks):
            lines += _fold(f"  type {clean(step, screen)}", screen.width)
    if len(lines) > MAX_FOOTER_LINES:
        lines = [*lines[: MAX_FOOTER_LINES - 1], Text("and more", "dim")]
    if sight.note:
        lines.append(Text(clean(sight.note, screen), "yellow"))
    return lines


def _fold(text: str, width: int) -> list[Text]:
    """Break a line that is to be copied where it has spaces, rather than cut it."""
    return [
        Text(part) for part in wrap(text, width, subsequent_indent="    ", break_on_hyphens=False)
    ]


def _state(status: str, screen: Screen) -> Text:
    symbol, ascii_symbol, colour = STATES.get(str(status), ("·", ".", ""))
    return Text(f"{symbol if screen.symbols else ascii_symbol} {status}", colour)


def _branch(screen: Screen, *, is_last: bool) -> str:
    if screen.symbols:
        return "└─ " if is_last else "├─ "
    return "`- " if is_last else "|- "


def _span(start: datetime | None, end: datetime | None, now: datetime) -> timedelta:
    return max((end or now) - start, timedelta(0)) if start else timedelta(0)


def clean(text: str, screen: Screen) -> str:
    """Put foreign text on one line, without anything that could move the cursor."""
    line = "".join(char if char.isprintable() else " " for char in one_line(text))
    return line if screen.symbols else line.encode("ascii", "replace").decode()
