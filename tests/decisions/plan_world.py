"""A world in which plans run without Temporal: it does their work, well or badly, and watches.

Every decision goes through :meth:`World.decide`, which checks what must hold for any plan at any
moment. What it checks it derives from what it saw itself, not from what the state claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from mainstay.decisions.draft import Shape
from mainstay.decisions.plan import begin, decide, next_alarm
from mainstay.decisions.progress import progress
from mainstay.decisions.revival import take_up
from mainstay.schemas.calls import Verdict
from mainstay.schemas.directives import (
    Answered,
    CancelAsked,
    Directive,
    DoWork,
    Event,
    Finish,
    Paused,
    Resumed,
    RetryAsked,
    SkipAsked,
    Started,
    StopWork,
    Tell,
    Ticked,
    WorkEnded,
)
from mainstay.schemas.outline import PlanOutline, TaskKind
from mainstay.schemas.run import (
    PLAN_ENDS,
    TASK_ENDS,
    Answer,
    Failure,
    FailureKind,
    PlanState,
    PlanStatus,
    SkipCause,
    Step,
    TaskStatus,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
OVER = TASK_ENDS | {TaskStatus.UNDOING}
UNDO_ENDS = (TaskStatus.UNDONE, TaskStatus.UNDO_FAILED)
LONGEST_END = 3_000
"""Decisions within which a plan of a dozen tasks must end once the world behaves."""


class World:
    """One plan, the work it has in flight, and everything it was seen to do."""

    def __init__(self, outline: PlanOutline, random: Random) -> None:
        self.outline = outline
        self.shape = Shape.of(outline)
        self.random = random
        self.now = START
        self.state: PlanState = begin(outline, self.now)
        self.flying: list[DoWork] = []
        self.stopped: list[DoWork] = []
        self.done: set[tuple[int, int, int]] = set()
        self.begun: set[int] = set()
        self.items: dict[tuple[int, int], int] = {}
        self.ended_at: dict[int, int] = {}
        self.undone: list[int] = []
        self.told: dict[int, TaskStatus] = {}
        self.finish: PlanStatus | None = None
        self.steps = 0

    # One decision, and what must hold after it.

    def decide(self, *events: Event, hold: bool = False) -> list[Directive]:
        before = self.state
        self.state, directives = decide(before, events, self.shape, self.now, hold=hold)
        self.steps += 1
        self._check_limits(directives, hold)
        self._note_ends(before)
        for directive in directives:
            self._carry_out(directive)
        self.check_state()
        return directives

    def _check_limits(self, directives: Sequence[Directive], hold: bool) -> None:
        work = [directive for directive in directives if isinstance(directive, DoWork)]
        if hold:
            assert not work
        if self.state.is_paused or self.state.status not in (
            PlanStatus.RUNNING,
            PlanStatus.UNDOING,
        ):
            assert not work
        finishes = [directive for directive in directives if isinstance(directive, Finish)]
        assert len(finishes) <= 1
        assert not finishes or directives[-1] == finishes[0]
        assert not (self.finish and directives)

    def _carry_out(self, directive: Directive) -> None:
        match directive:
            case DoWork():
                self._check_work(directive)
                self.flying.append(directive)
            case StopWork(task):
                self.stopped += [work for work in self.flying if task in (None, work.task)]
            case Finish(status):
                self.finish = status
                self._check_finish(status)
            case Tell(task=int(task), status=TaskStatus() as status):
                self.told[task] = status
            case Tell():
                pass

    def _check_work(self, work: DoWork) -> None:
        task, outline = self.state.tasks[work.task], self.outline.tasks[work.task]
        unit = work.unit
        assert unit.not_before is None
        assert 1 <= unit.attempt <= outline.retry.attempts
        if unit.step is Step.UNDO:
            self.undone.append(work.task)
            return
        if work.task not in self.begun:
            self.begun.add(work.task)
            needs = [(self.state.tasks[n], self.outline.tasks[n]) for n in outline.needs]
            assert all(need.status in TASK_ENDS for need, _ in needs)
            assert outline.judges_needs or all(
                need.status is TaskStatus.SUCCEEDED
                or (need.status is TaskStatus.FAILED and shape.continue_on_error)
                or need.skipped_by is SkipCause.PERSON
                for need, shape in needs
            )
        if unit.step is Step.UNIT:
            assert unit.start < unit.stop <= unit.start + outline.batch
            assert not outline.asks or (task.answer is not None and task.answer.approved)
            items = {(work.task, task.round, item) for item in range(unit.start, unit.stop)}
            assert not items & self.done
            others = [w.unit for w in self.flying if w.task == work.task]
            assert all(o.stop <= unit.start or unit.stop <= o.start for o in others)

    def _check_finish(self, status: PlanStatus) -> None:
        failed = [
            position
            for position, task in enumerate(self.state.tasks)
            if task.status is TaskStatus.FAILED
            and not self.outline.tasks[position].continue_on_error
        ]
        if status is PlanStatus.SUCCEEDED:
            assert not failed
            assert all(t.status is not TaskStatus.CANCELLED for t in self.state.tasks)
        else:
            left = [
                position
                for position, task in enumerate(self.state.tasks)
                if self.outline.tasks[position].undoes
                and task.status is TaskStatus.SUCCEEDED
                and any(done[0] == position for done in self.done)
            ]
            assert not left
        ends = [self.ended_at[position] for position in self.undone]
        assert ends == sorted(ends, reverse=True)

    def _note_ends(self, before: PlanState) -> None:
        for position, task in enumerate(self.state.tasks):
            earlier = before.tasks[position].status
            was_over = earlier in OVER
            is_end = task.status in TASK_ENDS and task.status not in UNDO_ENDS
            if (is_end and task.status is not earlier) or (task.status in OVER and not was_over):
                self.ended_at[position] = self.steps
            if task.status is TaskStatus.PENDING and was_over:
                self.begun.discard(position)

    def check_state(self) -> None:
        state = self.state
        assert state.in_flight == len(self.flying) == sum(len(t.flying) for t in state.tasks)
        assert state.in_flight <= self.outline.max_parallel
        assert state.remaining == sum(task.status not in OVER for task in state.tasks)
        for task, outline in zip(state.tasks, self.outline.tasks, strict=True):
            assert outline.max_parallel is None or len(task.flying) <= outline.max_parallel
            assert task.status not in TASK_ENDS or not (task.flying or task.backing_off)
        moments = [state.tasks[position].due_at for position in state.timed]
        assert None not in moments
        assert moments == sorted(moments)  # type: ignore[type-var]
        waiting = {p for p, task in enumerate(state.tasks) if task.due_at is not None}
        assert set(state.timed) == waiting
        assert len(state.timed) == len(waiting)
        ranks = [(self.outline.tasks[p].priority, p) for p in state.ready]
        assert ranks == sorted(set(ranks))
        may_wait = {TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.WAITING}
        assert {state.tasks[position].status for position in state.ready} <= may_wait
        assert PlanState.model_validate_json(state.model_dump_json()) == state
        if self.finish is None and not self.flying:
            seen = progress("plan/p/r", state, self.shape)
            assert next_alarm(state) or seen.waiting_for or state.ready or state.undoable

    # What people and the world do.

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        alarm = next_alarm(self.state)
        if alarm is not None and alarm <= self.now:
            self.decide(Ticked())

    def finish_work(self, work: DoWork, *, well: bool) -> Event:
        self.flying.remove(work)
        if work in self.stopped:
            self.stopped.remove(work)
            if not well or self.random.random() < 0.8:
                failure = Failure(kind=FailureKind.REFUSED, type="Cancelled", message="stopped")
                return WorkEnded(work.task, work.unit, failure=failure)
        failure = None if well else self._failure(work)
        if failure is not None:
            return WorkEnded(work.task, work.unit, failure=failure)
        return WorkEnded(work.task, work.unit, verdict=self._verdict(work, well=well))

    def _failure(self, work: DoWork) -> Failure | None:
        kinds = [FailureKind.TRANSIENT, FailureKind.PERMANENT, FailureKind.REFUSED]
        outline = self.outline.tasks[work.task]
        if work.unit.step is Step.UNIT and not outline.retries:
            kinds.append(FailureKind.UNKNOWN)
        if self.random.random() < 0.6:
            return None
        wait = timedelta(seconds=90) if self.random.random() < 0.1 else None
        return Failure(kind=self.random.choice(kinds), message="it broke", retry_after=wait)

    def _verdict(self, work: DoWork, *, well: bool) -> Verdict:
        outline, unit = self.outline.tasks[work.task], work.unit
        round_ = self.state.tasks[work.task].round
        may_skip = unit.step is Step.PREPARE or (unit.step is Step.UNIT and not outline.prepares)
        if not well and may_skip and self.random.random() < 0.2:
            return Verdict(status=TaskStatus.SKIPPED, message="`if` is false")
        if unit.step is Step.PREPARE:
            items = self.random.randrange(6) if outline.for_each else 1
            items = self.items.setdefault((work.task, round_), items)
            return Verdict(items=items, message="Continue?" if outline.asks else "")
        judged = unit.step is Step.GATHER or (unit.step is Step.UNIT and not outline.gathers)
        if unit.step is Step.UNIT:
            self.done |= {(work.task, round_, item) for item in range(unit.start, unit.stop)}
        if judged and outline.rounds > 1 and not well and self.random.random() < 0.5:
            self.done -= {(work.task, round_, item) for item in range(unit.start, unit.stop)}
            return Verdict(status=TaskStatus.PENDING, message="not good enough")
        return Verdict(done=unit.stop - unit.start, message="done")

    def meddle(self) -> None:
        """Let a person do something, perhaps something that is not allowed now."""
        position = self.random.randrange(len(self.outline.tasks))
        grace = timedelta(seconds=self.random.choice([0, 5, 60]))
        answer = Answer(approved=self.random.random() < 0.6, by="ann")
        events: list[Event] = [
            Paused(),
            Resumed(),
            Resumed(),
            RetryAsked(position, "ann"),
            RetryAsked(position),
            SkipAsked(position, "ann"),
            Answered(position, answer),
            Answered(position, answer),
            Ticked(),
        ]
        if self.random.random() < 0.15:
            events.append(CancelAsked("enough" if self.random.random() < 0.5 else "", grace))
        chosen = self.random.choices(events, k=self.random.choice([1, 1, 2]))
        self.decide(*chosen, hold=self.random.random() < 0.1)

    def rage(self, steps: int) -> None:
        """Do a number of random things."""
        self.decide(Started())
        for _ in range(steps):
            if self.finish is not None:
                return
            choice = self.random.random()
            if choice < 0.2:
                self.meddle()
            elif choice < 0.4 or not self.flying:
                self.tick(self.random.choice([0, 1, 10, 100]))
            else:
                count = self.random.randint(1, min(3, len(self.flying)))
                ended = [
                    self.finish_work(work, well=False)
                    for work in self.random.sample(self.flying, count)
                ]
                self.decide(*ended, hold=self.random.random() < 0.1)

    def behave(self) -> None:
        """Do everything well, answer every question, wait for everything, until it ends."""
        self.decide(Resumed())
        for _ in range(LONGEST_END):
            if self.finish is not None:
                return
            self._do_one_thing_well()
        raise AssertionError("the plan did not end")

    def _do_one_thing_well(self) -> None:
        for position, task in enumerate(self.state.tasks):
            if task.status is TaskStatus.ASKING:
                self.decide(Answered(position, Answer(approved=True)))
                return
            if task.status is TaskStatus.UNKNOWN and not task.skipped_by:
                self.decide(RetryAsked(position))
                return
        if self.flying:
            self.decide(self.finish_work(self.random.choice(self.flying), well=True))
            return
        alarm = next_alarm(self.state)
        if alarm is None:
            self.decide(Ticked())  # after a hold there may be something to hand out
            return
        self.tick(max(0.0, (alarm - self.now).total_seconds()))

    def take_up(self) -> None:
        """Let the ended plan go on."""
        assert self.state.status in PLAN_ENDS
        self.state, told = take_up(self.state, self.shape, self.now)
        self.finish = None
        self.undone = []
        self.begun = {p for p, task in enumerate(self.state.tasks) if task.status in TASK_ENDS}
        for directive in told:
            self._carry_out(directive)
        self.decide(Started())

    def check_ends_are_told(self) -> None:
        for position, task in enumerate(self.state.tasks):
            outline = self.outline.tasks[position]
            is_plain = outline.kind is TaskKind.TOOL and not outline.for_each
            if not (is_plain and task.status is TaskStatus.SUCCEEDED):
                assert self.told.get(position) is task.status
