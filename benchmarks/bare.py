"""Workflows without anything of ours: what Temporal itself costs, below which we cannot go."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "bare"
ACTIVITY = "bare-double"
SEQUENCE = "bare-sequence"
PARALLEL = "bare-parallel"
TIMEOUT = timedelta(minutes=5)


@activity.defn(name=ACTIVITY)
async def double(number: int) -> int:
    """The smallest remote activity."""
    return number * 2


@workflow.defn(name=SEQUENCE)
class BareSequence:
    """One remote activity after another."""

    @workflow.run
    async def run(self, count: int) -> int:
        """Run ``count`` activities and return how many."""
        for number in range(count):
            await workflow.execute_activity(double, number, start_to_close_timeout=TIMEOUT)
        return count


@workflow.defn(name=PARALLEL)
class BareParallel:
    """Many remote activities at once."""

    @workflow.run
    async def run(self, count: int) -> int:
        """Run ``count`` activities and return how many."""
        await asyncio.gather(
            *(
                workflow.execute_activity(double, number, start_to_close_timeout=TIMEOUT)
                for number in range(count)
            )
        )
        return count


def bare_worker(client: Client) -> Worker:
    """Make a worker for them, without the sandbox: the quickest there is."""
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[BareSequence, BareParallel],
        activities=[double],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
