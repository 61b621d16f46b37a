"""Every plan in the README and the guides is valid, with the tools that the same page defines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from documentation import PAGES, blocks_of, tools_of
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.validation import validate
from mainstay.schemas.tools import ToolSpec
from mainstay.tools.catalogue import load_catalogue

PLANS = [
    pytest.param(page, line, text, id=f"{page.name}:{line}")
    for page in PAGES
    for line, text in blocks_of(page, "yaml")
]


@pytest.mark.parametrize(("page", "line", "text"), PLANS)
def test_a_plan_in_the_documentation_is_valid(page: Path, line: int, text: str, tmp_path: Path):
    specs: dict[str, ToolSpec] = load_catalogue(tools_of(page, tmp_path)).specs()
    found = validate(read_plan(text, f"{page.name}:{line}"), specs)
    assert not found.problems, "\n".join(str(problem) for problem in found.problems)
    assert found.plan is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_documentation_compiles(page: Path):
    for line, code in blocks_of(page, "python"):
        compile(code, f"{page.name}:{line}", "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_the_documentation_lead_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
