"""What a team costs without us: bare parents that start children, end them, and replace one.

A child runs one activity and tells its parent that it is there, as an agent does; then it waits.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import time

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ParentClosePolicy

QUEUE = "bare-teams"
PARENT = "bare-parent"
CHILD = "bare-child"
TIMEOUT = timedelta(minutes=5)
END = "end"
FAIL = "fail"


@dataclass
class Family:
    """How many children a parent has."""

    children: int


@activity.defn(name="bare-mark")
async def mark() -> float:
    """The smallest remote activity; tells when it ran, as seconds since the epoch."""
    return time()


@workflow.defn(name=CHILD)
class Child:
    """Gets ready, says so, and waits until it is told to end or to fail."""

    def __init__(self) -> None:
        self._told = ""

    @workflow.run
    async def run(self, parent: str) -> None:
        """Live."""
        ready = await _mark()
        await workflow.get_external_workflow_handle(parent).signal("ready", ready)
        await workflow.wait_condition(lambda: bool(self._told))
        if self._told == FAIL:
            raise ApplicationError("it fails", await _mark(), non_retryable=True)

    @workflow.signal(name=END)
    def end(self) -> None:
        """End."""
        self._told = self._told or END

    @workflow.signal(name=FAIL)
    def fail(self) -> None:
        """Fail."""
        self._told = self._told or FAIL


@workflow.defn(name=PARENT)
class Parent:
    """Starts children all at once; starts one that fails again; ends them when it is told to."""

    def __init__(self) -> None:
        self._ready: list[float] = []
        self._failed: list[float] = []
        self._is_told = False

    @workflow.run
    async def run(self, family: Family) -> None:
        """Live as long as the children do."""
        numbers = range(family.children)
        await asyncio.gather(*(self._keep(number) for number in numbers))

    async def _keep(self, number: int) -> None:
        own = workflow.info().workflow_id
        while not self._is_told:
            child = await workflow.start_child_workflow(
                CHILD,
                own,
                id=f"{own}/{number}",
                parent_close_policy=ParentClosePolicy.ABANDON,
            )
            telling = asyncio.create_task(self._tell(child))
            try:
                await child
            except FailureError as error:
                cause = error.cause
                assert isinstance(cause, ApplicationError)
                self._failed.append(cause.details[0])
            telling.cancel()

    async def _tell(self, child: workflow.ChildWorkflowHandle[Child, None]) -> None:
        await workflow.wait_condition(lambda: self._is_told)
        await child.signal(END)

    @workflow.signal(name=END)
    def end(self) -> None:
        """End all children."""
        self._is_told = True

    @workflow.signal(name="ready")
    def ready(self, at: float) -> None:
        """Hear that a child is there."""
        self._ready.append(at)

    @workflow.query
    def count(self) -> int:
        """How many children got ready so far."""
        return len(self._ready)

    @workflow.query
    def gap(self) -> float:
        """How many seconds lie between the last failure and the next child's readiness."""
        return self._ready[-1] - self._failed[-1]


async def _mark() -> float:
    return await workflow.execute_activity(mark, start_to_close_timeout=TIMEOUT)


@asynccontextmanager
async def bare_worker(client: Client) -> AsyncIterator[Client]:
    """Run a worker for them, without the sandbox: the quickest there is.

    Yields:
        The client to start them with.
    """
    plain = await Client.connect(client.service_client.config.target_host)
    worker = Worker(
        plain,
        task_queue=QUEUE,
        workflows=[Parent, Child],
        activities=[mark],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=5_000,
    )
    async with worker:
        yield plain


async def _serve(address: str) -> None:
    async with bare_worker(await Client.connect(address)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
