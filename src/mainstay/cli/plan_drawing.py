"""Drawing a plan: as text by levels, as a Mermaid flow chart, and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainstay.decisions.graph import levels
from mainstay.schemas.durations import format_duration
from mainstay.schemas.plan import InputSpec, PlanSpec, TaskSpec

MAX_NEEDS_SHOWN = 4
MAX_VALUE_CHARS = 60


def draw_text(plan: PlanSpec, ascii_only: bool = False) -> Iterator[str]:
    """Yield the lines of a drawing: the plan, its inputs, its tasks level by level, its outputs."""
    yield f"{plan.name}: {plan.description}" if plan.description else plan.name
    yield from _inputs(plan)
    yield ""
    yield from _levels(plan, ascii_only)
    yield from _agents(plan)
    if plan.outputs:
        yield ""
        yield "Outputs"
        width = max(map(len, plan.outputs))
        for name, value in plan.outputs.items():
            yield f"  {name:<{width}}  {_short(value)}"
    for sub_plan in dict.fromkeys(task.plan for task in plan.tasks.values()):
        if sub_plan in plan.plans:
            yield ""
            yield f"Sub-plan {sub_plan}"
            for line in draw_text(plan.plans[sub_plan], ascii_only):
                yield f"  {line}" if line else ""


def draw_mermaid(plan: PlanSpec) -> Iterator[str]:
    """Yield the lines of a Mermaid flow chart: an arrow for each need."""
    yield "flowchart TD"
    numbers = {name: f"t{number}" for number, name in enumerate(plan.tasks)}
    for name, task in plan.tasks.items():
        text = f"{_escape(name)}<br/>{_escape(work_of(task))}"
        opening, closing = ("{{", "}}") if task.approval else ("[[", "]]") if task.plan else "[]"
        yield f'  {numbers[name]}{opening}"{text}"{closing}'
    for name, task in plan.tasks.items():
        for need in task.needs:
            arrow = "-. if .->" if task.if_ is not None else "-->"
            yield f"  {numbers[need]} {arrow} {numbers[name]}"


def draw_data(plan: PlanSpec) -> dict[str, Any]:  # Any: JSON
    """Return what the drawing shows, for programs."""
    return {
        "name": plan.name,
        "description": plan.description,
        "inputs": {
            name: {
                "type": spec.type.value,
                "required": spec.is_required,
                "default": spec.default,
                "description": spec.description,
            }
            for name, spec in plan.inputs.items()
        },
        "levels": levels({name: task.needs for name, task in plan.tasks.items()}),
        "tasks": {
            name: {
                "needs": task.needs,
                "tool": task.tool,
                "plan": task.plan,
                "agent": task.agent,
                "capability": task.capability,
                "does": work_of(task),
                "details": list(_details(task)),
            }
            for name, task in plan.tasks.items()
        },
        "outputs": list(plan.outputs),
        "agents": {
            name: {
                "description": spec.description,
                "model": spec.model or plan.model,
                "capabilities": spec.capabilities,
            }
            for name, spec in plan.agents.items()
        },
        "plans": {name: draw_data(one) for name, one in plan.plans.items()},
    }


def work_of(task: TaskSpec) -> str:
    """Say in a few words what a task does."""
    if task.tool:
        return task.tool
    if task.plan:
        return f"plan {task.plan}"
    if task.agent:
        return f"agent {task.agent}"
    if task.capability:
        return f"agent with {task.capability}"
    return "asks for approval"


def _agents(plan: PlanSpec) -> Iterator[str]:
    if not plan.agents:
        return
    yield ""
    yield "Agents"
    width = max(map(len, plan.agents))
    for name, spec in plan.agents.items():
        about = [spec.model or plan.model or "default model"]
        if spec.capabilities:
            about.append(f"for {', '.join(spec.capabilities)}")
        if spec.description:
            about.append(spec.description)
        yield f"  {name:<{width}}  {'  '.join(about)}"


def _inputs(plan: PlanSpec) -> Iterator[str]:
    if not plan.inputs:
        return
    yield ""
    yield "Inputs"
    width = max(map(len, plan.inputs))
    for name, spec in plan.inputs.items():
        yield f"  {name:<{width}}  {spec.type.value:<7}  {_input(spec)}".rstrip()


def _input(spec: InputSpec) -> str:
    value = "required" if spec.is_required else f"default {_short(spec.default)}"
    choices = f", one of {', '.join(map(str, spec.choices))}" if spec.choices else ""
    about = f"  {spec.description}" if spec.description else ""
    return f"{value}{choices}{about}"


def _levels(plan: PlanSpec, ascii_only: bool) -> Iterator[str]:
    rows = levels({name: task.needs for name, task in plan.tasks.items()})
    width = max(map(len, plan.tasks))
    work_width = max(len(work_of(task)) for task in plan.tasks.values())
    first, middle, bar = ("+-", "+-", "| ") if ascii_only else ("┌─", "├─", "│ ")
    for number, row in enumerate(rows):
        for position, name in enumerate(row):
            task = plan.tasks[name]
            lead = (first if number == 0 else middle) if position == 0 else bar
            label = f"{number + 1:>3}" if position == 0 else "   "
            line = f"{label} {lead} {name:<{width}}  {work_of(task):<{work_width}}"
            details = "; ".join([*_details(task), *_after(task, ascii_only)])
            yield f"{line}  {details}".rstrip()
        if number + 1 < len(rows):
            yield f"    {bar}".rstrip()


def _details(task: TaskSpec) -> Iterator[str]:
    if task.if_ is not None:
        yield f"if {_short(task.if_)}"
    if task.for_each is not None:
        batch = f", {task.batch} at a time" if task.batch > 1 else ""
        yield f"for each of {_short(task.for_each)}{batch}"
    if task.approval is not None:
        yield f'asks "{_short(task.approval.message)}"'
        if task.approval.deadline is not None:
            default = f", then {task.approval.default}" if task.approval.default else ""
            yield f"waits {format_duration(task.approval.deadline)}{default}"
    if task.retry is not None:
        yield f"at most {task.retry.attempts} attempts"
    if task.timeout is not None:
        yield f"timeout {format_duration(task.timeout)}"
    if task.prompt is not None:
        yield f'told "{_short(task.prompt)}"'
    if task.verify is not None:
        critic = f" by {task.verify.agent}" if task.verify.agent else ""
        yield f"verified{critic}, at most {task.verify.attempts} rounds"
    if task.undo is not None:
        yield f"undone by {task.undo.tool}"
    if task.continue_on_error:
        yield "may fail"


def _after(task: TaskSpec, ascii_only: bool) -> Iterator[str]:
    if task.needs:
        shown = ", ".join(task.needs[:MAX_NEEDS_SHOWN])
        more = len(task.needs) - MAX_NEEDS_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        yield f"{'<-' if ascii_only else '←'} {shown}{rest}"


def _short(value: Any) -> str:  # Any: a template, or an input's default
    text = " ".join(str(value).split()) if value is not None else "none"
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 3] + "..."


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
