"""``mainstay plan``: check a plan's file, draw it, and publish its schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.arguments import JsonOption, PlanFileArgument, ToolsOption
from mainstay.cli.completion import complete_plan_file
from mainstay.cli.messages import can_show_symbols, hint, say
from mainstay.cli.options import option
from mainstay.cli.panels import SET_UP
from mainstay.cli.printing import print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mainstay.decisions.plan_files.problems import Problem
    from mainstay.schemas.tools import ToolSpec

app = typer.Typer(help="Check, draw and describe plan files.", no_args_is_help=True)

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Plan files.",
        autocompletion=complete_plan_file,
        show_default=False,
    ),
]
MermaidOption = Annotated[bool, option("--mermaid", help="Draw a Mermaid flow chart.")]


@app.command()
def validate(files: FilesArgument, tools: ToolsOption = None, as_json: JsonOption = False) -> None:
    """Show everything that is wrong with plan files, with line and column. Exit code 3 if wrong."""
    from mainstay.decisions.plan_files.problems import is_fatal
    from mainstay.plan_source import load_plan

    specs = tool_specs(tools)
    found: list[Problem] = []
    for file in files:
        validation = load_plan(file, specs)
        found += validation.problems
        if not as_json:
            for problem in validation.problems:
                print_problem(problem)
            if validation.plan is not None:
                print(f"{file}: ok, {_counted(len(validation.plan.tasks), 'task')}")
    if as_json:
        print_json({"problems": found, "ok": not is_fatal(found)})
    if is_fatal(found):
        errors = sum(is_fatal([problem]) for problem in found)
        say(f"error: {_counted(errors, 'problem')} in {_counted(len(files), 'file')}")
        raise typer.Exit(3)


@app.command()
def show(
    file: PlanFileArgument,
    mermaid: MermaidOption = False,
    as_json: JsonOption = False,
    tools: ToolsOption = None,
) -> None:
    """Draw a plan: its inputs, its tasks level by level, and what each does."""
    from mainstay.cli.plan_drawing import draw_data, draw_mermaid, draw_text
    from mainstay.plan_source import require_plan

    plan = require_plan(file, tool_specs(tools))
    if as_json:
        print_json(draw_data(plan))
        return
    lines = draw_mermaid(plan) if mermaid else draw_text(plan, not can_show_symbols())
    for line in lines:
        print(line)


@app.command()
def schema(tools: ToolsOption = None) -> None:
    """Print the JSON Schema of plan files, with which editors complete and check them."""
    from mainstay.cli.plan_schema import plan_schema

    print_json(plan_schema(list(tool_specs(tools))))
    hint("save it as plan.schema.json, and begin plans with this line:")
    say("      # yaml-language-server: $schema=plan.schema.json")


def register(root: typer.Typer) -> None:
    """Add this family of commands."""
    root.add_typer(app, name="plan", rich_help_panel=SET_UP)


def tool_specs(extra: list[str] | None) -> Mapping[str, ToolSpec]:
    """Return every tool that is installed, configured or named here."""
    from mainstay.settings import Settings
    from mainstay.tools.catalogue import load_catalogue

    return load_catalogue([*Settings().tools, *(extra or [])]).specs()


def print_problem(problem: Problem) -> None:
    """Print a problem below its place, with the line it is in."""
    print(
        f"{problem.source}:{problem.line}:{problem.column}: {problem.severity}: {problem.message}"
    )
    line = _source_line(problem.source, problem.line)
    if line.strip():
        # A tab before the caret keeps its place under a tab of the line.
        before = "".join("\t" if char == "\t" else " " for char in line[: problem.column - 1])
        print(f"{problem.line:>5} | {line}")
        print(f"      | {before}^")
    if problem.hint:
        print(f"        hint: {problem.hint}")


def _source_line(source: str, line: int) -> str:
    try:
        lines = Path(source).read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return ""
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
