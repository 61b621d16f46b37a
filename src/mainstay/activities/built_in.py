"""The tools that every agent can be given beside those of a toolbox: what they are called and take.

They need the agent itself (its mailbox, its memory, a person to ask), so no toolbox holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.tools import ToolSpec

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}

ASK_PREFIX = "ask_agent_"


def ask_tool_name(agent: str) -> str:
    """Name the tool that asks another agent: letters, digits and ``_`` alone."""
    return ASK_PREFIX + "".join(sign if sign.isalnum() else "_" for sign in agent)


def _tool(
    name: str,
    description: str,
    required: Mapping[str, Any],  # Any: JSON Schema
    optional: Mapping[str, Any] | None = None,
) -> ToolSpec:
    parameters = {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }
    return ToolSpec(name=name, description=description, parameters=parameters)


BUILT_IN: dict[str, ToolSpec] = {
    tool.name: tool
    for tool in (
        _tool(
            "ask_human",
            "Ask a person a question and wait for the answer.",
            {"question": _TEXT},
        ),
        _tool(
            "ask_agent",
            "Ask another agent and get its answer.",
            {"prompt": _TEXT},
        ),
        _tool(
            "remember",
            "Keep a text beyond this conversation, in place of what had the same key.",
            {"key": _TEXT, "text": _TEXT},
        ),
        _tool(
            "recall",
            "Find texts that were kept with remember.",
            {"query": _TEXT},
            {"limit": {"type": "integer", "minimum": 1, "maximum": 50}},
        ),
        _tool(
            "read_result",
            "Read more of a tool's result that was cut; start and length count characters.",
            {"ref": _TEXT},
            {"start": _COUNT, "length": {"type": "integer", "minimum": 1, "maximum": 20000}},
        ),
    )
}


def check_arguments(tool: ToolSpec, arguments: Mapping[str, Any]) -> None:
    """Compare the arguments of a built-in tool with its schema.

    Raises:
        InvalidInput: naming everything that is wrong.
    """
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(tool.parameters).iter_errors(dict(arguments)), key=lambda e: e.path
    )
    if errors:
        raise InvalidInput("; ".join(error.message for error in errors))
