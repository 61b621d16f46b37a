"""One turn: a message is worked on until the model has answered, or the turn has failed.

Rules:
    1. A turn asks the model; runs the tools it calls, several at once; gives it the results; and
       asks again, until it answers. The answer settles the message.
    2. A limit stops the turn before the call that would pass it, not after.
    3. A passing failure of the model is tried again after a wait, ``model_attempts`` times in
       all; a refusal or a permanent failure ends the turn at once.
    4. A budget that is used up ends nothing: the agent pauses with the turn as it is, and goes on
       when it has been given more.
    5. A wrong answer goes back to the model with what is wrong, at most ``invalid_calls`` times.
    6. A turn that has to end waits until nothing of it is in flight.
    7. What follows a failed turn is in :mod:`.after_failure`.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.decisions.agents.acting import BUDGET_REACHED, CANCELLED, begin_uses, start_uses
from mainstay.decisions.agents.after_failure import mind_policy
from mainstay.decisions.agents.draft import AgentDraft
from mainstay.decisions.agents.settling import count_failed, settle
from mainstay.decisions.retries import backoff
from mainstay.schemas.agent_calls import AgentEventKind, Thought
from mainstay.schemas.agent_directives import StopTurn, Summarize, Think, WasSummarized, WasThought
from mainstay.schemas.agent_run import (
    InputKind,
    TurnInput,
    TurnState,
    TurnStep,
    UseStatus,
    message_entry_key,
)
from mainstay.schemas.conversation import Finish
from mainstay.schemas.messages import MessageHeader, MessageStatus
from mainstay.schemas.plan import RetrySpec
from mainstay.schemas.run import Failure, FailureKind

MODEL_RETRY = RetrySpec(attempts=1000, initial=timedelta(seconds=1), maximum=timedelta(minutes=1))
"""Waits between the attempts of one model call; how many there are is the agent's own limit."""


def begin_turn(draft: AgentDraft, header: MessageHeader) -> None:
    """Work on a message."""
    told = TurnInput(kind=InputKind.MESSAGE, key=message_entry_key(header.id), ref=header.id)
    draft.change(
        turn=TurnState(
            message=header,
            inputs=(told,),
            began_at=draft.now,
            deadline=draft.now + draft.state.policy.limits.turn_timeout,
        )
    )
    think(draft)


def think(draft: AgentDraft) -> None:
    """Ask the model, unless the turn has asked too often."""
    turn, limits = draft.turn, draft.state.policy.limits
    if turn.model_calls >= limits.model_calls:
        fail(draft, _limit(f"a turn may ask the model {limits.model_calls} times", "model_calls"))
        return
    if draft.state.summarize == turn.message.thread:
        key = f"summary/{turn.message.id}/{turn.model_calls + 1}"
        draft.change(summarize="")
        draft.change_turn(step=TurnStep.SUMMARIZING, is_flying=True)
        draft.do(Summarize(turn.message.thread, key))
        return
    number = turn.model_calls + 1
    draft.change_turn(
        step=TurnStep.THINKING, is_flying=True, not_before=None, waits_for="", uses=()
    )
    draft.do(Think(f"{turn.message.id}/{number}", turn.inputs, turn.attempt, number))


def summarized(draft: AgentDraft, event: WasSummarized) -> None:
    """Go on after a summary; without one the window is only cut shorter."""
    if draft.state.turn is None:
        return
    draft.change_turn(is_flying=False)
    if event.failure is not None and event.failure.type != CANCELLED:
        draft.note(AgentEventKind.MODEL_FAILED, f"no summary: {event.failure.message}")
    go_on(draft)


def thought(draft: AgentDraft, event: WasThought) -> None:
    """Take the model's answer, or see to its failure."""
    if draft.state.turn is None:
        return
    draft.change_turn(is_flying=False)
    if event.failure is not None:
        _model_failed(draft, event.failure)
        return
    assert event.thought is not None
    _count(draft, event.thought)
    if draft.turn.verdict is not None:
        fail(draft, draft.turn.verdict)
    else:
        _judge(draft, event.thought)


def go_on(draft: AgentDraft) -> None:
    """Take the turn's next step, if it is free to: after a pause, a restart, a wait."""
    turn = draft.state.turn
    if turn is None or not draft.is_living:
        return
    if turn.verdict is not None:
        fail(draft, turn.verdict)
    elif turn.step is TurnStep.ACTING:
        start_uses(draft)
        if all(use.status is UseStatus.DONE for use in draft.turn.uses):
            _return_results(draft)
    elif not turn.is_flying and (turn.not_before is None or turn.not_before <= draft.now):
        think(draft)


