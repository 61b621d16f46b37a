"""The installed program on a real server: run, watch, kill, interrupt, take up, up, worker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("mainstay")
PATIENCE_SECONDS = 60

GREET = """\
name: greet
inputs: {who: {default: you}}
tasks:
  say:
    tool: text.render
    with: {template: "hello {{ who }}", variables: {who: "${{ inputs.who }}"}}
  each:
    needs: [say]
    for_each: "${{ range(4) }}"
    batch: 2
    tool: json.query
    with: {expression: x, data: {x: "${{ item }}"}}
outputs:
  text: "${{ needs.say.outputs }}"
  sum: "${{ needs.each.outputs | sum }}"
"""
FAIL = """\
name: fails
tasks:
  bad:
    tool: process.run
    with: {command: [sh, -c, "echo no luck >&2; exit 3"]}
"""
ASK = """\
name: asks
tasks:
  before: {tool: text.render, with: {template: ready}}
  gate: {needs: [before], approval: "Go on?"}
  after: {needs: [gate], tool: text.render, with: {template: gone on}}
outputs: {text: "${{ needs.after.outputs }}"}
"""
SLOW = """\
name: slow
inputs: {folder: {type: string}}
tasks:
  each:
    for_each: "${{ range(12) }}"
    max_parallel: 2
    idempotent: true
    tool: process.run
    with: {command: [sh, -c, "sleep 0.2; echo ${{ item }} >> ${{ inputs.folder }}/${{ item }}"]}
outputs: {count: "${{ needs.each.outputs | length }}"}
"""


class Program:
    """Runs the installed program with a data directory of its own, and ends all it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "MAINSTAY_DATA_DIR": str(folder / "data"),
            "NO_COLOR": "1",
        }
        self._started: list[subprocess.Popen[str]] = []

    def plan(self, text: str) -> str:
        file = self.folder / "plan.yaml"
        file.write_text(text)
        return str(file)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *words],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=PATIENCE_SECONDS,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        number = len(self._started)
        with (self.out(number).open("w"), self.err(number).open("w")) as streams:
            raise AssertionError(streams)

    def out(self, number: int) -> Path:
        return self.folder / f"out{number}"

    def err(self, number: int) -> Path:
        return self.folder / f"err{number}"
