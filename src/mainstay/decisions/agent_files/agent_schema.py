"""The JSON Schema of an agent's front matter, for editors: all that may be written, and no more."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mainstay.decisions.agent_files.agent_rules import BUILT_IN_TOOLS
from mainstay.decisions.agent_files.agent_structure import NAME_LISTS
from mainstay.schemas.agent import AgentSpec, ContextPolicy

Schema = dict[str, Any]  # JSON


def agent_schema(tools: Collection[str] = ()) -> Schema:
    """Return the schema of an agent's front matter.

    Keys of other tools are allowed, and so are the short forms that the models accept.

    Args:
        tools: names of tools, offered by editors where a tool is named; others are allowed too.
    """
    schema = AgentSpec.model_json_schema()
    properties: Schema = schema["properties"]
    properties.pop("extras")
    for name in NAME_LISTS:
        _allow(properties, name, {"type": "string"})
    _allow(properties, "context", {"enum": [str(policy) for policy in ContextPolicy]})
    if tools:
        names: Schema = {"enum": sorted({*tools, *BUILT_IN_TOOLS})}
        listed = properties["tools"]["anyOf"][-1]
        listed["items"] = {"anyOf": [names, {"type": "string"}]}
    return {
        **schema,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mainstay agent",
        "description": "The front matter of an agent's file; its prompt stands below.",
        "additionalProperties": True,
    }


def _allow(properties: Schema, name: str, short: Schema) -> None:
    """Allow a short form beside the long one, which keeps its place."""
    whole = properties[name]
    kept = {key: whole.pop(key) for key in ("description", "title", "default") if key in whole}
    properties[name] = {**kept, "anyOf": [short, whole]}
