"""The report of the benchmarks: what programs read, and how a goal is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.report import finding, make_table, write_report
from rich.console import Console


@pytest.mark.parametrize(
    ("value", "aim", "met"),
    [
        (9.0, "at most", True),
        (9.1, "at most", False),
        (9.0, "at least", True),
        (8.9, "at least", False),
    ],
)
def test_a_goal_is_met_up_to_and_including_its_bound(value, aim, met):
    assert finding("a step", value, "ms", goal=9, aim=aim).met is met


def test_without_a_goal_nothing_is_judged():
    assert finding("bytes", 12, "bytes").met is None


def test_the_file_is_a_list_of_findings_with_every_key(tmp_path: Path):
    path = tmp_path / "build" / "bench.json"
    write_report([finding("a step", 8, "ms", goal=9, floor=6, peers={"other": 1.5})], path)
    [found] = json.loads(path.read_text("utf-8"))
    assert found.pop("note") == ""
    assert found == {
        "claim": "a step",
        "value": 8,
        "unit": "ms",
        "goal": 9,
        "met": True,
        "floor": 6,
        "peers": {"other": 1.5},
    }


def test_the_table_shows_value_goal_floor_and_the_others():
    console = Console(record=True, width=120)
    missing = finding("items", 12_345, "items/s", note="others could not be run: no network")
    kept = finding("a step", 8.25, "ms", goal=9, floor=6, peers={"other": 1.5})
    console.print(make_table([kept, missing]))
    text = console.export_text()
    for shown in ("8.25 ms", "yes", "other 1.5", "12,345 items/s", "could not be run"):
        assert shown in text
