"""What a critic is told, and what its answer means for a task.

Rules:
    1. An output passes when its score is at least the threshold; confidence does not count, it is
       told.
    2. What does not pass goes back with the issues first and then the suggestions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from mainstay.schemas.agent_tasks import Critique

MAX_JUDGED_CHARS = 200_000
"""How much of an output a critic is shown."""

MAX_FEEDBACK_CHARS = 2_000
"""Longest feedback: it is carried in the plan's history."""

Value = Any  # JSON-like data


def complaint(critique: Critique, threshold: float) -> str | None:
    """Return what to tell whoever made the output; None when it passes."""
    if critique.score >= threshold:
        return None
    text = f"{summary(critique)}; at least {threshold:g} is needed"
    text += _listed("Issues", critique.issues) + _listed("Suggestions", critique.suggestions)
    return text if len(text) <= MAX_FEEDBACK_CHARS else text[: MAX_FEEDBACK_CHARS - 1] + "…"


def summary(critique: Critique) -> str:
    """Return the score in a few words."""
    return f"scored {critique.score:g} (confidence {critique.confidence:g})"


def critic_prompt(asked: str, output: Value, criteria: Sequence[str], feedback: str = "") -> str:
    """Write what a critic is asked.

    Args:
        asked: what the task was, as far as there are words for it.
        output: what came of it.
        criteria: what to judge by; none leaves that to the critic.
        feedback: what the last round was sent back with.
    """
    parts = ["Judge the output of a task."]
    if asked:
        parts.append(f"The task:\n{asked}")
    if criteria:
        parts.append("Judge by these criteria:\n" + "\n".join(f"- {one}" for one in criteria))
    if feedback:
        parts.append(f"An earlier output was sent back with this:\n{feedback}")
    parts.append(f"The output:\n{_shown(output)}")
    parts.append(
        "Answer with `score` and `confidence` between 0 and 1, `issues` and `suggestions`."
    )
    return "\n\n".join(parts)


def _listed(title: str, lines: Sequence[str]) -> str:
    return f"\n{title}:\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _shown(output: Value) -> str:
    text = output if isinstance(output, str) else to_json(output, indent=2).decode()
    if len(text) <= MAX_JUDGED_CHARS:
        return text
    return f"{text[:MAX_JUDGED_CHARS]}\n(and {len(text) - MAX_JUDGED_CHARS:,} characters more)"
