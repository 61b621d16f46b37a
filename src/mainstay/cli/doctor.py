"""``mainstay doctor``: whether everything that plans need is there, each with what to do."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.messages import can_show_symbols, say
from mainstay.cli.options import option
from mainstay.cli.panels import SET_UP
from mainstay.cli.printing import print_json, stdout

QuietOption = Annotated[
    bool,
    option("--quiet", "-q", help="Show only what is not well."),
]

_SYMBOLS = {
    "ok": ("✓", "+", "green"),
    "warning": ("!", "!", "yellow"),
    "error": ("✗", "x", "red"),
}


def doctor(
    quiet: QuietOption = False, tools: ToolsOption = None, as_json: JsonOption = False
) -> None:
    """Look whether everything is there and answers. Exit code 7 when something is not."""
    from mainstay.cli.health import Health, examine

    findings = asyncio.run(examine(tools or []))
    is_well = all(finding.health is not Health.ERROR for finding in findings)
    if as_json:
        print_json({"ok": is_well, "checks": [finding.as_data() for finding in findings]})
    else:
        for finding in findings:
            if not quiet or finding.health is not Health.OK:
                _print_finding(finding.health.value, finding.what, finding.found, finding.hint)
    if not is_well:
        say("error: something that plans need is missing")
        raise typer.Exit(7)


def register(root: typer.Typer) -> None:
    """Add this command."""
    root.command(rich_help_panel=SET_UP)(doctor)


def _print_finding(health: str, what: str, found: str, hint: str) -> None:
    from rich.text import Text

    symbol, ascii_symbol, colour = _SYMBOLS[health]
    mark = f"{symbol if can_show_symbols() else ascii_symbol} {health:<8}"
    stdout().print(Text.assemble((mark, colour), f" {what:<18} {found}"), soft_wrap=True)
    if hint:
        print(f"{'':<11} {'':<18} hint: {hint}")
