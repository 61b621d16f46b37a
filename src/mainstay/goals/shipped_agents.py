"""The agents that come with Mainstay: planner, critic and router."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from mainstay.decisions.agent_files.agent_file import read_agent
from mainstay.schemas.agent import AgentSpec

SHIPPED = ("planner", "critic", "router")


@cache
def shipped_agent(name: str) -> AgentSpec:
    """Return an agent that comes with Mainstay, by its name."""
    content = (files("mainstay") / "agents" / f"{name}.md").read_bytes()
    found = read_agent(content, f"{name}.md")
    assert found.spec is not None, found.errors
    return found.spec
