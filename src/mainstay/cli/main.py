"""The command line: the program itself, its errors, and the one way out of it.

Importing this loads neither Temporal nor a database: each command loads what it needs when it
runs, so that ``mainstay --help`` and the completion in the shell answer at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from mainstay.cli.leaving import leave
from mainstay.cli.messages import set_up_streams, tell_error, tell_unexpected, wrong_setting
from mainstay.cli.panels import PANELS
from mainstay.schemas.errors import MainstayError

COMMANDS = (
    "run",
    "watch",
    "agent",
    "team",
    "supervisor",
    "thread",
    "cost",
    "up",
    "worker",
    "steer",
    "look",
    "outcome",
    "plan",
    "tools",
    "records",
    "replay",
    "doctor",
    "init",
)
"""Modules of this package; each has a ``register(app)``."""

INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C ended."""


class _ByPanel(TyperGroup):
    """Lists commands and families of commands in the order of help's panels."""

    # The context's own class has no public name in Typer.
    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        order = {panel: place for place, panel in enumerate(PANELS)}

        def place(name: str) -> int:
            return order.get(str(getattr(self.commands[name], "rich_help_panel", "")), len(order))

        return sorted(super().list_commands(ctx), key=place)


def build_app() -> typer.Typer:
    """Make the program: every command of every module, in the order of help's panels."""
    app = typer.Typer(
        name="mainstay",
        cls=_ByPanel,
        help="Run plans and agents that survive any crash: killed in the middle, they go on.",
        epilog="Start with `mainstay init`, then `mainstay run plan.yaml`.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in COMMANDS:
        import_module(f"mainstay.cli.{name}").register(app)
    return app


@cache
def _command(build: Callable[[], typer.Typer]) -> Callable[..., object]:
    """Make it once in a process: families of commands would take in theirs again."""
    return get_command(build())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and leave it. The console script."""
    set_up_streams()
    code = execute(sys.argv[1:] if arguments is None else arguments)
    leave(code)


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what goes wrong is told, never raised."""
    try:
        _command(build_app)(args=list(arguments), prog_name="mainstay")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except MainstayError as error:
        tell_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the last place that can make a message of it
        known = wrong_setting(error)
        if known is not None:
            tell_error(known)
            return known.exit_code
        if os.environ.get("MAINSTAY_DEBUG"):
            traceback.print_exc()
        tell_unexpected(error)
        return MainstayError.exit_code
    return 0


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mainstay {version('mainstay')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="MAINSTAY_DEBUG", help="Show where an unexpected error is."),
    ] = False,
) -> None:
    if debug:
        os.environ["MAINSTAY_DEBUG"] = "1"


if __name__ == "__main__":
    main()
