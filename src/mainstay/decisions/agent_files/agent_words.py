"""What is wrong with an agent's keys and values, in words for someone who writes its file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from mainstay.decisions.plan_files.plan_structure import is_name
from mainstay.decisions.plan_files.plan_words import describe, keys_of
from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.agent import (
    AgentSpec,
    BudgetSpec,
    ContextPolicy,
    ContextSpec,
    LimitsSpec,
    MailboxSpec,
    OnFailure,
    OnParentEnd,
    Role,
)

FILE_KEYS = tuple(name for name in keys_of(AgentSpec) if name != "extras")
"""The keys that an agent's front matter may have; others belong to other tools."""

PARTS: Mapping[str, type[BaseModel]] = {
    "budget": BudgetSpec,
    "limits": LimitsSpec,
    "mailbox": MailboxSpec,
    "context": ContextSpec,
}

_CHOICES: Mapping[str, type[StrEnum]] = {
    "role": Role,
    "on_failure": OnFailure,
    "on_parent_end": OnParentEnd,
    "context": ContextPolicy,
    "policy": ContextPolicy,
}

_MEANT = {
    **dict.fromkeys(
        ("system_prompt", "systemPrompt", "system", "instructions"),
        "the prompt is what stands below the front matter",
    ),
    **dict.fromkeys(
        ("maxTurns", "max_turns", "max_steps", "steps", "max_iterations"),
        "did you mean `limits: {model_calls: …}`?",
    ),
    **dict.fromkeys(("temperature", "top_p", "max_tokens", "seed"), "put it under `settings`"),
    **dict.fromkeys(("subagents", "handoffs", "delegates"), "did you mean `agents`?"),
    **dict.fromkeys(("output_schema", "response_format", "schema"), "did you mean `output`?"),
    **dict.fromkeys(("disallowedTools", "disallowed_tools"), "`tools` is all that it may use"),
    "timeout": "did you mean `limits: {turn_timeout: …}`?",
}
_MEANT_IN_PART = {
    "budget": {
        "cost": "did you mean `usd`?",
        "money": "did you mean `usd`?",
        "dollars": "did you mean `usd`?",
        "max_tokens": "did you mean `tokens`?",
    },
    "limits": {
        "timeout": "did you mean `turn_timeout`?",
        "turns": "turns in all belong to `budget`; `model_calls` limits one turn",
        "tokens": "tokens belong to `budget`, or to `context`",
        "usd": "money belongs to `budget`",
    },
}
_OTHERS = frozenset(
    [
        "author",
        "background",
        "color",
        "effort",
        "hooks",
        "isolation",
        "license",
        "mcpServers",
        "memory",
        "metadata",
        "mode",
        "permissionMode",
        "skills",
        "tags",
        "version",
    ]
)
"""Keys that other tools are known to have; they are no misspellings of ours."""


def explain_extra(key: str) -> tuple[str, str]:
    """Return the message and the hint for a key of the front matter that is not ours."""
    hint = _MEANT.get(key) or ("" if key in _OTHERS else did_you_mean(key, FILE_KEYS))
    return f"the key `{key}` is kept, and has no effect here", hint


def explain_misfit(path: Path, detail: ErrorDetails) -> tuple[str, str]:
    """Return the message and the hint for a value or a part's key that the schema refuses."""
    kind, key, value = detail["type"], str(path[-1]), detail["input"]
    if kind == "extra_forbidden":
        return _explain_unknown_key(str(path[0]), key)
    if kind == "enum":
        words = [str(one) for one in _CHOICES[key]]
        return f"`{key}`: there is no {value!r}", (
            did_you_mean(str(value), words) or f"there are: {', '.join(words)}"
        )
    if kind == "string_too_long":
        return f"`{key}` has more than {detail['ctx']['max_length']} characters", "shorten it"
    message, hint = describe(path, detail, False)
    if kind == "string_pattern_mismatch":
        hint = _similar_name(str(value)) or hint
    return message, hint


def _explain_unknown_key(part: str, key: str) -> tuple[str, str]:
    keys = keys_of(PARTS[part])
    hint = _MEANT_IN_PART.get(part, {}).get(key) or did_you_mean(key, keys)
    return f"unknown key `{key}` in `{part}`", hint or f"there are: {', '.join(keys)}"


def _similar_name(text: str) -> str:
    similar = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")
    if not is_name(similar):
        return ""
    return f"did you mean `{similar}`? A name has letters, digits, _ and -, no digit first"
