"""Campaigns of kills that can be interrupted: finished rounds are kept in a file."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from fault_kills import Victim

ROOT = Path(__file__).parents[2]


class Campaign:
    """The finished rounds of a campaign, in a file. Rounds of other code do not count."""

    def __init__(self, name: str) -> None:
        self.path = path = ROOT / "build" / f"{name}.jsonl"
        self.code = _code()
        lines = path.read_text().splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        self.rounds = {row["round"]: row for row in rows if row["code"] == self.code}

    def keep(self, row: dict[str, Any]) -> None:
        """Keep a finished round."""
        self.rounds[row["round"]] = row
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({**row, "code": self.code}) + "\n")

    def figures(self, undisturbed_seconds: float) -> str:
        """Sum the campaign up."""
        text = f"\n{self.path}; undisturbed run: {undisturbed_seconds:.1f} s\n"
        for victim in Victim:
            rows = [row for row in self.rounds.values() if row["victim"] == victim]
            slowest = max((row["seconds"] for row in rows), default=0)
            doubles = sum(row["doubles"] for row in rows)
            text += f"{victim}: {len(rows)} kills, slowest run {slowest:.1f} s, "
            text += f"effects doubled 0, calls without a key doubled {doubles}\n"
        return text


def _code() -> str:
    """Return a fingerprint of the code under test and of the tests."""
    digest = sha256()
    for folder in (ROOT / "src", Path(__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
