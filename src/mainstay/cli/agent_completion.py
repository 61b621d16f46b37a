"""What the shell completes: names of agents. Quick, silent, never an error."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mainstay.cli.completion import MAX_SHOWN, WAIT_SECONDS
from mainstay.cli.places import sqlite_file

DEFAULT_TEAM = "main/"

_QUERY = """
    SELECT name, lower(agent_type), lower(current_state) FROM agents
    WHERE (name LIKE :start OR name LIKE 'main/' || :start OR agent_id LIKE :start)
      AND name <> '' {condition}
    ORDER BY updated_at DESC LIMIT :most
"""


def complete_agent(incomplete: str) -> list[tuple[str, str]]:
    """Return names of agents, the living ones only if there are any, with role and state."""
    return _find(incomplete, living=True) or _find(incomplete, living=False)


def complete_living_agent(incomplete: str) -> list[tuple[str, str]]:
    """Return names of agents that have not ended."""
    return _find(incomplete, living=True)


def complete_agent_file(incomplete: str) -> list[str]:
    """Return agent files and folders whose path begins with what was typed."""
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    try:
        entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
        names = [
            f"{entry}/" if entry.is_dir() else str(entry)
            for entry in entries
            if entry.is_dir() or entry.suffix == ".md"
        ]
    except OSError:
        return []
    start = incomplete.removeprefix("./")
    return [name for name in names if name.startswith(start)][:MAX_SHOWN]


def _find(incomplete: str, *, living: bool) -> list[tuple[str, str]]:
    file = sqlite_file()
    if file is None or not file.exists():
        return []
    condition = "AND current_state <> 'TERMINATED'" if living else ""
    start = incomplete.replace("%", "") + "%"
    try:
        uri = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS)) as database:
            rows = database.execute(
                _QUERY.format(condition=condition), {"start": start, "most": MAX_SHOWN}
            ).fetchall()
    except sqlite3.Error:
        return []
    is_whole = incomplete.startswith(DEFAULT_TEAM)
    return [
        (str(name) if is_whole else str(name).removeprefix(DEFAULT_TEAM), f"{role}, {state}")
        for name, role, state in dict.fromkeys(rows)
    ]
