"""The only place that plugs storage, tools and activities into a Temporal worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Replayer, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from mainstay.activities.acting import Acting
from mainstay.activities.agent_files import AgentFiles
from mainstay.activities.agent_life import AgentLife
from mainstay.activities.agent_ports import Models
from mainstay.activities.agent_tasks import AgentTaskActivities
from mainstay.activities.health import HealthActivities
from mainstay.activities.plans import PlanActivities
from mainstay.activities.protection import Protection
from mainstay.activities.scope import Reader
from mainstay.activities.supervision import SupervisionActivities
from mainstay.activities.tasks import TaskActivities
from mainstay.activities.thinking import Thinking
from mainstay.activities.undoing import UndoActivities
from mainstay.connection import ensure_search_attributes
from mainstay.models.language_models import LanguageModels
from mainstay.payloads import DATA_CONVERTER, ContinuationGuard
from mainstay.schemas.budgets import RateLimit
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.supervision_calls import AgentLimits
from mainstay.settings import Settings
from mainstay.storage.store import Store, open_store
from mainstay.sweeping import sweeping
from mainstay.tools.catalogue import load_catalogue
from mainstay.tools.loading import load_module
from mainstay.tools.toolbox import Toolbox
from mainstay.workflows.agent import Agent
from mainstay.workflows.plan import Plan
from mainstay.workflows.supervisor import Supervisor

WORKFLOWS: list[type] = [Plan, Agent, Supervisor]

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""Heartbeats are sent no rarer than this; a cancel arrives with the answer to one."""

MAX_ACTIVITIES = 100
"""Pieces of work that a worker does at once."""

MAX_CACHED_RUNS = 3_000
"""Runs that a worker keeps in memory, at about 110 KB for an idle agent; others are brought back
from their history when something happens to them."""

PASSED_THROUGH = ("mainstay", "jinja2", "markupsafe", "pydantic_settings", "yaml")
"""Modules that the sandbox does not load again for each run: six to nine times faster. What it
would catch in ours, a lint rule bans."""


def workflow_runner() -> SandboxedWorkflowRunner:
    """Return the runner that workers and replays use alike."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def build_replayer(workflows: Sequence[type] = WORKFLOWS) -> Replayer:
    """Make what replays recorded histories against today's code, set up as workers are."""
    return Replayer(
        workflows=workflows,
        workflow_runner=workflow_runner(),
        data_converter=DATA_CONVERTER,
        interceptors=[ContinuationGuard()],
        workflow_failure_exception_types=[MainstayError],
    )


def build_worker(
    client: Client,
    store: Store,
    tools: Toolbox,
    task_queue: str,
    *,
    models: Models | None = None,
    rate_limits: Mapping[str, RateLimit] | None = None,
    limits: AgentLimits | None = None,
    tool_calls_per_minute: int = 0,
    max_activities: int = MAX_ACTIVITIES,
    grace: timedelta = timedelta(seconds=5),
    silence: timedelta = timedelta(seconds=10),
) -> Worker:
    """Make a worker that serves plans, agents and teams.

    Args:
        client: connected to the Temporal server.
        store: Mainstay's own database; the worker does not close it.
        tools: the tools that its tasks may use.
        task_queue: which queue it serves.
        models: what its agents think with; by default every provider, with its usual key.
        rate_limits: how often each provider may be asked, by all workers together.
        limits: how many agents there may be; by default any number.
        tool_calls_per_minute: how many one agent may make; 0 sets no limit.
        max_activities: pieces of work it does at once.
        grace: how long running tools may go on when it is stopped.
        silence: after so long without an answer it is taken for dead, and the workflows that it
            kept in memory are given to another worker.
    """
    protection = Protection(store, rate_limits, tool_calls_per_minute)
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[
            *_plan_activities(store, tools),
            *_agent_activities(store, tools, models or LanguageModels(), protection, limits),
            *_team_activities(store),
        ],
        workflow_runner=workflow_runner(),
        workflow_failure_exception_types=[MainstayError],
        max_concurrent_activities=max_activities,
        max_heartbeat_throttle_interval=HEARTBEAT_INTERVAL,
        default_heartbeat_throttle_interval=HEARTBEAT_INTERVAL,
        graceful_shutdown_timeout=grace,
        max_cached_workflows=MAX_CACHED_RUNS,
        sticky_queue_schedule_to_start_timeout=silence,
    )


Activity = Callable[..., Any]  # Any: each has a signature of its own


def _plan_activities(store: Store, tools: Toolbox) -> list[Activity]:
    reader = Reader(store)
    plans = PlanActivities(store, tools, reader)
    tasks = TaskActivities(store, tools, reader)
    undo = UndoActivities(store, tools, reader)
    agents = AgentTaskActivities(store, tools, reader)
    return [
        plans.outline,
        plans.record,
        plans.finish,
        plans.sub_plan_inputs,
        plans.sub_plan_adopt,
        tasks.prepare,
        tasks.run,
        tasks.gather,
        undo.undo,
        agents.prepare,
        agents.adopt,
    ]


def _agent_activities(
    store: Store,
    tools: Toolbox,
    models: Models,
    protection: Protection,
    limits: AgentLimits | None,
) -> list[Activity]:
    files = AgentFiles(store, tools)
    life = AgentLife(store, models, files, limits)
    thinking = Thinking(store, models, files, protection)
    acting = Acting(store, tools, files, protection)
    return [
        life.open,
        life.take,
        life.record,
        thinking.think,
        thinking.summarize,
        acting.act,
        acting.collect,
    ]


def _team_activities(store: Store) -> list[Activity]:
    supervision = SupervisionActivities(store)
    health = HealthActivities(store)
    return [
        supervision.open,
        supervision.record,
        supervision.kill,
        supervision.close,
        health.check,
    ]


@asynccontextmanager
async def running_worker(
    client: Client,
    settings: Settings,
    extra_tools: Sequence[str] = (),
    *,
    max_activities: int = MAX_ACTIVITIES,
) -> AsyncIterator[Worker]:
    """Run a worker, with a store of its own, for as long as the block lasts."""
    tools = Toolbox(load_catalogue([*settings.tools, *extra_tools]))
    await ensure_search_attributes(client)
    store = await open_store(
        settings.resolved_database_url,
        durability=settings.durability,
        messages_per_second=settings.messages_per_second,
    )
    models = LanguageModels(load_module)
    try:
        worker = build_worker(
            client,
            store,
            tools,
            settings.task_queue,
            models=models,
            rate_limits=settings.rate_limits,
            limits=settings.limits,
            tool_calls_per_minute=settings.tool_calls_per_minute,
            max_activities=max_activities,
            silence=settings.heartbeat_timeout,
        )
        async with sweeping(client, store, settings.task_queue), worker:
            yield worker
    finally:
        await models.close()
        await store.close()
