"""What a failure of an agent says about it, before anybody reacts.

Rules:
    1. A refusal, a limit and a wrong input are not cured by a restart: it would fail in the same
       way, and burn what is left of the restarts. Everything else may be cured.
    2. A turn that took too long is a limit, too, but one of time: what hangs may go better after
       a restart.
    3. ``CLASSES`` sorts failures by type alone; a provider that asks for patience (Retry-After)
       is exhausted, and one that did not answer at all took too long.
    4. Broken is an agent whose file, model or settings are wrong. A refusal may concern a single
       message, and so may a failure of its tools or its code: these are *other*.

Source: specification 003, 8.1.
"""

from __future__ import annotations

from typing import Literal

from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.team import ErrorAction, ErrorPolicy

ErrorClass = Literal["timeout", "exhausted", "fatal", "other"]

UNCURED_TYPES = frozenset({"InvalidInput", "NotFound", "LimitReached", "BudgetReached", "Refused"})
"""Failures that a restart would only repeat."""

CLASSES: dict[str, ErrorClass] = {
    "Timeout": "timeout",
    "TimeoutError": "timeout",
    "Unavailable": "timeout",
    "BudgetReached": "exhausted",
    "LimitReached": "exhausted",
    "MemoryError": "exhausted",
    "InvalidInput": "fatal",
    "NotFound": "fatal",
}

TURN_TIMEOUT = "limits.turn_timeout"
"""The limit that the hint of an overdue turn names; see ``decisions/agents/turn.py``."""


def error_class(failure: Failure) -> ErrorClass:
    """Sort a failure into the classes of an error policy."""
    if _is_overdue_turn(failure):
        return "timeout"
    if failure.type == "Unavailable" and failure.retry_after is not None:
        return "exhausted"
    return CLASSES.get(failure.type, "other")


def action(failure: Failure, policy: ErrorPolicy) -> ErrorAction:
    """Return what an agent does after a message that failed so."""
    actions: dict[ErrorClass, ErrorAction] = {
        "timeout": policy.timeout,
        "exhausted": policy.exhausted,
        "fatal": policy.fatal,
        "other": policy.other,
    }
    return actions[error_class(failure)]


def is_cured_by_restart(failure: Failure) -> bool:
    """Tell whether an agent that failed so may do better after a restart."""
    if _is_overdue_turn(failure):
        return True
    return failure.kind is not FailureKind.REFUSED and failure.type not in UNCURED_TYPES


def _is_overdue_turn(failure: Failure) -> bool:
    return failure.type == "LimitReached" and TURN_TIMEOUT in failure.hint
