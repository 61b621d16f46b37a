"""What a supervisor's decisions are told, and what they ask for. Both stay in the workflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mainstay.schemas.supervision import ChildExit, ChildPlan, SupervisorEnd, SupervisorPolicy
from mainstay.schemas.supervision_calls import Severity, SupervisionEventType

# Events.


@dataclass(frozen=True, slots=True)
class WasOpened:
    """The supervisor's part of the team file was read, or could not be.

    ``alive`` are children of a killed predecessor that it goes on with: name and incarnation.
    """

    policy: SupervisorPolicy | None = None
    plans: tuple[ChildPlan, ...] = ()
    alive: tuple[tuple[str, int], ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BecameReady:
    """A child is ready."""

    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A child has ended. Told twice, it counts once."""

    name: str
    incarnation: int
    exit: ChildExit


@dataclass(frozen=True, slots=True)
class WasUnhealthy:
    """A look at the team's health found a child unhealthy; it is to be killed and restarted."""

    name: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class ShutDownAsked:
    """End, all children with it."""

    reason: str = ""
    keeps: bool = False
    is_hurried: bool = False
    """Kill what does not end at once."""


@dataclass(frozen=True, slots=True)
class StartAsked:
    """OTP's start_child: add a child at the end, and start it."""

    plan: ChildPlan


@dataclass(frozen=True, slots=True)
class TerminateAsked:
    """OTP's terminate_child: stop a child and keep its plan."""

    name: str


@dataclass(frozen=True, slots=True)
class RestartChildAsked:
    """Start a stopped child (OTP's restart_child), or stop and start a running one; uncounted."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteAsked:
    """OTP's delete_child: forget a child that is stopped."""

    name: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """A moment that was waited for has come."""


SupervisorSignal = (
    WasOpened
    | BecameReady
    | Exited
    | WasUnhealthy
    | ShutDownAsked
    | StartAsked
    | TerminateAsked
    | RestartChildAsked
    | DeleteAsked
    | Ticked
)

# Directives.


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child; a restart tells it so."""

    name: str
    place: int
    incarnation: int
    is_restart: bool = False


@dataclass(frozen=True, slots=True)
class TellToStop:
    """Tell a child to end by itself within ``grace``; None is for ever."""

    name: str
    incarnation: int
    grace: timedelta | None
    keeps: bool


@dataclass(frozen=True, slots=True)
class CancelChild:
    """Cancel a child that did not end in time."""

    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class KillChild:
    """Terminate a child, and what it runs with it."""

    name: str
    incarnation: int
    keeps: bool


@dataclass(frozen=True, slots=True)
class CloseChild:
    """A child will not be started again: close its mailbox and its record, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Put an event on record."""

    type: SupervisionEventType
    severity: Severity
    child: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class TellParent:
    """Every child has been started once: the supervisor is ready."""


@dataclass(frozen=True, slots=True)
class EndSupervisor:
    """Every child has ended: end."""

    end: SupervisorEnd
    reason: str


SupervisorDirective = (
    StartChild
    | TellToStop
    | CancelChild
    | KillChild
    | CloseChild
    | Report
    | TellParent
    | EndSupervisor
)
