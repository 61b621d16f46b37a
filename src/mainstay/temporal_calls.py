"""Calls to a workflow from outside, with Temporal's errors made ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio.client import (
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from mainstay.schemas.errors import MainstayError, NotFound, Unavailable, restore

UPDATE_TIMEOUT = timedelta(seconds=30)
"""How long a worker may take to say whether a request is accepted; longer means there is none."""

QUERY_TIMEOUT = timedelta(seconds=10)
"""How long a worker may take to answer a query."""

NO_ANSWER_HINT = "is a worker running? `mainstay doctor` looks"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Callee:
    """Whom a call is for, in the words of messages.

    Attributes:
        kind: ``plan`` or ``agent``.
        hint_ended: what to do when it has ended.
        hint_unknown: what to do when there is none of that id.
    """

    kind: str
    id: str
    hint_ended: str
    hint_unknown: str


async def ask(asked: Awaitable[T], callee: Callee) -> T:
    """Await a call to Temporal and make its errors ours.

    Raises:
        NotFound: there is no such workflow, or it has ended.
        Unavailable: the server or a worker does not answer.
        MainstayError: the workflow refused the call, with the class it refused it with.
    """
    try:
        return await asked
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError):
            raise restore(cause.type, cause.message, crossed_hint(cause)) from None
        raise MainstayError(str(cause)) from None
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
        raise MainstayError(str(error)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The SDK raises the same for a caller that was itself cancelled, and must stay so.
            raise asyncio.CancelledError from None
        raise Unavailable(
            f"no worker answered for {callee.kind} {callee.id!r}; the request may still arrive",
            hint=NO_ANSWER_HINT,
        ) from None
    except RPCError as error:
        raise _translate(error, callee) from None


def crossed_hint(error: ApplicationError) -> str:
    """Return the hint that crossed with an error: see :mod:`mainstay.payloads`."""
    detail = error.details[0] if error.details else None
    return detail if isinstance(detail, str) else ""


def _translate(error: RPCError, callee: Callee) -> MainstayError:
    if error.status is RPCStatusCode.NOT_FOUND:
        if "completed" in str(error).lower():
            return NotFound(f"{callee.kind} {callee.id!r} has ended", hint=callee.hint_ended)
        return NotFound(f"there is no {callee.kind} {callee.id!r}", hint=callee.hint_unknown)
    return Unavailable(
        f"the Temporal server or a worker did not answer: {error.message}", hint=NO_ANSWER_HINT
    )
