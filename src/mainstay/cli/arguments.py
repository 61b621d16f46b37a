"""Arguments and options that several commands share. Every option also reads MAINSTAY_<NAME>."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainstay.cli.completion import complete_plan_file, complete_plan_id
from mainstay.cli.options import option

PlanIdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The plan: its id, the end of it, or the name of a plan for its newest run.",
        autocompletion=complete_plan_id,
        show_default=False,
    ),
]
OptionalPlanIdArgument = Annotated[
    str,
    typer.Argument(
        metavar="[ID]",
        help="The plan: its id, the end of it, or the name of a plan for its newest run.",
        autocompletion=complete_plan_id,
        show_default=False,
    ),
]
PlanFileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="The plan's file.",
        autocompletion=complete_plan_file,
        show_default=False,
    ),
]
OptionalPlanFileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="The plan's file; or give a --goal.",
        autocompletion=complete_plan_file,
        show_default=False,
    ),
]
JsonOption = Annotated[bool, option("--json", help="Print JSON, for programs.")]
ToolsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tools",
        metavar="MODULE|FILE",
        help="A module or file with further tools; may be repeated. [env var: MAINSTAY_TOOLS]",
        show_default=False,
    ),
]
