"""What a schema's complaint means, in words for someone who writes plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from mainstay.decisions.expressions.budget import kind_of
from mainstay.decisions.plan_files.problems import Path
from mainstay.decisions.suggestions import closest
from mainstay.schemas.agent import AgentSpec, BudgetSpec, ContextSpec, LimitsSpec, MailboxSpec
from mainstay.schemas.plan import (
    ActionSpec,
    ApprovalSpec,
    InputSpec,
    PlanSpec,
    RetrySpec,
    TaskSpec,
    VerifySpec,
)

_PARTS: Mapping[str, type[BaseModel]] = {
    "undo": ActionSpec,
    "verify": VerifySpec,
    "retry": RetrySpec,
    "approval": ApprovalSpec,
    "budget": BudgetSpec,
}
_PARTS_OF_AGENT: Mapping[str, type[BaseModel]] = {
    "budget": BudgetSpec,
    "limits": LimitsSpec,
    "mailbox": MailboxSpec,
    "context": ContextSpec,
}

_MISSPELT_IN_TASK = {
    "uses": "a task names its tool: `tool: fs.read`",
    "run": "write `tool: process.run` and its arguments under `with`",
    "script": "write `tool: process.run` and its arguments under `with`",
    "command": "write `tool: process.run` and its arguments under `with`",
    "action": "did you mean `tool`?",
    "timeout-minutes": "write `timeout: 5m`",
    "strategy": "write `for_each`, and `max_parallel` for its width",
    "matrix": "write `for_each`: the task is done once for each `item`",
    "with_items": "did you mean `for_each`?",
    "foreach": "did you mean `for_each`?",
    "loop": "did you mean `for_each`?",
    "steps": "a plan has one level of `tasks`, ordered by `needs`",
    "depends_on": "did you mean `needs`?",
    "when": "did you mean `if`?",
    "retries": "did you mean `retry`?",
    "args": "did you mean `with`?",
    "agents": "did you mean `agent`? Several work at once under `for_each`",
    "goal": "did you mean `prompt`?",
    "message": "did you mean `prompt`?",
    "output_schema": "did you mean `output`?",
    "schema": "did you mean `output`?",
    "critic": "write `verify: {agent: NAME, criteria: [...]}`",
    "inputs": "did you mean `with`?",
    "name": "the task's key is its name; use `description` for more words",
    "id": "the task's key is its name",
    "runs-on": "leave it out: every worker can do every task",
    "permissions": "leave it out",
    "<<": "merge keys are not supported; repeat the entries",
}
_MISSPELT_IN_PLAN = {
    "jobs": "did you mean `tasks`?",
    "steps": "did you mean `tasks`?",
    "on": "leave it out: a plan is started by `mainstay run`",
    "title": "did you mean `name`?",
    "parameters": "did you mean `inputs`?",
    "params": "did you mean `inputs`?",
    "version": "leave it out",
    "<<": "merge keys are not supported; repeat the entries",
}

_WANTED = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
}
_WANTED_FOR = {
    "if": "an expression, true or false",
    "retry": "a number of attempts or a mapping",
    "approval": "a question or a mapping",
}
_NAME_RULE = "a name has letters, digits, _ and -, at most 100, and does not begin with a digit"


def model_of(path: Path) -> type[BaseModel] | None:
    """Return the schema of the mapping at a path of a plan; None inside free data."""
    while len(path) >= 2 and path[0] == "plans":
        path = path[2:]
    if not path:
        return PlanSpec
    if path[0] == "inputs" and len(path) == 2:
        return InputSpec
    if path[0] == "tasks" and len(path) == 2:
        return TaskSpec
    if path[0] == "tasks" and len(path) == 3:
        return _PARTS.get(str(path[2]))
    if path == ("budget",):
        return BudgetSpec
    if path[0] == "agents" and len(path) > 1:
        return AgentSpec if len(path) == 2 else _PARTS_OF_AGENT.get(str(path[2]))
    return None


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys a mapping may have, as they are written in a file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def explain_unknown_key(path: Path) -> tuple[str, str]:
    """Return the message and the hint for a key that does not exist."""
    key = str(path[-1])
    message = f"unknown key `{key}`"
    model = model_of(path[:-1])
    if model is None:
        return message, ""
    misspelt: Mapping[str, str] = {}
    if model is TaskSpec:
        misspelt = _MISSPELT_IN_TASK
    elif model is PlanSpec:
        misspelt = _MISSPELT_IN_PLAN
    keys = keys_of(model)
    if key in misspelt:
        return message, misspelt[key]
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in key).lstrip("_")
    found = next((one for one in (snake, key) if one in keys), None) or closest(key, keys)
    return message, f"did you mean `{found}`?" if found else f"there are: {', '.join(keys)}"


def describe(path: Path, detail: ErrorDetails, is_key: bool) -> tuple[str, str]:
    """Return the message and the hint for a value that the schema refuses."""
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    name = _name_of(path)
    if is_key or kind == "string_pattern_mismatch":
        return f"{value!r} cannot be a name", _NAME_RULE
    wanted = _WANTED_FOR.get(str(path[-1])) or _WANTED.get(kind.partition("_")[0])
    if wanted and kind.endswith(("_type", "_parsing", "_from_float", "_attributes_type")):
        return f"{name} must be {wanted}, not {_shown(value)}", _type_hint(value, wanted)
    return f"{name}: {_limit(kind, context) or detail['msg']}", ""


def _name_of(path: Path) -> str:
    last = path[-1]
    return f"entry {last + 1} of `{path[-2]}`" if isinstance(last, int) else f"`{last}`"


def _limit(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "enum":
        return f"must be {context['expected']}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']:g}"
    if kind == "greater_than":
        return f"must be more than {context['gt']:g}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']:g}"
    if kind == "too_short":
        return "must not be empty"
    if kind == "too_long":
        return f"has more than {context['max_length']} entries"
    if kind == "value_error":
        return str(context["error"])
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return kind_of(value)


def _type_hint(value: Any, wanted: str) -> str:
    if isinstance(value, str) and "${{" in value:
        return "no expression can stand here"
    if isinstance(value, bool | int | float) and wanted == "a text":
        return "put it in quotes to make it a text"
    return ""
