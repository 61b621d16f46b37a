"""What a person writes: a plan, as YAML or as these models made in Python.

The words are those of GitHub Actions wherever it has one (``needs``, ``if``, ``with``, ``env``,
``outputs``), so that a plan reads like something already known. An expression stands in
``${{ }}`` and may stand wherever a value of type :data:`Template` is accepted.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mainstay.schemas.agent import AgentSpec, BudgetSpec
from mainstay.schemas.durations import Duration
from mainstay.schemas.ids import Name
from mainstay.schemas.model import Spec
from mainstay.schemas.priority import Level, Priority

MAX_TASKS = 20_000
"""Most tasks in one plan. Source: ten thousand is what is asked for, doubled."""

MAX_BATCH = 10_000
"""Most items of a ``for_each`` in one activity."""

MAX_PARALLEL = 1_000
"""Most pieces of work in flight at once; the pollers of a few workers serve no more."""

Template = Any
"""JSON-like data in which any string may hold ``${{ expressions }}``."""


class InputType(StrEnum):
    """What an input may hold."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    MAPPING = "mapping"


class InputSpec(Spec):
    """One value that the plan is given when it starts; required when it has no default."""

    type: InputType = Field(InputType.STRING, description="what the input holds")
    description: str = Field("", description="shown by `mainstay plan show`")
    default: Any = Field(None, description="used when the input is not given")
    required: bool | None = Field(
        None, description="must be given; without this key, true when there is no default"
    )
    choices: list[Any] | None = Field(None, description="the only values allowed")

    @property
    def is_required(self) -> bool:
        """True when a run cannot start without this input."""
        if self.required is not None:
            return self.required
        return "default" not in self.model_fields_set


class RetrySpec(Spec):
    """How often a task that failed for a passing reason is tried, and how long between.

    The wait before attempt n (n >= 2) is ``initial * factor ** (n - 2)``, at most ``maximum``.
    """

    attempts: int = Field(3, ge=1, le=1000, description="attempts in all, the first included")
    initial: Duration = Field(timedelta(seconds=1), description="wait before the second attempt")
    factor: float = Field(2.0, ge=1.0, le=100.0, description="each wait is this times the last")
    maximum: Duration = Field(timedelta(minutes=1), description="longest wait")


class ApprovalDefault(StrEnum):
    """What happens when nobody answered by the deadline."""

    APPROVE = "approve"
    REJECT = "reject"


class ApprovalSpec(Spec):
    """A question to a person. The task waits, for days if need be, until it is answered."""

    message: str = Field("Continue?", description="the question; may hold expressions")
    deadline: Duration | None = Field(None, description="how long to wait for an answer")
    default: ApprovalDefault | None = Field(
        None, description="the answer when the deadline passes; without it the task fails"
    )


class ActionSpec(Spec):
    """A tool and its arguments: what a task does, undoes or checks."""

    tool: str = Field(description="the tool's name, as `mainstay tools` lists it")
    with_: dict[str, Template] = Field(
        default_factory=dict, alias="with", description="the tool's arguments"
    )


class VerifySpec(Spec):
    """A check on a task's output that sends the task back to be done again.

    One of ``check``, an expression that must be true; ``tool``, which returns
    ``{"ok": bool, "reason": str}``; or ``agent``, a critic that scores the output. The reason, or
    what the critic found, is ``${{ feedback }}`` when the task runs again.
    """

    check: str | None = Field(None, description="an expression over `output` that must be true")
    reason: str = Field("the check was not met", description="why it goes back; may be a template")
    tool: str | None = Field(None, description="a tool that returns ok and reason")
    with_: dict[str, Template] = Field(
        default_factory=dict, alias="with", description="the checking tool's arguments"
    )
    agent: str | None = Field(None, description="a critic: an agent that scores the output")
    criteria: list[str] = Field(
        default_factory=list, description="what the critic judges by; may hold expressions"
    )
    threshold: float = Field(
        0.7, ge=0, le=1, description="the least score, of 0 to 1, with which the output passes"
    )
    attempts: int = Field(3, ge=1, le=100, description="rounds in all, the first included")


def _as_list(value: Any) -> Any:  # Any: whatever stood in the file; pydantic judges it next
    return [value] if isinstance(value, str) else value


def _as_approval(value: Any) -> Any:
    return {"message": value} if isinstance(value, str) else {} if value is True else value


