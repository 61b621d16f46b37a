"""Offering the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_CANDIDATES = 2_000
"""Names compared at most; comparing with every one of 20,000 tasks would take a second."""


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that looks most like a name, or None when none is close."""
    names = [candidate for candidate, _ in zip(candidates, range(MAX_CANDIDATES), strict=False)]
    folded = name.lower().replace("-", "_")
    for candidate in names:
        if candidate.lower().replace("-", "_") == folded:
            return candidate
    matches = get_close_matches(name[:100], names, n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return the question to put behind an unknown name; empty when nothing is close."""
    found = closest(name, candidates)
    return f"did you mean `{found}`?" if found else ""
