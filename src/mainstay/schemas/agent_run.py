"""The state of a running agent, as it is carried in Temporal's history. It stays small."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from mainstay.schemas.agent import LimitsSpec, OnFailure
from mainstay.schemas.conversation import Usage
from mainstay.schemas.durations import Duration
from mainstay.schemas.lifecycle import Lifecycle
from mainstay.schemas.messages import MessageHeader, Settlement
from mainstay.schemas.model import Model
from mainstay.schemas.run import Failure
from mainstay.schemas.team import ErrorPolicy, TeamLimits


class InputKind(StrEnum):
    """What is added to the conversation before the model is asked."""

    MESSAGE = "message"
    TOOL = "tool"
    FEEDBACK = "feedback"


class TurnInput(Model):
    """Something new for the model, by reference. ``key`` makes adding it idempotent.

    ``ref`` is a message's id for MESSAGE and a document for TOOL; ``text`` is for FEEDBACK, and
    for a tool call that left no document.
    """

    kind: InputKind
    key: str
    ref: str = ""
    text: str = ""
    use_id: str = ""
    tool: str = ""
    is_error: bool = False


def message_entry_key(message_id: str) -> str:
    """Name the entry of a thread with which the work on a message begins."""
    return f"message/{message_id}"


class UseStatus(StrEnum):
    """Where a tool call of the turn stands.

    WAITING has not begun; RUNNING is an activity; ASKING waits for a person, whose question is
    in ``question``; DELEGATED waits for another agent's answer; DONE has a result.
    """

    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"
    DELEGATED = "delegated"
    DONE = "done"


class UseState(Model):
    """One tool call of the turn."""

    id: str
    name: str
    status: UseStatus = UseStatus.WAITING
    ref: str = ""
    is_error: bool = False
    question: str = ""
    is_unknown: bool = False
    """It may or may not have had its effect, and a person is asked what to do."""
    answer: str | None = None
    """What a person answered; for the call to be run with."""
    confirmed: bool = False
    """A person allowed it to be repeated although it may have had its effect."""
    text: str = ""
    """What went wrong, for a call that left no document."""
    correlation: str = ""
    """For DELEGATED, the message that asks the other agent."""
    collect_at: datetime | None = None
    """When to look for its answer at the latest, should nobody tell that it is there."""
    is_flying: bool = False
    """It is being looked for just now."""
    attempt: int = 1


class TurnStep(StrEnum):
    """What the turn is at: the model is asked, its tools are run, or it backs off."""

    THINKING = "thinking"
    ACTING = "acting"
    BACKING_OFF = "backing_off"
    SUMMARIZING = "summarizing"


class TurnState(Model):
    """The message that is being worked on.

    Attributes:
        inputs: what the next model call adds to the conversation.
        uses: the tool calls that the model asked for last.
        position: the entry in which it did.
        invalid: wrong tool calls and wrong answers so far.
        attempt: which attempt of the present model call it is.
        not_before: when the next attempt may be made.
    """

    message: MessageHeader
    step: TurnStep = TurnStep.THINKING
    inputs: tuple[TurnInput, ...] = ()
    uses: tuple[UseState, ...] = ()
    position: int = -1
    model_calls: int = 0
    tool_calls: int = 0
    invalid: int = 0
    attempt: int = 1
    not_before: datetime | None = None
    began_at: datetime
    deadline: datetime
    is_flying: bool = False
    """An activity asks the model, or makes a summary, just now."""
    replies: tuple[str, ...] = ()
    """Messages whose answers were told of before the call that asks had come back."""
    verdict: Failure | None = None
    """It has failed, and ends as soon as nothing of it is in flight."""
    waits_for: str = ""
    """Why it waits, for people."""


class AgentPolicy(Model):
    """What of an agent's file its decisions need."""

    limits: LimitsSpec = Field(default_factory=LimitsSpec)
    on_failure: OnFailure = OnFailure.REPORT
    batch: int = 10
    model: str = ""
    role: str = "worker"
    human_tools: tuple[str, ...] = ("ask_human",)
    agent_tools: tuple[str, ...] = ()
    """Names of the tools that ask another agent."""


