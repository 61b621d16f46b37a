"""Agent files on the command line: ``agent catalogue``, and finding the file to spawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.arguments import JsonOption, ToolsOption
from mainstay.cli.messages import hint, say
from mainstay.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from mainstay.decisions.agent_files.agent_file import AgentFile
    from mainstay.decisions.agent_files.catalogue import AgentCatalogue
    from mainstay.schemas.agent import AgentSpec
    from mainstay.schemas.tools import ToolSpec

SCRIPT = "script:"

FolderArgument = Annotated[
    Path, typer.Argument(metavar="[FOLDER]", help="The folder; `agents` by default.")
]


def catalogue(
    folder: FolderArgument = Path("agents"), tools: ToolsOption = None, as_json: JsonOption = False
) -> None:
    """List the agents that a folder's files describe, and what is wrong with them."""
    from mainstay.agent_source import read_catalogue

    found = read_catalogue(folder, _tools(tools or []))
    if as_json:
        print_json([_as_data(file) for file in found.files])
    else:
        _print_catalogue(folder, found)
    for problem in found.warnings:
        say(str(problem))
    if found.errors:
        for problem in found.errors:
            say(str(problem))
        raise typer.Exit(3)


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(catalogue)


def load_spec(text: str, folder: Path, tools: Sequence[str]) -> AgentSpec:
    """Return the agent that a text means: a file, or a name in the catalogue.

    Raises:
        NotFound: there is neither.
        InvalidInput: the file is wrong.
    """
    from mainstay.agent_source import load_agent, read_catalogue
    from mainstay.schemas.errors import NotFound

    file = Path(text)
    if file.suffix == ".md" or file.is_file():
        return with_script(load_agent(file, _tools(tools)), file.parent)
    if not folder.is_dir():
        raise NotFound(
            f"there is no agent file {text!r}, and no catalogue {str(folder)!r} to look in",
            hint="name a file, or the catalogue with --catalogue",
        )
    catalogue = read_catalogue(folder, _tools(tools))
    spec = catalogue.get(text)
    path = next(file.path for file in catalogue.files if file.spec is spec)
    return with_script(spec, Path(path).parent)


def with_script(spec: AgentSpec, folder: Path) -> AgentSpec:
    """Name a scripted model's file in full: a worker may run in another folder.

    A relative one stands for a file beside the agent's own, or else in the present folder.
    """
    if not (spec.model or "").startswith(SCRIPT):
        return spec
    name = (spec.model or "").removeprefix(SCRIPT)
    beside = folder / name
    found = beside if beside.is_file() else Path(name)
    return spec.model_copy(update={"model": f"{SCRIPT}{found.resolve()}"})


def _tools(extra: Sequence[str]) -> dict[str, ToolSpec]:
    from mainstay.settings import Settings
    from mainstay.tools.catalogue import load_catalogue

    return load_catalogue([*Settings().tools, *extra]).specs()


def _as_data(file: AgentFile) -> dict[str, object]:
    return {
        "path": file.path,
        "name": file.name,
        "agent": file.spec,
        "problems": list(file.problems),
        "ok": not file.errors,
    }


def _print_catalogue(folder: Path, found: AgentCatalogue) -> None:
    if not found.files:
        say(f"no agent files in {folder}")
        hint("an agent file is Markdown with `name:` and `description:` between --- lines on top")
        return
    print_table(
        ["name", "role", "model", "tools", "file", "description"],
        [
            [
                file.name or "?",
                file.spec.role.value if file.spec else "broken",
                (file.spec.model or "default") if file.spec else "",
                str(len(file.spec.tools)) if file.spec else "",
                file.path,
                file.spec.description if file.spec else "",
            ]
            for file in found.files
        ],
        whole=["name", "file"],
    )
