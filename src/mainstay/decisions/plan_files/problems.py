"""What is wrong with a plan, and where: the form in which validation reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum

from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.model import Model

CHEAP_CANDIDATES = 50
MAX_SUGGESTIONS = 200
"""Suggestions looked for among many names; each takes milliseconds, a plan has 20,000 tasks."""

MAX_LISTED = 100
"""Problems that an error's message lists; the rest are counted."""

Path = tuple[str | int, ...]
"""Where something stands in a plan: keys and indexes from the top."""

Locate = Callable[[Path, bool], tuple[int, int]]
"""Finds the line and column of a path's value, or of its key when the flag is set."""


class Severity(StrEnum):
    """Whether a plan can run in spite of a problem."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Model):
    """One thing that is wrong with a plan.

    Attributes:
        line: from 1; 0 for a plan that was made in Python.
        column: from 1; 0 for a plan that was made in Python.
        path: where it stands, ``tasks.build.with.path`` for instance; empty for the whole plan.
        source: the file it stands in.
    """

    line: int = 0
    column: int = 0
    path: str = ""
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    source: str = ""

    def __str__(self) -> str:
        """Write it as compilers do: ``plan.yaml:3:7: error: ...``."""
        where = f"{self.source}:{self.line}:{self.column}" if self.line else self.path
        hint = f" (hint: {self.hint})" if self.hint else ""
        return f"{where}: {self.severity}: {self.message}{hint}"


def format_path(path: Path) -> str:
    """Write a path for people: ``tasks.build.needs[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nowhere(path: Path, at_key: bool) -> tuple[int, int]:
    """Locate in a plan that was made in Python: it has no lines."""
    return 0, 0


class Findings:
    """Collects problems while a plan is checked."""

    def __init__(self, source: str = "", locate: Locate = nowhere) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._locate = locate
        self._suggestions = 0

    def suggest(self, name: str, candidates: Collection[str]) -> str:
        """Return "did you mean ...?" or nothing; a plan that is all wrong gets a few hundred."""
        if len(candidates) > CHEAP_CANDIDATES:
            self._suggestions += 1
            if self._suggestions > MAX_SUGGESTIONS:
                return ""
        return did_you_mean(name, candidates)

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
        line, column = self._locate(path, at_key)
        self.problems.append(
            Problem(
                line=line,
                column=column,
                path=format_path(path),
                message=message,
                hint=hint,
                severity=severity,
                source=self.source,
            )
        )

    def warn(self, path: Path, message: str, hint: str = "") -> None:
        """Report something that does not keep the plan from running."""
        self.add(path, message, hint, at_key=True, severity=Severity.WARNING)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems by file and position, those of one place as they were found, none twice."""
    return sorted(
        dict.fromkeys(problems), key=lambda problem: (problem.source, problem.line, problem.column)
    )


def list_problems(what: str, problems: Sequence[Problem]) -> str:
    """List problems, below a line that says what has them and counts them."""
    many = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    lines = [f"{what} has {many}:", *map(str, problems[:MAX_LISTED])]
    if len(problems) > MAX_LISTED:
        lines.append(f"and {len(problems) - MAX_LISTED} more")
    return "\n".join(lines)


def is_fatal(problems: Iterable[Problem]) -> bool:
    """Tell whether a plan with these problems cannot run."""
    return any(problem.severity is Severity.ERROR for problem in problems)
