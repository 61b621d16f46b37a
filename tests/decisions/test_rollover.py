"""When a run continues as new, and what it takes along."""

from __future__ import annotations

import random
import string
from datetime import timedelta

import pytest
from plan_script import NOW, Script, task

from mainstay.decisions.rollover import (
    MAX_EXACT,
    MAX_TEXT_BYTES,
    PATIENCE,
    SHORT_CHARS,
    Rollover,
    lighten,
    rollover,
)
from mainstay.schemas.limits import MAX_INLINE_BYTES, MAX_PAYLOAD_BYTES
from mainstay.schemas.run import (
    Answer,
    Failure,
    PlanState,
    SkipCause,
    TaskState,
    TaskStatus,
    Unit,
)

NOT_YET = timedelta(0)
LARGE = 10_000


@pytest.mark.parametrize(
    ("events", "suggested", "in_flight", "held_for", "choice"),
    [
        (99, False, 0, NOT_YET, Rollover.GO_ON),
        (99, False, 3, PATIENCE, Rollover.GO_ON),
        (100, False, 0, NOT_YET, Rollover.CONTINUE_AS_NEW),
        (5, True, 0, NOT_YET, Rollover.CONTINUE_AS_NEW),
        (100, False, 1, NOT_YET, Rollover.HOLD),
        (5, True, 1, NOT_YET, Rollover.HOLD),
        (199, False, 1, PATIENCE, Rollover.GO_ON),
        (200, False, 1, PATIENCE * 9, Rollover.HOLD),
        (200, False, 0, PATIENCE, Rollover.CONTINUE_AS_NEW),
    ],
)
def test_long_history_is_left_when_nothing_is_being_done(
    events, suggested, in_flight, held_for, choice
):
    assert rollover(events, 100, suggested, in_flight, held_for) is choice


def noise(chars: int) -> str:
    return "".join(random.Random(chars).choices(string.printable, k=chars))


def wire_bytes(state: PlanState) -> int:
    return len(lighten(state).model_dump_json())


def many(state: TaskState, count: int = LARGE) -> PlanState:
    return PlanState(tasks=(state,) * count, remaining=count)


FAILED = TaskState(
    status=TaskStatus.FAILED,
    items=1,
    next_item=1,
    failed_units=(Unit(),),
    failure=Failure(message=noise(500), hint=noise(400)),
    feedback=noise(500),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "state",
    [
        many(TaskState()),
        many(TaskState()).model_copy(update={"ready": tuple(range(LARGE))}),
        PlanState(tasks=(*many(TaskState(), 5000).tasks, *many(FAILED, 5000).tasks)),
        many(TaskState(status=TaskStatus.SUCCEEDED, round=1)),
        many(FAILED),
        many(TaskState(status=TaskStatus.SKIPPED, skipped_by=SkipCause.NEED)),
        many(TaskState(status=TaskStatus.UNKNOWN, failure=FAILED.failure, reason=noise(500))),
        many(TaskState(round=1, feedback=noise(500))),
        many(TaskState(status=TaskStatus.ASKING, reason=noise(500))),
        many(TaskState(answer=Answer(approved=True, comment=noise(500)))),
    ],
    ids=[
        "pending", "ready", "half failed", "succeeded", "failed", "skipped", "unknown", "sent back",
        "asking", "approved",
    ],
)  # fmt: skip
def test_state_of_ten_thousand_tasks_fits_a_payload(state):
    assert wire_bytes(state) < MAX_PAYLOAD_BYTES
    assert lighten(PlanState.model_validate_json(lighten(state).model_dump_json())) == lighten(
        state
    )


@pytest.mark.slow
def test_state_of_ten_thousand_tasks_that_back_off_fits_a_payload():
    dice = random.Random(7)
    tasks = [
        TaskState(
            status=TaskStatus.WAITING,
            items=1,
            next_item=1,
            attempt=2,
            reason=noise(100),
            backing_off=(Unit(attempt=2, not_before=NOW + timedelta(seconds=60 * dice.random())),),
        )
        for _ in range(LARGE)
    ]
    timed = sorted(range(LARGE), key=lambda n: (tasks[n].due_at, n))
    state = PlanState(tasks=tuple(tasks), timed=tuple(timed))
    assert wire_bytes(state) < MAX_PAYLOAD_BYTES
    for before, after in zip(tasks, lighten(state).tasks, strict=True):
        assert timedelta(0) <= after.due_at - before.due_at < timedelta(seconds=1)


def test_moments_are_exact_when_few_wait():
    exact = TaskState(deadline=NOW + timedelta(microseconds=5), status=TaskStatus.ASKING)
    few = PlanState(tasks=(exact,), timed=(0,))
    assert lighten(few) == few
    full = TaskState(deadline=NOW, status=TaskStatus.ASKING)
    tasks = (exact, full, TaskState(status=TaskStatus.SUCCEEDED), *[exact] * MAX_EXACT)
    crowd = PlanState(tasks=tasks, timed=tuple(n for n in range(len(tasks)) if n != 2))
    second = timedelta(seconds=1)
    assert {task.deadline for task in lighten(crowd).tasks} == {NOW + second, NOW, None}


def test_small_state_crosses_as_it_is_and_inline():
    plan = Script(*(task(f"t{n}") for n in range(200))).start()
    for n in range(16):
        plan.fail(f"t{n}", message=noise(100))
    assert lighten(plan.state) == plan.state
    assert wire_bytes(plan.state) < MAX_INLINE_BYTES


def test_texts_of_those_that_go_on_come_first():
    long = "x" * MAX_TEXT_BYTES
    ended = TaskState(status=TaskStatus.FAILED, failure=Failure(message=long), feedback="more")
    going_on = TaskState(round=1, feedback=long)
    light = lighten(PlanState(tasks=(ended, going_on, going_on)))
    assert light.tasks[0] == TaskState(status=TaskStatus.FAILED)
    assert light.tasks[1].feedback == long
    assert light.tasks[2].feedback == long[:SHORT_CHARS]


def test_failure_of_one_that_goes_on_is_cut_and_not_left_out():
    unknown = TaskState(
        status=TaskStatus.UNKNOWN,
        failure=Failure(message="y" * MAX_TEXT_BYTES, hint="h"),
        answer=Answer(approved=True, by="ann", comment="c"),
    )
    [light] = lighten(PlanState(tasks=(unknown,))).tasks
    assert (light.failure.message, light.failure.hint) == ("y" * SHORT_CHARS, "")
    assert (light.answer.by, light.answer.comment) == ("ann", "")


def test_comments_count_as_texts():
    said = Answer(approved=True, by="ann", comment="c" * MAX_TEXT_BYTES)
    task = TaskState(status=TaskStatus.SUCCEEDED, answer=said)
    first, second = lighten(PlanState(tasks=(task, task))).tasks
    assert first == task
    assert (second.answer.approved, second.answer.comment) == (True, "")
