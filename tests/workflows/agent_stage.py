"""Agents whose model plays what the message says, and a worker for them in this process."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from plan_stage import PLAN_TOOLS, Stage, until

from mainstay.agent_handle import AgentHandle
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_run import AgentOptions
from mainstay.schemas.budgets import RateLimit
from mainstay.schemas.conversation import Entry, EntryKind, Finish, ModelAnswer, ToolUse, Usage
from mainstay.schemas.errors import InvalidInput, MainstayError, Refused, Unavailable
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message
from mainstay.schemas.model_calls import ModelCall
from mainstay.settings import Settings
from mainstay.tools.catalogue import load_catalogue
from mainstay.tools.toolbox import Toolbox
from mainstay.worker import build_worker

MODEL = "played:first"
SECONDS = timedelta(seconds=20)
"""Longest a test waits for an answer."""

USED = Usage(input_tokens=10, output_tokens=5, picodollars=1_000)
"""What each answer takes."""

FAILURES: dict[str, type[MainstayError]] = {
    "transient": Unavailable,
    "permanent": InvalidInput,
    "refused": Refused,
}

Step = Any  # JSON: a text, or {"tools": [[name, arguments]]}, {"fail": kind}, {"gate": name}


def plays(*steps: Step) -> str:
    """Write a message whose answers, one after another, are these steps.

    ``{"fail": kind, "times": n, "then": step}`` fails n times; ``{"gate": name, "then": step}``
    waits until the gate is opened. The argument ``$ref`` is what the last result can be read on by.
    A message that is no such list is answered with its echo.
    """
    return json.dumps(list(steps))


class PlayedModels:
    """A provider named ``played``. It keeps what it was asked, in order."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []
        self.broken = ""
        """Why every request fails, if it does."""
        self._failed: Counter[str] = Counter()
        self._gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._waiting: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def check(self, model: str) -> None:
        """Every model of ours is there."""

    def provider(self, model: str) -> str:
        """Return the name under which its breaker is kept."""
        return model.partition(":")[0]

    async def ask(self, call: ModelCall) -> ModelAnswer:
        """Play the step that is due."""
        self.calls.append(call)
        if call.purpose == "summary":
            return ModelAnswer(text="in short", usage=USED + Usage(model_calls=1))
        if self.broken:
            raise Unavailable(self.broken)
        return await self._play(_step_of(call), call)

    @property
    def told(self) -> list[str]:
        """The text of the newest entry of each request, in order."""
        return [call.entries[-1].text for call in self.calls]

    def open(self, gate: str) -> None:
        """Let whoever waits at a gate through."""
        self._gates[gate].set()

    async def reached(self, gate: str) -> None:
        """Wait until a request waits at a gate."""
        async with asyncio.timeout(SECONDS.total_seconds()):
            await self._waiting[gate].wait()

    async def _play(self, step: Step, call: ModelCall) -> ModelAnswer:
        if isinstance(step, str):
            return _answer(step)
        if "gate" in step:
            self._waiting[step["gate"]].set()
            await self._gates[step["gate"]].wait()
            return await self._play(step["then"], call)
        if "fail" in step:
            if self._failed[call.key] >= step.get("times", 1_000):
                return await self._play(step["then"], call)
            self._failed[call.key] += 1
            error = FAILURES[step["fail"]](f"the provider says no: {step['fail']}")
            error.retry_after = timedelta(milliseconds=20)
            raise error
        return _calling(step["tools"], call)


def _step_of(call: ModelCall) -> Step:
    users = [n for n, entry in enumerate(call.entries) if entry.kind is EntryKind.USER]
    turn: list[Entry] = list(call.entries[users[-1] :])
    answers = sum(entry.kind is EntryKind.ASSISTANT for entry in turn)
    try:
        steps = json.loads(turn[0].text)
    except ValueError:
        return f"echo: {turn[0].text}"
    return steps[answers] if answers < len(steps) else f"heard: {turn[-1].text}"


def _answer(text: str) -> ModelAnswer:
    return ModelAnswer(text=text, usage=USED + Usage(model_calls=1))


def _calling(tools: list[tuple[str, dict[str, Any]]], call: ModelCall) -> ModelAnswer:
    ref = call.entries[-1].ref
    uses = [
        ToolUse(
            id=f"{len(call.entries)}-{n}",
            name=name,
            arguments={key: ref if value == "$ref" else value for key, value in given.items()},
        )
        for n, (name, given) in enumerate(tools)
    ]
    usage = USED + Usage(model_calls=1)
    return ModelAnswer(uses=tuple(uses), finish=Finish.TOOLS, usage=usage)


class AgentStage:
    """Where the agents of a test live."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.mainstay = stage.mainstay
        self.store = stage.mainstay.store
        self.models = PlayedModels()

    @asynccontextmanager
    async def worker(
        self,
        models: PlayedModels | None = None,
        rate_limits: Mapping[str, RateLimit] | None = None,
        tool_calls_per_minute: int = 0,
    ) -> AsyncIterator[PlayedModels]:
        """Serve the agents with a worker for as long as the block lasts."""
        models = models or self.models
        worker = build_worker(
            self.mainstay.temporal,
            self.store,
            Toolbox(load_catalogue([PLAN_TOOLS])),
            self.stage.settings.task_queue,
            models=models,
            rate_limits=rate_limits,
            tool_calls_per_minute=tool_calls_per_minute,
            grace=timedelta(0),
            silence=timedelta(seconds=1),
        )
        async with worker:
            yield models

    async def spawn(
        self, name: str = "a", options: AgentOptions | None = None, **spec: Any
    ) -> AgentHandle:
        """Spawn an agent."""
        written = AgentSpec.model_validate({"name": name, "model": MODEL, **spec})
        options = options or AgentOptions(heartbeat_timeout=timedelta(seconds=2))
        return await self.mainstay.spawn(written, options=options)

    def with_settings(self, **settings: Any) -> Any:  # Any: a client like stage.mainstay
        """Return a client of the same database with other settings."""
        made = Settings.model_validate({**self.stage.settings.model_dump(), **settings})
        return type(self.mainstay)(self.mainstay.temporal, self.store, made)

    async def ask(self, agent: AgentHandle, *steps: Step, **more: Any) -> str:
        """Have an agent play some steps, and return its answer."""
        return await agent.ask(plays(*steps), timeout=SECONDS, **more)

    async def end_of(self, agent: AgentHandle, message_id: str) -> Message:
        """Wait until a message has come to its end."""
        return await agent.wait(message_id, SECONDS)

    async def until_state(self, agent: AgentHandle, *states: LifeState) -> None:
        """Wait until it is on record that an agent is in one of these states."""

        async def is_so() -> bool:
            return (await agent.row()).state in states

        await until(is_so)

    async def until_activity(self, agent: AgentHandle, activity: str) -> None:
        """Wait until an agent says that it is busy with something."""

        async def is_so() -> bool:
            return activity in (await agent.info()).activity

        await until(is_so)
