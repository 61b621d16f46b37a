"""What a task is told of the tasks it needs."""

from __future__ import annotations

import pytest
from plan_script import Script, each, question, task

from mainstay.decisions.needs import MAX_TEXT_BYTES, expand, need_states
from mainstay.schemas.calls import NeedStates
from mainstay.schemas.limits import MAX_INLINE_BYTES
from mainstay.schemas.run import TaskStatus


def told(plan: Script, name: str) -> NeedStates:
    needs = need_states(plan.state, plan.shape, plan.position(name))
    return NeedStates.model_validate_json(needs.model_dump_json())


def test_needs_that_plainly_succeeded_cost_nothing():
    tasks = [task(f"t{n}") for n in range(1000)]
    names = [one.name for one in tasks]
    plan = Script(*tasks, task("last"), needs={"last": names}, max_parallel=1000).start()
    for name in names:
        plan.done(name)
    needs = told(plan, "last")
    assert needs == NeedStates()
    assert len(needs.model_dump_json()) < 50
    assert {need.status for need in expand(needs, names).values()} == {TaskStatus.SUCCEEDED}


def test_each_end_is_told_with_its_round_its_error_and_its_answer():
    names = ["ok", "redone", "bad", "skipped", "asked"]
    tasks = [task("ok"), task("redone", rounds=2), task("bad"), task("skipped"), question("asked")]
    last = task("last", judges_needs=True)
    plan = Script(*tasks, last, needs={"last": names}).start().done("ok")
    plan.sent_back("redone").done("redone").fail("bad", message="oh no").not_met("skipped")
    plan.prepared("asked").answer("asked", True, by="ann")
    seen = expand(told(plan, "last"), names)
    assert [seen[name].status for name in names] == [
        TaskStatus.SUCCEEDED,
        TaskStatus.SUCCEEDED,
        TaskStatus.FAILED,
        TaskStatus.SKIPPED,
        TaskStatus.SUCCEEDED,
    ]
    assert seen["redone"].round == 1
    assert seen["bad"].error == "oh no"
    assert seen["asked"].answer.by == "ann"


def test_need_that_is_tried_again_has_no_result():
    first = task("a", continue_on_error=True)
    plan = Script(first, each("b"), needs={"b": ["a"]}).start().fail("a").prepared("b")
    assert expand(told(plan.retry("a"), "b"), ["a"])["a"].status is TaskStatus.PENDING


@pytest.mark.slow
def test_thousands_of_failed_needs_are_told_inline():
    names = [f"t{n}" for n in range(5000)]
    last = task("last", judges_needs=True)
    plan = Script(*map(task, names), last, needs={"last": names}, max_parallel=9999).start()
    for number, name in enumerate(names):
        plan.fail(name, message=f"error {number} " + "x" * 400)
    needs = told(plan, "last")
    assert len(needs.model_dump_json()) < MAX_INLINE_BYTES
    seen = expand(needs, names)
    assert {need.status for need in seen.values()} == {TaskStatus.FAILED}
    assert seen["t0"].error.startswith("error 0 ")
    assert seen["t4999"].error == ""
    assert sum(len(need.error) for need in seen.values()) <= MAX_TEXT_BYTES


def test_comments_beyond_the_limit_are_left_out_and_the_answer_is_kept():
    tasks = [question("a"), question("b")]
    plan = Script(*tasks, task("c"), needs={"c": ["a", "b"]}).start().prepared("a").prepared("b")
    plan.answer("a", True, comment="x" * MAX_TEXT_BYTES).answer("b", True, by="bob", comment="y")
    seen = expand(told(plan, "c"), ["a", "b"])
    assert len(seen["a"].answer.comment) == MAX_TEXT_BYTES
    assert (seen["b"].answer.by, seen["b"].answer.comment) == ("bob", "")
