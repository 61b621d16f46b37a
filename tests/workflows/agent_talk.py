"""Spawning an agent, asking it, and looking at what Temporal and storage keep of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import yaml
from plan_stage import Stage, until

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import AgentInfo
from mainstay.schemas.conversation import LiveText

PATIENCE = timedelta(seconds=30)


async def spawn(stage: Stage, model: str, **spec: Any) -> AgentHandle:
    """Make an agent with a name that is free."""
    name = spec.pop("name", None) or f"a{len(await stage.mainstay.agents())}"
    given = {"name": name, "model": model, **spec}
    return await stage.mainstay.spawn(AgentSpec.model_validate(given))


async def spawn_scripted(stage: Stage, *turns: Any, **spec: Any) -> AgentHandle:
    """Make an agent whose model plays these turns."""
    number = len(await stage.mainstay.agents())
    path = stage.folder / f"script-{number}.yaml"
    loop = bool(spec.pop("loop", False))
    path.write_text(yaml.safe_dump({"turns": list(turns), "loop": loop}))
    return await spawn(stage, f"script:{path}", **spec)


async def until_info(agent: AgentHandle, **wanted: Any) -> AgentInfo:
    """Wait until the agent says of itself what is wanted."""

    async def is_so() -> AgentInfo | None:
        seen = await agent.info()
        return seen if all(getattr(seen, key) == value for key, value in wanted.items()) else None

    found: AgentInfo = await until(is_so)
    return found


async def until_live(agent: AgentHandle, text: str) -> LiveText:
    """Wait until a text is seen to be said."""

    async def is_said() -> LiveText | None:
        live = await agent.live_text()
        return live if live is not None and text in live.text else None

    found: LiveText = await until(is_said)
    return found


async def history_of(stage: Stage, agent: AgentHandle) -> bytes:
    """Return all that Temporal keeps of the agent's present run."""
    handle = stage.mainstay.temporal.get_workflow_handle(agent.id)
    history = await handle.fetch_history()
    return b"".join(event.SerializeToString() for event in history.events)
