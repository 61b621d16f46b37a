"""Whether an agent has the right keys and types: ours are checked, those of others are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mainstay.decisions.agent_files.agent_words import FILE_KEYS, explain_extra, explain_misfit
from mainstay.decisions.agent_files.front_matter import AgentText, split_words
from mainstay.decisions.plan_files.plan_structure import path_in
from mainstay.decisions.plan_files.problems import Findings
from mainstay.schemas.agent import AgentSpec

NAME_LISTS = ("tools", "agents", "capabilities")


@dataclass(frozen=True)
class AgentShape:
    """An agent as far as its file can be made out.

    Attributes:
        spec: the agent; None when the schema refused something.
        written: our keys with their values as they were written, lists of names split.
    """

    spec: AgentSpec | None = None
    written: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The agent's name, or nothing where none can be made out."""
        name = self.written.get("name")
        return name if isinstance(name, str) else ""


def check_shape(text: AgentText, findings: Findings) -> AgentShape:
    """Check an agent's file against the schema of agents, and report everything that is wrong."""
    data = text.document.data
    if data is None:
        return AgentShape()
    # A key without a value is one that is not there.
    written = {key: data[key] for key in FILE_KEYS if data.get(key) is not None}
    extras = {key: value for key, value in data.items() if key not in FILE_KEYS}
    for key in extras:
        findings.warn((key,), *explain_extra(key))
    for key in NAME_LISTS:
        if isinstance(written.get(key), str):
            written[key] = split_words(written[key])
    _take_prompt(text, written, findings)
    spec = None
    try:
        spec = AgentSpec.model_validate({**written, "extras": extras})
    except ValidationError as error:
        _report(error, written, findings)
    return AgentShape(spec, written)


def _take_prompt(text: AgentText, written: dict[str, Any], findings: Findings) -> None:
    if "prompt" not in written:
        written["prompt"] = text.prompt
    elif text.prompt:
        hint = "leave `prompt` out: it is the text below the front matter"
        findings.add(("prompt",), "there are two prompts", hint, at_key=True)


def _report(error: ValidationError, written: dict[str, Any], findings: Findings) -> None:
    for detail in error.errors(include_url=False, include_context=True):
        path = path_in(written, detail["loc"])
        if detail["type"] == "missing":
            name = str(detail["loc"][-1])
            findings.add((name,), f"`{name}` is missing", f"write `{name}: …`", at_key=True)
        else:
            message, hint = explain_misfit(path, detail)
            findings.add(path, message, hint, at_key=detail["type"] == "extra_forbidden")
