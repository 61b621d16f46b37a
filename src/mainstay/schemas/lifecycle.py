"""Where an agent's life stands, and how it got there."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mainstay.schemas.model import Model

KEPT_TRANSITIONS = 100
"""Latest transitions that the state itself keeps. Source: specification 003, 1.3.1."""


class LifeState(StrEnum):
    """The states of an agent's life. Source: specification 003, 1.3.1."""

    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    TERMINATED = "TERMINATED"
    ERROR = "ERROR"
    RESTARTING = "RESTARTING"


class PauseReason(StrEnum):
    """Why an agent is paused. Source: specification 003, 1.3.1."""

    MANUAL = "MANUAL"
    RESOURCE_CONSTRAINT = "RESOURCE_CONSTRAINT"
    DEPENDENCY_WAIT = "DEPENDENCY_WAIT"
    ERROR_RECOVERY = "ERROR_RECOVERY"


class EndReason(StrEnum):
    """Why an agent was terminated. Source: specification 003, 1.3.1."""

    MANUAL = "MANUAL"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"


class Transition(Model):
    """One change of state. ``duration_ms`` is how long the state it left had lasted."""

    number: int
    from_state: LifeState
    to_state: LifeState
    at: datetime
    trigger: str = ""
    duration_ms: int = 0


class Lifecycle(Model):
    """An agent's life so far.

    Attributes:
        since: when the present state began.
        until: when the present state has lasted too long; None when it may last for ever.
        transitions: the latest ones, the oldest first.
        count: how many there were in all.
        detail: why, for people.
    """

    state: LifeState = LifeState.INITIALIZING
    previous: LifeState | None = None
    since: datetime
    until: datetime | None = None
    transitions: tuple[Transition, ...] = ()
    count: int = 0
    pause_reason: PauseReason | None = None
    end_reason: EndReason | None = None
    restarts: int = 0
    detail: str = ""
