"""What an agent's decisions are told, and what they ask for. Both stay inside the workflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mainstay.schemas.agent_calls import Acted, AgentEventKind, Collected, Opened, Taken, Thought
from mainstay.schemas.agent_run import TurnInput
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Settlement
from mainstay.schemas.run import Failure

# Events.


@dataclass(frozen=True, slots=True)
class Began:
    """The workflow begins, or goes on in a new run."""


@dataclass(frozen=True, slots=True)
class WasOpened:
    """The agent was got ready, or could not be."""

    opened: Opened | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Rang:
    """Somebody says that there is something in the mailbox."""


@dataclass(frozen=True, slots=True)
class WasTaken:
    """A batch came; or it did not, and what was to be settled is not."""

    taken: Taken
    failure: Failure | None = None
    unsettled: tuple[Settlement, ...] = ()


@dataclass(frozen=True, slots=True)
class WasThought:
    """The model answered, or failed."""

    thought: Thought | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class WasSummarized:
    """The older part of the conversation was summarised, or could not be."""

    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class WasActed:
    """A tool call came back."""

    use_id: str
    acted: Acted | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class WasCollected:
    """It was looked whether another agent has answered."""

    use_id: str
    collected: Collected


@dataclass(frozen=True, slots=True)
class Replied:
    """Another agent says that it has answered."""

    correlation: str


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """A person answered a question."""

    use_id: str
    answer: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """Work on nothing new."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """Go on."""

    trigger: str = "resume"


@dataclass(frozen=True, slots=True)
class StopAsked:
    """End; ``is_cancel`` came as Temporal's own cancel, which hurries an end that has begun."""

    reason: str = ""
    grace: timedelta | None = None
    is_cancel: bool = False


@dataclass(frozen=True, slots=True)
class ShutDownAsked:
    """End for the supervisor; ``keeps`` for another run to go on, ``grace`` None for ever."""

    reason: str = ""
    grace: timedelta | None = None
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """Get ready again."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """A moment that was waited for has come."""


AgentSignal = (
    Began
    | WasOpened
    | Rang
    | WasTaken
    | WasThought
    | WasSummarized
    | WasActed
    | WasCollected
    | Replied
    | QuestionAnswered
    | PauseAsked
    | ResumeAsked
    | StopAsked
    | ShutDownAsked
    | RestartAsked
    | ClockTicked
)

# Directives.


@dataclass(frozen=True, slots=True)
class Open:
    """Get ready."""

    is_restart: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Settle what is settled, and take up to ``size`` messages; 0 only settles."""

    batch: int
    size: int
    settled: tuple[Settlement, ...]
    reclaims: bool = False


@dataclass(frozen=True, slots=True)
class Think:
    """Ask the model."""

    key: str
    inputs: tuple[TurnInput, ...]
    attempt: int
    model_call: int


@dataclass(frozen=True, slots=True)
class Summarize:
    """Have the older part of a thread summarised."""

    thread: str
    key: str


@dataclass(frozen=True, slots=True)
class Act:
    """Run a tool call."""

    use_id: str
    key: str
    attempt: int = 1
    confirmed: bool = False
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Collect:
    """Look whether another agent has answered."""

    use_id: str
    correlation: str
    key: str
    gives_up: bool = False


@dataclass(frozen=True, slots=True)
class StopTurn:
    """Cancel whatever the turn has in flight; each piece still reports that it ended."""


@dataclass(frozen=True, slots=True)
class Note:
    """Put something on record."""

    kind: AgentEventKind
    message: str = ""
    from_state: LifeState | None = None
    to_state: LifeState | None = None
    trigger: str = ""
    duration_ms: int | None = None
    at: datetime | None = None
    data: dict[str, Any] | None = None  # Any: JSON-like


@dataclass(frozen=True, slots=True)
class TellReady:
    """Tell the supervisor that the agent is ready."""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to do: settle what is settled, and end."""


AgentDirective = Open | Take | Think | Summarize | Act | Collect | StopTurn | Note | TellReady | End
