"""What becomes of a message: it is settled, and counted.

Rules:
    1. A message is settled once, with the answer's place in its thread or with its failure.
    2. A message with which ``MAX_LOSSES`` runs of the agent were lost is set aside unread: it is
       what ends the agent. An orderly end of a run is no loss.
"""

from __future__ import annotations

from mainstay.decisions.agents.draft import AgentDraft
from mainstay.schemas.messages import MessageHeader, MessageStatus, Settlement
from mainstay.schemas.run import Failure

MAX_LOSSES = 3
"""Runs that may be lost with one message: with the default intensity the next one still comes."""


def set_aside(draft: AgentDraft, header: MessageHeader) -> None:
    """Let a message fail without working on it: it is what ends the agent each time."""
    failure = Failure(
        type="AgentFailed",
        message=f"{header.losses} runs of the agent were lost while they worked on this message, "
        "so it is kept aside",
        hint="`mainstay agent watch` shows what ended them; send it again when that is mended",
    )
    settle(draft, header, MessageStatus.FAILED, failure=failure)
    count_failed(draft)


def settle(
    draft: AgentDraft,
    header: MessageHeader,
    status: MessageStatus,
    *,
    position: int = -1,
    failure: Failure | None = None,
) -> None:
    """Write down what became of a message, for the next take to tell storage."""
    counts = draft.state.counts
    settled = Settlement(
        message_id=header.id,
        status=status,
        thread=header.thread,
        position=position,
        failure=failure,
        reply_workflow=header.reply_workflow,
    )
    draft.change(
        settled=(*draft.state.settled, settled),
        result=settled if draft.state.is_once else None,
        counts=counts.model_copy(
            update={
                "messages": counts.messages + 1,
                "since_rollover": counts.since_rollover + 1,
            }
        ),
    )


def count_failed(draft: AgentDraft) -> None:
    """Count a message that has failed."""
    counts = draft.state.counts
    draft.change(counts=counts.model_copy(update={"failed": counts.failed + 1}))
