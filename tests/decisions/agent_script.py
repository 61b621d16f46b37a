"""An agent that a test drives by hand, one event at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mainstay.decisions.agents.agent import decide, next_alarm
from mainstay.decisions.agents.lifecycle import begin_state
from mainstay.schemas.agent import LimitsSpec
from mainstay.schemas.agent_calls import (
    Acted,
    AgentEventKind,
    Collected,
    Opened,
    Taken,
    Thought,
    UseHeader,
)
from mainstay.schemas.agent_directives import (
    Act,
    AgentDirective,
    AgentSignal,
    Began,
    ClockTicked,
    Note,
    Rang,
    Take,
    Think,
    WasActed,
    WasCollected,
    WasOpened,
    WasSummarized,
    WasTaken,
    WasThought,
)
from mainstay.schemas.agent_run import (
    AgentOptions,
    AgentPolicy,
    AgentRequest,
    Supervised,
    TurnState,
)
from mainstay.schemas.conversation import Finish, Usage
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageHeader
from mainstay.schemas.priority import Level
from mainstay.schemas.run import Failure, FailureKind

START = datetime(2026, 1, 1, tzinfo=UTC)

PASSING = Failure(kind=FailureKind.TRANSIENT, type="Unavailable", message="try later")
CANCELLED = Failure(kind=FailureKind.REFUSED, type="Cancelled", message="it was cancelled")
BROKE = Failure(kind=FailureKind.REFUSED, type="BudgetReached", message="nothing left")
WRONG = Failure(kind=FailureKind.PERMANENT, type="InvalidInput", message="no such model")


def header(name: str, priority: Level = Level.NORMAL, reply: str = "") -> MessageHeader:
    return MessageHeader(id=name, thread="t", priority=priority, reply_workflow=reply)


class Script:
    """An agent with what it asked for last."""

    def __init__(
        self,
        policy: AgentPolicy | None = None,
        *,
        once: bool = False,
        supervised: Supervised | None = None,
        now: datetime = START,
    ) -> None:
        self.now = now
        self.policy = policy or AgentPolicy()
        request = AgentRequest(
            agent_id="agent",
            name="team/a",
            spec_ref="spec",
            thread="t",
            options=AgentOptions(is_once=once),
            supervised=supervised,
        )
        self.state = begin_state(now, request)
        self.asked: list[AgentDirective] = []

    def tell(self, *events: AgentSignal, hold: bool = False) -> Script:
        self.state, self.asked = decide(self.state, events, self.now, hold=hold)
        return self

    def start(self) -> Script:
        """Get ready, find nothing in the mailbox, and be idle."""
        self.tell(Began()).tell(WasOpened(Opened(policy=self.policy)))
        return self.took()

    def opened(self, *, entries: int = 0, batch: int = 0) -> Script:
        """Be got ready by what an earlier run left."""
        return self.tell(WasOpened(Opened(policy=self.policy, entries=entries, batch=batch)))

    def took(self, *headers: MessageHeader) -> Script:
        return self.tell(WasTaken(Taken(batch=self.state.batch, headers=headers)))

    def given(self, *headers: MessageHeader) -> Script:
        """Be rung for, and take these messages."""
        self.tell(Rang())
        return self.took(*headers)

    def says(self, text: str = "yes", **fields: object) -> Script:
        return self.tell(WasThought(_thought(text, **fields)))

    def calls(self, *uses: str) -> Script:
        headers = tuple(UseHeader(id=use, name=use) for use in uses)
        return self.says("", uses=headers, finish=Finish.TOOLS)

    def fails(self, failure: Failure) -> Script:
        return self.tell(WasThought(failure=failure))

    def acted(self, use: str, **fields: object) -> Script:
        made = Acted.model_validate({"ref": f"r/{use}", "usage": Usage(tool_calls=1), **fields})
        return self.tell(WasActed(use, made))

    def act_fails(self, use: str, failure: Failure) -> Script:
        return self.tell(WasActed(use, failure=failure))

    def collected(self, use: str, ref: str = "") -> Script:
        return self.tell(WasCollected(use, Collected(ref=ref)))

    def summarized(self, failure: Failure | None = None) -> Script:
        return self.tell(WasSummarized(failure))

    def wait(self, **duration: float) -> Script:
        """Let time pass."""
        self.now += timedelta(**duration)
        return self.tell(ClockTicked())

    @property
    def life(self) -> LifeState:
        return self.state.life.state

    @property
    def turn(self) -> TurnState:
        assert self.state.turn is not None
        return self.state.turn

    @property
    def alarm(self) -> timedelta | None:
        moment = next_alarm(self.state)
        return None if moment is None else moment - self.now

    def of(self, kind: type[AgentDirective]) -> list[AgentDirective]:
        return [made for made in self.asked if isinstance(made, kind)]

    @property
    def think(self) -> Think:
        [made] = [made for made in self.asked if isinstance(made, Think)]
        return made

    @property
    def take(self) -> Take:
        [made] = [made for made in self.asked if isinstance(made, Take)]
        return made

    @property
    def acts(self) -> list[str]:
        return [made.use_id for made in self.asked if isinstance(made, Act)]

    @property
    def notes(self) -> list[AgentEventKind]:
        return [made.kind for made in self.asked if isinstance(made, Note)]


def _thought(text: str, **fields: object) -> Thought:
    usage = Usage(input_tokens=10, output_tokens=5, model_calls=1)
    return Thought.model_validate({"position": 1, "text": text, "usage": usage, **fields})


def limited(**limits: object) -> AgentPolicy:
    return AgentPolicy(limits=LimitsSpec.model_validate(limits))
