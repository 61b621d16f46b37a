"""The rules of decisions/projection.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.decisions.projection import (
    RECORDED,
    TASK_ENDS,
    RecordedStatus,
    apply,
    apply_to_plan,
    done_change,
    fold,
    percentage,
    recorded_status,
)
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.records import EventKind, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PLAN_ENDS, PlanStatus, TaskStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TASK = TaskRow(plan_id="plan/p/1", name="t", position=0)
PLAN = PlanRow(plan_id="plan/p/1", name="p", status=PlanStatus.RUNNING, created_at=NOON)


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def event(
    status: TaskStatus | PlanStatus | None = None, seconds: int = 0, **fields: Any
) -> PlanEvent:
    fields = {"plan_id": "plan/p/1", "key": "k", "kind": EventKind.TASK_STATUS, **fields}
    return PlanEvent(status=status, at=at(seconds), **fields)


def after(*events: PlanEvent) -> TaskRow:
    task = TASK
    for one in events:
        task = apply(task, one)
    return task


def plan_after(*events: PlanEvent) -> PlanRow:
    plan = PLAN
    for one in events:
        plan = apply_to_plan(plan, one)
    return plan


def test_every_status_has_the_specifications_word() -> None:
    assert set(RECORDED) == set(TaskStatus)
    assert {recorded_status(status) for status in TaskStatus} == set(RecordedStatus)
    assert recorded_status(TaskStatus.UNKNOWN) is RecordedStatus.ASSIGNED
    assert recorded_status(TaskStatus.UNDO_FAILED) is RecordedStatus.FAILED
    assert recorded_status(TaskStatus.SKIPPED) is RecordedStatus.CANCELLED


@pytest.mark.parametrize(
    ("status", "done", "total", "percent"),
    [
        (TaskStatus.PENDING, 0, None, 0),
        (TaskStatus.PENDING, 5, 0, 0),
        (TaskStatus.RUNNING, 1, 3, 33),
        (TaskStatus.RUNNING, 3, 3, 99),
        (TaskStatus.RUNNING, -1, 3, 0),
        (TaskStatus.SUCCEEDED, 0, None, 100),
        (TaskStatus.FAILED, 3, 3, 99),
    ],
)
def test_only_a_task_that_succeeded_is_at_100_percent(
    status: TaskStatus, done: int, total: int | None, percent: int
) -> None:
    task = TASK.model_copy(update={"status": status, "items_done": done, "items_total": total})
    assert percentage(task) == percent


def test_a_start_without_a_status_means_running() -> None:
    assert after(event(kind=EventKind.TASK_STARTED)).status is TaskStatus.RUNNING
    assert plan_after(event(kind=EventKind.PLAN_STARTED)).status is PlanStatus.RUNNING


@pytest.mark.parametrize("first", [TaskStatus.PREPARING, TaskStatus.RUNNING])
def test_a_task_starts_when_work_on_it_first_begins(first: TaskStatus) -> None:
    task = after(event(TaskStatus.ASKING, 1), event(first, 2), event(TaskStatus.RUNNING, 3))
    assert task.started_at == at(2)
    again = apply(apply(task, event(TaskStatus.FAILED, 4)), event(TaskStatus.RUNNING, 5))
    assert (again.started_at, again.ended_at) == (at(2), None)


@pytest.mark.parametrize("end", sorted(TASK_ENDS))
def test_an_ended_task_is_not_moved_by_an_event_of_an_earlier_time(end: TaskStatus) -> None:
    ended = after(event(TaskStatus.RUNNING, 1), event(end, 5, message="why"))
    late = apply(ended, event(TaskStatus.RUNNING, 4, attempt=9, message="late"))
    assert late == ended
    assert ended.ended_at == at(5)


@pytest.mark.parametrize("start", [TaskStatus.PREPARING, TaskStatus.RUNNING])
def test_work_that_succeeded_is_begun_again_only_by_who_makes_it_pending(start: TaskStatus) -> None:
    done = after(event(start, 1), event(TaskStatus.SUCCEEDED, 2, message="60 items"))
    assert apply(done, event(start, 3)) == done
    again = apply(apply(done, event(TaskStatus.PENDING, 3)), event(start, 4))
    assert (again.status, again.ended_at) == (start, None)


def test_a_late_event_still_counts() -> None:
    task = after(event(TaskStatus.SUCCEEDED, 5), event(None, 4, count=3, total=3))
    assert (task.status, task.items_done, task.items_total) == (TaskStatus.SUCCEEDED, 3, 3)


@pytest.mark.parametrize("seconds", [5, 6])
def test_an_ended_task_that_is_tried_again_is_open_again(seconds: int) -> None:
    task = after(event(TaskStatus.FAILED, 5), event(TaskStatus.PENDING, seconds))
    assert (task.status, task.ended_at) == (TaskStatus.PENDING, None)


def test_an_end_is_never_lost_to_a_clock_that_is_behind() -> None:
    task = after(event(TaskStatus.RUNNING, 9), event(TaskStatus.SUCCEEDED, 3))
    assert (task.status, task.ended_at) == (TaskStatus.SUCCEEDED, at(3))


def test_counts_add_up_and_a_total_replaces_the_one_before() -> None:
    task = after(event(count=2, total=9), event(count=3, total=8), event(count=-1))
    assert (task.items_done, task.items_total, task.status) == (4, 8, TaskStatus.PENDING)


def test_the_attempt_is_the_last_one_told() -> None:
    assert after(event(TaskStatus.RUNNING, attempt=2), event(count=1)).attempt == 2


def test_a_status_brings_its_reason_and_clears_the_one_before() -> None:
    asked = after(event(TaskStatus.ASKING, message="Go?"))
    assert asked.message == "Go?"
    assert apply(asked, event(count=1)).message == "Go?"
    assert apply(asked, event(message="Well?")).message == "Well?"
    assert apply(asked, event(TaskStatus.RUNNING)).message == ""


def test_a_printed_line_changes_the_last_line_only() -> None:
    printed = event(TaskStatus.FAILED, kind=EventKind.TASK_OUTPUT, message="hello", count=3)
    assert after(printed) == TASK.model_copy(update={"last_line": "hello"})


def test_an_event_that_tells_nothing_changes_nothing() -> None:
    assert apply(TASK, event()) is TASK
    assert apply_to_plan(PLAN, event()) is PLAN


def test_a_plan_starts_once_and_ends_with_its_outputs() -> None:
    started = plan_after(
        event(kind=EventKind.PLAN_STARTED, seconds=1), event(kind=EventKind.PLAN_STARTED, seconds=2)
    )
    assert started.started_at == at(1)
    ended = apply_to_plan(
        started, event(PlanStatus.FAILED, 7, kind=EventKind.PLAN_ENDED, ref="out", message="why")
    )
    assert (ended.status, ended.ended_at, ended.outputs_ref, ended.message) == (
        PlanStatus.FAILED,
        at(7),
        "out",
        "why",
    )


@pytest.mark.parametrize("end", sorted(PLAN_ENDS))
def test_an_ended_plan_is_not_moved_by_an_event_of_an_earlier_time(end: PlanStatus) -> None:
    ended = plan_after(event(end, 5))
    assert apply_to_plan(ended, event(PlanStatus.PAUSED, 4, message="late")) == ended
    again = apply_to_plan(ended, event(PlanStatus.RUNNING, 6))
    assert (again.status, again.ended_at) == (PlanStatus.RUNNING, None)


def test_a_status_of_the_other_kind_is_translated_or_refused() -> None:
    assert after(event(PlanStatus.RUNNING)).status is TaskStatus.RUNNING
    assert plan_after(event(TaskStatus.FAILED)).status is PlanStatus.FAILED
    with pytest.raises(InvalidInput, match="gives task 't' the status"):
        after(event(PlanStatus.PAUSED, task="t"))
    with pytest.raises(InvalidInput, match="gives plan 'plan/p/1' the status"):
        plan_after(event(TaskStatus.ASKING))


def test_a_fold_gives_each_event_to_whom_it_concerns() -> None:
    other = TASK.model_copy(update={"name": "u"})
    events = [
        event(kind=EventKind.PLAN_STARTED),
        event(TaskStatus.SUCCEEDED, 1, task="u"),
        event(TaskStatus.FAILED, 2, task="t"),
        event(TaskStatus.PENDING, 3, task="t"),
        event(TaskStatus.FAILED, 3, task="nobody"),
    ]
    plan, tasks = fold(PLAN, [TASK, other], events)
    assert (plan.started_at, plan.tasks_done) == (NOON, 1)
    assert [(task.name, task.status) for task in tasks] == [
        ("t", TaskStatus.PENDING),
        ("u", TaskStatus.SUCCEEDED),
    ]


STATUSES = st.lists(st.tuples(st.sampled_from(TaskStatus), st.integers(0, 5)), max_size=12)


@given(STATUSES)
def test_the_count_of_done_tasks_is_the_number_that_ended(
    moves: list[tuple[TaskStatus, int]],
) -> None:
    events = [event(status, seconds, task="t") for status, seconds in moves]
    plan, (task,) = fold(PLAN, [TASK], events)
    assert plan.tasks_done == int(task.status in TASK_ENDS)
    assert (task.ended_at is not None) == (task.status in TASK_ENDS)


@given(STATUSES, st.integers(0, 5))
def test_an_ended_row_never_goes_back_in_time(
    moves: list[tuple[TaskStatus, int]], late: int
) -> None:
    task = after(*(event(status, seconds) for status, seconds in moves))
    moved = apply(task, event(TaskStatus.PENDING, late))
    is_late = task.ended_at is not None and at(late) < task.ended_at
    assert (moved == task) if is_late else (moved.status is TaskStatus.PENDING)


def test_done_changes_when_an_end_is_reached_or_left() -> None:
    assert done_change(TaskStatus.RUNNING, TaskStatus.FAILED) == 1
    assert done_change(TaskStatus.FAILED, TaskStatus.PENDING) == -1
    assert done_change(TaskStatus.SUCCEEDED, TaskStatus.UNDOING) == 0
