"""What holds for a plan beyond the shape of its parts: order, names, and what goes with what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainstay.decisions.expressions import START, is_expression
from mainstay.decisions.expressions.budget import kind_of
from mainstay.decisions.graph import find_cycles
from mainstay.decisions.plan_files.agent_task_rules import (
    check_agent_task,
    check_critic,
    check_plan_agents,
)
from mainstay.decisions.plan_files.argument_rules import check_arguments, check_sub_plan_inputs
from mainstay.decisions.plan_files.expression_rules import (
    check_plan_expressions,
    check_task_expressions,
)
from mainstay.decisions.plan_files.plan_inputs import check_input_spec
from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.plan_files.scene import Scene
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.plan import TaskSpec

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_plan(scene: Scene) -> None:
    """Check everything about one plan, but not the plans inside it."""
    plan = scene.plan
    for name, spec in plan.inputs.items():
        check_input_spec(scene.findings, (*scene.path, "inputs", name), spec)
    _check_env(scene, (*scene.path, "env"), plan.env)
    check_plan_agents(scene)
    check_plan_expressions(scene)
    for name, task in plan.tasks.items():
        _check_task(scene, name, task)
    for cycle in find_cycles({name: task.needs for name, task in plan.tasks.items()}):
        if len(cycle) > 2:
            scene.findings.add(
                scene.task_path(cycle[0], "needs"),
                f"tasks wait for each other: {' -> '.join(cycle)}",
                "remove one of these from `needs`",
                at_key=True,
            )
    for name in plan.inputs:
        if name not in scene.used_inputs:
            scene.findings.warn((*scene.path, "inputs", name), f"the input `{name}` is never used")


def _check_task(scene: Scene, name: str, task: TaskSpec) -> None:
    _check_needs(scene, name, task)
    _check_work(scene, name, task)
    _check_for_each(scene, name, task)
    _check_approval(scene, name, task)
    _check_retry(scene, name, task)
    _check_verify(scene, name, task)
    _check_env(scene, scene.task_path(name, "env"), task.env)
    if task.undo is not None:
        if task.only_asks:
            _add(scene, name, "undo", "a task that only asks has nothing to undo")
        path = scene.task_path(name, "undo")
        _check_tool(scene, path, task.undo.tool, task.undo.with_)
    check_task_expressions(scene, name, task)


def _add(scene: Scene, task: str, key: str, message: str, hint: str = "") -> None:
    scene.findings.add(scene.task_path(task, key), message, hint, at_key=True)


def _check_needs(scene: Scene, name: str, task: TaskSpec) -> None:
    seen: set[str] = set()
    for position, need in enumerate(task.needs):
        path = scene.need_path(name, position)
        if need == name:
            scene.findings.add(path, f"the task `{name}` needs itself", "remove it from `needs`")
        elif need in seen:
            scene.findings.add(path, f"`{need}` stands twice in `needs`", "remove one of them")
        elif need not in scene.known_tasks:
            if need in scene.known_inputs:
                hint = f"`{need}` is an input, always there: ${{{{ inputs.{need} }}}}"
            else:
                hint = scene.findings.suggest(need, scene.task_names)
            scene.findings.add(path, f"there is no task `{need}`", hint)
        seen.add(need)


def _check_work(scene: Scene, name: str, task: TaskSpec) -> None:
    if task.tool is not None and task.plan is not None:
        _add(scene, name, "plan", "a task has either `tool` or `plan`", "make two tasks of it")
    check_agent_task(scene, name, task)
    if task.tool is not None:
        _check_tool(scene, scene.task_path(name), task.tool, task.with_)
    elif task.plan is not None:
        _check_sub_plan(scene, name, task)
    elif task.is_for_agent or scene.structure.is_damaged(scene.task_path(name)):
        return
    elif task.approval is None:
        scene.findings.add(
            scene.task_path(name),
            f"the task `{name}` does nothing",
            "give it a `tool`, a `plan`, an `agent` or an `approval`",
            at_key=True,
        )
    elif task.with_:
        _add(scene, name, "with", "a task that only asks takes no arguments", "remove `with`")


def _check_tool(scene: Scene, path: Path, tool: str, arguments: Mapping[str, Any]) -> None:
    spec = scene.tools.get(tool)
    if spec is None:
        if START in tool:
            hint = "a tool's name cannot be an expression"
        else:
            hint = scene.findings.suggest(tool, scene.tools) or "`mainstay tools` lists them"
        scene.findings.add((*path, "tool"), f"there is no tool `{tool}`", hint)
    else:
        check_arguments(scene.findings, path, spec, arguments)


def _check_sub_plan(scene: Scene, name: str, task: TaskSpec) -> None:
    path = scene.task_path(name)
    if START in (task.plan or ""):
        _check_one_expression(scene, (*path, "plan"), task.plan or "", "`plan` needs a plan")
        return
    sub_plan = scene.sub_plans.get(task.plan or "")
    if sub_plan is not None:
        check_sub_plan_inputs(scene.findings, path, sub_plan, task.with_)
    elif is_file(task.plan or "") and scene.written is not None:
        return  # reported where the file was looked for
    elif not scene.structure.is_damaged((*scene.path, "plans")):
        hint = scene.findings.suggest(task.plan or "", scene.sub_plans)
        scene.findings.add(
            (*path, "plan"),
            f"there is no sub-plan `{task.plan}`",
            hint or "write it under `plans`, or give a path: ./other.yaml",
        )


def is_file(plan: str) -> bool:
    """Tell whether a task's ``plan`` is a path rather than a name, or an expression."""
    if START in plan:
        return False
    return "/" in plan or plan.endswith((".yaml", ".yml", ".json"))


