"""What is shown of a running agent, and which control makes sense."""

from __future__ import annotations

from mainstay.decisions.agents.lifecycle import TRANSITIONS
from mainstay.schemas.agent_calls import AgentInfo, MailboxView, QuestionView
from mainstay.schemas.agent_run import AgentState, TurnState, TurnStep, UseState, UseStatus
from mainstay.schemas.errors import NotFound, Refused
from mainstay.schemas.lifecycle import LifeState

VERBS: dict[LifeState, str] = {
    LifeState.PAUSED: "paused",
    LifeState.RUNNING: "resumed",
    LifeState.STOPPING: "stopped",
    LifeState.RESTARTING: "restarted",
}

SOURCES: dict[LifeState, tuple[LifeState, ...]] = {
    LifeState.PAUSED: (LifeState.RUNNING,),
    LifeState.RUNNING: (LifeState.PAUSED,),
    LifeState.STOPPING: (
        LifeState.INITIALIZING,
        LifeState.RUNNING,
        LifeState.PAUSED,
        LifeState.ERROR,
        LifeState.RESTARTING,
    ),
    LifeState.RESTARTING: (LifeState.RUNNING, LifeState.ERROR),
}
"""From which states a person may ask for which."""


SETTLING = frozenset({LifeState.INITIALIZING, LifeState.RESTARTING})
"""States that soon give way to another: whoever asks for control waits for that."""


def check_control(state: AgentState, wish: LifeState, *, waits: bool = False) -> None:
    """See that control makes sense now.

    Args:
        state: where the agent stands.
        wish: what is asked for.
        waits: whoever asks can wait until the agent is ready.

    Raises:
        Refused: it does not; names the states that the present one may lead to.
    """
    present = state.life.state
    if present in SOURCES[wish] or (waits and present in SETTLING):
        return
    allowed = ", ".join(TRANSITIONS[present]) or "nothing"
    raise Refused(
        f"an agent that is {present} cannot be {VERBS[wish]}; {present} may become {allowed}",
        hint="`mainstay agent info` shows where it stands",
    )


def find_question(state: AgentState, use_id: str) -> UseState:
    """Return the tool call that waits for a person's answer.

    Raises:
        NotFound: none waits, or not that one.
        Refused: several wait and none was named.
    """
    asking = [use for use in _uses(state) if use.status is UseStatus.ASKING]
    fitting = [use for use in asking if use_id in ("", use.id)]
    if not fitting:
        raise NotFound(
            f"the agent has no question {use_id!r}" if use_id else "the agent asks nothing",
            hint="`mainstay agent info` shows its questions",
        )
    if len(fitting) > 1:
        names = ", ".join(use.id for use in fitting)
        raise Refused("the agent has several questions", hint=f"name one of {names}")
    return fitting[0]


def info(state: AgentState, agent_id: str, name: str, thread: str) -> AgentInfo:
    """Return the agent at a glance."""
    life, turn, counts = state.life, state.turn, state.counts
    return AgentInfo(
        agent_id=agent_id,
        name=name,
        state=life.state,
        previous=life.previous,
        since=life.since,
        role=state.policy.role,
        model=state.policy.model,
        thread=thread,
        detail=life.detail,
        activity=_activity(turn),
        message_id=turn.message.id if turn else "",
        queue=len(state.queue),
        restarts=life.restarts,
        messages=counts.messages,
        failed=counts.failed,
        usage=counts.usage,
        questions=tuple(
            QuestionView(use_id=use.id, question=use.question, is_unknown=use.is_unknown)
            for use in _uses(state)
            if use.status is UseStatus.ASKING
        ),
    )


def mailbox(state: AgentState) -> MailboxView:
    """Return what the agent knows of its mailbox."""
    return MailboxView(
        batch=state.batch,
        current=state.turn.message if state.turn else None,
        queue=state.queue,
        unsettled=len(state.settled),
        rings=state.rings,
    )


def describe(seen: AgentInfo) -> str:
    """Write an agent's state for the Web UI, as Markdown."""
    lines = [f"**{seen.name}** is {seen.state}: {seen.activity}"]
    if seen.detail:
        lines.append(seen.detail)
    lines += [f"- asks: {question.question}" for question in seen.questions]
    lines.append(f"{seen.messages} messages, {seen.failed} failed, {seen.usage.tokens} tokens")
    return "\n\n".join(lines)


def _uses(state: AgentState) -> tuple[UseState, ...]:
    return state.turn.uses if state.turn else ()


def _activity(turn: TurnState | None) -> str:
    if turn is None:
        return "idle"
    match turn.step:
        case TurnStep.THINKING:
            return "asks the model"
        case TurnStep.SUMMARIZING:
            return "summarises the conversation"
        case TurnStep.BACKING_OFF:
            return f"waits: {turn.waits_for}"
        case _:
            return _acting(turn)


def _acting(turn: TurnState) -> str:
    open_uses = [use for use in turn.uses if use.status is not UseStatus.DONE]
    if any(use.status is UseStatus.ASKING for use in open_uses):
        return "waits for a person"
    names = ", ".join(use.name for use in open_uses)
    return f"runs {names}" if names else "runs tools"
