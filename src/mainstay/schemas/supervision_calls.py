"""What crosses the boundary between a supervisor's workflow, its activities and its callers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mainstay.schemas.durations import Duration
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.model import Model
from mainstay.schemas.packing import pack, unpack
from mainstay.schemas.supervision import (
    ChildPlan,
    SupervisorPolicy,
    SupervisorRequest,
    SupervisorView,
)


class SupervisionEventType(StrEnum):
    """What a supervisor noted. Source: specification 003, 14.1.4."""

    AGENT_SPAWNED = "AGENT_SPAWNED"
    AGENT_TERMINATED = "AGENT_TERMINATED"
    AGENT_RESTARTED = "AGENT_RESTARTED"
    HEALTH_CHECK_FAILED = "HEALTH_CHECK_FAILED"
    RESOURCE_LIMIT_EXCEEDED = "RESOURCE_LIMIT_EXCEEDED"
    POLICY_VIOLATION = "POLICY_VIOLATION"


class Severity(StrEnum):
    """How bad it is. Source: specification 003, 14.1.4."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class SupervisionEvent(Model):
    """One thing on record about supervision. Stored once under ``key``.

    ``supervisor_id`` and ``subject_id`` are rows of agents; ``child`` is the subject's name.
    """

    supervisor_id: str
    subject_id: str = ""
    key: str
    type: SupervisionEventType
    severity: Severity
    child: str = ""
    message: str = ""
    at: datetime


class OpenSupervisorCall(Model):
    """Read a supervisor's part of the team file, write its row, see to orphans."""

    request: SupervisorRequest


class OpenedSupervisor(Model):
    """A supervisor may begin; ``alive`` are adopted children by name and incarnation.

    ``lived`` are those that a predecessor had: their next incarnation is counted from there.
    """

    policy: SupervisorPolicy
    plans: tuple[ChildPlan, ...] = ()
    alive: tuple[tuple[str, int], ...] = ()
    lived: tuple[tuple[str, int], ...] = ()


class SupervisorRecordCall(Model):
    """Store events and the supervisor's picture, in one transaction.

    The picture of many children is compressed: each restart puts one into history.
    """

    view: SupervisorView
    run: str = ""
    parent_row: str = ""
    events: tuple[SupervisionEvent, ...] = ()

    @model_serializer(mode="wrap")
    def _shorten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:  # Any: JSON
        return pack(handler(self))

    @model_validator(mode="before")
    @classmethod
    def _lengthen(cls, data: Any) -> Any:  # Any: packed data, plain data, or a model
        return unpack(data)


class KillCall(Model):
    """Terminate workflows, a supervisor's with everything below it.

    ``keeps`` leaves mailboxes open and rows RESTARTING; else they are closed and TERMINATED.
    ``run`` is the team's life.
    """

    workflow_ids: tuple[str, ...]
    run: str = ""
    reason: str = ""
    keeps: bool = False


class CloseCall(Model):
    """Close the mailboxes and rows of agents that will not be started again.

    With ``path`` everything of the team's life ``run`` below that path, the supervisor included.
    """

    team: str
    run: str
    path: str | None = None
    agent_ids: tuple[str, ...] = ()
    reason: str = ""


class HealthState(StrEnum):
    """How an agent is. Source: specification 003, 3.4.5."""

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    UNHEALTHY = "UNHEALTHY"
    UNKNOWN = "UNKNOWN"


class HealthFacts(Model):
    """What is known of one agent's health, from the database and the server.

    Attributes:
        oldest_delivered_at: when the message was taken that it has worked on longest.
        turn_timeout: how long a turn of it may take.
        heartbeat_at: the last sign of life of the activity that works for it; None if unknown.
        is_open: its workflow is open; None when the server could not say.
        processed, failed: messages among the latest ``sample``.
    """

    agent_id: str
    name: str
    state: LifeState
    oldest_delivered_at: datetime | None = None
    turn_timeout: Duration
    heartbeat_at: datetime | None = None
    is_open: bool | None = None
    processed: int = 0
    failed: int = 0


class HealthCheckCall(Model):
    """Look at a whole team, and tell the supervisors of those that are unhealthy."""

    team: str
    run: str
    team_ref: str
    task_queue: str


class HealthReport(Model):
    """How many agents are how; names only of those that are not HEALTHY, at most 100."""

    counts: dict[HealthState, int] = Field(default_factory=dict)
    names: tuple[str, ...] = ()


class ChildRequest(Model):
    """Start, stop, restart or forget a child at run time."""

    name: str = ""
    plan: ChildPlan | None = None
    by: str = ""


class AgentLimits(Model):
    """How many agents there may be; None is no limit. Source: specification 002, 4.2."""

    agents: int | None = Field(1_000, ge=0)
    children: int | None = Field(50, ge=0)
    depth: int | None = Field(10, ge=0)
    team_agents: int | None = Field(None, ge=0)
    roles: dict[str, int] = Field(default_factory=dict)
    team_roles: dict[str, int] = Field(default_factory=dict)
    warn_at: float = Field(0.8, gt=0, le=1)
