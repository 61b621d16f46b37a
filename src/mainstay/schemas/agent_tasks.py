"""What crosses the boundary when an agent does a plan's task, and what a critic answers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mainstay.schemas.calls import TaskCall
from mainstay.schemas.model import Model


class AgentTaskCall(Model):
    """An item of a task for an agent; for a critic, the whole output of the task.

    Attributes:
        accounts: who pays besides the agent and the task: the plan, then those above it.
        message_id: once it is worked on, the message that asked for it.
    """

    call: TaskCall
    accounts: tuple[str, ...] = ()
    is_critic: bool = False
    message_id: str = ""


class AgentStart(Model):
    """An agent that is ready to begin: what its workflow is started with, and shown as.

    ``is_done`` says that it has answered already, in an earlier life of the plan.
    """

    agent_id: str
    name: str
    spec_ref: str
    thread: str
    message_id: str
    accounts: tuple[str, ...] = ()
    role: str = "worker"
    capabilities: tuple[str, ...] = ()
    summary: str = ""
    is_done: bool = False


class Critique(Model):
    """What a critic thinks of an output."""

    score: float = Field(ge=0, le=1)
    confidence: float = Field(1.0, ge=0, le=1)
    issues: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


_TEXTS = {"type": "array", "items": {"type": "string"}}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}

CRITIQUE_SCHEMA: dict[str, Any] = {  # Any: JSON
    "type": "object",
    "properties": {
        "score": {**_SHARE, "description": "how well the criteria are met"},
        "confidence": {**_SHARE, "description": "how sure you are of the score"},
        "issues": {**_TEXTS, "description": "what is wrong, one point each"},
        "suggestions": {**_TEXTS, "description": "what would make it better"},
    },
    "required": ["score", "confidence", "issues", "suggestions"],
    "additionalProperties": False,
}
"""JSON Schema of a critic's answer. Source: specification 003, the critic's role."""
