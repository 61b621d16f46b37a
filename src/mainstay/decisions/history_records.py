"""What people read about a plan, made again from the plan's history.

Rules:
    1. What the workflow put on record stands in history word for word, as the input of the
       activity that stored it.
    2. What activities put on record themselves (a task began, an item list was counted, items
       were done, a plain task succeeded, the plan ended) follows from what they were asked and
       what they answered.
    3. Each event is taken under the key it had, so that one that is told again changes nothing.
    4. Events stand in the order in which they were stored: one of an activity's beginning when it
       began, one of its end when it ended.
    5. A run that ended without its last activity was ended from outside; the plan has failed, or
       was cancelled.

What can differ from the rows that were there: times, by the duration of an activity, because
history knows when it began and ended and not when it wrote; the time of a first attempt whose
worker died; the items of a batch that failed and was never finished, which count nothing here;
the last line that a tool printed, which is nowhere in history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mainstay.schemas import names
from mainstay.schemas.calls import FinishCall, OutlineCall, RecordCall, TaskCall, Verdict
from mainstay.schemas.limits import MAX_MESSAGE_CHARS
from mainstay.schemas.model import Model
from mainstay.schemas.outline import OutlinePage, TaskOutline
from mainstay.schemas.records import EventKind, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PlanStatus, TaskStatus


@dataclass(frozen=True, slots=True)
class PastActivity:
    """One activity of a plan's history, decoded.

    Attributes:
        name: one of :mod:`mainstay.schemas.names`.
        key: ``run id/activity id``, under which it told its events.
        call: what it was asked.
        answer: what it returned; None when it did not end well, or not yet.
        began_at: when its last attempt started; when it was asked, if that is not known yet.
        ended_at: when it ended, well or not; None while it has not.
    """

    name: str
    key: str
    call: Model
    began_at: datetime
    answer: Model | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastEnd:
    """A run that is over, and how: as the server says it, not as the plan does."""

    run_id: str
    at: datetime
    status: PlanStatus
    message: str


PastItem = PastActivity | PastEnd


@dataclass(frozen=True, slots=True)
class PlanRecords:
    """A plan's rows as they were before its first event, and its events in order."""

    plan: PlanRow
    tasks: tuple[TaskRow, ...]
    events: tuple[PlanEvent, ...]


def derive_records(history: Sequence[PastItem]) -> PlanRecords | None:
    """Make a plan's records from its history.

    Args:
        history: what happened in all runs of one plan, the oldest run first.

    Returns:
        The records, or None when the plan had not even read its outline.
    """
    outlines = [item for item in history if _is_outline(item)]
    first = next((item for item in outlines if _page(item).first == 0), None)
    if first is None:
        return None
    # A later page is asked for in every run of a chain; it never changes.
    pages = {_page(item).first: _page(item).tasks for item in outlines}
    tasks = [task for start in sorted(pages) for task in pages[start]]
    plan = _plan_row(first)
    return PlanRecords(
        plan=plan,
        tasks=tuple(_task_row(plan.plan_id, *place) for place in enumerate(tasks)),
        events=_events(history, plan.plan_id, {task.name: task for task in tasks}),
    )


def _is_outline(item: PastItem) -> bool:
    return isinstance(item, PastActivity) and isinstance(item.answer, OutlinePage)


def _page(item: PastItem) -> OutlinePage:
    assert isinstance(item, PastActivity)
    assert isinstance(item.answer, OutlinePage)
    return item.answer


def _plan_row(item: PastItem) -> PlanRow:
    assert isinstance(item, PastActivity)
    call, page = item.call, _page(item)
    assert isinstance(call, OutlineCall)
    at = item.ended_at or item.began_at
    return PlanRow(
        plan_id=call.plan_id,
        name=call.name,
        status=PlanStatus.RUNNING,
        parent_id=call.parent_id,
        priority=int(page.priority),
        plan_ref=call.plan_ref,
        inputs_ref=call.inputs_ref,
        created_at=at,
        started_at=at,
        tasks_total=page.total,
    )


def _task_row(plan_id: str, position: int, task: TaskOutline) -> TaskRow:
    return TaskRow(
        plan_id=plan_id,
        name=task.name,
        position=position,
        kind=task.kind,
        tool=task.tool,
        priority=int(task.priority),
    )


