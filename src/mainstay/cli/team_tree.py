"""The picture of a team: supervisors and agents as a tree, each with what matters about it.

Everything here is pure: records, the time and the size of the screen in, lines out. No line is
wider than the screen and there are never more lines than it has, so that it can be drawn in place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rich.console import Group
from rich.text import Text

from mainstay.cli.display import MIN_HEIGHT, MIN_WIDTH, Screen, clean
from mainstay.cli.printing import STATES
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.durations import format_duration
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ChildKind, ChildPhase, ChildView, SupervisorView
from mainstay.team_sight import TeamSight

STATE_WIDTH = 14
"""The longest state, its symbol and a space: ``◌ initializing``."""
MAX_NAME_WIDTH = 32
ENDLESS = 100_000
"""Lines of a picture that is printed and not drawn in place."""

_PHASES = {
    ChildPhase.WAITING: "waiting",
    ChildPhase.STARTING: "starting",
    ChildPhase.STOPPING: "stopping",
    ChildPhase.BACKING_OFF: "backing off",
    ChildPhase.STOPPED: "stopped",
}
_TROUBLED = frozenset({"held", "error", "backing off", "restarting", "lost"})
_QUIET = frozenset({"stopped", "terminated", "waiting"})


@dataclass(frozen=True)
class Picture:
    """All that is shown.

    Attributes:
        tasks: what agents work on just now, by their ids.
        note: a sentence of the watcher's own, below everything else.
    """

    sight: TeamSight
    tasks: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class _Node:
    """A line of the tree before it is written: where it stands, and what it is."""

    guides: tuple[bool, ...]
    """For each level, whether that branch is the last of its own."""
    child: ChildView | None = None
    supervisor: SupervisorView | None = None
    hidden: Counter[str] | None = None


def draw(picture: Picture, now: datetime, screen: Screen) -> Group:
    """Draw a team.

    Returns:
        Lines, at most ``screen.height`` of them, each at most ``screen.width`` wide.
    """
    screen = Screen(max(screen.width, MIN_WIDTH), max(screen.height, MIN_HEIGHT), screen.symbols)
    header = _header(picture.sight, now, screen)
    footer = [Text(clean(picture.note, screen), "yellow")] if picture.note else []
    room = screen.height - len(header) - len(footer)
    lines = [*header, *_tree(picture, room, now, screen), *footer]
    for line in lines:
        line.truncate(screen.width, overflow="ellipsis" if screen.symbols else "crop")
    return Group(*lines)


def state_of(child: ChildView, row: AgentRow | None, below: SupervisorView | None) -> str:
    """Return a child's state in a word: its supervisor's view of it, or its own while it runs."""
    if child.is_held:
        return "held"
    if child.phase is not ChildPhase.RUNNING:
        return _PHASES[child.phase]
    if below is not None:
        return below.life.value.lower()
    return row.state.value.lower() if row is not None else "running"


def restarts_left(view: SupervisorView) -> str:
    """Write how many restarts a supervisor bears before it escalates: ``2 of 3 left in 5.0s``."""
    return f"{view.restarts_left} of {view.max_restarts} left in {format_duration(view.window)}"


def supervisor_state(view: SupervisorView) -> str:
    """Return a supervisor's state in lower case."""
    return view.life.value.lower()


def counts_of(sight: TeamSight) -> Counter[str]:
    """Count a team's agents by their states."""
    rows = {row.agent_id: row for row in sight.agents}
    return Counter(state_of(child, rows.get(child.id), None) for child in sight.children)


def _header(sight: TeamSight, now: datetime, screen: Screen) -> list[Text]:
    root = sight.supervisors[0]
    first = Text.assemble(
        (f"{root.team}/{root.path}" if root.path else root.team, "bold"),
        "  ",
        _state(supervisor_state(root), screen),
    )
    first.append(f"  {_policy(root)}", "dim")
    if root.detail:
        first.append(f"  {clean(root.detail, screen)}", "yellow")
    counts = counts_of(sight)
    parts = [f"{number:,} {state}" for state, number in sorted(counts.items(), key=_by_count)]
    agents = sum(counts.values())
    second = Text(f"{agents:,} {'agent' if agents == 1 else 'agents'}", "dim")
    second.append(": " + ", ".join(parts) if parts else "", "dim")
    return [first, second]


def _by_count(count: tuple[str, int]) -> tuple[int, str]:
    return (_rank(count[0]), count[0])


def _policy(view: SupervisorView) -> str:
    said = f"{view.strategy}, restarts: {restarts_left(view)}"
    return f"{said}, {view.restarts:,} in all" if view.restarts else said


