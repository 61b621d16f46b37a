"""Reading the README and the guides, for the tests that check and run what they show."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks_of(page: Path, language: str) -> list[tuple[int, str]]:
    """The code blocks of a page in one language, with the lines where they begin."""
    text = page.read_text()
    return [
        (text.count("\n", 0, match.start()) + 1, match[2])
        for match in _BLOCK.finditer(text)
        if match[1] == language
    ]


def tools_of(page: Path, folder: Path) -> list[str]:
    """Write the page's files into a folder; return its Python files.

    Those have their names in their docstrings, scripts of models (``yml``) in their first comment,
    and agents (``markdown``) in their front matter.
    """
    names = []
    for _, script in blocks_of(page, "yml"):
        if match := re.match(r"# ([\w-]+\.yaml)\n", script):
            (folder / match[1]).write_text(script)
    for _, agent in blocks_of(page, "markdown"):
        if match := re.match(r"---\nname: ([\w-]+)\n", agent):
            (folder / f"{match[1]}.md").write_text(agent)
    for _, code in blocks_of(page, "python"):
        if match := re.match(r'"""(\w+\.py)"""', code):
            (folder / match[1]).write_text(code)
            names.append(str(folder / match[1]))
    return names


def teams_of(page: Path) -> dict[str, str]:
    """The teams that a page shows (``yml``), by the file names in their first comments."""
    found = {}
    for _, text in blocks_of(page, "yml"):
        match = re.match(r"# ([\w-]+\.yaml)\n", text)
        if match and re.search(r"^team: ", text, re.MULTILINE):
            found[match[1]] = text
    return found
