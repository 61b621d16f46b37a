"""What holds for an agent beyond the shape of its parts: its tools, model, agents and prompt.

Rules:
    1. A tool that an agent names exists; one that is missing is an error, because an agent
       that silently lacks a tool makes things up instead.
    2. ``fs.*`` stands for all tools that begin so, and must match one. A ``*`` ends a name.
    3. A model is ``provider:name``, ``script:FILE`` or ``code:MODULE:FUNCTION``.
    4. An agent does not ask itself. The agents that it may ask are in its catalogue.
    5. Whoever thinks with a language model has a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mainstay.decisions.agent_files.output_rules import check_output
from mainstay.decisions.plan_files.plan_structure import is_name
from mainstay.decisions.plan_files.problems import Findings, Path
from mainstay.schemas.tools import ToolSpec

BUILT_IN_TOOLS = ("ask_human", "read_result", "recall", "remember")
"""Tools that every agent has if it names them; they need no catalogue, and no pattern."""

_SAME_TOOL = {
    "read": "fs.read",
    "view": "fs.read",
    "write": "fs.write",
    "edit": "fs.write",
    "multiedit": "fs.write",
    "notebookedit": "fs.write",
    "grep": "fs.search",
    "search": "fs.search",
    "glob": "fs.list",
    "ls": "fs.list",
    "bash": "process.run",
    "shell": "process.run",
    "webfetch": "http.request",
    "fetch": "http.request",
    "askuserquestion": "ask_human",
}
"""What the tools of well-known coding agents are called here."""

_NO_TOOL = {
    "task": "name the agents that it may ask under `agents`",
    "agent": "name the agents that it may ask under `agents`",
    "askagent": "name the agents that it may ask under `agents`",
    "todowrite": "leave it out: the agent's conversation is kept anyway",
    "todoread": "leave it out: the agent's conversation is kept anyway",
}
_PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*")
_CODE = re.compile(r"(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|(?s:.*[^/])\.py):[A-Za-z_]\w*", re.ASCII)
"""A function of a module, or of a Python file."""
_FAMILIES = (("claude", "anthropic"), ("gpt-", "openai"), ("gemini", "google"))
_MODEL_FORMS = "write `provider:name`, `script:FILE` or `code:MODULE:FUNCTION`"

Written = Mapping[str, Any]  # values as they stand in the file


def check_rules(
    findings: Findings,
    written: Written,
    tools: Mapping[str, ToolSpec] | None,
    prompt_hint: str = "write it below the front matter",
) -> None:
    """Check one agent; what its schema has refused is passed over here."""
    _check_tools(findings, written.get("tools"), tools)
    check_model(findings, ("model",), written.get("model"))
    if isinstance(written.get("output"), Mapping):
        check_output(findings, ("output",), written["output"])
    for index, name in _texts(written.get("agents")):
        if name == written.get("name"):
            findings.add(("agents", index), "the agent asks itself", "remove it from `agents`")
        elif not is_name(name):
            findings.add(("agents", index), f"{name!r} is no agent's name")
    prompt = written.get("prompt", "")
    if isinstance(prompt, str) and not prompt.strip() and not _is_code(written.get("model")):
        findings.add(("prompt",), "there is no prompt", prompt_hint)


def check_agents(findings: Findings, written: Written, known: Collection[str]) -> None:
    """Check that the agents which one may ask are there."""
    for index, name in _texts(written.get("agents")):
        if is_name(name) and name not in known:
            others = [one for one in known if one != written.get("name")]
            hint = findings.suggest(name, others) or f"there are: {', '.join(sorted(others))}"
            findings.add(("agents", index), f"there is no agent `{name}`", hint if others else "")


def _texts(value: Any) -> list[tuple[int, str]]:
    names = value if isinstance(value, list) else []
    return [(index, name) for index, name in enumerate(names) if isinstance(name, str)]


def _is_code(model: Any) -> bool:
    return isinstance(model, str) and model.startswith("code:")


def _check_tools(findings: Findings, value: Any, tools: Mapping[str, ToolSpec] | None) -> None:
    seen: set[str] = set()
    for index, name in _texts(value):
        path = ("tools", index)
        if name in seen:
            findings.add(path, f"`{name}` stands twice in `tools`", "remove one of them")
        elif not name.strip():
            findings.add(path, "a tool without a name", "remove it")
        elif "*" in name[:-1] and "(" not in name:
            findings.add(path, f"`{name}`: a * stands only at the end", "write `fs.*` for instance")
        elif tools is not None:
            _check_tool(findings, path, name, tools)
        seen.add(name)


def _check_tool(
    findings: Findings, path: tuple[str, int], name: str, tools: Mapping[str, ToolSpec]
) -> None:
    known = [*tools, *BUILT_IN_TOOLS]
    if name.endswith("*"):
        if not any(one.startswith(name[:-1]) for one in tools):
            findings.add(path, f"no tool matches `{name}`", _hint_for_pattern(tools))
    elif name not in known:
        findings.add(path, f"there is no tool `{name}`", _hint_for_tool(findings, name, known))


def _hint_for_pattern(known: Collection[str]) -> str:
    groups = sorted({one.partition(".")[0] for one in known if "." in one})
    return f"there are: {', '.join(f'`{group}.*`' for group in groups)}" if groups else ""


def _hint_for_tool(findings: Findings, name: str, known: list[str]) -> str:
    plain = name.partition("(")[0]
    folded = plain.lower().replace("_", "")
    same = _SAME_TOOL.get(folded, plain)
    if same in known:
        narrowed = "; what it may be used for cannot be narrowed here" if plain != name else ""
        return f"write `{same}`{narrowed}"
    return _NO_TOOL.get(folded) or findings.suggest(plain, known) or "`mainstay tools` lists them"


def check_model(findings: Findings, path: Path, model: Any) -> None:
    """Check the form of a model's name, where one is written."""
    if not isinstance(model, str):
        return
    provider, colon, name = model.partition(":")
    if provider == "code" and colon:
        if not _CODE.fullmatch(name):
            findings.add(path, f"{model!r} names no function", "write `code:MODULE:FUNCTION`")
    elif not colon or not _PROVIDER.fullmatch(provider) or not name or name != name.strip():
        findings.add(path, f"{model!r} is no model", _hint_for_model(model))


def _hint_for_model(model: str) -> str:
    if model == "inherit":
        return "leave `model` out: the default model is then used"
    if model in {"sonnet", "opus", "haiku"}:
        return "name it in full, `anthropic:claude-…`, or leave `model` out for the default one"
    for beginning, provider in _FAMILIES:
        if model.startswith(beginning) and ":" not in model:
            return f"did you mean `{provider}:{model}`?"
    provider, slash, name = model.partition("/")
    if slash and ":" not in model and _PROVIDER.fullmatch(provider) and name.strip():
        return f"did you mean `{provider}:{name}`?"
    return _MODEL_FORMS
