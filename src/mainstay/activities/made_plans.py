"""Which plan a task runs: one that is written down, or one that was made a moment ago."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.activities.calling import OpenTask
from mainstay.decisions.expressions import START, render
from mainstay.decisions.plan_files.made_plan import check_made_plan, describe_problems
from mainstay.decisions.plan_files.plan_models import inherit
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.plan import PlanSpec

Value = Any  # JSON-like data


def sub_plan_of(opened: OpenTask, scope: Mapping[str, Value]) -> PlanSpec:
    """Return the plan that a task runs for one item; one that was just made is checked first.

    Args:
        opened: the task.
        scope: what its expressions see, with ``item`` and ``index`` in a list.

    Raises:
        InvalidInput: it is no plan, or one that cannot run; the message lists all that is wrong.
    """
    written = opened.task.plan
    assert written is not None
    if START not in written:
        return inherit(opened.plan, opened.plan.plans[written])
    plan = opened.plan
    found = check_made_plan(
        render(written, scope),
        opened.toolbox.specs(),
        agents={
            name: agent.model_dump(mode="json", by_alias=True, exclude_unset=True)
            for name, agent in plan.agents.items()
        },
        model=plan.model,
        given=opened.task.with_,
    )
    if found.plan is None:
        raise InvalidInput(
            f"the plan that task {opened.call.task!r} was given cannot run; "
            + describe_problems(found.errors),
            hint="send it back to whoever made it: `verify: {tool: plan.check, ...}` does so",
        )
    return found.plan
