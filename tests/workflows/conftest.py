"""A running worker and a client of Mainstay, each with a database and a queue of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from plan_stage import PLAN_TOOLS, Stage
from temporalio.client import Client

from mainstay.client import Mainstay
from mainstay.connection import ensure_search_attributes
from mainstay.settings import Settings
from mainstay.storage.store import open_store
from mainstay.worker import running_worker


@pytest_asyncio.fixture
async def lone_stage(temporal_client: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage without a worker."""
    settings = Settings(data_dir=tmp_path / "data", task_queue=f"q-{uuid.uuid4().hex[:8]}")
    await ensure_search_attributes(temporal_client)
    store = await open_store(settings.resolved_database_url)
    async with Mainstay(temporal_client, store, settings) as mainstay:
        yield Stage(mainstay, tmp_path, settings)


@pytest_asyncio.fixture
async def stage(temporal_client: Client, lone_stage: Stage) -> AsyncIterator[Stage]:
    """A stage with a worker in this process."""
    async with running_worker(temporal_client, lone_stage.settings, [PLAN_TOOLS]):
        yield lone_stage
