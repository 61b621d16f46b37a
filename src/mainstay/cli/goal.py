"""What ``run --goal`` adds to ``run``: its options, and from them to a plan that can be started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mainstay.cli.options import option

if TYPE_CHECKING:
    from mainstay.cli.running import Limits, RunRequest
    from mainstay.schemas.agent import AgentSpec, BudgetSpec
    from mainstay.schemas.tools import ToolSpec
    from mainstay.settings import Settings

GoalOption = Annotated[
    str,
    option(
        "--goal",
        metavar="TEXT",
        help="Let an agent make the plan that achieves this, in the place of FILE.",
        show_default=False,
    ),
]
AgentsOption = Annotated[
    str,
    option(
        "--agents",
        metavar="FOLDER",
        help="With --goal: the agents that plans can give work to.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    str,
    option(
        "--model",
        metavar="MODEL",
        help="The model of agents that name none: provider:name, or script:FILE.",
        show_default=False,
    ),
]
YesOption = Annotated[
    bool,
    option("--yes", "-y", help="With --goal: run plans without asking.", show_default=False),
]
AttemptsOption = Annotated[
    int, option("--attempts", metavar="N", help="With --goal: how many plans are made at most.")
]
CriterionOption = Annotated[
    list[str] | None,
    option(
        "--criterion",
        metavar="TEXT",
        help="With --goal: what the result is judged by; may be repeated.",
        show_default=False,
    ),
]
ThresholdOption = Annotated[
    float,
    option("--threshold", metavar="SCORE", help="With --goal: the score that is good enough."),
]
AllowOption = Annotated[
    list[str] | None,
    option(
        "--allow",
        metavar="TOOL",
        help="With --goal: a tool that plans may use, `fs.*` for instance; all without it.",
        show_default=False,
    ),
]
BudgetUsdOption = Annotated[
    float | None,
    option(
        "--budget-usd",
        metavar="USD",
        min=0,
        help="What everything together may cost.",
        show_default=False,
    ),
]
BudgetTokensOption = Annotated[
    int | None,
    option(
        "--budget-tokens",
        metavar="N",
        min=0,
        help="How many tokens everything together may take.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class GoalOptions:
    """What was said about a goal on the command line."""

    text: str
    agents: str = ""
    asks: bool = True
    attempts: int = 3
    criteria: Sequence[str] = ()
    threshold: float = 0.7
    allowed: Sequence[str] = ()


def prepare_goal(
    settings: Settings,
    options: GoalOptions,
    limits: Limits,
    *,
    tools: Sequence[str] = (),
    name: str = "",
) -> RunRequest:
    """Make the plan that pursues a goal.

    Raises:
        NotFound: there is no such folder of agents.
        InvalidInput: an agent in it is broken, or an option has no meaning.
    """
    from mainstay.cli.running import RunRequest
    from mainstay.goals.goal_plan import Goal, plan_for
    from mainstay.tools.catalogue import load_catalogue

    known = load_catalogue([*settings.tools, *tools]).specs()
    goal = Goal(
        text=options.text,
        team=_team(options.agents, known),
        tools=list(options.allowed) or ["*"],
        criteria=list(options.criteria),
        threshold=options.threshold,
        attempts=options.attempts,
        asks=options.asks,
        model=limits.model or settings.model or None,
        budget=limits.budget,
    )
    plan, inputs = plan_for(goal)
    return RunRequest(plan, inputs, name or None, tools, is_goal=True)


def read_budget(usd: float | None, tokens: int | None) -> BudgetSpec | None:
    """Return what may be spent; None when no limit was given."""
    from decimal import Decimal

    from mainstay.schemas.agent import BudgetSpec

    if usd is None and tokens is None:
        return None
    return BudgetSpec(usd=None if usd is None else Decimal(str(usd)), tokens=tokens)


def _team(folder: str, tools: Mapping[str, ToolSpec]) -> dict[str, AgentSpec]:
    from mainstay.agent_source import load_catalogue

    return dict(load_catalogue(folder, tools).specs) if folder else {}
