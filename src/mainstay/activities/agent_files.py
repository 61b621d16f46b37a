"""The stored files of agents, and the tools that each of them may use."""

from __future__ import annotations

from collections import OrderedDict

from mainstay.activities.agent_ports import AgentStorage
from mainstay.activities.built_in import BUILT_IN, ask_tool_name
from mainstay.activities.ports import Toolbox
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.tools import ToolSpec

MAX_CACHED = 1_000
"""Files of agents kept in memory per worker; they never change once stored."""


class AgentFiles:
    """Reads agents' files, remembers the latest, and resolves their tools."""

    def __init__(self, storage: AgentStorage, toolbox: Toolbox) -> None:
        self._storage = storage
        self._toolbox = toolbox
        self._cache: OrderedDict[str, AgentSpec] = OrderedDict()

    async def spec(self, ref: str) -> AgentSpec:
        """Return the agent stored under a reference.

        Raises:
            NotFound: there is none.
        """
        if ref not in self._cache:
            body = await self._storage.get_document(ref)
            self._cache[ref] = AgentSpec.model_validate_json(body)
            while len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(ref)
        return self._cache[ref]

    def tools_of(self, spec: AgentSpec) -> dict[str, ToolSpec]:
        """Return the tools an agent may use, by name; a trailing ``*`` stands for any ending.

        Raises:
            InvalidInput: it names a tool that this worker does not have.
        """
        known = self._toolbox.specs()
        found: dict[str, ToolSpec] = {}
        for name in spec.tools:
            if name in BUILT_IN:
                found[name] = BUILT_IN[name]
                continue
            fitting = [tool for tool in known if _fits(tool, name)]
            if not fitting:
                raise InvalidInput(
                    f"agent {spec.name!r} uses a tool {name!r} that this worker does not have",
                    hint="`mainstay tools` lists them; `--tools MODULE` adds your own",
                )
            found.update((tool, known[tool]) for tool in fitting)
        for name in spec.agents:
            tool = ask_tool_name(name)
            found[tool] = BUILT_IN["ask_agent"].model_copy(
                update={"name": tool, "description": f"Ask the agent {name} and get its answer."}
            )
        if found:
            found["read_result"] = BUILT_IN["read_result"]
        return found


def _fits(tool: str, wish: str) -> bool:
    return tool.startswith(wish[:-1]) if wish.endswith("*") else tool == wish