def _events(
    history: Sequence[PastItem], plan_id: str, tasks: dict[str, TaskOutline]
) -> tuple[PlanEvent, ...]:
    """Return every event once, in the order in which they were stored."""
    told: dict[str, tuple[datetime, PlanEvent]] = {}
    has_ended = False
    for item in history:
        if isinstance(item, PastEnd):
            # What the plan itself said about its end says more.
            if not has_ended:
                told.setdefault(f"closed/{item.run_id}", (item.at, _closed(item, plan_id)))
            has_ended = False
            continue
        has_ended = has_ended or (item.name == names.PLAN_FINISH and item.answer is not None)
        for stored_at, event in _told_by(item, tasks):
            told.setdefault(event.key, (stored_at, event))
    in_order = sorted(told.values(), key=lambda pair: pair[0])
    return tuple(event for _, event in in_order)


def _closed(end: PastEnd, plan_id: str) -> PlanEvent:
    return PlanEvent(
        plan_id=plan_id,
        key=f"closed/{end.run_id}",
        kind=EventKind.PLAN_ENDED,
        at=end.at,
        status=end.status,
        message=end.message[:MAX_MESSAGE_CHARS],
    )


def _told_by(
    item: PastActivity, tasks: dict[str, TaskOutline]
) -> Iterator[tuple[datetime, PlanEvent]]:
    """Yield the events that one activity put on record, with the times they were stored."""
    call, answer = item.call, item.answer
    ended = item.ended_at or item.began_at
    if isinstance(call, OutlineCall) and isinstance(answer, OutlinePage) and call.page == 0:
        yield ended, _started(call, answer, ended)
    elif isinstance(call, RecordCall):
        # Even when it has not ended: whoever looks after it has will be told the same again.
        for event in call.events:
            yield item.began_at, event
    elif isinstance(call, FinishCall) and isinstance(answer, Verdict):
        yield ended, _ended(call, answer, ended)
    elif isinstance(call, TaskCall):
        for event in _told_of_task(item, call, tasks.get(call.task)):
            yield event.at, event


def _started(call: OutlineCall, page: OutlinePage, at: datetime) -> PlanEvent:
    return PlanEvent(
        plan_id=call.plan_id,
        key=f"started/{call.resumed}",
        kind=EventKind.PLAN_STARTED,
        at=at,
        status=PlanStatus.RUNNING,
        total=page.total,
    )


def _ended(call: FinishCall, verdict: Verdict, at: datetime) -> PlanEvent:
    return PlanEvent(
        plan_id=call.plan_id,
        key=f"ended/{call.resumed}",
        kind=EventKind.PLAN_ENDED,
        at=at,
        status=call.status,
        message=call.message,
        ref=verdict.outputs_ref,
    )


def _told_of_task(
    item: PastActivity, call: TaskCall, outline: TaskOutline | None
) -> Iterator[PlanEvent]:
    verdict = item.answer if isinstance(item.answer, Verdict) else None
    if outline is None:
        return
    ended = item.ended_at or item.began_at
    was_skipped = verdict is not None and verdict.status is TaskStatus.SKIPPED
    if item.name == names.TASK_PREPARE and outline.for_each and verdict and not was_skipped:
        yield _of_task(item, call, "items", ended, total=verdict.items)
    elif item.name == names.TASK_RUN:
        if not was_skipped and (call.start == 0 or call.attempt > 1):
            yield _of_task(item, call, "running", item.began_at, TaskStatus.RUNNING)
        if verdict is None:
            return
        if outline.for_each:
            yield _progress(call, ended, verdict.done + verdict.errors)
        elif verdict.status is TaskStatus.SUCCEEDED:
            yield _of_task(item, call, "done", ended, TaskStatus.SUCCEEDED, verdict.message)
    elif item.name == names.SUB_PLAN_ADOPT and verdict is not None:
        yield _progress(call, ended, 1)


def _of_task(
    item: PastActivity,
    call: TaskCall,
    what: str,
    at: datetime,
    status: TaskStatus | None = None,
    message: str = "",
    total: int | None = None,
) -> PlanEvent:
    return PlanEvent(
        plan_id=call.plan_id,
        key=f"{item.key}/{what}",
        kind=EventKind.TASK_STATUS if status else EventKind.TASK_PROGRESS,
        at=at,
        task=call.task,
        status=status,
        attempt=call.attempt,
        total=total,
        message=message,
    )


def _progress(call: TaskCall, at: datetime, count: int) -> PlanEvent:
    return PlanEvent(
        plan_id=call.plan_id,
        key=f"{call.task}/{call.round}/{call.start}/done",
        kind=EventKind.TASK_PROGRESS,
        at=at,
        task=call.task,
        count=count,
    )