def _as_retry(value: Any) -> Any:
    return {"attempts": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _as_agents(value: Any) -> Any:
    """Let the name under which an agent stands be its name."""
    if not isinstance(value, dict):
        return value
    return {
        name: {"name": name, **one} if isinstance(one, dict) else one for name, one in value.items()
    }


class TaskSpec(Spec):
    """One task. It does one of: ``tool``, ``plan``, ``agent``, or only ``approval``.

    Instead of naming an agent, ``capability`` lets the least busy one do it that has it.
    """

    description: str = Field("", description="what the task is for, in a few words")
    needs: Annotated[list[Name], BeforeValidator(_as_list)] = Field(
        default_factory=list, description="tasks that must end before this one starts"
    )
    if_: str | bool | None = Field(
        None, alias="if", description="an expression; the task is skipped when it is false"
    )
    tool: str | None = Field(None, description="the tool that does the work")
    plan: str | None = Field(
        None,
        description="a sub-plan: a name in `plans`, a path relative to this file, or an "
        "expression that gives a plan",
    )
    agent: str | None = Field(
        None, description="an agent: a name in `agents`, a path, or an expression that gives a name"
    )
    capability: str | None = Field(
        None, description="instead of `agent`: the least busy of the plan's agents that has it"
    )
    prompt: Template = Field(None, description="what the agent is to do; may hold expressions")
    output: dict[str, Any] | None = Field(
        None, description="JSON Schema of the agent's answer; the output is then data, not text"
    )
    budget: BudgetSpec | None = Field(None, description="what the task's agents may spend")
    model: str | None = Field(None, description="the model, instead of the agent's own")
    approval: Annotated[ApprovalSpec | None, BeforeValidator(_as_approval)] = Field(
        None, description="ask a person before the task runs"
    )
    with_: dict[str, Template] = Field(
        default_factory=dict, alias="with", description="arguments of the tool, inputs of the plan"
    )
    for_each: Template = Field(
        None, description="a list; the task is done once for each `item` of it"
    )
    batch: int = Field(1, ge=1, le=MAX_BATCH, description="items that one activity does")
    max_parallel: int | None = Field(
        None, ge=1, le=MAX_PARALLEL, description="batches of this task in flight at once"
    )
    timeout: Duration | None = Field(None, description="longest one tool call may take")
    retry: Annotated[RetrySpec | None, BeforeValidator(_as_retry)] = Field(
        None, description="how often it is tried when it fails for a passing reason"
    )
    continue_on_error: bool = Field(
        False, description="the plan goes on as if this task had succeeded"
    )
    env: dict[str, str] = Field(default_factory=dict, description="environment variables")
    outputs: dict[Name, Template] = Field(
        default_factory=dict, description="named values made from `output`, for later tasks"
    )
    undo: ActionSpec | None = Field(
        None, description="what takes this task back when the plan fails or is cancelled"
    )
    verify: VerifySpec | None = Field(None, description="a check on the output")
    priority: Priority | None = Field(None, description="how urgent; the plan's by default")
    idempotent: bool | None = Field(
        None, description="whether this use of the tool may safely be done twice"
    )

    @property
    def is_for_agent(self) -> bool:
        """Whether an agent does the work."""
        return self.agent is not None or self.capability is not None

    @property
    def only_asks(self) -> bool:
        """Whether there is no work but a question to a person."""
        return self.tool is None and self.plan is None and not self.is_for_agent


class PlanSpec(Spec):
    """A plan: tasks that depend on each other, and what they are given and give back."""

    name: Name = Field(description="names the plan; part of every run's id")
    description: str = Field("", description="what the plan is for")
    inputs: dict[Name, InputSpec] = Field(default_factory=dict, description="what it is given")
    env: dict[str, str] = Field(
        default_factory=dict, description="environment variables of every task"
    )
    tasks: dict[Name, TaskSpec] = Field(
        min_length=1, max_length=MAX_TASKS, description="the work, by name"
    )
    outputs: dict[Name, Template] = Field(default_factory=dict, description="what it gives back")
    plans: dict[str, PlanSpec] = Field(
        default_factory=dict, description="sub-plans written in the same file, by name"
    )
    agents: Annotated[dict[str, AgentSpec], BeforeValidator(_as_agents)] = Field(
        default_factory=dict,
        description="agents that its tasks can use, by name; or a folder of agent files",
    )
    budget: BudgetSpec | None = Field(None, description="what all its agents together may spend")
    model: str | None = Field(None, description="the model of agents that name none")
    max_parallel: int = Field(
        16, ge=1, le=MAX_PARALLEL, description="pieces of work in flight at once"
    )
    timeout: Duration | None = Field(None, description="longest the whole plan may take")
    priority: Priority = Field(Level.NORMAL, description="how urgent its tasks are")
