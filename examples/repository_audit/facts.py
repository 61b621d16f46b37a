"""What the audit's tasks tell each other. Paths are relative to the audited folder."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """Something worth a look in a file. ``line`` counts from 1."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class LongFunction:
    """A function longer than allowed. ``is_estimate``: counted by braces or indentation."""

    line: int
    name: str
    lines: int
    is_estimate: bool = False


@dataclass(frozen=True)
class FileFacts:
    """One measured file.

    ``lines`` is ``code + comment + blank``. ``problem`` says why a file could not be read; its
    counts are then 0.
    """

    path: str
    language: str = ""
    bytes: int = 0
    lines: int = 0
    blank: int = 0
    comment: int = 0
    todos: list[Finding] = field(default_factory=list)
    secrets: list[Finding] = field(default_factory=list)
    functions: list[LongFunction] = field(default_factory=list)
    problem: str = ""

    @property
    def code(self) -> int:
        """Lines that are neither blank nor only a comment."""
        return self.lines - self.blank - self.comment


@dataclass(frozen=True)
class Dependency:
    """Something a manifest asks for. ``group`` is empty for what is always needed."""

    name: str
    constraint: str = ""
    group: str = ""


@dataclass(frozen=True)
class Manifest:
    """What one manifest declares, or why it could not be read."""

    path: str
    dependencies: list[Dependency] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True)
class History:
    """What Git remembers: how many of the commits looked at touched each file."""

    commit: str = ""
    commits: int = 0
    touched: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LanguageTotal:
    """The files of one language, or all of them, added up."""

    language: str
    files: int = 0
    lines: int = 0
    code: int = 0
    comment: int = 0
    blank: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class HotSpot:
    """A file that is large and often changed: ``score`` is ``code * commits``."""

    path: str
    code: int
    commits: int
    score: int


@dataclass(frozen=True)
class Place:
    """A finding with the file it is in."""

    path: str
    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class Ranked:
    """The first of a ranked list, and how many there are in all."""

    total: int = 0
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """Everything the report says."""

    name: str
    history: History
    total: LanguageTotal
    languages: list[LanguageTotal]
    hot_spots: list[HotSpot]
    functions: Ranked
    todos: Ranked
    secrets: Ranked
    unreadable: Ranked
    manifests: list[Manifest]
    long_function_lines: int
