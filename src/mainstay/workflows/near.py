"""What is done within a step of a workflow: it costs the server a line of history alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow

from mainstay.workflows.options import ONCE


async def do_near(
    name: str,
    call: Any,  # Any: each activity's own model
    result: type[Any] | None,
    summary: str,
    patience: timedelta,
) -> Any:  # Any: see above
    """Run an activity in this worker, once, while the step lasts.

    Raises:
        FailureError: it failed, or took longer than the patience; it may still have its effect.
            What kind of it is not the same when the history is replayed.
    """
    return await workflow.execute_local_activity(
        name,
        call,
        result_type=result,
        schedule_to_close_timeout=patience,
        retry_policy=ONCE,
        summary=summary,
    )
