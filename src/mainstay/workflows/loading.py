"""How a run learns its plan's shape: page by page, because a payload is limited."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

from mainstay.schemas import names
from mainstay.schemas.calls import OutlineCall, PlanRequest
from mainstay.schemas.outline import OutlinePage, PlanOutline
from mainstay.schemas.run import PlanState
from mainstay.workflows.options import MACHINE_RETRY, PREPARE_TIMEOUT


async def load_outline(request: PlanRequest) -> tuple[PlanOutline, PlanState | None]:
    """Return the plan's outline, and the state it ended in when it is taken up again."""
    call = OutlineCall(
        plan_id=request.plan_id,
        name=request.name,
        plan_ref=request.plan_ref,
        inputs_ref=request.inputs_ref,
        parent_id=request.parent_id,
        resumed=request.resumed,
        is_continued=request.state is not None,
    )
    silence = request.options.heartbeat_timeout
    first = await _page(call, silence)
    numbers = range(1, first.pages)
    others = (_page(call.model_copy(update={"page": number}), silence) for number in numbers)
    pages = [first, *await asyncio.gather(*others)]
    outline = PlanOutline(
        tasks=tuple(task for page in pages for task in page.tasks),
        max_parallel=first.max_parallel,
        timeout=first.timeout,
        priority=first.priority,
    )
    return outline, first.state


async def _page(call: OutlineCall, silence: timedelta) -> OutlinePage:
    page: OutlinePage = await workflow.execute_activity(
        names.PLAN_OUTLINE,
        call,
        result_type=OutlinePage,
        start_to_close_timeout=PREPARE_TIMEOUT,
        heartbeat_timeout=silence,
        retry_policy=MACHINE_RETRY,
        summary=f"outline, page {call.page + 1}" if call.page else "outline",
    )
    return page
