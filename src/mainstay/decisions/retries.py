"""When a failed attempt is made again, and after how long.

Rules:
    1. Only a TRANSIENT failure is tried again; PERMANENT and REFUSED ones will not change, and
       after an UNKNOWN outcome a person decides.
    2. Only work that may safely be done twice is tried again.
    3. There are at most ``retry.attempts`` attempts, the first included.
    4. The wait grows by ``retry.factor`` from ``retry.initial`` to ``retry.maximum``; a server
       that asked for more patience (Retry-After) gets it, up to a day.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.schemas.plan import RetrySpec
from mainstay.schemas.run import Failure, FailureKind

LONGEST_RETRY_AFTER = timedelta(days=1)

PERMANENT_TYPES = frozenset(
    {
        "InvalidInput",
        "NotFound",
        "PlanFailed",
        "PlanCancelled",
        "AgentFailed",
        "TypeError",
        "ValueError",
        "KeyError",
        "IndexError",
        "LookupError",
        "AttributeError",
        "NameError",
        "AssertionError",
        "NotImplementedError",
        "ZeroDivisionError",
        "RecursionError",
        "SyntaxError",
        "ImportError",
        "ModuleNotFoundError",
        "FileNotFoundError",
        "NotADirectoryError",
        "IsADirectoryError",
        "PermissionError",
        "FileExistsError",
        "UnicodeDecodeError",
        "UnicodeEncodeError",
        "JSONDecodeError",
        "ValidationError",
    }
)
"""Errors that the same call makes again: the call, or the code, has to change first."""

REFUSED_TYPES = frozenset({"Refused", "LimitReached", "BudgetReached"})
"""Errors that say no. They are never retried and never burn a restart budget."""


def classify(type_name: str) -> FailureKind:
    """Tell from the name of an error's type what it means; what is not known may pass."""
    if type_name in PERMANENT_TYPES:
        return FailureKind.PERMANENT
    if type_name in REFUSED_TYPES:
        return FailureKind.REFUSED
    if type_name == "UnknownOutcome":
        return FailureKind.UNKNOWN
    return FailureKind.TRANSIENT


def may_retry(failure: Failure, attempt: int, retry: RetrySpec, repeatable: bool) -> bool:
    """Tell whether attempt number ``attempt`` (from 1), which failed, is followed by another."""
    return failure.kind is FailureKind.TRANSIENT and repeatable and attempt < retry.attempts


def backoff(attempt: int, retry: RetrySpec, retry_after: timedelta | None = None) -> timedelta:
    """Return the wait after attempt number ``attempt`` (from 1) failed.

    Example:
        initial 1 s, factor 2, maximum 60 s: 1 s after the first, 2 s, 4 s, ... 60 s.
    """
    longest = retry.maximum.total_seconds()
    wait = retry.initial.total_seconds()
    for _ in range(attempt - 1):
        if wait >= longest:
            break
        wait *= retry.factor
    asked = min(retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return max(timedelta(seconds=min(wait, longest)), asked)
