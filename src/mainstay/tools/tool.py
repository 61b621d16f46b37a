"""A tool: a typed Python function that a plan or an agent can call by name.

    @tool(touches=("weather.read",))
    async def forecast(city: str, days: int = 1) -> dict[str, float]:
        \"\"\"Look up the weather.

        Args:
            city: which city.
            days: how many days ahead, 1 to 7.
        \"\"\"

Its arguments are checked and described from the annotations and the docstring. Its result must
be JSON, or something that has one obvious JSON form (a pydantic model, a dataclass, a date).
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, overload

from pydantic_core import PydanticSerializationError, from_json, to_json

from mainstay.schemas.durations import parse_duration
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.tools import ToolSpec
from mainstay.tools.context import ToolContext, context, entered
from mainstay.tools.signature import AnyFunction, read_signature
from mainstay.tools.threads import run_in_thread

__all__ = ["Tool", "ToolContext", "context", "tool"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)+")


class Tool:
    """A function with a name, a schema and a checked way to call it.

    Calling the object calls the plain function, unchecked, as if it had not been decorated.
    """

    def __init__(self, function: AnyFunction, spec: ToolSpec) -> None:
        self._function = function
        self._signature = read_signature(function, spec.name)
        self.is_async = inspect.iscoroutinefunction(function)
        self.spec = spec.model_copy(
            update={
                "description": self._signature.summary,
                "parameters": self._signature.parameters,
                "returns": self._signature.returns,
            }
        )
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # Any: the function's own signature
        """Call the plain function."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.spec.name}>"

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments converted to the types of the function's parameters.

        Raises:
            InvalidInput: naming the tool and everything that is wrong, at once.
        """
        return self._signature.check(self.spec.name, arguments)

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> Any:
        """Check the arguments, run the tool, and return its result as JSON-like data.

        A sync function runs in a thread of its own. When the awaiting task is cancelled, an
        exception is raised inside that function, and the await ends at once.

        Raises:
            InvalidInput: wrong arguments, or a result that is not JSON-like.
            Exception: whatever the function raises.
        """
        values = self._prepare(arguments, context)
        with entered(context):
            try:
                if self.is_async:
                    result = await self._function(**values)
                else:
                    result = await run_in_thread(functools.partial(self._function, **values))
            except asyncio.CancelledError:
                context.cancelled.set()
                raise
        return jsonable(result, self.spec.name)

    def run_sync(self, arguments: Mapping[str, Any], context: ToolContext) -> Any:
        """Do what :meth:`run` does for a sync function, in the current thread.

        One context may serve many calls one after another, as those of a batch.

        Raises:
            InvalidInput: the tool is async; otherwise as :meth:`run`.
        """
        if self.is_async:
            raise InvalidInput(
                f"tool {self.spec.name!r} is async and cannot run in a thread",
                hint="await its `run`",
            )
        values = self._prepare(arguments, context)
        with entered(context):
            result = self._function(**values)
        return jsonable(result, self.spec.name)

    def _prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
        values = self.validate(arguments)
        if self._signature.context_parameter is not None:
            values[self._signature.context_parameter] = context
        return values


def jsonable(value: Any, tool: str) -> Any:  # Any: whatever a tool returned
    """Return a value as plain JSON data: what a reader of the stored result will see.

    Raises:
        InvalidInput: it has no JSON form, or holds text that is not valid Unicode.
    """
    if value is None or value is True or value is False or type(value) is int:
        return value
    try:
        return from_json(to_json(value, inf_nan_mode="null"))
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"tool {tool!r} returned a {type(value).__name__} that is not JSON-like: {error}",
            hint="return texts, numbers, lists, mappings, pydantic models or dataclasses",
        ) from None


@overload
def tool(function: AnyFunction, /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    idempotent: bool = True,
    timeout: str | float | timedelta = "1m",
    heartbeats: bool = False,
    touches: Sequence[str] = (),
) -> Callable[[AnyFunction], Tool]: ...


def tool(
    function: AnyFunction | None = None,
    /,
    *,
    name: str | None = None,
    idempotent: bool = True,
    timeout: str | float | timedelta = "1m",
    heartbeats: bool = False,
    touches: Sequence[str] = (),
) -> Tool | Callable[[AnyFunction], Tool]:
    """Make a tool of a function, sync or async. Use with or without arguments.

    Args:
        function: the function, when the decorator is used without arguments.
        name: ``area.verb``; by default the last part of the module's name and the function's.
        idempotent: whether doing it twice has the same effect as doing it once. Where it has
            not, it is never retried once it may have begun.
        timeout: longest one call may take, when a task does not say otherwise.
        heartbeats: whether it may take longer than ten seconds and so must show signs of life.
        touches: the capabilities it needs, ``fs.read`` for instance.

    Raises:
        InvalidInput: the signature or the name cannot be used.
    """

    def decorate(function: AnyFunction) -> Tool:
        full = name or f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        if not _NAME.fullmatch(full):
            raise InvalidInput(
                f"{full!r} is no name for a tool",
                hint="write an area and a verb: letters, digits, `_` and `-`, parted by dots",
            )
        return Tool(function, _declare(full, function.__module__))

    def _declare(full: str, module: str) -> ToolSpec:
        return ToolSpec(
            name=full,
            idempotent=idempotent,
            timeout=parse_duration(timeout),
            heartbeats=heartbeats,
            touches=tuple(touches),
            module=module,
        )

    return decorate if function is None else decorate(function)
