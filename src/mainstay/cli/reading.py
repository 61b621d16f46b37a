"""Reading the records without a server, and asking a plan itself where one answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainstay.cli.logs import log_to_file
from mainstay.client import Mainstay
from mainstay.connection import (
    configured_address,
    explicit_address,
    has_worker,
    is_answering,
)
from mainstay.handle import PlanHandle
from mainstay.schemas.calls import PlanProgress
from mainstay.schemas.errors import MainstayError, Unavailable
from mainstay.schemas.records import PlanRow
from mainstay.schemas.run import PLAN_ENDS
from mainstay.settings import Settings

ANSWER_SECONDS = 3.0
"""How long a plan may take to say how far it is, before the records have to do."""


@asynccontextmanager
async def reading() -> AsyncIterator[Mainstay]:
    """Open the records. The server is contacted only by what needs it."""
    settings = Settings()
    log_to_file(settings.data_dir)
    async with await Mainstay.connect(settings, lazy=True) as mainstay:
        yield mainstay


@asynccontextmanager
async def steering() -> AsyncIterator[Mainstay]:
    """Connect to the server that plans run on.

    Raises:
        Unavailable: none answers.
    """
    settings = Settings()
    log_to_file(settings.data_dir)
    try:
        mainstay = await Mainstay.connect(settings)
    except Unavailable as error:
        if explicit_address():
            raise
        hint = "plans rest until `mainstay up`, or `mainstay watch ID`, runs them; then ask again"
        raise Unavailable(error.message, hint=hint) from None
    async with mainstay:
        yield mainstay


async def ask_plan(
    mainstay: Mainstay, plan: PlanHandle, row: PlanRow
) -> tuple[PlanProgress | None, str]:
    """Ask a plan how far it is.

    Returns:
        What it said; or None, and why it could not be asked, or nothing if it has ended.
    """
    if row.status in PLAN_ENDS:
        return None, ""
    address = configured_address(mainstay.settings)
    if not await is_answering(address):
        return None, f"no Temporal server answers at {address}"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if not await has_worker(mainstay.temporal, mainstay.settings.task_queue):
                return None, "no worker is running"
            return await plan.progress(), ""
    except TimeoutError:
        return None, "no worker answers"
    except MainstayError as error:
        return None, error.message
