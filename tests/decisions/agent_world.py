"""A world around an agent's decisions: a mailbox, and activities that end when the test says so."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from agent_script import BROKE, CANCELLED, PASSING, WRONG, Script, header

from mainstay.schemas.agent_calls import Acted, Collected, Opened, Taken, Thought, UseHeader
from mainstay.schemas.agent_directives import (
    Act,
    AgentDirective,
    AgentSignal,
    Began,
    ClockTicked,
    Collect,
    End,
    Note,
    Open,
    PauseAsked,
    QuestionAnswered,
    Rang,
    Replied,
    RestartAsked,
    ResumeAsked,
    ShutDownAsked,
    StopTurn,
    Summarize,
    Take,
    TellReady,
    Think,
    WasActed,
    WasCollected,
    WasOpened,
    WasSummarized,
    WasTaken,
    WasThought,
)
from mainstay.schemas.agent_run import AgentPolicy, Supervised, UseStatus
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageHeader, MessageStatus, Settlement
from mainstay.schemas.priority import Level

IN_TURN = (Think, Summarize, Act, Collect)


class World:
    """An agent, its mailbox, and whatever is in flight."""

    def __init__(
        self, random: Random, policy: AgentPolicy, supervised: Supervised | None = None
    ) -> None:
        self.random = random
        self.supervised = supervised
        self.runs = 1
        self.batch = 0
        self.delivered: dict[str, MessageHeader] = {}
        self.script = Script(policy, supervised=supervised)
        self.flying: list[AgentDirective] = []
        self.stopped: list[AgentDirective] = []
        self.mailbox: list[MessageHeader] = []
        self.sent: list[MessageHeader] = []
        self.settled: list[Settlement] = []
        self.begun: list[str] = []
        self.tell(Began())

    def tell(self, event: AgentSignal) -> None:
        """Tell the agent something, and check what it asks for."""
        before = self.script.state.turn
        self.script.tell(event)
        for asked in self.script.asked:
            if isinstance(asked, StopTurn):
                self.stopped += [one for one in self.flying if isinstance(one, IN_TURN)]
            elif not isinstance(asked, Note | TellReady | End):
                self._check(asked)
                self.flying.append(asked)
        if self.script.state.is_over:
            self._settle(self.script.state.settled)
            return self.begin_run()
        turn = self.script.state.turn
        if turn is not None and (before is None or before.message.id != turn.message.id):
            self.begun.append(turn.message.id)

    def begin_run(self) -> None:
        """Lose the run, whatever it was at, and begin the next one."""
        assert self.supervised is not None
        self.runs += 1
        now = self.script.now
        later = self.supervised.model_copy(update={"incarnation": self.runs})
        self.script = Script(self.script.policy, supervised=later, now=now)
        self.flying, self.stopped = [], []
        self.tell(Began())

    def shut_down(self) -> None:
        """Tell the run to end, for the next one to go on."""
        seconds = self.random.choice([None, 0, 1, 60])
        grace = None if seconds is None else timedelta(seconds=seconds)
        self.tell(ShutDownAsked("", grace, keeps=True))

    def _settle(self, settled: tuple[Settlement, ...]) -> None:
        for one in settled:
            header = self.delivered.pop(one.message_id, None)
            if header is None:
                continue  # told twice: a run was lost in between
            if one.status is MessageStatus.PENDING:
                self.mailbox.append(header)
            else:
                self.settled.append(one)

    def _check(self, asked: AgentDirective) -> None:
        life = self.script.life
        if isinstance(asked, IN_TURN):
            is_leaving = self.script.state.leave is not None
            living = {LifeState.RUNNING, LifeState.STOPPING}
            assert life in living or (is_leaving and life is LifeState.RESTARTING), (asked, life)
            assert asked not in self.flying
        if isinstance(asked, Take):
            assert not any(isinstance(one, Take) for one in self.flying)
        if isinstance(asked, Think | Summarize):
            assert not any(isinstance(one, IN_TURN) for one in self.flying), asked
        if isinstance(asked, Act):
            running = sum(isinstance(one, Act) for one in self.flying)
            assert running < self.script.policy.limits.parallel_tools

    def send(self) -> None:
        """Put a message into the mailbox, and ring."""
        level = self.random.choice(list(Level))
        message = header(f"m{len(self.sent)}", level)
        self.sent.append(message)
        self.mailbox.append(message)
        self.tell(Rang())

    def disturb(self) -> None:
        """Let something happen from outside."""
        self.tell(
            self.random.choice(
                [PauseAsked(), ResumeAsked(), RestartAsked(), Rang(), Replied("c"), Replied("?")]
            )
        )

    def answer(self) -> None:
        """Answer a question, if there is one."""
        turn = self.script.state.turn
        asking = [u.id for u in turn.uses if u.status is UseStatus.ASKING] if turn else []
        if asking:
            word = self.random.choice(["retry", "no"])
            self.tell(QuestionAnswered(self.random.choice(asking), word))

    def wait(self, seconds: float) -> None:
        """Let time pass until the alarm, at most so long."""
        alarm = self.script.alarm
        left = seconds if alarm is None else min(seconds, max(alarm.total_seconds(), 0.001))
        self.script.now += type(self.script.now - self.script.now)(seconds=left)
        self.tell(ClockTicked())

    def end_one(self, *, well: bool = False) -> None:
        """Let something that is in flight end, well or any way."""
        if not self.flying:
            return
        work = self.flying.pop(self.random.randrange(len(self.flying)))
        if work in self.stopped:
            self.stopped.remove(work)
            if self.random.random() < 0.7:
                return self.tell(_cancelled(work))
        return self.tell(self._ended(work, well))

    def _ended(self, work: AgentDirective, well: bool) -> AgentSignal:
        luck = 0.0 if well else self.random.random()
        match work:
            case Open():
                return WasOpened(Opened(policy=self.script.policy, batch=self.batch))
            case Take():
                return self._taken(work)
            case Think():
                return self._thought(work, luck)
            case Summarize():
                return WasSummarized(PASSING if luck > 0.8 else None)
            case Act():
                return WasActed(work.use_id, _acted(work, luck))
            case Collect():
                return WasCollected(work.use_id, Collected(ref="" if luck > 0.7 else "r"))
            case _:
                raise AssertionError(work)

    def _taken(self, work: Take) -> AgentSignal:
        self._settle(work.settled)
        self.batch = work.batch
        if work.reclaims:
            self.mailbox += self.delivered.values()
            self.delivered.clear()
        ranked = sorted(self.mailbox, key=lambda one: int(one.priority))
        taken = ranked[: work.size]
        self.mailbox = [one for one in self.mailbox if one not in taken]
        self.delivered |= {one.id: one for one in taken}
        return WasTaken(Taken(batch=work.batch, headers=tuple(taken)))

    def _thought(self, work: Think, luck: float) -> AgentSignal:
        if luck > 0.95:
            return WasThought(failure=WRONG)
        if luck > 0.85:
            return WasThought(failure=PASSING)
        if luck > 0.8:
            return WasThought(failure=BROKE)
        if luck > 0.4:
            ids = [f"{work.key}-{n}" for n in range(self.random.randint(1, 4))]
            uses = tuple(UseHeader(id=one, name="tool") for one in ids)
            return WasThought(Thought(position=1, uses=uses, summarize=luck > 0.6))
        return WasThought(Thought(position=2, text="yes", problem="no" if luck > 0.35 else ""))


def _cancelled(work: AgentDirective) -> AgentSignal:
    match work:
        case Think():
            return WasThought(failure=CANCELLED)
        case Summarize():
            return WasSummarized(CANCELLED)
        case Act():
            return WasActed(work.use_id, failure=CANCELLED)
        case Collect():
            return WasCollected(work.use_id, Collected())
        case _:
            raise AssertionError(work)


def _acted(work: Act, luck: float) -> Acted:
    if work.answer is None and luck > 0.9:
        return Acted(question="?", is_unknown=luck > 0.95)
    if luck > 0.8:
        return Acted(correlation="c")
    return Acted(ref="r", is_invalid=luck > 0.7)
