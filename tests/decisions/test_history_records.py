"""Records follow from history: which events, under which keys, in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mainstay.decisions.history_records import PastActivity, PastEnd, PastItem, derive_records
from mainstay.decisions.projection import fold
from mainstay.schemas import names
from mainstay.schemas.calls import FinishCall, OutlineCall, RecordCall, TaskCall, Verdict
from mainstay.schemas.model import Model
from mainstay.schemas.outline import OutlinePage, TaskKind, TaskOutline
from mainstay.schemas.priority import Level
from mainstay.schemas.records import EventKind, PlanEvent
from mainstay.schemas.run import PlanState, PlanStatus, TaskStatus

PLAN = "plan/p/1"
START = datetime(2030, 1, 1, tzinfo=UTC)
TASKS = (
    TaskOutline(name="one", tool="text.render"),
    TaskOutline(name="many", tool="fs.read", for_each=True, prepares=True, priority=Level.LOW),
    TaskOutline(name="sub", kind=TaskKind.PLAN, tool="inner", prepares=True),
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def done(
    name: str, call: Model, answer: Model | None, began: float, ended: float | None, number: int = 1
) -> PastActivity:
    when = None if ended is None else at(ended)
    return PastActivity(name, f"run/{number}", call, at(began), answer, when)


def outline(tasks=TASKS, first=0, total=None, resumed=0, began=0.0) -> PastActivity:
    call = OutlineCall(
        plan_id=PLAN,
        name="p",
        plan_ref="plan/abc",
        inputs_ref="inputs/p",
        parent_id="plan/up/1",
        page=0 if first == 0 else 1,
        resumed=resumed,
    )
    page = OutlinePage(first=first, total=total or len(tasks), tasks=tasks, priority=Level.HIGH)
    return done(names.PLAN_OUTLINE, call, page, began, began + 1)


def call_of(task: str, **more) -> TaskCall:
    return TaskCall(plan_id=PLAN, plan_ref="plan/abc", inputs_ref="inputs/p", task=task, **more)


def told(task: str, status: TaskStatus, when: float, key: str) -> PlanEvent:
    return PlanEvent(
        plan_id=PLAN, key=key, kind=EventKind.TASK_STATUS, at=at(when), task=task, status=status
    )


def record(began: float, *events: PlanEvent) -> PastActivity:
    return done(names.RECORD, RecordCall(plan_id=PLAN, events=events), None, began, began + 0.5)


def finish(status: PlanStatus, began: float, ref="", resumed=0) -> PastActivity:
    call = FinishCall(
        plan_id=PLAN,
        plan_ref="plan/abc",
        inputs_ref="inputs/p",
        status=status,
        state=PlanState(),
        resumed=resumed,
        message="done",
    )
    return done(names.PLAN_FINISH, call, Verdict(outputs_ref=ref), began, began + 1)


def rows(history: list[PastItem]):
    records = derive_records(history)
    assert records is not None
    plan, tasks = fold(records.plan, records.tasks, records.events)
    return plan, {task.name: task for task in tasks}


def keys(history: list[PastItem]) -> list[str]:
    records = derive_records(history)
    assert records is not None
    return [event.key for event in records.events]


def test_a_plan_that_read_no_outline_has_no_records():
    unanswered = done(names.PLAN_OUTLINE, outline().call, None, 0, None)
    assert derive_records([unanswered]) is None
    assert derive_records([]) is None


def test_rows_come_from_the_pages_of_the_outline_in_the_order_of_the_file():
    pages = [outline(TASKS[2:], first=2, total=3), outline(TASKS[:2], total=3)]
    records = derive_records(pages)
    assert records is not None
    assert [(task.position, task.name, task.kind, task.tool) for task in records.tasks] == [
        (0, "one", "tool", "text.render"),
        (1, "many", "tool", "fs.read"),
        (2, "sub", "plan", "inner"),
    ]
    assert records.tasks[1].priority == Level.LOW
    plan = records.plan
    assert (plan.plan_ref, plan.inputs_ref, plan.parent_id) == ("plan/abc", "inputs/p", "plan/up/1")
    assert (plan.priority, plan.tasks_total, plan.created_at) == (Level.HIGH, 3, at(1))


def test_a_plain_task_runs_when_its_activity_starts_and_has_succeeded_when_it_ends():
    ran = done(names.TASK_RUN, call_of("one", attempt=2), Verdict(done=1, message="hi"), 2, 5)
    _, tasks = rows([outline(), ran])
    one = tasks["one"]
    assert (one.status, one.message, one.attempt) == (TaskStatus.SUCCEEDED, "hi", 2)
    assert (one.started_at, one.ended_at) == (at(2), at(5))
    assert keys([outline(), ran]) == ["started/0", "run/1/running", "run/1/done"]


def test_a_task_that_still_runs_has_begun():
    plan, tasks = rows([outline(), done(names.TASK_RUN, call_of("one"), None, 2, None)])
    assert (tasks["one"].status, tasks["one"].ended_at) == (TaskStatus.RUNNING, None)
    assert (plan.status, plan.tasks_done) == (PlanStatus.RUNNING, 0)


def test_a_task_that_its_condition_skipped_or_its_check_sent_back_did_not_succeed():
    skipped = Verdict(status=TaskStatus.SKIPPED, message="no")
    assert keys([outline(), done(names.TASK_RUN, call_of("one"), skipped, 2, 3)]) == ["started/0"]
    again = Verdict(status=TaskStatus.PENDING, message="bad")
    history = [outline(), done(names.TASK_RUN, call_of("one"), again, 2, 3)]
    assert keys(history) == ["started/0", "run/1/running"]


def test_batches_count_their_items_and_only_the_first_begins_the_task():
    batches = [
        done(names.TASK_PREPARE, call_of("many"), Verdict(items=5), 1, 2, 1),
        done(names.TASK_RUN, call_of("many", stop=3), Verdict(done=2, errors=1), 2, 4, 2),
        done(names.TASK_RUN, call_of("many", start=3, stop=5), Verdict(done=2), 3, 5, 3),
    ]
    _, tasks = rows([outline(), *batches])
    many = tasks["many"]
    assert (many.items_total, many.items_done, many.started_at) == (5, 5, at(2))
    assert "run/3/running" not in keys([outline(), *batches])


def test_a_later_batch_that_is_tried_again_says_so():
    again = done(names.TASK_RUN, call_of("many", start=3, stop=5, attempt=2), None, 3, None, 3)
    _, tasks = rows([outline(), again])
    assert (tasks["many"].status, tasks["many"].attempt) == (TaskStatus.RUNNING, 2)


def test_a_preparation_that_skips_or_has_no_list_tells_no_total():
    skipped = Verdict(status=TaskStatus.SKIPPED)
    history: list[PastItem] = [
        outline(),
        done(names.TASK_PREPARE, call_of("many"), skipped, 1, 2, 1),
        done(names.TASK_PREPARE, call_of("sub"), Verdict(items=1), 1, 2, 2),
    ]
    assert keys(history) == ["started/0"]


def test_an_adopted_sub_plan_counts_one_item():
    adopted = done(names.SUB_PLAN_ADOPT, call_of("sub"), Verdict(done=1), 3, 4)
    _, tasks = rows([outline(), adopted])
    assert tasks["sub"].items_done == 1
    unfinished = done(names.SUB_PLAN_ADOPT, call_of("sub"), None, 3, None)
    assert keys([outline(), unfinished]) == ["started/0"]


def test_events_of_the_workflow_are_taken_word_for_word_and_once():
    event = told("one", TaskStatus.FAILED, 4, "run/9")
    _, tasks = rows([outline(), record(5, event), record(6, event)])
    assert (tasks["one"].status, tasks["one"].ended_at) == (TaskStatus.FAILED, at(4))
    assert keys([outline(), record(5, event), record(6, event)]) == ["started/0", "run/9"]


def test_events_stand_in_the_order_in_which_they_were_stored():
    ran = done(names.TASK_RUN, call_of("one"), Verdict(message="hi"), 2, 7)
    waiting = record(5, told("many", TaskStatus.ASKING, 4, "run/9"))
    assert keys([outline(), ran, waiting]) == ["started/0", "run/1/running", "run/9", "run/1/done"]


def test_the_last_activity_ends_the_plan_and_names_its_outputs():
    plan, _ = rows([outline(), finish(PlanStatus.SUCCEEDED, 8, ref="outputs/p")])
    assert (plan.status, plan.ended_at) == (PlanStatus.SUCCEEDED, at(9))
    assert (plan.outputs_ref, plan.message) == ("outputs/p", "done")


def test_an_end_whose_outputs_could_not_be_made_does_not_count():
    failed = done(names.PLAN_FINISH, finish(PlanStatus.SUCCEEDED, 8).call, None, 8, 9)
    plan, _ = rows([outline(), failed, finish(PlanStatus.FAILED, 9)])
    assert plan.status is PlanStatus.FAILED


def test_a_plan_taken_up_again_runs_again():
    history: list[PastItem] = [
        outline(),
        finish(PlanStatus.FAILED, 5),
        PastEnd("run", at(6), PlanStatus.FAILED, "its run failed"),
        outline(resumed=1, began=10),
    ]
    plan, _ = rows(history)
    assert (plan.status, plan.ended_at) == (PlanStatus.RUNNING, None)
    assert keys(history) == ["started/0", "ended/0", "started/1"]


def test_a_run_that_was_terminated_has_failed():
    end = PastEnd("run", at(6), PlanStatus.FAILED, "it was terminated from outside")
    plan, _ = rows([outline(), end])
    assert (plan.status, plan.ended_at) == (PlanStatus.FAILED, at(6))
    assert "terminated" in plan.message


def test_events_of_a_task_that_the_outline_lacks_are_left_out():
    assert keys([outline(), done(names.TASK_RUN, call_of("gone"), None, 2, None)]) == ["started/0"]
