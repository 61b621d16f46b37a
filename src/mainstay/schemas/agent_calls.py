"""What crosses the boundary between an agent's workflow, its activities and its callers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from mainstay.schemas.agent_run import AgentPolicy, TurnInput
from mainstay.schemas.conversation import Finish, Usage
from mainstay.schemas.durations import Duration
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageHeader, Settlement
from mainstay.schemas.model import Model
from mainstay.schemas.run import Failure
from mainstay.schemas.supervision import ChildExit, ChildNews
from mainstay.schemas.team import TeamLimits


class AgentEventKind(StrEnum):
    """What happened to an agent, or what it did."""

    STATE = "state"
    MESSAGE_TAKEN = "message_taken"
    MESSAGE_SETTLED = "message_settled"
    MODEL_ASKED = "model_asked"
    MODEL_ANSWERED = "model_answered"
    MODEL_FAILED = "model_failed"
    TOOL_STARTED = "tool_started"
    TOOL_ENDED = "tool_ended"
    QUESTION = "question"
    QUESTION_ANSWERED = "question_answered"
    BUDGET_WARNING = "budget_warning"
    BUDGET_REACHED = "budget_reached"


class AgentEvent(Model):
    """One thing on record about an agent. Appended once under ``key``, never changed.

    For STATE, ``from_state``, ``to_state``, ``trigger`` and ``duration_ms`` say which change. One
    without states tells of another parent.
    """

    agent_id: str
    key: str
    kind: AgentEventKind
    at: datetime
    message_id: str = ""
    thread: str = ""
    message: str = ""
    from_state: LifeState | None = None
    to_state: LifeState | None = None
    trigger: str = ""
    duration_ms: int | None = None
    data: dict[str, Any] = Field(default_factory=dict)  # Any: JSON-like, for machines
    number: int = 0


class OpenCall(Model):
    """Get an agent ready: read its file, see to its tools and its model, write its row."""

    agent_id: str
    name: str
    spec_ref: str
    thread: str
    parent_id: str = ""
    supervisor_id: str = ""
    limits: TeamLimits = Field(default_factory=TeamLimits)
    accounts: tuple[str, ...] = ()
    is_restart: bool = False
    """Its thread must be there already: it never starts afresh in silence."""
    generation: int = 0
    incarnation: int = 1
    """How often its supervisor started it; a later one than the first is put on record."""
    asked_at: datetime | None = None
    """By the workflow's clock, which dates what is put on record."""


class Opened(Model):
    """An agent is ready."""

    policy: AgentPolicy
    entries: int = 0
    """How long its thread is already."""
    batch: int = 0
    """The number of the last batch that was ever taken; numbers only grow."""


class TellSupervisor(Model):
    """What the supervisor is told when a call has done its work."""

    supervisor_id: str
    news: ChildNews


class TakeCall(Model):
    """Settle what was worked on, and take the next batch of the mailbox, in one transaction.

    Asked again with the same ``batch``, it returns the same messages.
    """

    agent_id: str
    batch: int
    size: int
    settled: tuple[Settlement, ...] = ()
    events: tuple[AgentEvent, ...] = ()
    thread: str = ""
    """The agent's own thread, for messages that name none."""
    only: str = ""
    """Take this message alone."""
    reclaims: bool = False
    """Take again, too, what was delivered to a run that is lost."""
    is_last: bool = False
    """Only settle: the agent ends, and what is still in its mailbox fails with this ``reason``."""
    reason: str = ""
    tells: TellSupervisor | None = None


class Taken(Model):
    """A batch of messages, most urgent first and then in order of arrival."""

    batch: int
    headers: tuple[MessageHeader, ...] = ()


class ThinkCall(Model):
    """Add the inputs to the thread, ask the model, and keep its answer.

    ``key`` names the answer: asked again with the same key, the kept answer is returned and
    nothing is charged twice.
    """

    agent_id: str
    agent_name: str
    thread: str
    spec_ref: str
    key: str
    turn: str
    inputs: tuple[TurnInput, ...]
    accounts: tuple[str, ...]
    output_schema_ref: str = ""
    attempt: int = 1
    model_call: int = 1
    """Which model call of the turn it is; the first one also counts a turn."""


class UseHeader(Model):
    """A tool call as the workflow knows it; its arguments are in the thread."""

    id: str
    name: str


