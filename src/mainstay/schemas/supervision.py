"""The state of a running supervisor, as it is carried in Temporal's history, and its requests."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mainstay.schemas.agent import OnFailure
from mainstay.schemas.durations import Duration
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.model import Model
from mainstay.schemas.packing import pack, unpack
from mainstay.schemas.run import Failure
from mainstay.schemas.team import (
    AutoShutdown,
    BackoffSpec,
    ErrorPolicy,
    Escalation,
    HealthSpec,
    IntensitySpec,
    Orphans,
    Restart,
    Strategy,
    TeamLimits,
)


class ChildKind(StrEnum):
    """What a child is."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"


class ChildPlan(Model):
    """A child as its supervisor starts it: its file with every default resolved.

    Attributes:
        name: unique among the children; instance i of ``count`` is ``name-i`` from 1.
        spec_ref: an agent's stored file; empty for a supervisor.
        shutdown: None is for ever, zero kills at once.
    """

    name: str
    kind: ChildKind = ChildKind.AGENT
    spec_ref: str = ""
    role: str = "worker"
    description: str = ""
    capabilities: tuple[str, ...] = ()
    restart: Restart = Restart.PERMANENT
    shutdown: Duration | None = timedelta(seconds=60)
    significant: bool = False
    backoff: BackoffSpec = Field(default_factory=BackoffSpec)
    count: int = 1
    errors: ErrorPolicy | None = None
    on_failure: OnFailure | None = None


class SupervisorPolicy(Model):
    """How a supervisor reacts; ``plans`` are its children in starting order."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: IntensitySpec = Field(default_factory=IntensitySpec)
    escalation: Escalation = Escalation.ESCALATE
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER


class SupervisorPlan(Model):
    """A supervisor as it is started; ``supervisors`` are the plans of its lower ones by name."""

    policy: SupervisorPolicy = Field(default_factory=SupervisorPolicy)
    orphans: Orphans = Orphans.CASCADE
    children: tuple[ChildPlan, ...] = ()
    supervisors: dict[str, SupervisorPlan] = Field(default_factory=dict)


class TeamPlan(Model):
    """A team's file with every default resolved; stored, so that all of its life follows it."""

    team: str
    description: str = ""
    root: SupervisorPlan
    limits: TeamLimits = Field(default_factory=TeamLimits)
    health: HealthSpec = Field(default_factory=HealthSpec)


class ChildPhase(StrEnum):
    """Where a child stands.

    WAITING is to be started when its turn comes; STARTING was asked to begin and is not ready;
    RUNNING is ready; STOPPING was told to end; BACKING_OFF waits before its next start; STOPPED
    is not running and stays so until somebody asks, and its plan is kept (OTP's ``undefined``).
    """

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"


class StopStep(StrEnum):
    """How far a stop has gone: told, cancelled, killed."""

    TOLD = "told"
    CANCELLED = "cancelled"
    KILLED = "killed"


class AfterStop(StrEnum):
    """What becomes of a child that is being stopped.

    It is started again, kept, or forgotten; FAIL counts its end as a failure of its own.
    """

    START = "start"
    KEEP = "keep"
    REMOVE = "remove"
    FAIL = "fail"


class IfNotReady(StrEnum):
    """What becomes of a child that ends in a failure before it is ready.

    END: the supervisor's start-up fails. FORGET: it was added, and its plan is dropped. STOP: a
    person asked for its start, and it stays stopped. RETRY: a restart failed, which counts.
    """

    END = "end"
    FORGET = "forget"
    STOP = "stop"
    RETRY = "retry"


class ChildState(Model):
    """One child.

    Attributes:
        place: which plan it is made from; the order of starting.
        number: which instance, from 1.
        incarnation: how often it was started; what an earlier one tells is not heard.
        failures: in a row, for the back-off.
        until: when the present phase has lasted too long: a stop's next step, a back-off's end.
        must_stop: it is to be stopped as soon as those after it have ended; with ``after``.
        if_not_ready: what follows if its present start fails.
        is_held: its failure is not cured by a restart; ``detail`` says why.
    """

    name: str
    place: int
    number: int = 1
    phase: ChildPhase = ChildPhase.WAITING
    incarnation: int = 0
    restarts: int = 0
    failures: int = 0
    since: datetime
    until: datetime | None = None
    must_stop: bool = False
    after: AfterStop = AfterStop.KEEP
    stop_step: StopStep | None = None
    if_not_ready: IfNotReady = IfNotReady.END
    is_held: bool = False
    detail: str = ""


class SupervisorEnd(StrEnum):
    """Why a supervisor ended.

    STOPPED was asked for, SHUTDOWN followed its significant children or its own decision to
    terminate, FAILED is its parent's business: too many restarts, or children that did not start.
    """

    STOPPED = "stopped"
    SHUTDOWN = "shutdown"
    FAILED = "failed"


