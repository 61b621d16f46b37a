"""Plans from files: read from disk with the files of their sub-plans, checked, and complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mainstay.agent_folder import list_agent_files
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.problems import list_problems
from mainstay.decisions.plan_files.validation import Validation, validate
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.limits import MAX_PLAN_FILE_BYTES
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.tools import ToolSpec


def load_plan(path: str | Path, tools: Mapping[str, ToolSpec]) -> Validation:
    """Read and check a plan's file and those it includes.

    Args:
        path: the file; the paths of sub-plans in it are relative to its folder.
        tools: every tool there is, by name.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is there and cannot be read.
    """
    text = _read(Path(path))
    return validate(read_plan(text, str(path)), tools, _read_included, _list_folder)


def require_plan(path: str | Path, tools: Mapping[str, ToolSpec]) -> PlanSpec:
    """Read a plan that can run.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, or something is wrong in it; the message lists all of
            that, one a line, as ``file:line:column: error: what is wrong (hint: what to do)``.
    """
    found = load_plan(path, tools)
    if found.plan is None:
        raise InvalidInput(
            list_problems(f"plan {str(path)!r}", found.errors),
            hint=f"`mainstay plan validate {path}` shows each in its place",
        )
    return found.plan


def _read_included(path: str) -> bytes | None:
    try:
        return _read(Path(path))
    except NotFound:
        return None


def _list_folder(path: str) -> list[str]:
    return [str(file) for file in list_agent_files(Path(path))]


def _read(path: Path) -> bytes:
    """Return a file's bytes; one more than allowed where it is too large, for that to be told."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_PLAN_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(
            f"there is no plan file {str(path)!r}", hint="`mainstay init` writes one to begin with"
        ) from None
    except OSError as error:
        raise InvalidInput(
            f"the plan file {str(path)!r} cannot be read: {error.strerror}"
        ) from None
