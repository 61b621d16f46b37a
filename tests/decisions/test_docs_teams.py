"""Every team in the README, the guides and the examples is valid, and unfolds."""

from __future__ import annotations

from pathlib import Path

import pytest

from documentation import PAGES, ROOT, teams_of
from mainstay.decisions.team_files import all_agents, check_team, expand, read_team
from mainstay.team_source import check_team_file

TEAMS = [
    pytest.param(page, name, text, id=f"{page.name}:{name}")
    for page in PAGES
    for name, text in teams_of(page).items()
]


def test_the_guide_shows_a_team_for_every_strategy():
    shown = " ".join(teams_of(ROOT / "docs" / "choose-a-strategy.md").values())
    for strategy in ("one_for_one", "rest_for_one", "one_for_all", "dynamic"):
        assert f"strategy: {strategy}" in shown


@pytest.mark.parametrize(("page", "name", "text"), TEAMS)
def test_a_team_in_the_documentation_is_valid(page: Path, name: str, text: str):
    assert not check_team(text, f"{page.name}:{name}")
    team = read_team(text, name)
    assert team.team == name.removesuffix(".yaml")
    compiled = expand(team, (), model="openai:gpt-5-mini")
    assert compiled.plan.root.children
    assert sum(all_agents(compiled.plan).values()) <= 10


@pytest.mark.parametrize(
    "file", sorted((ROOT / "examples" / "teams").glob("*.yaml")), ids=lambda file: file.name
)
def test_a_team_among_the_examples_is_valid(file: Path):
    found = check_team_file(file)
    assert not found.problems
    assert found.agents >= 3
