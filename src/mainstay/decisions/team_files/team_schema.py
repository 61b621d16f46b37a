"""The JSON Schema of a team's file, for editors: all that may be written, and no more."""

from __future__ import annotations

from typing import Any

from mainstay.decisions.agent_files.agent_schema import agent_schema
from mainstay.decisions.team_files.team_words import STRATEGY_ALIASES, TERMINATE_ALL_ALIASES
from mainstay.schemas.team import Strategy, TeamSpec

Schema = dict[str, Any]  # JSON


def team_schema() -> Schema:
    """Return the schema of a team's file, with the short forms that may be written."""
    schema = TeamSpec.model_json_schema()
    definitions: Schema = schema["$defs"]
    child, supervisor = definitions["ChildSpec"], definitions["SupervisorSpec"]
    name: Schema = {"type": "string", "description": "an agent, by its name or its file"}
    for owner in (schema, supervisor):
        owner["properties"]["children"]["items"] = {"anyOf": [name, {"$ref": "#/$defs/ChildSpec"}]}
    # A supervisor's keys may stand beside its name.
    child["properties"] |= supervisor["properties"]
    written = ["".join(part.title() for part in one.split("_")) for one in Strategy]
    definitions["Strategy"] = {
        "description": definitions["Strategy"]["description"],
        "anyOf": [
            {"enum": [str(one) for one in Strategy]},
            {"enum": sorted({*written, *TERMINATE_ALL_ALIASES, *STRATEGY_ALIASES, "AllForOne"})},
        ],
    }
    definitions["AgentSpec"] = _agent_without_name()
    schema["properties"] = {"$schema": {"type": "string"}, **schema["properties"]}
    return {
        **schema,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mainstay team",
        "description": "A tree of supervisors and agents. `mainstay team up FILE` starts it.",
    }


def _agent_without_name() -> Schema:
    written = agent_schema()
    return {
        "description": "an agent of this team; the key is its name",
        "type": "object",
        "properties": written["properties"],
        "additionalProperties": False,
    }
