"""How an error leaves an activity: with its kind, and never retried by Temporal.

What the machine does wrong (storage that does not answer) is let through as it is, so that
Temporal retries it. What a tool did wrong is the plan's to decide on.
"""

from __future__ import annotations

import traceback
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from mainstay.decisions.retries import classify
from mainstay.schemas.errors import MainstayError
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.run import Failure


def failure_from(error: BaseException) -> Failure:
    """Describe an error that a tool or an expression raised."""
    name = type(error).__name__
    retry_after = getattr(error, "retry_after", None)
    message = str(error) or name
    if not isinstance(error, MainstayError):
        message = f"{name}: {error}{_where(error)}" if str(error) else f"{name}{_where(error)}"
    return Failure(
        kind=classify(name),
        type=name,
        message=shorten(message),
        hint=shorten(str(getattr(error, "hint", ""))),
        retry_after=retry_after if isinstance(retry_after, timedelta) else None,
    )


def as_application_error(failure: Failure) -> ApplicationError:
    """Wrap a failure so that it arrives whole and Temporal does not retry it."""
    return ApplicationError(
        failure.message,
        failure.model_dump(mode="json"),
        type=failure.type,
        non_retryable=True,
    )


def shorten(text: str, limit: int = MAX_MESSAGE_CHARS) -> str:
    """Cut a text to at most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _where(error: BaseException) -> str:
    """Name the place in the tool's own code, which is what its author wants to know."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f" ({last.filename.rpartition('/')[2]}, line {last.lineno})"
