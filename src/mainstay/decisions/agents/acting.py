"""The tool calls of a turn: which run, which wait for a person or another agent, and for how long.

Rules:
    1. At most ``parallel_tools`` calls run at once; the others wait in the order asked for.
    2. A call that wants to know something waits for a person, without a limit but the turn's.
    3. A call whose outcome nobody knows is never repeated by itself: a person says ``retry``, or
       anything else, and the model is told what they said.
    4. A call that asked another agent waits for its answer, and looks for it every so often in
       case nobody told that it is there.
    5. A call that the budget forbids is not made: the agent pauses, and makes it when it has been
       given more.
    6. A wrong call counts as such and its result says what is wrong; the model may try again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from mainstay.decisions.agents.draft import AgentDraft
from mainstay.schemas.agent_calls import Acted, AgentEventKind, UseHeader
from mainstay.schemas.agent_directives import (
    Act,
    Collect,
    QuestionAnswered,
    Replied,
    WasActed,
    WasCollected,
)
from mainstay.schemas.agent_run import TurnStep, UseState, UseStatus

COLLECT_INTERVAL = timedelta(seconds=30)
"""How often an answer is looked for that nobody told of: longer than any crash takes to heal."""

RETRY_WORD = "retry"
"""What a person answers to have a call repeated whose outcome nobody knows."""

CANCELLED = "Cancelled"
"""Type of the failure of work that was stopped."""

BUDGET_REACHED = "BudgetReached"
"""Type of the failure of work that nobody can pay for."""


def begin_uses(draft: AgentDraft, uses: Sequence[UseHeader]) -> None:
    """Take note of the tool calls that the model asks for."""
    turn = draft.turn
    draft.change_turn(
        step=TurnStep.ACTING,
        uses=tuple(UseState(id=use.id, name=use.name) for use in uses),
        tool_calls=turn.tool_calls + len(uses),
        replies=(),
    )


def start_uses(draft: AgentDraft) -> None:
    """Run as many of the waiting calls as there is room for, and look for answers that are due."""
    running = sum(use.status is UseStatus.RUNNING for use in draft.turn.uses)
    room = draft.state.policy.limits.parallel_tools - running
    waiting = [use for use in draft.turn.uses if use.status is UseStatus.WAITING]
    for use in waiting[: max(room, 0)]:
        draft.change_use(use.id, status=UseStatus.RUNNING)
        key = use_key(draft, use)
        draft.do(Act(use.id, key, use.attempt, confirmed=use.confirmed, answer=use.answer))
    for use in draft.turn.uses:
        if use.collect_at is not None and use.collect_at <= draft.now and not use.is_flying:
            draft.change_use(use.id, is_flying=True, collect_at=None)
            draft.do(Collect(use.id, use.correlation, use_key(draft, use)))


def use_key(draft: AgentDraft, use: UseState) -> str:
    """Name a tool call: the same in every attempt and after every crash."""
    return f"{draft.turn.message.id}/{draft.turn.model_calls}/{use.id}"


def acted(draft: AgentDraft, event: WasActed) -> None:
    """Take the result of a tool call, or see what it waits for."""
    use = draft.use(event.use_id)
    if use is None:
        return
    if event.acted is not None:
        _take_result(draft, use, event.acted)
    elif event.failure is not None and event.failure.type == CANCELLED:
        draft.change_use(use.id, status=UseStatus.WAITING)
    elif event.failure is not None and event.failure.type == BUDGET_REACHED:
        draft.change_use(use.id, status=UseStatus.WAITING)
        draft.hold_for_budget(event.failure)
    elif event.failure is not None:
        text = event.failure.message
        draft.change_use(use.id, status=UseStatus.DONE, is_error=True, text=text)


def answered(draft: AgentDraft, event: QuestionAnswered) -> None:
    """Go on with a call that a person was asked about."""
    use = draft.use(event.use_id)
    if use is None or use.status is not UseStatus.ASKING:
        return
    draft.note(AgentEventKind.QUESTION_ANSWERED, f"{event.by or 'somebody'}: {event.answer}")
    repeats = use.is_unknown and event.answer.strip().lower() == RETRY_WORD
    attempt = use.attempt + 1 if repeats else use.attempt
    draft.change_use(
        use.id,
        status=UseStatus.WAITING,
        question="",
        is_unknown=False,
        attempt=attempt,
        confirmed=repeats,
        answer=None if repeats else event.answer,
    )


def replied(draft: AgentDraft, event: Replied) -> None:
    """Have the answer of another agent fetched that says it has one."""
    uses = draft.state.turn.uses if draft.state.turn else ()
    for use in uses:
        if use.correlation == event.correlation and use.status is UseStatus.DELEGATED:
            draft.change_use(use.id, collect_at=draft.now)
    if any(use.status in (UseStatus.WAITING, UseStatus.RUNNING) for use in uses):
        # The worker may have died between sending the question and saying so.
        draft.change_turn(replies=(*draft.turn.replies, event.correlation))


def collected(draft: AgentDraft, event: WasCollected) -> None:
    """Take another agent's answer, or wait on."""
    use = draft.use(event.use_id)
    if use is None:
        return
    found = event.collected
    if found.ref:
        draft.change_use(
            use.id,
            status=UseStatus.DONE,
            ref=found.ref,
            is_error=found.is_error,
            is_flying=False,
            collect_at=None,
        )
    else:
        again = use.collect_at or draft.now + COLLECT_INTERVAL  # told of it meanwhile
        draft.change_use(use.id, is_flying=False, collect_at=again)


def next_collect(uses: Sequence[UseState]) -> datetime | None:
    """Return when the next answer is to be looked for."""
    moments = (use.collect_at for use in uses if not use.is_flying)
    return min((moment for moment in moments if moment is not None), default=None)


def _take_result(draft: AgentDraft, use: UseState, made: Acted) -> None:
    counts = draft.state.counts
    usage = counts.usage + made.usage
    draft.change(counts=counts.model_copy(update={"usage": usage}))
    if made.is_invalid:
        draft.change_turn(invalid=draft.turn.invalid + 1)
    if made.question:
        draft.note(AgentEventKind.QUESTION, made.question)
        draft.change_use(
            use.id,
            status=UseStatus.ASKING,
            question=made.question,
            is_unknown=made.is_unknown,
        )
    elif made.correlation:
        is_told = made.correlation in draft.turn.replies
        draft.change_use(
            use.id,
            status=UseStatus.DELEGATED,
            correlation=made.correlation,
            collect_at=draft.now + (timedelta(0) if is_told else COLLECT_INTERVAL),
        )
    else:
        draft.change_use(use.id, status=UseStatus.DONE, ref=made.ref, is_error=made.is_error)
