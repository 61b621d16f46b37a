"""What the end of an agent means for the task it was made for.

Rules:
    1. A message that was answered is the task's success.
    2. What kept it from an answer is the task's failure, of the same kind: a refusal stays one.
    3. An agent that ended before it could begin fails the task for the reason it ended with.
"""

from __future__ import annotations

from mainstay.schemas.agent_calls import AgentResult
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.run import Failure, FailureKind


def failure_of_task(name: str, result: AgentResult) -> Failure | None:
    """Return why an agent's task has failed; None when it was answered.

    Args:
        name: the agent's full name, for people.
        result: how its life ended.
    """
    settled = result.settlement
    if settled is not None and settled.status is MessageStatus.PROCESSED:
        return None
    failure = settled.failure if settled is not None else result.failure
    if failure is not None:
        return failure.model_copy(
            update={"hint": failure.hint or f"`mainstay agent info {name}` shows what it did"}
        )
    return Failure(
        kind=FailureKind.REFUSED,
        type="AgentFailed",
        message=f"agent {name!r} ended without an answer: {result.reason or result.state}",
        hint=f"`mainstay agent info {name}` shows what it did; then `mainstay retry`",
    )
