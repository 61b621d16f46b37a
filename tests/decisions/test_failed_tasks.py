"""What a plan tells the plan above it of why it failed."""

from __future__ import annotations

from plan_script import task

from mainstay.decisions.draft import Shape
from mainstay.decisions.failed_tasks import MAX_NAMED, tell_failures
from mainstay.schemas.outline import PlanOutline
from mainstay.schemas.run import Failure, PlanState, TaskState, TaskStatus


def told(
    reasons: dict[str, str | None], own: str | None = None, may_fail: str = "", limit: int = 500
) -> str:
    """Tell of tasks that failed for a reason, or did not when it is None."""
    shape = Shape.of(
        PlanOutline(tasks=tuple(task(n, continue_on_error=n == may_fail) for n in reasons))
    )
    tasks = tuple(
        TaskState(status=TaskStatus.SUCCEEDED)
        if reason is None
        else TaskState(status=TaskStatus.FAILED, failure=Failure(message=reason))
        for reason in reasons.values()
    )
    failure = None if own is None else Failure(message=own)
    return tell_failures(PlanState(tasks=tasks, failure=failure), shape, limit)


def test_each_failed_task_is_named_with_its_reason() -> None:
    reasons = {"a": "no luck", "b": None, "c": "no time"}
    assert told(reasons, "no luck") == "task 'a' failed: no luck; task 'c' failed: no time"


def test_a_task_that_may_fail_is_not_named() -> None:
    assert told({"a": "no luck", "b": "x"}, "no luck", may_fail="b") == "task 'a' failed: no luck"


def test_a_plan_that_failed_without_a_task_says_why_itself() -> None:
    assert told({"a": None}, "time is up") == "time is up"
    assert told({"a": "late"}, "time is up") == "time is up"
    assert told({"a": None}) == ""


def test_tasks_share_the_room_and_the_others_are_counted() -> None:
    reasons: dict[str, str | None] = {f"t{n}": "x" * 400 for n in range(MAX_NAMED + 2)}
    text = told(reasons, "x" * 400)
    assert len(text) <= 500
    assert text.count("failed: xx") == MAX_NAMED
    assert text.endswith("…; and 2 more")


def test_a_task_that_failed_without_a_reason_is_named() -> None:
    shape = Shape.of(PlanOutline(tasks=(task("a"), task("b"))))
    tasks = (
        TaskState(status=TaskStatus.FAILED),
        TaskState(status=TaskStatus.FAILED, failure=Failure(message="why")),
    )
    state = PlanState(tasks=tasks, failure=Failure(message="why"))
    assert tell_failures(state, shape) == "task 'a' failed: ; task 'b' failed: why"
