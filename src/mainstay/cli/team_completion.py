"""What the shell completes: teams, supervisors, children. Quick, silent, never an error."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing

from mainstay.cli.completion import MAX_SHOWN, WAIT_SECONDS, complete_plan_file
from mainstay.cli.places import sqlite_file

_QUERY = """
    SELECT name, lower(current_state), state_data FROM agents
    WHERE agent_type = 'SUPERVISOR' AND replace(name, '/@', :between) LIKE :start {condition}
    ORDER BY updated_at DESC LIMIT :most
"""
_ROOTS = "AND name LIKE '%/@'"
"""A team's name is completed by its root supervisor."""
_LIVING = "AND current_state <> 'TERMINATED'"


def complete_team(incomplete: str) -> list[tuple[str, str]]:
    """Return names of teams, the living ones only if there are any, each with its state."""
    return _teams(incomplete, _LIVING) or _teams(incomplete, "")


def complete_living_team(incomplete: str) -> list[tuple[str, str]]:
    """Return names of teams that have not ended."""
    return _teams(incomplete, _LIVING)


def complete_supervisor(incomplete: str) -> list[tuple[str, str]]:
    """Return living supervisors as ``TEAM[/PATH]``."""
    return _unique((_place(name), state) for name, state, _ in _rows(incomplete, _LIVING))


def complete_child(incomplete: str) -> list[tuple[str, str]]:
    """Return names of children of living supervisors, each with where it is and how."""
    found = []
    for name, _, data in _rows("", _LIVING):
        try:
            children = json.loads(data or "{}").get("children", [])
            found += [
                (str(child["name"]), f"{_place(name)}, {child['phase']}")
                for child in children
                if str(child["name"]).startswith(incomplete)
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return _unique(found)[:MAX_SHOWN]


complete_team_file = complete_plan_file


def _teams(incomplete: str, condition: str) -> list[tuple[str, str]]:
    rows = _rows(incomplete, f"{_ROOTS} {condition}")
    return _unique((name.partition("/")[0], state) for name, state, _ in rows)


def _place(name: str) -> str:
    return name.replace("/@", "/").removesuffix("/")


def _unique(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Keep the first of each name: the newest life of it."""
    found: dict[str, str] = {}
    for name, how in pairs:
        found.setdefault(name, how)
    return list(found.items())


def _rows(incomplete: str, condition: str) -> list[tuple[str, str, str]]:
    file = sqlite_file()
    if file is None or not file.exists():
        return []
    start = incomplete.replace("%", "") + "%"
    try:
        uri = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS)) as database:
            return database.execute(
                _QUERY.format(condition=condition),
                {"between": "/", "start": start, "most": MAX_SHOWN},
            ).fetchall()
    except sqlite3.Error:
        return []
