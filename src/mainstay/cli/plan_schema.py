"""The JSON Schema of a plan's file, for editors: what pydantic accepts, as people may write it.

The models take short forms that their own schema does not show (``needs: list``, ``retry: 5``,
``approval: Publish?``); here they are added. An expression may stand wherever any value may.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mainstay.decisions.agent_files.agent_schema import agent_schema
from mainstay.schemas.plan import PlanSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]  # JSON

_SCALAR: Schema = {"type": ["string", "number", "boolean"]}


def plan_schema(tools: Collection[str] = ()) -> Schema:
    """Return the schema of a plan's file.

    Args:
        tools: names of tools, offered by editors where a tool is named; others are allowed too.
    """
    schema = PlanSpec.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    for definition in definitions.values():
        _allow_only_known_names(definition)
    _allow_short_forms(definitions, sorted(tools))
    plan = definitions["PlanSpec"]
    plan["properties"] = {"$schema": {"type": "string"}, **plan["properties"]}
    return {
        "$schema": DIALECT,
        "title": "Mainstay plan",
        "description": "Tasks that depend on each other, run durably. `mainstay run FILE` runs it.",
        "$ref": "#/$defs/PlanSpec",
        "$defs": definitions,
    }


def _allow_only_known_names(definition: Schema) -> None:
    for value in definition.get("properties", {}).values():
        if "patternProperties" in value:
            value["additionalProperties"] = False


def _allow_short_forms(definitions: Schema, tools: list[str]) -> None:
    task = definitions["TaskSpec"]["properties"]
    task["needs"] = _either({"type": "string"}, task["needs"])
    task["retry"] = _either({"type": "integer", "minimum": 1}, task["retry"])
    task["approval"] = _either({"type": "string"}, {"const": True}, task["approval"])
    _allow_agents(definitions, tools)
    for owner in ("PlanSpec", "TaskSpec"):
        env = definitions[owner]["properties"].get("env")
        if env is not None:
            env["additionalProperties"] = _SCALAR
    if tools:
        for owner in ("TaskSpec", "ActionSpec", "VerifySpec"):
            named = definitions[owner]["properties"]["tool"]
            definitions[owner]["properties"]["tool"] = _either({"enum": tools}, named)


def _allow_agents(definitions: Schema, tools: list[str]) -> None:
    """Allow agents by name of a file or folder, and written in the plan, without a name."""
    written = agent_schema(tools)
    own = {key: written[key] for key in ("type", "properties")}
    required = [key for key in written.get("required", []) if key != "name"]
    definitions["AgentSpec"] = {**own, "required": required, "additionalProperties": False}
    agents = definitions["PlanSpec"]["properties"]["agents"]
    file = {"type": "string", "description": "a file of an agent, relative to this one"}
    agents["additionalProperties"] = {"anyOf": [file, {"$ref": "#/$defs/AgentSpec"}]}
    definitions["PlanSpec"]["properties"]["agents"] = _either({"type": "string"}, agents)


def _either(*forms: Schema) -> Schema:
    """Allow short forms beside a long one, which comes last and keeps its description."""
    *others, whole = forms
    kept: Schema = {key: whole.pop(key) for key in ("description", "title") if key in whole}
    long_forms = whole.pop("anyOf", None) or [whole]
    return {**kept, "anyOf": [*others, *long_forms]}
