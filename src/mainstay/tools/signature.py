"""From a function's signature and docstring to a checked set of arguments.

The parameters become a TypedDict, not a model: a tool may call a parameter ``json`` or ``copy``
as it likes, and a default stays where it is, in the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, get_type_hints

import docstring_parser
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import ErrorDetails, to_jsonable_python
from pydantic_core import SchemaError as CoreSchemaError
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.errors import InvalidInput
from mainstay.tools.context import ToolContext

AnyFunction = Callable[..., Any]
"""A tool's function: what it takes and returns is its author's choice."""

_SHOWN_CHARS = 60


@dataclass(frozen=True)
class Signature:
    """What a function takes and gives: as JSON Schemas for others, as a validator for us."""

    summary: str
    parameters: dict[str, Any]
    returns: dict[str, Any]
    adapter: TypeAdapter[dict[str, Any]]
    context_parameter: str | None

    def check(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments converted to their types; absent ones keep their defaults.

        Raises:
            InvalidInput: naming everything that is wrong, at once.
        """
        try:
            return self.adapter.validator.validate_python(arguments)  # type: ignore[no-any-return]
        except ValidationError as error:
            known = list(self.parameters["properties"])
            found = [_explain(detail, known) for detail in error.errors(include_url=False)]
            raise InvalidInput(
                f"{tool}: {'; '.join(found)}", hint=f"`mainstay tools {tool}` shows its arguments"
            ) from None


def read_signature(function: AnyFunction, tool: str) -> Signature:
    """Work out what a function takes and gives.

    Raises:
        InvalidInput: a parameter has no annotation, or one that JSON cannot carry.
    """
    hints = _read_hints(function, tool)
    injected = None
    fields: dict[str, Any] = {}  # Any: a type, or a special form such as NotRequired[...]
    defaults: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        _refuse_unsupported(parameter, hints, tool)
        hint = hints[parameter.name]
        if hint is ToolContext:
            injected = parameter.name
            continue
        _refuse_unportable(hint, parameter.name, tool)
        fields[parameter.name] = hint
        if parameter.default is not inspect.Parameter.empty:
            fields[parameter.name] = NotRequired[hint]
            defaults[parameter.name] = parameter.default
    text = inspect.getdoc(function) or ""
    document = docstring_parser.parse(text, style=docstring_parser.DocstringStyle.GOOGLE)
    adapter = _build_adapter(fields)
    schema = adapter.json_schema()
    _describe(schema, defaults, {p.arg_name: p.description or "" for p in document.params})
    returns = _returned_schema(hints.get("return", Any))
    # The parser takes the first line alone for the summary; it may have several.
    summary = " ".join(text.partition("\n\n")[0].split()) if document.short_description else ""
    return Signature(summary, schema, returns, adapter, injected)


def _read_hints(function: AnyFunction, tool: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"tool {tool!r}: an annotation cannot be read: {error}",
            hint="import the names that its signature uses when the module runs, not only for "
            "the type checker",
        ) from None


def _refuse_unsupported(parameter: inspect.Parameter, hints: Mapping[str, Any], tool: str) -> None:
    """Raise InvalidInput for a parameter that cannot be given by name, or has no type."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise InvalidInput(
            f"tool {tool!r}: {stars}{parameter.name} cannot be described to its callers",
            hint="name each parameter, or take one list or mapping",
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise InvalidInput(
            f"tool {tool!r}: parameter {parameter.name!r} cannot be given by name",
            hint="remove the `/` from the signature",
        )
    if parameter.name not in hints:
        raise InvalidInput(
            f"tool {tool!r}: parameter {parameter.name!r} has no annotation",
            hint=f"write its type, for instance `{parameter.name}: str`",
        )


def _refuse_unportable(hint: Any, parameter: str, tool: str) -> None:  # Any: an annotation
    try:
        TypeAdapter(hint).json_schema()
    except (PydanticUserError, PydanticInvalidForJsonSchema, CoreSchemaError) as error:
        raise InvalidInput(
            f"tool {tool!r}: parameter {parameter!r} has a type that JSON cannot carry: {hint!r}",
            hint=str(error).splitlines()[0],
        ) from None


def _build_adapter(fields: dict[str, Any]) -> TypeAdapter[dict[str, Any]]:
    make_shape: Any = TypedDict  # mypy only understands shapes that are written out
    shape = make_shape("arguments", fields)
    shape.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(shape)


def _describe(
    schema: dict[str, Any], defaults: Mapping[str, Any], descriptions: Mapping[str, str]
) -> None:
    """Complete a schema by what only the function knows: its defaults and its docstring."""
    schema.pop("title", None)
    for name, entry in schema.setdefault("properties", {}).items():
        entry.pop("title", None)
        if descriptions.get(name):
            entry["description"] = " ".join(descriptions[name].split())
        if name in defaults:
            entry["default"] = to_jsonable_python(
                defaults[name], timedelta_mode="float", fallback=str
            )


def _returned_schema(hint: Any) -> dict[str, Any]:  # Any: whatever stood behind the arrow
    try:
        schema = TypeAdapter(hint).json_schema(mode="serialization")
    except (PydanticUserError, PydanticInvalidForJsonSchema, CoreSchemaError):
        return {}
    schema.pop("title", None)
    return schema


def _explain(detail: ErrorDetails, known: list[str]) -> str:
    """Say what is wrong with one argument, in a few words."""
    location = detail["loc"]
    name = str(location[0]) if location else ""
    path = ".".join(str(part) for part in location)
    if detail["type"] == "missing" and len(location) == 1:
        return f"argument {name!r} is missing"
    if detail["type"] == "extra_forbidden" and len(location) == 1:
        guess = did_you_mean(name, known)
        return f"unknown argument {name!r}" + (f" ({guess})" if guess else "")
    message = detail["msg"][:1].lower() + detail["msg"][1:]
    if not location:
        return message
    given = repr(detail["input"])
    if len(given) > _SHOWN_CHARS:
        given = given[:_SHOWN_CHARS] + "..."
    return f"argument {path!r}: {message}, not {given}"
