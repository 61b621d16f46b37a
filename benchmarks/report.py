"""What a benchmark finds, as a table for people and as a file for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rich.table import Table

Aim = Literal["at least", "at most"]


@dataclass(frozen=True)
class Finding:
    """One measured value.

    Attributes:
        claim: what it says, in a few words; unique in a report.
        value: what was measured, in ``unit``.
        goal: what was promised; None when the value is only told.
        met: whether it is kept; None without a goal.
        floor: what the same costs without us on the same machine, in the same unit.
        peers: what others need for the same, in the same unit.
        note: how it was measured, or why a part is missing.
    """

    claim: str
    value: float
    unit: str
    goal: float | None = None
    met: bool | None = None
    floor: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def finding(
    claim: str,
    value: float,
    unit: str,
    *,
    goal: float | None = None,
    aim: Aim = "at most",
    floor: float | None = None,
    peers: Mapping[str, float] | None = None,
    note: str = "",
) -> Finding:
    """Make a finding and judge it by its goal."""
    met = None
    if goal is not None:
        met = value <= goal if aim == "at most" else value >= goal
    return Finding(claim, value, unit, goal, met, floor, dict(peers or {}), note)


def write_report(findings: Sequence[Finding], path: Path) -> None:
    """Write findings as a list of JSON objects, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(one) for one in findings], indent=2) + "\n", "utf-8")


def make_table(findings: Sequence[Finding]) -> Table:
    """Lay findings out for a terminal."""
    table = Table(title="What we claim, measured", title_justify="left")
    table.add_column("claim")
    for heading in ("value", "goal", "met", "floor"):
        table.add_column(heading, justify="right")
    table.add_column("others")
    for one in findings:
        table.add_row(
            f"{one.claim}\n[dim]{one.note}[/dim]" if one.note else one.claim,
            f"{_number(one.value)} {one.unit}",
            "" if one.goal is None else _number(one.goal),
            {None: "", True: "[green]yes[/green]", False: "[red]no[/red]"}[one.met],
            "" if one.floor is None else _number(one.floor),
            "\n".join(f"{name} {_number(value)}" for name, value in one.peers.items()),
        )
    return table


def _number(value: float) -> str:
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 10 else f"{value:.3g}"
