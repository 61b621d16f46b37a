"""Agents from files and folders: read from disk, checked, and complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mainstay.agent_folder import list_agent_files
from mainstay.decisions.agent_files.agent_file import AgentFile, read_agent
from mainstay.decisions.agent_files.catalogue import AgentCatalogue, check_catalogue
from mainstay.decisions.agent_files.front_matter import MAX_AGENT_FILE_BYTES
from mainstay.decisions.plan_files.problems import list_problems
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.tools import ToolSpec

Tools = Mapping[str, ToolSpec]


def read_agent_file(path: str | Path, tools: Tools | None = None) -> AgentFile:
    """Read and check an agent's file, and return it with everything that is wrong in it.

    Args:
        path: the file.
        tools: every tool there is, by name; None leaves the names of tools unchecked.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is there and cannot be read.
    """
    return read_agent(_read(Path(path)), str(path), tools)


def load_agent(path: str | Path, tools: Tools | None = None) -> AgentSpec:
    """Read an agent that can be used.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, or something is wrong in it; the message lists all of
            that, one a line, as ``file:line:column: error: what is wrong (hint: what to do)``.
    """
    found = read_agent_file(path, tools)
    if found.spec is None:
        raise InvalidInput(
            list_problems(f"agent {str(path)!r}", found.errors),
            hint="mend the file, then try again",
        )
    return found.spec


def read_catalogue(folder: str | Path, tools: Tools | None = None) -> AgentCatalogue:
    """Read and check a folder of agents, and return all with everything that is wrong.

    Every ``.md`` file belongs to it, those in its folders too; READMEs and hidden ones do not.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: it is no folder, or a file in it cannot be read.
        LimitReached: it holds too many files.
    """
    files = list_agent_files(Path(folder))
    return check_catalogue({str(path): _read(path) for path in files}, tools)


def load_catalogue(folder: str | Path, tools: Tools | None = None) -> AgentCatalogue:
    """Read a folder of agents that can all be used.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: it is no folder, or something is wrong in it; the message lists all of that.
        LimitReached: it holds too many files.
    """
    found = read_catalogue(folder, tools)
    if found.errors:
        raise InvalidInput(
            list_problems(f"the catalogue {str(folder)!r}", found.errors),
            hint=f"`mainstay agent catalogue {folder}` shows which agents can be used",
        )
    return found


def _read(path: Path) -> bytes:
    """Return a file's bytes; one more than allowed where it is too large, for that to be told."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_AGENT_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(
            f"there is no agent file {str(path)!r}",
            hint="`mainstay agent catalogue FOLDER` lists the agents of a folder",
        ) from None
    except OSError as error:
        raise InvalidInput(
            f"the agent file {str(path)!r} cannot be read: {error.strerror}"
        ) from None
