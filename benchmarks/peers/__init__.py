"""The same work done by others, each in a process of its own, in an environment of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.rig import scratch_folder

HERE = Path(__file__).parent
ENVIRONMENT = Path("build/peers")
INSTALL_SECONDS = 300
RUN_SECONDS = 120

PROGRAMS = {"DBOS": HERE / "dbos_steps.py", "LangGraph": HERE / "langgraph_steps.py"}


class PeersMissing(Exception):
    """The environment of the others cannot be made; says why."""


@dataclass(frozen=True)
class PeerRun:
    """What one of the others did in one run. Steps a second, and seconds."""

    in_sequence: float
    at_once: float
    diamond_seconds: float

    @property
    def steps_a_second(self) -> float:
        """The better of its two ways."""
        return max(self.in_sequence, self.at_once)


class Peers:
    """Runs the others, one after another, as often as asked, and remembers every run."""

    def __init__(self, steps: int, width: int) -> None:
        self.runs: dict[str, list[PeerRun]] = {name: [] for name in PROGRAMS}
        self._sizes = (str(steps), str(width))
        self._python = prepare()

    def run_once(self) -> None:
        """Let each do its work once; a run of ours stands between two calls.

        Raises:
            PeersMissing: one of them does not run.
        """
        for name, program in PROGRAMS.items():
            with scratch_folder() as folder:
                words = [str(self._python), str(program), str(folder), *self._sizes]
                said = _call(words, RUN_SECONDS)
            self.runs[name].append(PeerRun(**json.loads(said.splitlines()[-1])))

    def steps_a_second(self) -> dict[str, float]:
        """The median of each one's better way."""
        return {
            name: median(run.steps_a_second for run in runs) for name, runs in self.runs.items()
        }

    def step_milliseconds(self) -> dict[str, float]:
        """The median of what a step of a sequence takes."""
        return {
            name: 1000 / median(run.in_sequence for run in runs) for name, runs in self.runs.items()
        }

    def diamond_seconds(self) -> dict[str, float]:
        """The median of what the diamond takes."""
        return {
            name: median(run.diamond_seconds for run in runs) for name, runs in self.runs.items()
        }


def prepare() -> Path:
    """Make the environment if it is not there yet, and return its Python.

    Raises:
        PeersMissing: it cannot be made, for instance without a network.
    """
    python, done = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".installed"
    wanted = (HERE / "constraints.txt").read_text("utf-8")
    if done.is_file() and done.read_text("utf-8") == wanted:
        return python
    print("making build/peers ...", file=sys.stderr)
    venv.create(ENVIRONMENT, clear=True, with_pip=True, symlinks=True)
    words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*words, "--requirement", str(HERE / "constraints.txt")], INSTALL_SECONDS)
    done.write_text(wanted, "utf-8")
    return python


def _call(words: list[str], seconds: int) -> str:
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=True)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
        raise PeersMissing(lines[-1]) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeersMissing(str(error)) from None
    return ended.stdout