class AgentCounts(Model):
    """What an agent has done since it was spawned."""

    messages: int = 0
    failed: int = 0
    usage: Usage = Usage()
    warnings: int = 0
    since_rollover: int = 0
    """Turns since the history was last begun anew."""


class Leave(Model):
    """The run of an agent is ending, so that its supervisor starts it again: it leaves.

    Attributes:
        by: until when its turn may go on; None is for ever.
        is_landing: what was in flight is stopped, and is waited for until ``by``.
        closes: it is not to be started again after all, so it ends for good.
        reason: why, for people.
    """

    by: datetime | None = None
    is_landing: bool = False
    closes: bool = False
    reason: str = ""


class Supervised(Model):
    """Who supervises an agent. It then ends when it fails, and is started again by that one.

    Attributes:
        supervisor_id: the workflow that is told when the agent is ready and when it ends.
        row_id: that supervisor's row among the agents.
        name: what it is called there.
        incarnation: how often it was started, this time included.
        on_failure, errors: in place of what the agent's own file says; ``errors`` goes first.
        is_brief: it takes as few steps as it can, for the server's sake: what storage does quickly
            is done within a step of the workflow, and tells the supervisor. Runs that began
            before there was this do not.
    """

    supervisor_id: str
    row_id: str
    name: str
    incarnation: int = 1
    on_failure: OnFailure | None = None
    errors: ErrorPolicy | None = None
    is_brief: bool = False
    limits: TeamLimits = Field(default_factory=TeamLimits)
    """How large its team may become."""


class AgentState(Model):
    """A whole agent's state, passed as it is when it continues as new.

    Attributes:
        rings: doorbells that were not answered yet, at most one.
        batch: number of the batch that is being worked on, or was last.
        taking: how many messages the take that is under way asks for; None when none is.
        queue: headers of the batch that wait.
        settled: what became of messages, not yet told to storage.
        summarize: the thread whose older part is to be summarised before the next model call.
        is_told: its supervisor knows that it is ready.
        is_shut_down: its supervisor told it to end.
        is_over: its run has ended, though not its life: its supervisor starts it again.
    """

    life: Lifecycle
    policy: AgentPolicy = Field(default_factory=AgentPolicy)
    is_open: bool = False
    reclaims: bool = False
    """An earlier run of it is lost; messages that were delivered to that one are taken again."""
    is_opening: bool = False
    rings: bool = False
    batch: int = 0
    taking: int | None = None
    queue: tuple[MessageHeader, ...] = ()
    settled: tuple[Settlement, ...] = ()
    turn: TurnState | None = None
    counts: AgentCounts = Field(default_factory=AgentCounts)
    failure: Failure | None = None
    summarize: str = ""
    is_once: bool = False
    """It ends after its first message."""
    result: Settlement | None = None
    supervised: Supervised | None = None
    is_told: bool = False
    is_shut_down: bool = False
    leave: Leave | None = None
    is_over: bool = False


class AgentOptions(Model):
    """How an agent is driven. Stored with it, so that a changed default never changes it."""

    heartbeat_timeout: Duration = timedelta(seconds=10)
    rollover_events: int = Field(1_000, ge=50)
    rollover_turns: int = Field(200, ge=1)
    is_once: bool = False
    """End after the first message: for the agents that a plan's tasks start."""


class AgentRequest(Model):
    """What an agent's workflow is started with. ``spec_ref`` names its stored file."""

    agent_id: str
    name: str
    """``team/name``."""
    spec_ref: str
    thread: str
    parent_id: str = ""
    accounts: tuple[str, ...] = ()
    """Who pays for it: its own account first, then those above it."""
    options: AgentOptions = Field(default_factory=AgentOptions)
    state: AgentState | None = None
    supervised: Supervised | None = None
    first_message: str = ""
    """For ``is_once``: the id of the message to work on."""
