"""From the words of ``mainstay run`` to a plan and its inputs, checked before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.plan_inputs import check_inputs, coerce_text
from mainstay.decisions.plan_files.plan_models import with_default_model
from mainstay.decisions.suggestions import did_you_mean
from mainstay.plan_source import require_plan
from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.priority import Level, parse_level
from mainstay.settings import Settings
from mainstay.tools.catalogue import load_catalogue


@dataclass(frozen=True)
class RunRequest:
    """A run that can be started. ``name`` is None for one that nobody named."""

    plan: PlanSpec
    inputs: dict[str, Any]  # Any: JSON-like data
    name: str | None
    tools: Sequence[str]
    is_goal: bool = False


@dataclass(frozen=True)
class Limits:
    """What a run's agents think with, and may spend, in the place of what the plan says."""

    model: str = ""
    budget: BudgetSpec | None = None

    def apply(self, plan: PlanSpec) -> PlanSpec:
        """Return the plan with these; without any, as it is."""
        update: dict[str, object] = {"model": self.model} if self.model else {}
        if self.budget is not None:
            update["budget"] = self.budget
        return plan.model_copy(update=update) if update else plan


def choose_work(file: Path | None, goal: str) -> bool:
    """Tell whether a goal is to be pursued, and not a plan's file to be run.

    Raises:
        InvalidInput: both were given, or neither.
    """
    if file is not None and goal:
        raise InvalidInput(
            f"both a plan {str(file)!r} and a goal", hint="a goal's plan is made; give one of them"
        )
    if file is None and not goal:
        raise InvalidInput(
            "there is nothing to run", hint='`mainstay run FILE`, or `mainstay run --goal "..."`'
        )
    return bool(goal)


def prepare_run(
    settings: Settings,
    path: str,
    *,
    texts: Sequence[str] = (),
    inputs_file: str = "",
    tools: Sequence[str] = (),
    name: str = "",
    priority: str = "",
    limits: Limits | None = None,
) -> RunRequest:
    """Read everything that a run needs.

    Raises:
        NotFound: a file or a module does not exist.
        InvalidInput: something is wrong with the plan, an input or an option; or tasks need a
            model, and none is configured.
    """
    catalogue = load_catalogue([*settings.tools, *tools])
    plan = (limits or Limits()).apply(require_plan(path, catalogue.specs()))
    plan = with_default_model(plan, settings.model)
    if priority:
        plan = plan.model_copy(update={"priority": read_priority(priority)})
    given = read_inputs_file(inputs_file) if inputs_file else {}
    given |= read_inputs(plan, texts)
    values, problems = check_inputs(plan, given)
    if problems:
        raise InvalidInput(
            "\n".join(problem.message for problem in problems), hint=problems[0].hint
        )
    return RunRequest(plan, values, name or None, tools)


def read_inputs(plan: PlanSpec, texts: Sequence[str]) -> dict[str, Any]:  # Any: JSON-like data
    """Read ``key=value`` texts by the types that the plan declares.

    Raises:
        InvalidInput: one is no such text, names no input, or has a value of another type.
    """
    values: dict[str, Any] = {}  # Any: as above
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"{text!r} gives no input a value", hint="write -i name=value")
        if name not in plan.inputs:
            known = f"there are: {', '.join(plan.inputs)}" if plan.inputs else "it takes none"
            raise InvalidInput(
                f"the plan {plan.name!r} has no input {name!r}",
                hint=did_you_mean(name, plan.inputs) or known,
            )
        try:
            values[name] = coerce_text(plan.inputs[name], value)
        except InvalidInput as error:
            raise InvalidInput(f"input {name!r}: {error.message}", hint=error.hint) from None
    return values


def read_inputs_file(path: str) -> dict[str, Any]:  # Any: JSON-like data
    """Read inputs from a JSON or YAML file.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, or is no mapping.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path!r} with inputs") from None
    except OSError as error:
        raise InvalidInput(f"the file {path!r} cannot be read: {error.strerror}") from None
    document = read_plan(text, path)
    if document.data is None:
        raise InvalidInput(
            "\n".join(map(str, document.problems)), hint="write one `name: value` a line, or JSON"
        )
    return document.data


def read_priority(text: str) -> Level:
    """Read a level by its name or number.

    Raises:
        InvalidInput: there is no such level.
    """
    try:
        return Level(int(parse_level(text)))
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no priority", hint="write critical, high, normal, low or bulk, or 0 to 4"
        ) from None