def _check_for_each(scene: Scene, name: str, task: TaskSpec) -> None:
    given = task.for_each
    path = scene.task_path(name, "for_each")
    if given is None:
        if scene.has_key(name, "for_each") and not scene.structure.is_damaged(path):
            _add(scene, name, "for_each", "`for_each` has no list", "give it one, or remove it")
        elif task.batch != 1 or scene.has_key(name, "batch"):
            _add(scene, name, "batch", "`batch` has no effect without `for_each`", "remove it")
        elif task.max_parallel is not None:
            scene.findings.warn(
                scene.task_path(name, "max_parallel"),
                "`max_parallel` has no effect in a task without `for_each`",
            )
        return
    if isinstance(given, str) and START in given:
        _check_one_expression(scene, path, given, "`for_each` needs a list")
    elif not isinstance(given, list | tuple):
        scene.findings.add(path, f"`for_each` needs a list, not {kind_of(given)}")
    elif not given:
        scene.findings.add(path, "`for_each` is empty: the task would never do anything")
    if task.approval is not None:
        _add(
            scene,
            name,
            "approval",
            "`approval` and `for_each` do not go together",
            "ask in a task of its own, and let this one need it",
        )


def _check_one_expression(scene: Scene, path: Path, given: str, need: str) -> None:
    try:
        is_whole = is_expression(given)
    except InvalidInput:
        return  # reported as what it is, a broken expression
    if not is_whole:
        scene.findings.add(
            path,
            f"{need}, not a text around an expression",
            "write exactly one ${{ }}; after `|` or `>`, add a minus: `>-`",
        )


def _check_approval(scene: Scene, name: str, task: TaskSpec) -> None:
    asked = task.approval
    if asked is not None and asked.default is not None and asked.deadline is None:
        path = scene.task_path(name, "approval", "default")
        scene.findings.add(
            path,
            "`default` has no effect without `deadline`",
            "add one: `deadline: 2d`",
            at_key=True,
        )


def _check_retry(scene: Scene, name: str, task: TaskSpec) -> None:
    tool = scene.tools.get(task.tool or "")
    if tool is None or task.retry is None or task.retry.attempts == 1:
        return
    repeatable = tool.idempotent if task.idempotent is None else task.idempotent
    if not repeatable:
        _add(
            scene,
            name,
            "retry",
            f"`{tool.name}` cannot be retried: doing it twice may do harm",
            "add `idempotent: true` if this use of it is safe to repeat",
        )


def _check_verify(scene: Scene, name: str, task: TaskSpec) -> None:
    verify = task.verify
    if verify is None:
        return
    path = scene.task_path(name, "verify")
    if task.only_asks:
        _add(scene, name, "verify", "a task that only asks has no output to verify")
    ways = [way for way in (verify.check, verify.tool, verify.agent) if way is not None]
    if len(ways) > 1:
        scene.findings.add(
            path,
            "`verify` has either `check` or `tool` or `agent`",
            "keep one of them",
            at_key=True,
        )
    elif not ways:
        if not scene.structure.is_damaged(path):
            scene.findings.add(
                path,
                "`verify` checks nothing",
                "give it a `check`, a `tool` or an `agent`",
                at_key=True,
            )
    elif verify.tool is None and verify.with_:
        scene.findings.add(
            (*path, "with"), "`with` has no effect without `tool`", "remove it", at_key=True
        )
    if verify.tool is not None:
        _check_tool(scene, path, verify.tool, verify.with_)
    check_critic(scene, name, verify)


def _check_env(scene: Scene, path: Path, env: Mapping[str, str]) -> None:
    for name in env:
        if not _ENV_NAME.fullmatch(name):
            scene.findings.add(
                (*path, name),
                f"{name!r} cannot be an environment variable",
                "use letters, digits and _, no digit first",
                at_key=True,
            )
