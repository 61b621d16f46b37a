"""Which files of a folder are agents."""

from __future__ import annotations

from pathlib import Path

from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound

MAX_CATALOGUE_FILES = 5_000
"""Most agent files in a folder; more is a wrong folder."""


def list_agent_files(folder: Path) -> list[Path]:
    """Return a folder's agent files, sorted: every ``.md`` but READMEs and hidden ones.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: it is no folder.
        LimitReached: it holds too many files.
    """
    if not folder.exists():
        raise NotFound(
            f"there is no folder {str(folder)!r}", hint="a catalogue is a folder of agent files"
        )
    if not folder.is_dir():
        raise InvalidInput(
            f"{str(folder)!r} is a file, not a folder", hint="name the folder that it is in"
        )
    found: list[Path] = []
    for path in folder.rglob("*.md"):
        inside = path.relative_to(folder).parts
        is_hidden = any(part.startswith(".") for part in inside)
        if is_hidden or path.stem.lower() == "readme" or not path.is_file():
            continue
        found.append(path)
        if len(found) > MAX_CATALOGUE_FILES:
            raise LimitReached(
                f"the folder {str(folder)!r} holds more than {MAX_CATALOGUE_FILES} agent files",
                hint="name the folder that holds the agents only",
            )
    return sorted(found)
