"""Team files on the command line: ``team validate`` and ``team schema``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.printing import print_json
from mainstay.cli.team_completion import complete_team_file

if TYPE_CHECKING:
    from mainstay.decisions.plan_files.problems import Problem

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Team files.",
        autocompletion=complete_team_file,
        show_default=False,
    ),
]
CatalogueOption = Annotated[
    str,
    option(
        "--catalogue",
        "--agents",
        metavar="FOLDER",
        help="Where agents are looked for by name; `agents` beside the file, or here, by default.",
    ),
]


def validate(
    files: FilesArgument,
    catalogue: CatalogueOption = "",
    tools: ToolsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything that is wrong with team files, with line and column. Exit code 3 if wrong."""
    from mainstay.cli.plan import print_problem, tool_specs
    from mainstay.decisions.plan_files.problems import is_fatal
    from mainstay.settings import Settings
    from mainstay.team_source import check_team_file

    limits, specs = Settings().limits, tool_specs(tools)
    found: list[Problem] = []
    for file in files:
        checked = check_team_file(file, catalogue=catalogue, tools=specs, limits=limits)
        found += checked.problems
        if as_json:
            continue
        for problem in checked.problems:
            print_problem(problem)
        if not is_fatal(checked.problems):
            print(f"{file}: ok, {_counted(checked.agents, 'agent')}")
    if as_json:
        print_json({"problems": found, "ok": not is_fatal(found)})
    if is_fatal(found):
        errors = sum(is_fatal([problem]) for problem in found)
        say(f"error: {_counted(errors, 'problem')} in {_counted(len(files), 'file')}")
        raise typer.Exit(3)


def schema() -> None:
    """Print the JSON Schema of team files, with which editors complete and check them."""
    from mainstay.decisions.team_files import team_schema

    print_json(team_schema())
    hint("save it as team.schema.json, and begin teams with this line:")
    say("      # yaml-language-server: $schema=team.schema.json")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (validate, schema):
        app.command()(command)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
