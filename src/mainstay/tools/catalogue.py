"""Which tools there are: those that are installed, and those that a person names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.errors import InvalidInput, MainstayError, NotFound
from mainstay.schemas.tools import ToolSpec
from mainstay.tools.loading import blame, load_module
from mainstay.tools.tool import Tool

ENTRY_POINTS = "mainstay.tools"
"""The entry-point group in which a package announces its tools: a module, or a Tool."""


class Catalogue:
    """Tools by name, in the order of their names.

    Raises:
        InvalidInput: two different tools have one name.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        found: dict[str, Tool] = {}
        for tool in tools:
            other = found.setdefault(tool.spec.name, tool)
            if other is not tool:
                raise InvalidInput(
                    f"two tools are named {tool.spec.name!r}: one in {other.spec.module}, "
                    f"one in {tool.spec.module}",
                    hint="give one of them another name: @tool(name=...)",
                )
        self._tools = dict(sorted(found.items()))

    def get(self, name: str) -> Tool:
        """Return a tool.

        Raises:
            NotFound: no tool has that name.
        """
        try:
            return self._tools[name]
        except KeyError:
            raise NotFound(
                f"there is no tool {name!r}",
                hint=did_you_mean(name, self._tools) or "`mainstay tools` lists them all",
            ) from None

    def specs(self) -> dict[str, ToolSpec]:
        """Return what each tool says of itself, by name."""
        return {name: tool.spec for name, tool in self._tools.items()}

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools


def load_catalogue(extra: Sequence[str] = ()) -> Catalogue:
    """Find every tool there is.

    Args:
        extra: further modules (``my_package.tools``) or paths to ``.py`` files.

    Raises:
        NotFound: a module or file of ``extra`` does not exist.
        InvalidInput: importing something failed, or two tools have one name.
    """
    tools: list[Tool] = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        tools += _load_entry_point(point)
    for name in extra:
        found = _tools_of(load_module(name))
        if not found:
            raise InvalidInput(
                f"{name!r} defines no tool", hint="decorate a function in it with @tool"
            )
        tools += found
    return Catalogue(tools)


def _load_entry_point(point: EntryPoint) -> list[Tool]:
    package = point.dist.name if point.dist is not None else "an unknown package"
    what = f"tools {point.name!r} of {package} ({point.value})"
    try:
        loaded = point.load()
    except MainstayError as error:
        raise InvalidInput(f"{what}: {error.message}", hint=error.hint) from None
    except (Exception, SystemExit) as error:
        raise blame(what, error) from None
    if isinstance(loaded, Tool):
        return [loaded]
    if isinstance(loaded, ModuleType):
        return _tools_of(loaded)
    raise InvalidInput(
        f"{what}: neither a module nor a tool but a {type(loaded).__name__}",
        hint=f"correct the entry point in the group {ENTRY_POINTS!r}",
    )


def _tools_of(module: ModuleType) -> list[Tool]:
    return [value for value in vars(module).values() if isinstance(value, Tool)]
