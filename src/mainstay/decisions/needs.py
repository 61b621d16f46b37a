"""What a task is told of the tasks it needs, in a few bytes however many they are.

Rules:
    1. Needs that plainly succeeded, which is most of them, cost nothing.
    2. The errors and comments of needs take at most ``MAX_TEXT_BYTES`` together: those of the
       first needs are told, the others are on record.
"""

from __future__ import annotations

from collections.abc import Sequence

from mainstay.decisions.draft import Shape
from mainstay.schemas.calls import NeedState, NeedStates
from mainstay.schemas.run import PlanState, TaskState, TaskStatus

MAX_TEXT_BYTES = 16 * 1024

_LETTERS = {
    TaskStatus.SUCCEEDED: "S",
    TaskStatus.FAILED: "F",
    TaskStatus.SKIPPED: "K",
    TaskStatus.CANCELLED: "C",
}
_OTHER = "-"
"""A need that is being tried again, or was undone: it has no result now."""
_MEANINGS = {letter: status for status, letter in _LETTERS.items()} | {_OTHER: TaskStatus.PENDING}
_PLAIN = NeedState()


def need_state(task: TaskState) -> NeedState:
    """Say how one task ended."""
    error = task.failure.message if task.failure else ""
    return NeedState(status=task.status, round=task.round, error=error, answer=task.answer)


def need_states(state: PlanState, shape: Shape, position: int) -> NeedStates:
    """Say how the tasks that a task needs ended."""
    tasks = [state.tasks[need] for need in shape.outline.tasks[position].needs]
    letters = "".join(_LETTERS.get(task.status, _OTHER) for task in tasks)
    details = {}
    room = MAX_TEXT_BYTES
    for index, task in enumerate(tasks):
        need = need_state(task)
        room -= _text_bytes(need)
        if room < 0:
            need = need.model_copy(update={"error": "", "answer": _without_comment(need)})
        if need.model_copy(update={"status": _PLAIN.status}) != _PLAIN:
            details[index] = need
    is_plain = not details and not letters.strip("S")
    return NeedStates() if is_plain else NeedStates(letters=letters, details=details)


def expand(needs: NeedStates, names: Sequence[str]) -> dict[str, NeedState]:
    """Return how each needed task ended, by its name.

    Args:
        needs: what :func:`need_states` made.
        names: the task's ``needs``, in their order.
    """
    letters = needs.letters or "S" * len(names)
    return {
        name: needs.details.get(index, _PLAIN).model_copy(update={"status": _MEANINGS[letter]})
        for index, (name, letter) in enumerate(zip(names, letters, strict=True))
    }


def _text_bytes(need: NeedState) -> int:
    comment = need.answer.comment if need.answer else ""
    return len(need.error.encode()) + len(comment.encode())


def _without_comment(need: NeedState) -> object:
    return need.answer.model_copy(update={"comment": ""}) if need.answer else None
