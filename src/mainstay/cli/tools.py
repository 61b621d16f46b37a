"""``mainstay tools``: which tools there are, and how a task uses one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.completion import complete_tool
from mainstay.cli.messages import hint
from mainstay.cli.panels import LOOK
from mainstay.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from mainstay.schemas.tools import ToolSpec

NameArgument = Annotated[
    str, typer.Argument(metavar="[NAME]", help="Show this tool.", autocompletion=complete_tool)
]
Schema = dict[str, Any]  # JSON

_EXAMPLES: dict[str, Any] = {  # Any: JSON
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
}


def tools(name: NameArgument = "", extra: ToolsOption = None, as_json: JsonOption = False) -> None:
    """List the tools that tasks can use, or show one: its arguments, and how to write it."""
    from mainstay.settings import Settings
    from mainstay.tools.catalogue import load_catalogue

    catalogue = load_catalogue([*Settings().tools, *(extra or [])])
    if name:
        spec = catalogue.get(name).spec
        print_json(spec) if as_json else _print_tool(spec)
    elif as_json:
        print_json(list(catalogue.specs().values()))
    else:
        _print_tools(list(catalogue.specs().values()))


def register(root: typer.Typer) -> None:
    """Add this command."""
    root.command(rich_help_panel=LOOK)(tools)


def _print_tools(specs: list[ToolSpec]) -> None:
    from mainstay.schemas.durations import format_duration

    print_table(
        ["tool", "repeatable", "touches", "timeout", "what it does"],
        [
            [
                spec.name,
                "yes" if spec.idempotent else "no",
                ", ".join(spec.touches) or "nothing",
                format_duration(spec.timeout),
                summary(spec),
            ]
            for spec in specs
        ],
        whole=["tool"],
    )
    hint("`mainstay tools NAME` shows a tool's arguments and an example")


def _print_tool(spec: ToolSpec) -> None:
    from mainstay.schemas.durations import format_duration

    print(f"{spec.name}: {spec.description.strip()}")
    print()
    print(f"  repeatable  {'yes' if spec.idempotent else 'no: not retried once it has begun'}")
    print(f"  touches     {', '.join(spec.touches) or 'nothing'}")
    print(f"  timeout     {format_duration(spec.timeout)} unless the task says otherwise")
    print(f"  from        {spec.module}")
    arguments = _arguments(spec)
    if arguments:
        print("\nArguments")
        print_table(["name", "type", "default", "what it is"], arguments, whole=["name"])
    if spec.returns:
        print(f"\nReturns {type_of(spec.returns, spec.returns)}")
    print("\nExample")
    for line in example(spec):
        print(f"  {line}")


def _arguments(spec: ToolSpec) -> list[list[str]]:
    required = spec.parameters.get("required", [])
    return [
        [
            name,
            type_of(schema, spec.parameters),
            "required" if name in required else json.dumps(schema.get("default")),
            str(schema.get("description", "")),
        ]
        for name, schema in spec.parameters.get("properties", {}).items()
    ]


def summary(spec: ToolSpec) -> str:
    """Return the first line of what a tool says of itself."""
    return spec.description.strip().partition("\n")[0]


def type_of(schema: Schema, root: Schema) -> str:
    """Write a JSON Schema's type in a few words: ``list of string``, ``integer or null``."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        definition = root.get("$defs", {}).get(name, {})
        return type_of(definition, root) if definition.get("type") != "object" else "mapping"
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(type_of(one, root) for one in schema[key]))
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        items = schema.get("items")
        return f"list of {type_of(items, root)}" if isinstance(items, dict) and items else "list"
    return "mapping" if kind == "object" else str(kind)


def example(spec: ToolSpec) -> list[str]:
    """Write a task that uses a tool, as it stands in a plan; with every required argument."""
    required = spec.parameters.get("required", [])
    lines = ["my-task:", f"  tool: {spec.name}"]
    given = [
        (name, schema)
        for name, schema in spec.parameters.get("properties", {}).items()
        if name in required
    ]
    if given:
        lines.append("  with:")
        lines += [
            f"    {name}: {json.dumps(_example_of(schema), ensure_ascii=False)}"
            for name, schema in given
        ]
    return lines


def _example_of(schema: Schema) -> Any:  # Any: JSON
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _example_of(schema[key][0])
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return [_example_of(schema["items"])]
    return _EXAMPLES.get(str(schema.get("type")), "text")
