"""A stand-in for a model that knows only what it is sent, so that forgetting shows.

It looks for a fact in its instructions and in the window of the conversation, and says that it
does not know what is not there. Its summaries are made of nothing but the text it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainstay.schemas.conversation import Entry, ModelAnswer, Usage

UNKNOWN = "I do not know."

CHARS_PER_TOKEN = 4

_FACT = re.compile(r"The code of depot (\w+) is (\d+)\.")
_QUESTION = re.compile(r"What is the code of depot (\w+)\?")


def write_fact(depot: str, code: int) -> str:
    """Write a fact as it is told, pinned and summed up."""
    return f"The code of depot {depot} is {code}."


def write_question(depot: str) -> str:
    """Ask for a fact."""
    return f"What is the code of depot {depot}?"


async def recall(
    prompt: str, entries: Sequence[Entry], instructions: str, purpose: str
) -> ModelAnswer:
    """Answer a question, take note of anything else, or sum a conversation up."""
    sent = "\n".join([instructions, *(entry.text for entry in entries)])
    if purpose == "summary":
        text = "\n".join(dict.fromkeys(found.group() for found in _FACT.finditer(prompt)))
    elif asked := _QUESTION.search(prompt):
        text = dict(_FACT.findall(sent)).get(asked[1], UNKNOWN)
    else:
        text = "Noted."
    usage = Usage(input_tokens=_tokens(sent), output_tokens=_tokens(text))
    return ModelAnswer(text=text or "Nothing to keep.", usage=usage)


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)
