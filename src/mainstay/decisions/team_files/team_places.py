"""Where things stand in a team's file, whose short forms are checked as the long ones they mean.

| as it is written                 | as it is checked                              |
|----------------------------------|-----------------------------------------------|
| ``- reviewer``                   | ``- agent: reviewer``                         |
| ``- name: x`` and ``children: …`` | ``- name: x`` and ``supervisor: {children: …}`` |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.decisions.plan_files.plan_file import Document
from mainstay.decisions.plan_files.problems import Findings, Path, Severity, format_path


def written_path(written: Any, path: Path) -> Path:  # Any: what stands in the file
    """Return the path in a file of something in its long form, as far as it is written there."""
    found: list[str | int] = []
    node = written
    for position, part in enumerate(path):
        inner = _entry(node, part)
        if inner is not None:
            node = inner
        elif isinstance(node, Mapping) and part == "supervisor":
            continue
        elif isinstance(node, str):
            break
        else:
            return (*found, *path[position:])
        found.append(part)
    return tuple(found)


def _entry(node: Any, part: str | int) -> Any:  # Any: what stands in the file
    if isinstance(node, Mapping):
        return node.get(part)
    return node[part] if isinstance(node, list) and isinstance(part, int) else None


class TeamFindings(Findings):
    """Collects problems of a team; they are reported by paths of the long form.

    Args:
        document: the file; None for a team that was made in Python.
        part: where in the team everything stands that is reported.
    """

    def __init__(self, document: Document | None = None, part: Path = ()) -> None:
        if document is None:
            super().__init__()
        else:
            super().__init__(document.source, document.locate)
        self._document = document
        self._part = part

    def add(
        self,
        path: Path,
        message: str,
        hint: str = "",
        *,
        at_key: bool = False,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Report something at a path: at its value, or at its key."""
        where = self._written((*self._part, *path))
        super().add(where, message, hint, at_key=at_key, severity=severity)

    def inside(self, part: Path) -> TeamFindings:
        """Return findings about a part of the team, which become findings about all of it."""
        inner = TeamFindings(self._document, (*self._part, *part))
        inner.problems = self.problems
        return inner

    def place(self, path: Path) -> str:
        """Say where something else stands: its line, or its path when there are no lines."""
        line, _ = self._locate(self._written(path), False)
        return f"in line {line}" if line else format_path(path)

    def _written(self, path: Path) -> Path:
        return path if self._document is None else written_path(self._document.data, path)
