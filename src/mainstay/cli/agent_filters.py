"""Options that choose agents, for lists and for what is done to many at once."""

from __future__ import annotations

from typing import Annotated

import typer

from mainstay.cli.agent_completion import complete_agent, complete_living_agent
from mainstay.cli.options import option
from mainstay.cli.team_completion import complete_supervisor, complete_team

LivingAgentsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[AGENT]...",
        help="The agents: each by its name, team/name, or its id.",
        autocompletion=complete_living_agent,
        show_default=False,
    ),
]
StateOption = Annotated[
    list[str] | None,
    option(
        "--state",
        metavar="STATE",
        help="Only agents in this state: running, paused, lost, ...; may be repeated.",
        show_default=False,
    ),
]
RoleOption = Annotated[str, option("--role", help="Only agents of this role.")]
TeamOption = Annotated[
    str, option("--team", help="Only agents of this team.", autocompletion=complete_team)
]
UnderOption = Annotated[
    str,
    option(
        "--under",
        metavar="TEAM[/PATH]",
        help="Only agents below this supervisor.",
        autocompletion=complete_supervisor,
    ),
]
CapabilityOption = Annotated[str, option("--capability", help="Only agents that are good at it.")]
ParentOption = Annotated[
    str,
    option(
        "--parent",
        metavar="AGENT|PLAN",
        help="Only agents that this agent, or this plan by its id, has started.",
        autocompletion=complete_agent,
    ),
]
OlderOption = Annotated[
    str | None,
    option(
        "--older-than",
        metavar="DURATION",
        help="Only agents that were made so long ago: 30m, 2d.",
        show_default=False,
    ),
]
YesOption = Annotated[bool, option("--yes", "-y", help="Do not ask before it is done to many.")]