class SupervisorState(Model):
    """A whole supervisor's state, passed as it is when it continues as new.

    Attributes:
        life: INITIALIZING until every child was started once; RUNNING; STOPPING; TERMINATED.
        restarts: moments of the restarts within the window, oldest first.
        restarted: it has used its one restart of all children (``Escalation.RESTART``).
        restarted_at: when it last did, or restarted a child since.
        forgotten: last incarnations of the children forgotten latest, by name, so that what an
            earlier child of a name tells is not heard as a later one's.
        is_hurried: what does not end at once is killed.
        end: how it is going to end, once it is STOPPING.
        keeps: its children may be started again, so their mailboxes stay open when they stop.
    """

    life: LifeState = LifeState.INITIALIZING
    policy: SupervisorPolicy = Field(default_factory=SupervisorPolicy)
    plans: tuple[ChildPlan, ...] = ()
    children: tuple[ChildState, ...] = ()
    restarts: tuple[datetime, ...] = ()
    restarts_in_all: int = 0
    restarted: bool = False
    restarted_at: datetime | None = None
    forgotten: dict[str, int] = Field(default_factory=dict)
    end: SupervisorEnd | None = None
    reason: str = ""
    keeps: bool = False
    is_hurried: bool = False
    is_open: bool = False

    @model_serializer(mode="wrap")
    def _shorten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:  # Any: JSON
        return pack(handler(self))

    @model_validator(mode="before")
    @classmethod
    def _lengthen(cls, data: Any) -> Any:  # Any: packed data, plain data, or a model
        return unpack(data)


class SupervisorOptions(Model):
    """How a supervisor is driven. Stored with it, so that a changed default never changes it."""

    heartbeat_timeout: Duration = timedelta(seconds=10)
    rollover_events: int = Field(2_000, ge=50)


class SupervisorRequest(Model):
    """What a supervisor's workflow is started with.

    Attributes:
        supervisor_id: its workflow id, ``supervisor/<team>[/<path>]``.
        row_id: its id among the agents, ``agent-...``.
        run: which life of the team this is; agents of one life keep their ids.
        path: its place in the tree, empty for the root, else names joined by ``/``.
        team_ref: the stored team file.
        parent: the supervisor above it, empty for the root.
        parent_row: the row of that one.
        health_interval: how often to look at the whole team's health; only the root does.
        limits: how large the team may become.
    """

    supervisor_id: str
    row_id: str
    team: str
    run: str
    path: str = ""
    team_ref: str
    parent: str = ""
    parent_row: str = ""
    incarnation: int = 1
    health_interval: Duration | None = None
    limits: TeamLimits = Field(default_factory=TeamLimits)
    options: SupervisorOptions = Field(default_factory=SupervisorOptions)
    state: SupervisorState | None = None


class ExitKind(StrEnum):
    """How a child ended.

    NORMAL: by itself, its work done. SHUTDOWN: because it was told to, or a supervisor's own
    decision. FAILED: anything else.
    """

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    FAILED = "failed"


class ChildExit(Model):
    """How a child ended, told by the child or seen by its supervisor."""

    kind: ExitKind
    failure: Failure | None = None
    message: str = ""
    """For people."""


class ChildNews(Model):
    """What a child tells its supervisor; ``exit`` is None when it is ready."""

    name: str
    incarnation: int
    exit: ChildExit | None = None


class ShutDown(Model):
    """End; ``keeps`` leaves the mailbox as it is, for the next incarnation."""

    reason: str = ""
    grace: Duration | None = None
    keeps: bool = False


class SupervisorResult(Model):
    """How a supervisor ended."""

    supervisor_id: str
    end: SupervisorEnd
    reason: str = ""
    restarts: int = 0


class ChildView(Model):
    """A child as people see it. ``id`` is a workflow's: an agent's id, a supervisor's."""

    name: str
    kind: ChildKind
    id: str
    phase: ChildPhase
    restart: Restart
    restarts: int = 0
    since: datetime
    until: datetime | None = None
    is_held: bool = False
    significant: bool = False
    detail: str = ""


class SupervisorView(Model):
    """A supervisor at a glance, as it answers a query and as its row has it."""

    supervisor_id: str
    row_id: str
    team: str
    path: str
    life: LifeState
    strategy: Strategy
    max_restarts: int
    window: Duration
    restarts_left: int
    """Within the window, at the moment of the view."""
    counted: tuple[datetime, ...] = ()
    """Moments of the restarts within the window, for whoever reads the view later."""
    restarts: int
    """In all."""
    children: tuple[ChildView, ...] = ()
    detail: str = ""


class ChildCounts(Model):
    """OTP's count_children: ``specs`` in all, ``active`` of them, by kind."""

    specs: int
    active: int
    supervisors: int
    workers: int
