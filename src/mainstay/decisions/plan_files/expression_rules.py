"""Which names an expression may use, by the place where it stands.

| place                  | besides ``inputs``, ``env``, ``needs`` and ``plan``                     |
|------------------------|-------------------------------------------------------------------------|
| the plan's ``env``     | (neither ``env`` nor ``needs``)                                         |
| the plan's ``outputs`` | (``needs`` holds every task)                                            |
| ``if``                 | success(), failure(), always(), cancelled()                             |
| ``for_each``, question |                                                                         |
| ``env``                | feedback (with ``verify``); its ``env`` is the plan's                   |
| ``with``, ``plan``,    | item, index (``for_each``), feedback (``verify``), answer (approval)    |
| ``agent``, ``prompt``  |                                                                         |
| ``undo``               | the same, and output: of the item                                       |
| ``outputs``, verify    | feedback, answer, output: of the whole ``for_each``, so without an item |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mainstay.decisions.expressions import START, inspect, inspect_condition
from mainstay.decisions.expressions.condition_operations import FILTERS
from mainstay.decisions.expressions.references import References
from mainstay.decisions.expressions.sandbox import FUNCTIONS
from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.plan_files.scene import Scene
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.plan import TaskSpec

STATUS_FUNCTIONS = frozenset({"success", "failure", "always", "cancelled"})
NEED_FIELDS = ("result", "outcome", "outputs", "error")
PLAN_FIELDS = ("id", "name")

_ALWAYS = frozenset({"inputs", "env", "needs", "plan", *FUNCTIONS})
_WHERE = {
    "item": "`item` exists only in a task with `for_each`",
    "index": "`index` exists only in a task with `for_each`",
    "output": "`output` exists only in `outputs`, `undo` and `verify`",
    "feedback": "`feedback` exists only in a task with `verify`",
    "answer": "`answer` exists only in a task with `approval`, once it was given",
    "needs": "`needs` exists only in tasks and in the plan's outputs",
    "env": "a plan's `env` cannot refer to itself",
    "success": "success() belongs in `if`; elsewhere look at needs.<task>.result",
    "failure": "failure() belongs in `if`; elsewhere look at needs.<task>.result",
    "always": "always() belongs in `if`",
    "cancelled": "cancelled() belongs in `if`; elsewhere look at needs.<task>.result",
    "secrets": "there are none; give a tool what it needs by its environment",
    "matrix": "use `for_each` and `item`",
    "github": "use `inputs`, or `plan.id`",
    "steps": "use needs.<task>.outputs",
    "tasks": "use needs.<task>.outputs",
    "jobs": "use needs.<task>.outputs",
}


@dataclass(frozen=True)
class Place:
    """Where an expression stands: what it may use there."""

    names: frozenset[str]
    functions: frozenset[str] = frozenset(FUNCTIONS)
    needs: frozenset[str] | None = None
    env: frozenset[str] = frozenset()

    def plus(self, *names: str) -> Place:
        """Return a place that has more names."""
        return replace(self, names=self.names | set(names))


def check_plan_expressions(scene: Scene) -> None:
    """Check the expressions that belong to no task."""
    env = Place(_ALWAYS - {"env", "needs"})
    _check(scene, (*scene.path, "env"), scene.plan.env, env)
    outputs = Place(_ALWAYS, env=frozenset(scene.plan.env))
    _check(scene, (*scene.path, "outputs"), scene.plan.outputs, outputs)


def check_task_expressions(scene: Scene, name: str, task: TaskSpec) -> None:
    """Check every expression of a task."""
    plan_env = frozenset(scene.plan.env)
    env = plan_env | frozenset(task.env)
    before = Place(_ALWAYS, needs=frozenset(task.needs), env=env)
    if isinstance(task.if_, str):
        asking = replace(before, functions=before.functions | STATUS_FUNCTIONS)
        _check_condition(scene, scene.task_path(name, "if"), task.if_, asking)
    _check(scene, scene.task_path(name, "for_each"), task.for_each, before)
    if task.approval is not None:
        path = scene.task_path(name, "approval", "message")
        _check(scene, path, task.approval.message, before)
    again = before.plus("feedback") if task.verify is not None else before
    _check(scene, scene.task_path(name, "env"), task.env, replace(again, env=plan_env))
    doing = again.plus("answer") if task.approval is not None else again
    done = doing.plus("output")
    if task.for_each is not None or scene.has_key(name, "for_each"):
        doing, undoing = doing.plus("item", "index"), done.plus("item", "index")
    else:
        undoing = done
    _check(scene, scene.task_path(name, "with"), task.with_, doing)
    _check(scene, scene.task_path(name, "plan"), task.plan, doing)
    _check(scene, scene.task_path(name, "agent"), task.agent, doing)
    _check(scene, scene.task_path(name, "prompt"), task.prompt, doing)
    if task.undo is not None:
        _check(scene, scene.task_path(name, "undo", "with"), task.undo.with_, undoing)
    _check_after(scene, name, task, done)


def _check_after(scene: Scene, name: str, task: TaskSpec, place: Place) -> None:
    _check(scene, scene.task_path(name, "outputs"), task.outputs, place)
    if task.verify is not None:
        path = scene.task_path(name, "verify")
        if task.verify.check is not None:
            _check_condition(scene, (*path, "check"), task.verify.check, place)
        _check(scene, (*path, "reason"), task.verify.reason, place)
        _check(scene, (*path, "with"), task.verify.with_, place)
        _check(scene, (*path, "agent"), task.verify.agent, place)
        _check(scene, (*path, "criteria"), task.verify.criteria, place)


def texts_in(template: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Go through the texts of a template that may hold expressions, with their paths."""
    pending: list[tuple[Path, Any]] = [(path, template)]
    while pending:
        where, item = pending.pop()
        if isinstance(item, str):
            if START in item:
                yield where, item
        elif isinstance(item, dict):
            pending.extend(((*where, key), value) for key, value in item.items())
        elif isinstance(item, list | tuple):
            pending.extend(((*where, index), value) for index, value in enumerate(item))


