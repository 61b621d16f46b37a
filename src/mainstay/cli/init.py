"""``mainstay init``: a plan and a tool to start with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainstay.cli.messages import hint, say
from mainstay.cli.panels import SET_UP

FolderArgument = Annotated[
    Path, typer.Argument(metavar="[DIR]", help="Where to write them; made if it is not there.")
]

PLAN_FILE = "plan.yaml"
TOOLS_FILE = "my_tools.py"

PLAN = """\
# A plan: tasks that depend on each other. It runs as it is:
#
#   mainstay run plan.yaml -i folder=.
#
name: first-plan
description: Counts and measures the files of a folder

inputs:
  folder:
    description: where to look
    default: .
  files:
    description: which files
    default: "*"

tasks:
  # A task uses a tool. `mainstay tools` lists them, `mainstay tools fs.list` shows one.
  list:
    tool: fs.list
    with:
      path: ${{ inputs.folder }}
      include: ${{ inputs.files }}

  # It starts when the tasks it needs have ended. This one is done once for each file, fifty at a
  # time; kill the process in the middle, and `mainstay watch` goes on where it was.
  measure:
    needs: list
    for_each: ${{ needs.list.outputs }}
    batch: 50
    tool: fs.stat
    with:
      path: ${{ inputs.folder }}/${{ item }}

  # Remove the marks before the next three lines, and let `report` need `ask`, to be asked first.
  # ask:
  #   needs: measure
  #   approval: Write the report? ${{ needs.measure.outputs | length }} files were measured.

  report:
    needs: measure
    tool: text.render
    with:
      template: "{{ count }} files, {{ total }} bytes; the largest has {{ largest }} bytes"
      variables:
        count: ${{ needs.measure.outputs | length }}
        total: ${{ needs.measure.outputs | map(attribute='size_bytes') | sum }}
        largest: ${{ needs.measure.outputs | map(attribute='size_bytes') | max }}

outputs:
  report: ${{ needs.report.outputs }}
"""

TOOLS = '''\
"""Tools of your own. Name this file to use them: mainstay run plan.yaml --tools my_tools.py"""

from mainstay import tool


@tool
def count_words(text: str) -> int:
    """Count the words of a text.

    Args:
        text: what to count in.
    """
    return len(text.split())
'''


def init(folder: FolderArgument = Path()) -> None:
    """Write a plan and a tool to start with. Files that are there are left alone."""
    from mainstay.schemas.errors import InvalidInput

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in ((PLAN_FILE, PLAN), (TOOLS_FILE, TOOLS)):
            _write_new(folder / name, text)
    except OSError as error:
        raise InvalidInput(f"cannot write to {str(folder)!r}: {error.strerror}") from None
    plan = folder / PLAN_FILE
    hint(f"`mainstay run {plan}` runs it; `mainstay plan show {plan}` draws it")


def register(root: typer.Typer) -> None:
    """Add this command."""
    root.command(rich_help_panel=SET_UP)(init)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        say(f"{path} is there already, and was left alone")
        return
    print(path)
