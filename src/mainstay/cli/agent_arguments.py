"""Arguments and options that the commands about agents share."""

from __future__ import annotations

from typing import Annotated

import typer

from mainstay.cli.agent_completion import complete_agent, complete_living_agent
from mainstay.cli.options import option

AgentArgument = Annotated[
    str,
    typer.Argument(
        metavar="AGENT",
        help="The agent: its name, team/name, or its id.",
        autocompletion=complete_agent,
        show_default=False,
    ),
]
LivingAgentArgument = Annotated[
    str,
    typer.Argument(
        metavar="AGENT",
        help="The agent: its name, team/name, or its id.",
        autocompletion=complete_living_agent,
        show_default=False,
    ),
]
TextArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT]...",
        help="What to say; without it, or with -, it is read from stdin.",
        show_default=False,
    ),
]
ReasonOption = Annotated[str, option("--reason", help="Why; put on record.")]
TypeOption = Annotated[str, option("--type", help="What kind of message it is.")]
PriorityOption = Annotated[
    str,
    option("--priority", metavar="LEVEL", help="critical, high, normal, low or bulk."),
]
ThreadOption = Annotated[
    str,
    option("--thread", metavar="ID", help="A conversation other than the agent's own."),
]
OutputSchemaOption = Annotated[
    str,
    option(
        "--output-schema",
        metavar="FILE",
        help="A JSON Schema that the answer must match.",
        show_default=False,
    ),
]
MessageIdOption = Annotated[
    str,
    option("--id", metavar="UUID", help="The message's id: sending it twice sends it once."),
]
TimeoutOption = Annotated[
    str | None,
    option(
        "--timeout",
        metavar="DURATION",
        help="How long to wait for the answer: 30s, 5m. Without it, as long as it takes.",
        show_default=False,
    ),
]
