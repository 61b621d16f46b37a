"""The words that the specification's tables accept. Source: specification 003, section 14."""

from __future__ import annotations

from enum import StrEnum

from mainstay.schemas.supervision_calls import Severity as Severity
from mainstay.schemas.supervision_calls import SupervisionEventType as SupervisionEventType


class AgentType(StrEnum):
    """What an agent is for."""

    SUPERVISOR = "SUPERVISOR"
    WORKER = "WORKER"
    COORDINATOR = "COORDINATOR"
    MONITOR = "MONITOR"
    PLANNER = "PLANNER"
    EXECUTOR = "EXECUTOR"
    CRITIC = "CRITIC"
    ROUTER = "ROUTER"
    MEMORY = "MEMORY"


class TaskType(StrEnum):
    """What a task is about; a plan's tasks are CUSTOM."""

    RESEARCH = "RESEARCH"
    CODE = "CODE"
    ANALYZE = "ANALYZE"
    REVIEW = "REVIEW"
    DEPLOY = "DEPLOY"
    MONITOR = "MONITOR"
    CUSTOM = "CUSTOM"


class RoutingType(StrEnum):
    """Whom a message goes to."""

    BROADCAST = "BROADCAST"
    TARGET = "TARGET"
    ROUND_ROBIN = "ROUND_ROBIN"
