"""What a person writes: an agent. A Markdown file with YAML front matter, or this model in Python.

The body of the file is the agent's prompt. Keys that Mainstay does not know are kept in
``extras`` and reported, because such files are shared with other tools.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mainstay.schemas.durations import Duration
from mainstay.schemas.ids import Name
from mainstay.schemas.model import Spec

MAX_PROMPT_CHARS = 200_000
"""Longest prompt of an agent."""


class Role(StrEnum):
    """What an agent is for. Source: specification 003, 1.1."""

    SUPERVISOR = "supervisor"
    WORKER = "worker"
    COORDINATOR = "coordinator"
    MONITOR = "monitor"
    PLANNER = "planner"
    EXECUTOR = "executor"
    CRITIC = "critic"
    ROUTER = "router"
    MEMORY = "memory"


class BudgetSpec(Spec):
    """What may be spent; a key that is absent sets no limit. Reached means refused beforehand."""

    tokens: int | None = Field(None, ge=0, description="input and output tokens together")
    usd: Decimal | None = Field(None, ge=0, description="money, in US dollars")
    turns: int | None = Field(None, ge=0, description="messages and tasks that are worked on")
    tool_calls: int | None = Field(None, ge=0, description="tool calls")
    time: Duration | None = Field(None, description="time since the first turn began")
    warn_at: float = Field(0.8, gt=0, le=1, description="share of a limit at which to warn")


class LimitsSpec(Spec):
    """How far one turn may go, and how long each phase of an agent's life may take.

    Source of the phases' defaults: specification 003, 1.3.2.
    """

    model_calls: int = Field(25, ge=1, le=10_000, description="model calls in one turn")
    tool_calls: int = Field(100, ge=0, le=100_000, description="tool calls in one turn")
    parallel_tools: int = Field(8, ge=1, le=100, description="tool calls at once")
    invalid_calls: int = Field(3, ge=0, le=100, description="wrong calls or answers in one turn")
    model_attempts: int = Field(6, ge=1, le=1000, description="attempts of one model call")
    model_timeout: Duration = Field(timedelta(minutes=5), description="one model call")
    turn_timeout: Duration = Field(timedelta(hours=1), description="one turn, waiting included")
    answer_bytes: int = Field(1024 * 1024, ge=1, description="largest answer of the model")
    initialize: Duration = Field(timedelta(seconds=30), description="getting ready")
    health_check: Duration = Field(timedelta(seconds=30), description="between health checks")
    pause: Duration = Field(timedelta(seconds=3600), description="longest pause; then it resumes")
    stop: Duration = Field(timedelta(seconds=60), description="a graceful stop")
    restart: Duration = Field(timedelta(seconds=45), description="a restart")


class ContextPolicy(StrEnum):
    """What of the conversation the model is sent.

    FULL sends all of it; WINDOW the latest turns; SUMMARY also a running summary of the rest.
    Pinned facts are always sent.
    """

    FULL = "full"
    WINDOW = "window"
    SUMMARY = "summary"


class ContextSpec(Spec):
    """How much of the conversation the model is sent."""

    policy: ContextPolicy = Field(ContextPolicy.SUMMARY, description="full, window or summary")
    tokens: int = Field(32_000, ge=100, description="most tokens of conversation, estimated")
    turns: int = Field(20, ge=1, description="latest turns that are sent as they are")
    tool_result_tokens: int = Field(2_000, ge=50, description="longer results are cut")


class MailboxSpec(Spec):
    """How the mailbox is emptied."""

    batch: int = Field(10, ge=1, le=100, description="messages taken at a time")


class OnFailure(StrEnum):
    """What an agent does when it could not work on a message: go on, pause, stop, or fail.

    FAIL ends it in an error, and its supervisor restarts it without that message; one without a
    supervisor waits in the error for a person.
    """

    REPORT = "report"
    PAUSE = "pause"
    STOP = "stop"
    FAIL = "fail"


class OnParentEnd(StrEnum):
    """What an agent does when the life of its parent, the agent it was spawned under, has ended.

    ORPHAN goes on, under the parent's own parent. STOP finishes its present turn and ends, CASCADE
    ends at once; their own children then do as they say.
    """

    ORPHAN = "orphan"
    STOP = "stop"
    CASCADE = "cascade"


def as_names(value: Any) -> Any:  # Any: whatever stood in the file; pydantic judges it next
    """Accept ``a, b c`` beside a list, as the files of other tools have it."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def as_policy(value: Any) -> Any:  # Any: see above
    """Accept the policy's name alone."""
    return {"policy": value} if isinstance(value, str) else value


class AgentSpec(Spec):
    """An agent, as it is written."""

    name: Name = Field(description="names the agent in the catalogue")
    description: str = Field("", description="when to use it, in a sentence")
    role: Role = Field(Role.WORKER, description="what it is for")
    model: str | None = Field(
        None, description="provider:model, script:FILE or code:MODULE:FUNCTION; else the default"
    )
    tools: Annotated[list[str], BeforeValidator(as_names)] = Field(
        default_factory=list, description="tools it may use; a trailing * stands for any ending"
    )
    agents: Annotated[list[str], BeforeValidator(as_names)] = Field(
        default_factory=list, description="other agents it may ask, each as a tool"
    )
    capabilities: Annotated[list[str], BeforeValidator(as_names)] = Field(
        default_factory=list, description="what it is good at; a router chooses by these"
    )
    prompt: str = Field("", max_length=MAX_PROMPT_CHARS, description="instructions to the model")
    output: dict[str, Any] | None = Field(
        None, description="JSON Schema that every answer must match"
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="temperature, max_tokens and the like, for the provider"
    )
    budget: BudgetSpec = Field(default_factory=BudgetSpec, description="what it may spend")
    limits: LimitsSpec = Field(default_factory=LimitsSpec, description="how far it may go")
    mailbox: MailboxSpec = Field(default_factory=MailboxSpec, description="its mailbox")
    context: Annotated[ContextSpec, BeforeValidator(as_policy)] = Field(
        default_factory=ContextSpec, description="what the model is sent of the conversation"
    )
    on_failure: OnFailure = Field(OnFailure.REPORT, description="after a turn that failed")
    on_parent_end: OnParentEnd = Field(
        OnParentEnd.ORPHAN, description="after the end of the agent that it was spawned under"
    )
    extras: dict[str, Any] = Field(
        default_factory=dict, description="keys of other tools, kept as they are"
    )