def _tree(picture: Picture, room: int, now: datetime, screen: Screen) -> list[Text]:
    sight = picture.sight
    rows = {row.agent_id: row for row in sight.agents}
    nodes = list(_nodes(sight, sight.supervisors[0], (), rows, None))
    if len(nodes) > room:
        shown = _choose(sight, rows, room)
        nodes = list(_nodes(sight, sight.supervisors[0], (), rows, shown))
    width = max((len(node.child.name) for node in nodes if node.child), default=0)
    width = min(width + 1, MAX_NAME_WIDTH, max(8, screen.width // 3))
    lines = [_line(node, picture, rows, width, now, screen) for node in nodes]
    if len(lines) > room:
        left = len(lines) - room + 1
        lines = [*lines[: room - 1], Text(f"and {left:,} more lines", "dim")]
    return lines


def _nodes(
    sight: TeamSight,
    view: SupervisorView,
    guides: tuple[bool, ...],
    rows: Mapping[str, AgentRow],
    shown: frozenset[str] | None,
) -> Iterator[_Node]:
    """Yield what stands below a supervisor; of agents only those that are to be shown."""
    kept = [child for child in view.children if _is_shown(child, shown)]
    hidden = Counter(
        state_of(child, rows.get(child.id), None)
        for child in view.children
        if not _is_shown(child, shown)
    )
    for number, child in enumerate(kept, 1):
        here = (*guides, number == len(kept) and not hidden)
        below = sight.below(view, child) if child.kind is ChildKind.SUPERVISOR else None
        yield _Node(here, child, below)
        if below is not None:
            yield from _nodes(sight, below, here, rows, shown)
    if hidden:
        yield _Node((*guides, True), hidden=hidden)


def _is_shown(child: ChildView, shown: frozenset[str] | None) -> bool:
    return shown is None or child.kind is ChildKind.SUPERVISOR or child.id in shown


def _choose(sight: TeamSight, rows: Mapping[str, AgentRow], room: int) -> frozenset[str]:
    """Choose the agents to show where not all fit: those in trouble first, then those at work."""
    # Each supervisor has a line, and one for those of its agents that are not shown.
    left = max(0, room - 2 * len(sight.supervisors) + 1)
    ranked = sorted(
        sight.children,
        key=lambda child: (
            _rank(state_of(child, rows.get(child.id), None)),
            -child.restarts,
            -child.since.timestamp(),
        ),
    )
    return frozenset(child.id for child in ranked[:left])


def _rank(state: str) -> int:
    return 0 if state in _TROUBLED else 2 if state in _QUIET else 3 if state == "running" else 1


def _line(
    node: _Node,
    picture: Picture,
    rows: Mapping[str, AgentRow],
    width: int,
    now: datetime,
    screen: Screen,
) -> Text:
    line = Text.assemble((_guides(node.guides, screen), "dim"))
    if node.child is None:
        more = sorted((node.hidden or Counter()).items(), key=_by_count)
        line.append("and " + ", ".join(f"{number:,} {state}" for state, number in more), "dim")
        return line
    child, row = node.child, rows.get(node.child.id)
    word = state_of(child, row, node.supervisor)
    state = _state(word, screen)
    state.pad_right(STATE_WIDTH - state.cell_len)
    line.append_text(state)
    is_supervisor = child.kind is ChildKind.SUPERVISOR
    name = Text(f" {child.name}{'/' if is_supervisor else ''}", "bold" if is_supervisor else "")
    name.truncate(width + 1, overflow="ellipsis" if screen.symbols else "crop", pad=True)
    line.append_text(name)
    for text, style in _details(node, row, picture.tasks.get(child.id, ""), now):
        line.append(f"  {clean(text, screen)}", style)
    return line


def _details(
    node: _Node, row: AgentRow | None, task: str, now: datetime
) -> Iterator[tuple[str, str]]:
    child = node.child
    if child is None:
        return
    if node.supervisor is not None:
        yield _policy(node.supervisor), "dim"
    if child.restarts:
        yield f"restarts {child.restarts:,}", "yellow"
    if child.phase is ChildPhase.BACKING_OFF and child.until is not None:
        yield f"again in {format_duration(max(child.until - now, timedelta(0)))}", "yellow"
    if task and child.phase is ChildPhase.RUNNING:
        yield f"works on: {task}", "cyan"
    detail = child.detail or _own_detail(row, node.supervisor)
    if detail:
        yield detail, "red" if child.is_held else "dim"


def _own_detail(row: AgentRow | None, below: SupervisorView | None) -> str:
    if below is not None:
        return below.detail
    return row.detail if row is not None and row.state is not LifeState.RUNNING else ""


def _state(state: str, screen: Screen) -> Text:
    symbol, ascii_symbol, colour = STATES.get(state, ("·", ".", ""))
    return Text(f"{symbol if screen.symbols else ascii_symbol} {state}", colour)


def _guides(guides: tuple[bool, ...], screen: Screen) -> str:
    through, corner, middle = ("│  ", "└─ ", "├─ ") if screen.symbols else ("|  ", "`- ", "|- ")
    before = "".join("   " if is_last else through for is_last in guides[:-1])
    return before + (corner if guides[-1] else middle)