class Thought(Model):
    """What the model answered, by reference.

    Attributes:
        position: the thread's entry that holds the answer.
        text: its beginning.
        problem: what is wrong with it; it goes back to the model.
        warnings: accounts that passed the share of a limit at which to warn.
        summarize: the older part of the conversation should be summarised before the next call.
    """

    position: int
    text: str = ""
    uses: tuple[UseHeader, ...] = ()
    finish: Finish = Finish.ANSWER
    usage: Usage = Usage()
    problem: str = ""
    warnings: tuple[str, ...] = ()
    summarize: bool = False


class ActCall(Model):
    """Run one tool call of a model. The result becomes a document, which ``Acted`` names."""

    agent_id: str
    agent_name: str
    thread: str
    spec_ref: str
    position: int
    use_id: str
    key: str
    accounts: tuple[str, ...]
    attempt: int = 1
    confirmed: bool = False
    answer: str | None = None
    """What a person answered, when the tool asks one."""
    turn: str = ""


class Acted(Model):
    """What came of a tool call.

    Attributes:
        is_invalid: its arguments or its name were wrong, which the model is told.
        is_unknown: it may or may not have had its effect.
        question: it wants to know this from a person.
        correlation: it asked another agent, and its answer is waited for.
    """

    ref: str = ""
    is_error: bool = False
    is_invalid: bool = False
    is_unknown: bool = False
    question: str = ""
    correlation: str = ""
    text: str = ""
    usage: Usage = Usage()


class CollectCall(Model):
    """Fetch the answer of another agent, if it is there."""

    agent_id: str
    correlation: str
    key: str


class Collected(Model):
    """Another agent's answer; ``ref`` is empty while there is none."""

    ref: str = ""
    is_error: bool = False
    text: str = ""


class SummarizeCall(Model):
    """Summarise the older part of a thread, with the agent's own model and at its cost."""

    agent_id: str
    thread: str
    spec_ref: str
    accounts: tuple[str, ...]
    key: str


class AgentRecordCall(Model):
    """Put on record what happened in the workflow itself."""

    agent_id: str
    events: tuple[AgentEvent, ...]
    tells: TellSupervisor | None = None


class PauseRequest(Model):
    """Work on nothing new until resumed."""

    reason: str = ""


class StopRequest(Model):
    """Finish the present turn within ``grace`` (None: the agent's own), then end."""

    reason: str = ""
    grace: Duration | None = None


class RestartRequest(Model):
    """Stop what is being done, get ready again, and go on from the last good state."""

    reason: str = ""


class AnswerQuestion(Model):
    """A person's answer to a question of the agent's; ``use_id`` may be empty if there is one."""

    use_id: str = ""
    answer: str
    by: str = ""


class QuestionView(Model):
    """A question that waits for a person."""

    use_id: str
    question: str
    is_unknown: bool = False


class AgentInfo(Model):
    """A running agent at a glance."""

    agent_id: str
    name: str
    state: LifeState
    previous: LifeState | None
    since: datetime
    role: str
    model: str
    thread: str
    detail: str = ""
    activity: str = "idle"
    """``idle``, or what it is busy with."""
    message_id: str = ""
    queue: int = 0
    restarts: int = 0
    messages: int = 0
    failed: int = 0
    usage: Usage = Usage()
    questions: tuple[QuestionView, ...] = ()


class MailboxView(Model):
    """What a running agent knows of its mailbox."""

    batch: int
    current: MessageHeader | None = None
    queue: tuple[MessageHeader, ...] = ()
    unsettled: int = 0
    rings: bool = False


class AgentResult(Model):
    """How an agent ended."""

    agent_id: str
    state: LifeState
    reason: str = ""
    settlement: Settlement | None = None
    failure: Failure | None = None
    """Why it could not go on, when that was no message's fault."""
    usage: Usage = Usage()
    exit: ChildExit | None = None
    """What its supervisor is told; None without one."""


class AgentRow(Model):
    """What is known of an agent without asking its workflow."""

    agent_id: str
    name: str = ""
    role: str = "worker"
    state: LifeState
    previous: LifeState | None = None
    model: str = ""
    description: str = ""
    thread: str = ""
    spec_ref: str = ""
    parent_id: str = ""
    supervisor_id: str = ""
    """The row of the supervisor it belongs to."""
    capabilities: tuple[str, ...] = ()
    detail: str = ""
    restarts: int = 0
    errors: int = 0
    created_at: datetime
    updated_at: datetime
    pending: int = 0
    """Messages that wait in its mailbox."""
    batch: int = 0
    """The number of the last batch that was taken."""
