"""Teams of AI agents and plans that do not fall over, on Temporal. This is the public API.

What is named here is imported when it is first used, so that ``import mainstay`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstay.client import Mainstay as Mainstay
    from mainstay.handle import PlanHandle as PlanHandle
    from mainstay.schemas.calls import PlanOptions as PlanOptions
    from mainstay.schemas.calls import PlanResult as PlanResult
    from mainstay.schemas.plan import PlanSpec as PlanSpec
    from mainstay.schemas.plan import TaskSpec as TaskSpec
    from mainstay.schemas.records import PlanEvent as PlanEvent
    from mainstay.schemas.team import TeamSpec as TeamSpec
    from mainstay.settings import Settings as Settings
    from mainstay.tools.tool import ToolContext as ToolContext
    from mainstay.tools.tool import tool as tool

_HOMES = {
    "Mainstay": "mainstay.client",
    "PlanEvent": "mainstay.schemas.records",
    "PlanHandle": "mainstay.handle",
    "PlanOptions": "mainstay.schemas.calls",
    "PlanResult": "mainstay.schemas.calls",
    "PlanSpec": "mainstay.schemas.plan",
    "Settings": "mainstay.settings",
    "TaskSpec": "mainstay.schemas.plan",
    "TeamSpec": "mainstay.schemas.team",
    "ToolContext": "mainstay.tools.tool",
    "tool": "mainstay.tools.tool",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:  # Any: whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(f"module 'mainstay' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
