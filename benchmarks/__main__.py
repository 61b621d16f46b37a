"""Run the benchmarks: ``python -m benchmarks [--only NAME] [--quick]``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import traceback
from pathlib import Path
from time import perf_counter

from rich.console import Console

from benchmarks import (
    agent_history,
    agent_idle,
    agent_speed,
    agent_window,
    command_line,
    decision_rate,
    diamond,
    for_each,
    history,
    sequence,
    teams,
)
from benchmarks.bench import Bench, Measure
from benchmarks.report import Finding, make_table, write_report

REPORT = Path("build/bench.json")

BENCHMARKS: dict[str, Measure] = {
    "for-each": for_each.measure,
    "sequence": sequence.measure,
    "diamond": diamond.measure,
    "help": command_line.measure_help,
    "up": command_line.measure_up,
    "history": history.measure,
    "decisions": decision_rate.measure,
    "agent-history": agent_history.measure,
    "agent-speed": agent_speed.measure,
    "agent-idle": agent_idle.measure,
    "agent-window": agent_window.measure,
    "teams": teams.measure,
}


def main() -> int:
    """Measure, print a table and write the report; 1 when a benchmark did not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=[*BENCHMARKS], help="one, or several")
    parser.add_argument("--quick", action="store_true", help="see that it runs, in a minute")
    asked = parser.parse_args()
    findings, broken = asyncio.run(_measure(asked.only or [*BENCHMARKS], Bench(asked.quick)))
    Console().print(make_table(findings))
    write_report(findings, REPORT)
    print(f"written to {REPORT}")
    for name in broken:
        print(f"error: benchmark {name!r} did not run; see above", file=sys.stderr)
    return 1 if broken else 0


async def _measure(names: list[str], bench: Bench) -> tuple[list[Finding], list[str]]:
    findings: list[Finding] = []
    broken: list[str] = []
    for name in names:
        began = perf_counter()
        try:
            findings += await BENCHMARKS[name](bench)
        except Exception:  # the others are measured all the same
            traceback.print_exc()
            broken.append(name)
        print(f"{name}: {perf_counter() - began:.0f} s", file=sys.stderr)
    return findings, broken


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A process that used the Temporal SDK can crash while Python takes itself apart.
    os._exit(code)
