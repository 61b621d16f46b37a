"""How a plan becomes the outline that its workflow knows."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from mainstay.decisions.outline import compile_outline, page
from mainstay.schemas.limits import MAX_INLINE_BYTES, MAX_PAYLOAD_BYTES
from mainstay.schemas.outline import (
    PAGE_NEEDS,
    PAGE_TASKS,
    OutlinePage,
    PlanOutline,
    TaskKind,
    TaskOutline,
    runs,
)
from mainstay.schemas.plan import MAX_TASKS, ApprovalDefault, PlanSpec
from mainstay.schemas.priority import Level
from mainstay.schemas.tools import ToolSpec

TOOLS = {
    "t.safe": ToolSpec(name="t.safe", timeout=timedelta(seconds=7)),
    "t.once": ToolSpec(name="t.once", idempotent=False),
}


def compiled(spec: dict[str, Any], **plan: Any) -> TaskOutline:
    tasks = {"a": {"tool": "t.safe"}, "b": spec}
    full = PlanSpec.model_validate({"name": "p", "tasks": tasks, **plan})
    return compile_outline(full, TOOLS).tasks[1]


def test_needs_become_positions():
    assert compiled({"tool": "t.safe", "needs": "a"}).needs == (0,)


@pytest.mark.parametrize(
    ("spec", "kind", "tool"),
    [
        ({"tool": "t.safe"}, TaskKind.TOOL, "t.safe"),
        ({"plan": "sub"}, TaskKind.PLAN, "sub"),
        ({"approval": "?"}, TaskKind.APPROVAL, ""),
    ],
)
def test_kind_follows_from_what_the_task_does(spec, kind, tool):
    assert (compiled(spec).kind, compiled(spec).tool) == (kind, tool)


@pytest.mark.parametrize(
    ("spec", "prepares"),
    [
        ({"tool": "t.safe"}, False),
        ({"tool": "t.safe", "if": "inputs.x"}, False),
        ({"tool": "t.safe", "for_each": [1]}, True),
        ({"tool": "t.safe", "approval": "?"}, True),
        ({"approval": "?"}, True),
        ({"plan": "sub"}, True),
    ],
)
def test_prepares_what_must_be_looked_at_before_it_runs(spec, prepares):
    assert compiled(spec).prepares is prepares


@pytest.mark.parametrize(
    ("spec", "gathers"),
    [
        ({"tool": "t.safe", "outputs": {"x": "${{ output }}"}}, False),
        ({"tool": "t.safe", "for_each": [1]}, False),
        ({"tool": "t.safe", "for_each": [1], "outputs": {"x": "${{ output }}"}}, True),
        ({"tool": "t.safe", "for_each": [1], "verify": {"check": "output"}}, True),
        ({"plan": "sub"}, False),
        ({"plan": "sub", "verify": {"check": "output"}}, True),
    ],
)
def test_gathers_what_must_be_looked_at_as_a_whole(spec, gathers):
    assert compiled(spec).gathers is gathers


@pytest.mark.parametrize(
    ("condition", "judges"),
    [
        ("success()", True),
        ("failure() or inputs.x", True),
        ("${{ always() }}", True),
        ("inputs.success", False),
        ("needs.a.outputs > 3", False),
        (True, False),
    ],
)
def test_condition_judges_needs_when_it_asks_how_they_ended(condition, judges):
    assert compiled({"tool": "t.safe", "needs": "a", "if": condition}).judges_needs is judges


@pytest.mark.parametrize(
    ("spec", "retries"),
    [
        ({"tool": "t.safe"}, True),
        ({"tool": "t.once"}, False),
        ({"tool": "t.once", "idempotent": True}, True),
        ({"tool": "t.safe", "idempotent": False}, False),
        ({"tool": "t.unknown"}, False),
        ({"plan": "sub"}, True),
    ],
)
def test_only_what_may_be_done_twice_is_retried(spec, retries):
    assert compiled(spec).retries is retries


def test_timeout_is_the_tasks_or_the_tools_or_a_minute():
    assert compiled({"tool": "t.safe", "timeout": 3}).timeout == timedelta(seconds=3)
    assert compiled({"tool": "t.safe"}).timeout == timedelta(seconds=7)
    assert compiled({"plan": "sub"}).timeout == timedelta(minutes=1)


def test_priority_is_the_tasks_or_the_plans():
    assert compiled({"tool": "t.safe"}, priority="low").priority is Level.LOW
    critical = compiled({"tool": "t.safe", "priority": 0}, priority="low")
    assert critical.priority is Level.CRITICAL


def test_rest_is_taken_over_as_it_stands():
    seen = compiled(
        {
            "tool": "t.safe",
            "for_each": [1],
            "batch": 5,
            "max_parallel": 3,
            "retry": 7,
            "continue_on_error": True,
            "undo": {"tool": "t.safe"},
            "verify": {"check": "output", "attempts": 4},
            "approval": {"deadline": "1h", "default": "approve"},
        }
    )
    assert (seen.for_each, seen.batch, seen.max_parallel, seen.retry.attempts) == (True, 5, 3, 7)
    assert (seen.continue_on_error, seen.undoes, seen.rounds) == (True, True, 4)
    assert (seen.asks, seen.deadline) == (True, timedelta(hours=1))
    assert seen.default is ApprovalDefault.APPROVE


def test_sub_plan_runs_for_one_item_at_a_time():
    assert compiled({"plan": "sub", "for_each": [1], "batch": 5}).batch == 1


def paged(outline: PlanOutline) -> list[OutlinePage]:
    pages = [page(outline, number) for number in range(page(outline, 0).pages)]
    wires = [one.model_dump_json() for one in pages]
    assert max(map(len, wires)) < MAX_PAYLOAD_BYTES
    assert [OutlinePage.model_validate_json(wire) for wire in wires] == pages
    assert tuple(task for one in pages for task in one.tasks) == outline.tasks
    return pages


def test_pages_hold_every_task_once_in_order_and_cross_inline():
    tasks = {f"task-{n}": {"tool": "t.safe", "needs": []} for n in range(2 * PAGE_TASKS + 1)}
    spec = PlanSpec.model_validate({"name": "p", "tasks": tasks, "timeout": 9, "max_parallel": 3})
    pages = paged(compile_outline(spec, TOOLS))
    assert [len(one.tasks) for one in pages] == [PAGE_TASKS, PAGE_TASKS, 1]
    assert [one.first for one in pages] == [0, PAGE_TASKS, 2 * PAGE_TASKS]
    assert {one.total for one in pages} == {2 * PAGE_TASKS + 1}
    assert len(pages[0].model_dump_json()) < MAX_INLINE_BYTES / 2
    last = pages[-1]
    assert (last.pages, last.timeout, last.max_parallel) == (3, timedelta(seconds=9), 3)


@pytest.mark.slow
def test_task_that_needs_twenty_thousand_others_crosses():
    tasks = [TaskOutline(name=f"t{n}") for n in range(MAX_TASKS - 1)]
    every = TaskOutline(name="last", needs=tuple(range(MAX_TASKS - 1)))
    assert len(paged(PlanOutline(tasks=(*tasks, every)))) == MAX_TASKS / PAGE_TASKS
    scattered = sorted(random.Random(1).sample(range(MAX_TASKS - 1), MAX_TASKS // 2))
    some = TaskOutline(name="last", needs=tuple(scattered))
    paged(PlanOutline(tasks=(*tasks, some)))


def test_pages_are_shorter_where_tasks_have_very_many_needs():
    dice = random.Random(1)
    scattered = [tuple(sorted(dice.sample(range(600), 100))) for _ in range(300)]
    tasks = [TaskOutline(name=f"t{n}") for n in range(600)]
    tasks += [TaskOutline(name=f"u{n}", needs=needs) for n, needs in enumerate(scattered)]
    pages = paged(PlanOutline(tasks=tuple(tasks)))
    assert len(pages) > 3
    for one in pages:
        assert sum(len(runs(task.needs)) for task in one.tasks) <= PAGE_NEEDS


def test_neighbours_are_written_as_runs_in_their_order():
    assert runs([3, 4, 5, 9, 8, 7]) == [[3, 5], [9, 9], [8, 8], [7, 7]]
    assert runs([]) == []
