"""What a person writes: a team, which is a tree of supervisors and agents.

Every default is written out here, level by level; nothing is inherited from the level above.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from mainstay.schemas.agent import AgentSpec, OnFailure
from mainstay.schemas.durations import Duration
from mainstay.schemas.ids import Name
from mainstay.schemas.model import Spec

MAX_COUNT = 10_000
"""Most instances of one child."""


class Strategy(StrEnum):
    """Whom the failure of one child concerns.

    Source: OTP, Supervisor Behaviour; ``terminate_all`` is specification 003's ``OneForAll``, and
    ``dynamic`` OTP's simple_one_for_one.
    """

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"
    TERMINATE_ALL = "terminate_all"
    DYNAMIC = "dynamic"


class Restart(StrEnum):
    """When a child that ended by itself is started again: always, after a failure, never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Escalation(StrEnum):
    """What a supervisor does when its children fail too often.

    TERMINATE: it ends, and its parent leaves it so. RESTART: it restarts all of its children with
    a clean slate, once; a second time it escalates. ESCALATE: it ends in a failure, which its
    parent counts, as in OTP.
    """

    TERMINATE = "terminate"
    RESTART = "restart"
    ESCALATE = "escalate"


class AutoShutdown(StrEnum):
    """Whether a supervisor ends when significant children have ended. Source: OTP 24."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Orphans(StrEnum):
    """What becomes of the children that a supervisor left behind when it was killed.

    CASCADE ends them before it starts anew; ADOPT goes on with them; STOP lets them finish what
    they do first.
    """

    CASCADE = "cascade"
    ADOPT = "adopt"
    STOP = "stop"


class IntensitySpec(Spec):
    """How often children may be restarted: *more than* ``max_restarts`` within ``window``
    escalates. Source of the default: specification 002, 1.5."""

    max_restarts: int = Field(3, ge=0, le=10_000, description="restarts that are still borne")
    window: Duration = Field(timedelta(seconds=5), description="within so long")


class BackoffSpec(Spec):
    """How long to wait before a restart: ``initial``, then ``factor`` times as long each time.

    Counted from the last time the child ran for longer than ``maximum`` without a failure.
    """

    initial: Duration = Field(timedelta(0), description="before the first restart")
    factor: float = Field(2.0, ge=1, le=100, description="how much longer each time")
    maximum: Duration = Field(timedelta(minutes=1), description="longest wait")
    jitter: float = Field(0.1, ge=0, le=1, description="share of the wait added at random")


class HealthSpec(Spec):
    """When an agent counts as unhealthy. Source of the interval: specification 003, 6.2."""

    interval: Duration = Field(timedelta(seconds=30), description="between two looks")
    grace: Duration = Field(timedelta(seconds=30), description="how late a turn may be")
    error_rate: float = Field(0.5, gt=0, le=1, description="share of failed messages")
    sample: int = Field(5, ge=1, le=1000, description="messages that make a rate")


class ErrorAction(StrEnum):
    """What an agent does after a message that it could not work on."""

    REPORT = "report"
    RESTART = "restart"
    PAUSE = "pause"
    STOP = "stop"


class ErrorPolicy(Spec):
    """What is done by class of error. Source: specification 003, 8.1."""

    timeout: ErrorAction = Field(ErrorAction.RESTART, description="it took too long")
    exhausted: ErrorAction = Field(ErrorAction.PAUSE, description="a resource is used up")
    fatal: ErrorAction = Field(ErrorAction.STOP, description="the agent itself is broken")
    other: ErrorAction = Field(ErrorAction.REPORT, description="anything else")
    retry_after: Duration = Field(timedelta(seconds=30), description="length of such a pause")


Shutdown = Literal["brutal_kill", "infinity"] | Duration
"""How a child is stopped: at once, with all the time it needs, or within a time."""


class ChildSpec(Spec):
    """A child of a supervisor: an agent, or a supervisor with children of its own."""

    name: Name | None = Field(None, description="by default the agent's name")
    agent: str | None = Field(None, description="an agent of the catalogue, or a file")
    supervisor: SupervisorSpec | None = Field(None, description="instead of an agent: a subtree")
    restart: Restart = Field(Restart.PERMANENT, description="permanent, transient or temporary")
    shutdown: Shutdown | None = Field(
        None, description="time to stop in; by default 60s for an agent, infinity for a subtree"
    )
    significant: bool = Field(False, description="for auto_shutdown; not for permanent children")
    backoff: BackoffSpec = Field(default_factory=BackoffSpec, description="waits before restarts")
    count: int = Field(1, ge=1, le=MAX_COUNT, description="how many of it, named NAME-1, NAME-2")
    model: str | None = Field(None, description="in place of the model in the agent's file")
    errors: ErrorPolicy | None = Field(
        None, description="what is done by class of error; by default the agent's on_failure"
    )
    on_failure: OnFailure | None = Field(None, description="in place of the agent's own")


class SupervisorSpec(Spec):
    """A supervisor and its children, in the order in which they are started."""

    strategy: Strategy = Field(Strategy.ONE_FOR_ONE, description="whom a failure concerns")
    intensity: IntensitySpec = Field(default_factory=IntensitySpec, description="restarts allowed")
    escalation: Escalation = Field(Escalation.ESCALATE, description="when they are too many")
    auto_shutdown: AutoShutdown = Field(AutoShutdown.NEVER, description="ends with its children")
    orphans: Orphans = Field(Orphans.CASCADE, description="children of a killed supervisor")
    children: list[ChildSpec] = Field(default_factory=list, description="in starting order")


class TeamLimits(Spec):
    """How large a team may become."""

    agents: int | None = Field(None, ge=1, description="agents in all, supervisors not counted")
    roles: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="agents of each role"
    )


class TeamSpec(SupervisorSpec):
    """A team, as it is written: its root supervisor, and what holds for all of it."""

    team: Name = Field(description="names the team")
    description: str = Field("", description="what it is for, in a sentence")
    agents: dict[str, AgentSpec] = Field(
        default_factory=dict, description="agents of this team alone, before the catalogue's"
    )
    roles: dict[str, Annotated[int, Field(ge=1, le=MAX_COUNT)]] = Field(
        default_factory=dict, description="so many of each role, from the catalogue"
    )
    limits: TeamLimits = Field(default_factory=TeamLimits, description="how large it may become")
    health: HealthSpec = Field(default_factory=HealthSpec, description="when one is unhealthy")


ChildSpec.model_rebuild()
SupervisorSpec.model_rebuild()
TeamSpec.model_rebuild()
