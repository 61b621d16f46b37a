"""``run --goal``: what is said on the command line becomes a plan, or a clear refusal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mainstay.cli.goal import GoalOptions, prepare_goal, read_budget
from mainstay.cli.main import execute
from mainstay.cli.running import Limits
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.settings import Settings

WRITER = "---\nname: writer\ndescription: writes\n---\nWrite.\n"


@pytest.fixture
def team(tmp_path: Path) -> Path:
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "writer.md").write_text(WRITER)
    return folder


def test_options_reach_the_plan(team: Path, settings: Settings) -> None:
    options = GoalOptions("Do it", str(team), False, 2, ["short"], 0.5, ["fs.*"])
    limits = Limits("script:x", read_budget(1.5, 100))
    request = prepare_goal(settings, options, limits, name="first")
    assert (request.name, request.is_goal) == ("first", True)
    assert request.inputs == {
        "goal": "Do it",
        "team": {"writer": {"description": "writes", "capabilities": []}},
        "tools": ["fs.*"],
        "criteria": ["short"],
        "threshold": 0.5,
        "ask": False,
    }
    budget = request.plan.budget
    assert budget is not None
    assert (budget.usd, budget.tokens) == (Decimal("1.5"), 100)
    assert request.plan.model == "script:x"


def test_the_default_model_is_that_of_the_settings(settings: Settings) -> None:
    settings = settings.model_copy(update={"model": "script:default"})
    request = prepare_goal(settings, GoalOptions("Do it"), Limits())
    assert request.plan.plans["attempt"].model == "script:default"
    assert request.plan.budget is None
    assert request.inputs["ask"] is True


def test_a_team_that_is_not_there_or_broken_is_refused(team: Path, settings: Settings) -> None:
    with pytest.raises(NotFound):
        prepare_goal(settings, GoalOptions("Do it", str(team / "gone")), Limits())
    (team / "broken.md").write_text("---\nname: broken\ntools: [no.such]\n---\nHm.\n")
    with pytest.raises(InvalidInput, match="no tool"):
        prepare_goal(settings, GoalOptions("Do it", str(team)), Limits())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "there is nothing to run"),
        (["run", "plan.yaml", "--goal", "Do it"], "both a plan 'plan.yaml' and a goal"),
        (["run", "--goal", "Do it", "--attempts", "0"], "0 attempts"),
        (["run", "--goal", "Do it", "--threshold", "2"], "a threshold of 2"),
        (["run", "--goal", "  "], "there is no goal"),
    ],
)
def test_words_without_meaning_end_with_exit_code_3(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(words) == 3
    assert told in capsys.readouterr().err
