"""When a run continues as new, so that its history stays short, and what it takes along.

Rules:
    1. A history that has grown long, or that Temporal calls long, is left at the next moment at
       which nothing is being done; to get there, nothing new is handed out.
    2. If something takes so long that this moment does not come within ``PATIENCE``, work goes on
       until the history is twice as long; from then on it waits for as long as it takes.
    3. Texts that only people read are taken along up to ``MAX_TEXT_BYTES``; they are all on
       record. What a task that goes on is told (``feedback``) is cut rather than left out.
    4. When thousands of tasks wait for a moment in time, each is taken to the next full second.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from mainstay.schemas.run import TASK_ENDS, PlanState, TaskState

PATIENCE = timedelta(seconds=30)
"""How long free places may stay empty because of one long piece of work."""

MAX_TEXT_BYTES = 32 * 1024
SHORT_CHARS = 40
MAX_EXACT = 1_000
"""Tasks whose moments are taken along to the microsecond, which takes six bytes each."""


class Rollover(StrEnum):
    """What to do about the length of the history."""

    GO_ON = "go on"
    HOLD = "hold"
    CONTINUE_AS_NEW = "continue as new"


def rollover(
    events: int, threshold: int, suggested: bool, in_flight: int, held_for: timedelta
) -> Rollover:
    """Decide whether a run goes on, holds back, or continues as new.

    Args:
        events: length of the history so far, in events, without those of the run's own start.
        threshold: length at which it is left.
        suggested: whether the server suggests to leave it.
        in_flight: pieces of work that are being done.
        held_for: how long ago this run was first told to hold back; 0 if it was not.
    """
    if events < threshold and not suggested:
        return Rollover.GO_ON
    if in_flight == 0:
        return Rollover.CONTINUE_AS_NEW
    if held_for >= PATIENCE and events < 2 * threshold:
        return Rollover.GO_ON
    return Rollover.HOLD


def lighten(state: PlanState) -> PlanState:
    """Return a state that is small enough to cross a workflow boundary.

    Texts of tasks that have not ended come first, then those of the others, by position.
    """
    tasks = list(state.tasks)
    positions = [position for position, task in enumerate(tasks) if _text_bytes(task)]
    positions.sort(key=lambda position: tasks[position].status in TASK_ENDS)
    room = MAX_TEXT_BYTES
    for position in positions:
        room -= _text_bytes(tasks[position])
        if room < 0:
            tasks[position] = _without_texts(tasks[position])
    if len(state.timed) > MAX_EXACT:
        for position in state.timed:
            tasks[position] = _to_full_seconds(tasks[position])
    return state.model_copy(update={"tasks": tuple(tasks)})


def _text_bytes(task: TaskState) -> int:
    texts = [task.reason, task.feedback]
    if task.failure is not None:
        texts += [task.failure.message, task.failure.hint]
    if task.answer is not None:
        texts += [task.answer.comment]
    return sum(len(text.encode()) for text in texts)


def _without_texts(task: TaskState) -> TaskState:
    has_ended = task.status in TASK_ENDS
    short = {"reason": "", "feedback": "" if has_ended else task.feedback[:SHORT_CHARS]}
    changes: dict[str, object] = {**short}
    if task.failure is not None:
        failure = {"message": task.failure.message[:SHORT_CHARS], "hint": ""}
        changes["failure"] = None if has_ended else task.failure.model_copy(update=failure)
    if task.answer is not None:
        changes["answer"] = task.answer.model_copy(update={"comment": ""})
    return task.model_copy(update=changes)


def _to_full_seconds(task: TaskState) -> TaskState:
    units = tuple(
        unit.model_copy(update={"not_before": _full_second(unit.not_before)})
        for unit in task.backing_off
    )
    deadline = _full_second(task.deadline)
    return task.model_copy(update={"backing_off": units, "deadline": deadline})


def _full_second(moment: datetime | None) -> datetime | None:
    if moment is None or moment.microsecond == 0:
        return moment
    return moment.replace(microsecond=0) + timedelta(seconds=1)
