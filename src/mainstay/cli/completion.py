"""What the shell completes: ids of plans and files of plans. Quick, silent, never an error."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mainstay.cli.places import sqlite_file

MAX_SHOWN = 50
WAIT_SECONDS = 0.2
"""Longest wait for a database that is being written to."""

_QUERY = """
    SELECT plan_id, name, status FROM plans
    WHERE (plan_id LIKE :start OR plan_id LIKE 'plan/' || :start OR name LIKE :start)
    {condition}
    ORDER BY created_at DESC LIMIT :most
"""


def complete_plan_id(incomplete: str) -> list[tuple[str, str]]:
    """Return ids of plans, running ones only if there are any, each with its status."""
    return _find(incomplete, running_only=True) or _find(incomplete, running_only=False)


def complete_running_plan(incomplete: str) -> list[tuple[str, str]]:
    """Return ids of plans that have not ended."""
    return _find(incomplete, running_only=True)


def complete_plan_file(incomplete: str) -> list[str]:
    """Return plan files and folders whose path begins with what was typed."""
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    try:
        entries = sorted(folder.iterdir())
        names = [
            f"{entry}/" if entry.is_dir() else str(entry)
            for entry in entries
            if not entry.name.startswith(".")
            and (entry.is_dir() or entry.suffix in (".yaml", ".yml", ".json"))
        ]
    except OSError:
        return []
    start = incomplete.removeprefix("./")
    return [name for name in names if name.startswith(start)][:MAX_SHOWN]


def complete_tool(incomplete: str) -> list[str]:
    """Return the names of installed tools; those of a person's own files are not looked for."""
    from mainstay.schemas.errors import MainstayError
    from mainstay.tools.catalogue import load_catalogue

    try:
        return [name for name in load_catalogue().specs() if name.startswith(incomplete)]
    except MainstayError:
        return []


def _find(incomplete: str, *, running_only: bool) -> list[tuple[str, str]]:
    file = sqlite_file()
    if file is None or not file.exists():
        return []
    condition = "AND status NOT IN ('succeeded', 'failed', 'cancelled')" if running_only else ""
    start = incomplete.replace("%", "") + "%"
    try:
        uri = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS)) as database:
            rows = database.execute(
                _QUERY.format(condition=condition), {"start": start, "most": MAX_SHOWN}
            ).fetchall()
    except sqlite3.Error:
        return []
    return [(str(plan_id), f"{name}, {status}") for plan_id, name, status in rows]