def fail(draft: AgentDraft, failure: Failure) -> None:
    """End the turn without an answer: at once, or as soon as nothing of it is in flight."""
    if draft.is_flying:
        if draft.turn.verdict is None:
            draft.change_turn(verdict=failure)
            draft.do(StopTurn())
        return
    settle(draft, draft.turn.message, MessageStatus.FAILED, failure=failure)
    draft.change(turn=None, failure=failure)
    count_failed(draft)
    mind_policy(draft, failure)


def check_deadline(draft: AgentDraft) -> None:
    """End a turn whose time is up."""
    turn = draft.state.turn
    if turn is not None and turn.verdict is None and turn.deadline <= draft.now:
        fail(
            draft,
            Failure(
                kind=FailureKind.REFUSED,
                type="LimitReached",
                message="the turn took longer than its turn_timeout",
                hint="give the agent a longer limits.turn_timeout",
            ),
        )


def _model_failed(draft: AgentDraft, failure: Failure) -> None:
    turn, limits = draft.turn, draft.state.policy.limits
    if turn.verdict is not None:
        fail(draft, turn.verdict)
    elif failure.type == CANCELLED:
        go_on(draft)  # a restart stopped it; it is asked again afterwards
    elif failure.type == BUDGET_REACHED:
        draft.change_turn(step=TurnStep.BACKING_OFF)
        draft.hold_for_budget(failure)
    elif failure.kind is FailureKind.TRANSIENT and turn.attempt < limits.model_attempts:
        wait = backoff(turn.attempt, MODEL_RETRY, failure.retry_after)
        draft.note(AgentEventKind.MODEL_FAILED, failure.message)
        draft.change_turn(
            step=TurnStep.BACKING_OFF,
            attempt=turn.attempt + 1,
            not_before=draft.now + wait,
            waits_for=failure.message,
        )
    else:
        fail(draft, failure)


def _count(draft: AgentDraft, thought: Thought) -> None:
    counts = draft.state.counts
    for account in thought.warnings:
        draft.note(AgentEventKind.BUDGET_WARNING, account)
    draft.change(
        summarize=draft.turn.message.thread if thought.summarize else draft.state.summarize,
        counts=counts.model_copy(
            update={
                "usage": counts.usage + thought.usage,
                "warnings": counts.warnings + len(thought.warnings),
            }
        ),
    )
    draft.change_turn(
        model_calls=draft.turn.model_calls + 1, attempt=1, position=thought.position, inputs=()
    )


def _judge(draft: AgentDraft, thought: Thought) -> None:
    turn, limits = draft.turn, draft.state.policy.limits
    if thought.finish is Finish.REFUSED:
        text = thought.text or "without a word"
        fail(
            draft,
            Failure(kind=FailureKind.REFUSED, type="Refused", message=f"the model refused: {text}"),
        )
    elif thought.problem:
        complain(draft, thought.problem)
    elif not thought.uses:
        settle(draft, turn.message, MessageStatus.PROCESSED, position=turn.position)
        draft.change(turn=None)
    elif turn.tool_calls + len(thought.uses) > limits.tool_calls:
        fail(draft, _limit(f"a turn may call tools {limits.tool_calls} times", "tool_calls"))
    else:
        begin_uses(draft, thought.uses)
        go_on(draft)


def complain(draft: AgentDraft, problem: str) -> None:
    """Tell the model what is wrong with its answer, unless it was told often enough."""
    turn, limits = draft.turn, draft.state.policy.limits
    if turn.invalid >= limits.invalid_calls:
        message = f"the model's answers stayed wrong: {problem}"
        fail(draft, Failure(type="AgentFailed", message=message, hint="see the thread"))
        return
    key = f"feedback/{turn.message.id}/{turn.model_calls}"
    told = TurnInput(kind=InputKind.FEEDBACK, key=key, text=problem)
    draft.change_turn(invalid=turn.invalid + 1, inputs=(told,))
    go_on_thinking(draft)


def go_on_thinking(draft: AgentDraft) -> None:
    """Ask the model next: now, or when the agent runs again."""
    draft.change_turn(step=TurnStep.THINKING)
    go_on(draft)


def _return_results(draft: AgentDraft) -> None:
    turn, limits = draft.turn, draft.state.policy.limits
    if turn.invalid > limits.invalid_calls:
        message = "the model kept calling tools wrongly"
        fail(draft, Failure(type="AgentFailed", message=message, hint="see the thread"))
        return
    results = tuple(
        TurnInput(
            kind=InputKind.TOOL,
            key=f"result/{turn.message.id}/{turn.model_calls}/{use.id}",
            ref=use.ref,
            text=use.text,
            use_id=use.id,
            tool=use.name,
            is_error=use.is_error,
        )
        for use in turn.uses
    )
    draft.change_turn(inputs=results, uses=())
    go_on_thinking(draft)


def _limit(message: str, name: str) -> Failure:
    return Failure(
        kind=FailureKind.REFUSED,
        type="LimitReached",
        message=message,
        hint=f"raise limits.{name} in the agent's file, or ask for less at once",
    )
