"""What an agent's life costs without us: bare workflows that wait, work, and talk the usual way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "bare-agents"
WAITER = "bare-waiter"
TALK = "bare-talk"
TIMEOUT = timedelta(minutes=5)


@dataclass
class TalkRequest:
    """A conversation of so many turns; each is told and answers a text of ``chars`` characters."""

    turns: int
    chars: int


worked_at: list[float] = []
"""When bare activities ran, by ``perf_counter``; their worker is in this process."""


@activity.defn(name="bare-work")
async def work(number: int) -> int:
    """The smallest remote activity."""
    worked_at.append(perf_counter())
    return number


@activity.defn(name="bare-answer")
async def answer(transcript: list[str]) -> str:
    """Stand in for a model: it is sent the whole conversation, and answers as much as it heard."""
    return "a" * len(transcript[-1])


@workflow.defn(name=WAITER)
class Waiter:
    """Waits for signals; each lets it run so many activities, one after another."""

    def __init__(self) -> None:
        self._asked: list[int] = []

    @workflow.run
    async def run(self) -> None:
        """Wait for ever."""
        while True:
            await workflow.wait_condition(lambda: bool(self._asked))
            for number in range(self._asked.pop(0)):
                await workflow.execute_activity(work, number, start_to_close_timeout=TIMEOUT)

    @workflow.signal(name="ring")
    def ring(self, activities: int) -> None:
        """Ask for some activities."""
        self._asked.append(activities)


@workflow.defn(name=TALK)
class Talk:
    """A conversation as it is usually written: the transcript is the activity's input."""

    @workflow.run
    async def run(self, request: TalkRequest) -> int:
        """Talk, and return how many entries the transcript has."""
        transcript: list[str] = []
        for _ in range(request.turns):
            transcript.append("q" * request.chars)
            said = await workflow.execute_activity(
                answer, transcript, start_to_close_timeout=TIMEOUT
            )
            transcript.append(said)
        return len(transcript)


@asynccontextmanager
async def bare_agents(client: Client) -> AsyncIterator[Client]:
    """Run a worker for them, without the sandbox: the quickest there is.

    Yields:
        The client to start them with. It is not ours, which would refuse large inputs.
    """
    plain = await Client.connect(client.service_client.config.target_host)
    worker = Worker(
        plain,
        task_queue=QUEUE,
        workflows=[Waiter, Talk],
        activities=[work, answer],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=5_000,
    )
    async with worker:
        yield plain


async def _serve(address: str) -> None:
    async with bare_agents(await Client.connect(address)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
