"""Summing a conversation up without a language model: by the beginnings of what was said."""

from __future__ import annotations

import re

from mainstay.schemas.model_calls import ModelCall

LINES = 40
"""How many lines a summary has; the latest are kept."""

LINE_CHARS = 100
"""How much of a line is kept."""

_BEFORE = re.compile(r"<summary>\n(.*?)\n</summary>", re.DOTALL)
_SAID = re.compile(r"<conversation>\n(.*)\n</conversation>", re.DOTALL)


def extract(call: ModelCall) -> str:
    """Return the beginning of each line of what is to be summed up, the summary before it first.

    Args:
        call: a request as :func:`mainstay.decisions.agents.window.summary_request` writes it; any
            other text is taken as a conversation.
    """
    asked = "\n".join(entry.text for entry in call.entries)
    before, said = _BEFORE.search(asked), _SAID.search(asked)
    lines = [*_lines(before[1] if before else ""), *_lines(said[1] if said else asked)]
    return "\n".join(lines[-LINES:]) or "Nothing was said."


def _lines(text: str) -> list[str]:
    return [line.strip()[:LINE_CHARS] for line in text.splitlines() if line.strip()]