def _check(scene: Scene, path: Path, template: Any, place: Place) -> None:
    for where, text in texts_in(template, path):
        _check_references(scene, where, text, inspect, place)


def _check_condition(scene: Scene, path: Path, condition: str, place: Place) -> None:
    _check_references(scene, path, condition, inspect_condition, place)


def _check_references(
    scene: Scene, path: Path, text: str, read: Callable[[str], References], place: Place
) -> None:
    try:
        found = read(text)
    except InvalidInput as error:
        scene.findings.add(path, error.message, error.hint)
        return
    scene.used_inputs.update(scene.plan.inputs if found.uses_all_inputs else found.inputs)
    for name in sorted(found.names - place.names):
        _unknown(scene, path, f"`{name}` is not known here", name, place.names)
    for name in sorted(found.functions - place.functions):
        _unknown(scene, path, f"there is no function {name}() here", name, place.functions)
    for name in sorted(found.inputs - scene.known_inputs):
        hint = scene.findings.suggest(name, scene.input_names) or "declare it under `inputs`"
        scene.findings.add(path, f"there is no input `{name}`", hint)
    if "env" in place.names:
        for name in sorted(found.env - place.env):
            hint = scene.findings.suggest(name, place.env) or "declare it under `env`"
            scene.findings.add(path, f"there is no environment variable `{name}`", hint)
    if "needs" in place.names:
        _check_needs(scene, path, found, place)
    _check_fields(scene, path, found)


def _unknown(scene: Scene, path: Path, message: str, name: str, candidates: frozenset[str]) -> None:
    filter_hint = f"{name} is a filter: value | {name}" if name in FILTERS else ""
    hint = _WHERE.get(name) or filter_hint or scene.findings.suggest(name, sorted(candidates))
    scene.findings.add(path, message, hint or f"there are: {', '.join(sorted(candidates))}")


def _check_needs(scene: Scene, path: Path, found: References, place: Place) -> None:
    for task in sorted(found.needs):
        if task not in scene.known_tasks:
            hint = scene.findings.suggest(task, scene.task_names)
            scene.findings.add(path, f"there is no task `{task}`", hint)
        elif place.needs is not None and task not in place.needs:
            scene.findings.add(
                path, f"`{task}` is used here but not needed", f"add `{task}` to `needs`"
            )


def _check_fields(scene: Scene, path: Path, found: References) -> None:
    for one in sorted(found.paths):
        if one[0] == "plan" and len(one) > 1 and one[1] not in PLAN_FIELDS:
            hint = f"there are: {', '.join(PLAN_FIELDS)}"
            scene.findings.add(path, f"`plan` has no `{one[1]}`", hint)
        elif one[0] == "needs" and len(one) > 2:
            _check_need_field(scene, path, one)


def _check_need_field(scene: Scene, path: Path, one: tuple[str, ...]) -> None:
    _, name, key, *rest = one
    if key not in NEED_FIELDS:
        hint = scene.findings.suggest(key, NEED_FIELDS) or f"write needs.{name}.outputs.{key}"
        scene.findings.add(path, f"`needs.{name}` has no `{key}`", hint)
        return
    task = scene.plan.tasks.get(name)
    if key != "outputs" or not rest or task is None:
        return
    # Damaged outputs are incomplete, and without any the tool decides what there is.
    damaged = scene.structure.is_damaged(scene.task_path(name))
    if task.outputs and not damaged and rest[0] not in task.outputs:
        hint = (
            scene.findings.suggest(rest[0], task.outputs) or f"there are: {', '.join(task.outputs)}"
        )
        scene.findings.add(path, f"the task `{name}` has no output `{rest[0]}`", hint)
