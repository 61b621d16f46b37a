"""``run``: check a plan, start it, show it, print what it gives back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.arguments import JsonOption, OptionalPlanFileArgument, ToolsOption
from mainstay.cli.goal import (
    AgentsOption,
    AllowOption,
    AttemptsOption,
    BudgetTokensOption,
    BudgetUsdOption,
    CriterionOption,
    GoalOption,
    GoalOptions,
    ModelOption,
    ThresholdOption,
    YesOption,
    prepare_goal,
    read_budget,
)
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import RUN

if TYPE_CHECKING:
    from mainstay.cli.running import RunRequest
    from mainstay.cli.session import Session
    from mainstay.handle import PlanHandle
    from mainstay.settings import Settings

InputOption = Annotated[
    list[str] | None,
    option(
        "--input",
        "-i",
        metavar="KEY=VALUE",
        help="A value for one of the plan's inputs; may be repeated.",
        show_default=False,
    ),
]
InputsOption = Annotated[
    str,
    option(
        "--inputs",
        metavar="FILE",
        help="A JSON or YAML file with inputs; --input has precedence.",
        show_default=False,
    ),
]
DetachOption = Annotated[
    bool, option("--detach", "-d", help="Start it, print its id, and leave.", show_default=False)
]
WatchOption = Annotated[
    bool,
    option("--watch/--no-watch", help="Show it while it runs, or wait for its end in silence."),
]
ApproveOption = Annotated[
    bool, option("--approve", help="Say yes to every task that asks.", show_default=False)
]
ApproveTaskOption = Annotated[
    list[str] | None,
    option(
        "--approve-task",
        metavar="TASK",
        help="Say yes to this task when it asks; may be repeated.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str,
    option(
        "--name",
        metavar="RUN",
        help="Name the run: starting it twice is refused.",
        show_default=False,
    ),
]
PriorityOption = Annotated[
    str,
    option(
        "--priority",
        metavar="LEVEL",
        help="critical, high, normal, low or bulk, instead of what the plan says.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel=RUN)(run)


def run(
    plan: OptionalPlanFileArgument = None,
    inputs: InputOption = None,
    inputs_file: InputsOption = "",
    detach: DetachOption = False,
    watch: WatchOption = True,
    approve: ApproveOption = False,
    approve_task: ApproveTaskOption = None,
    name: NameOption = "",
    as_json: JsonOption = False,
    tools: ToolsOption = None,
    priority: PriorityOption = "",
    goal: GoalOption = "",
    agents: AgentsOption = "",
    model: ModelOption = "",
    yes: YesOption = False,
    attempts: AttemptsOption = 3,
    criterion: CriterionOption = None,
    threshold: ThresholdOption = 0.7,
    allow: AllowOption = None,
    budget_usd: BudgetUsdOption = None,
    budget_tokens: BudgetTokensOption = None,
) -> None:
    """Run a plan, or what an agent plans for a goal, and watch it.

    Killed in the middle, `mainstay watch` takes it up.
    """
    from mainstay.cli.running import Limits, choose_work, prepare_run
    from mainstay.settings import Settings

    settings = Settings()
    limits = Limits(model, read_budget(budget_usd, budget_tokens))
    if choose_work(plan, goal):
        said = GoalOptions(goal, agents, not yes, attempts, criterion or [], threshold, allow or [])
        request = prepare_goal(settings, said, limits, tools=tools or [], name=name)
    else:
        request = prepare_run(
            settings,
            str(plan),
            texts=inputs or [],
            inputs_file=inputs_file,
            tools=tools or [],
            name=name,
            priority=priority,
            limits=limits,
        )
    if detach:
        asyncio.run(_detach(settings, request))
        return
    approvals = None if not (approve or approve_task) else [] if approve else approve_task
    asyncio.run(_run(settings, request, watch, as_json, approvals))


async def _run(
    settings: Settings,
    request: RunRequest,
    watch: bool,
    as_json: bool,
    approvals: list[str] | None,
) -> None:
    from mainstay.cli.approvals import approve_all
    from mainstay.cli.consent import ask_for_consent
    from mainstay.cli.ending import conclude
    from mainstay.cli.follow import Left, follow
    from mainstay.cli.session import open_session
    from mainstay.cli.shows import choose_show

    async with open_session(settings, need_worker=True, tools=request.tools) as opened:
        await _tell_of_others(opened)
        plan = await _start(opened, request)
        asides = []
        if approvals is not None:
            asides.append(approve_all(opened.mainstay, plan.id, approvals))
        elif request.inputs.get("ask") is True and request.is_goal:
            asides.append(ask_for_consent(opened.mainstay, plan.id))
        try:
            show = choose_show(as_json=as_json, watch=watch)
            result = await follow(opened, plan, show, *asides)
        except Left as left:
            raise typer.Exit(left.exit_code) from None
        await conclude(opened.mainstay, result, as_json=as_json)


async def _detach(settings: Settings, request: RunRequest) -> None:
    from mainstay.cli.logs import log_to_file
    from mainstay.client import Mainstay
    from mainstay.connection import configured_address, has_worker, is_answering
    from mainstay.schemas.errors import Refused

    log_to_file(settings.data_dir)
    address = configured_address(settings)
    if not await is_answering(address):
        raise Refused(
            "--detach needs a Temporal server that goes on when this command ends, "
            f"and none answers at {address}",
            hint="type `mainstay up` in another terminal first, or leave --detach out",
        )
    async with await Mainstay.connect(settings, address=address) as mainstay:
        plan = await mainstay.start(request.plan, request.inputs, run=request.name)
        print(plan.id)
        hint(f"`mainstay watch {plan.id}`")
        if not await has_worker(mainstay.temporal, settings.task_queue):
            say("no worker serves the plans yet: start one with `mainstay worker`")


async def _start(opened: Session, request: RunRequest) -> PlanHandle:
    plan = await opened.mainstay.start(request.plan, request.inputs, run=request.name)
    say(f"started {plan.id}")
    return plan


async def _tell_of_others(opened: Session) -> None:
    """Say which unfinished plans go on because there is a server and a worker now."""
    from mainstay.cli.session import unfinished

    if opened.server is None:
        return
    for row in (await unfinished(opened.mainstay))[:5]:
        say(f"plan {row.plan_id} is unfinished and goes on")
        hint(f"`mainstay watch {row.plan_id}`")
