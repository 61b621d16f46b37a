"""`team` and `supervisor` where no server answers: what is on record can still be read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from team_records import NOW, ROWS, VIEWS, child, fill, lower, row, view

from mainstay.bulk import do_to_each
from mainstay.cli.display import Screen
from mainstay.cli.main import execute
from mainstay.cli.progress_line import ProgressLine
from mainstay.cli.team_completion import complete_child, complete_supervisor, complete_team
from mainstay.cli.team_reading import split_place
from mainstay.cli.team_tree import Picture, draw
from mainstay.schemas.errors import Refused
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.supervision import ChildPhase
from mainstay.team_sight import TeamSight
from mainstay.team_source import load_team, located

TEAM = """\
team: small
agents:
  worker: {prompt: You work., model: "script:talk.yaml"}
children:
  - worker
  - name: pool
    children:
      - {agent: reader, count: 2, model: "code:think.py:think"}
"""
READER = "---\nname: reader\ndescription: Reads.\nmodel: script:here.yaml\n---\nYou read.\n"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database with a team; nothing here changes it."""
    folder = tmp_path_factory.mktemp("teams")
    asyncio.run(fill(folder))
    return folder


@pytest.fixture
def records(filled: Path, monkeypatch) -> Path:
    """A database with a team, and no Temporal server."""
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(filled))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    return filled


def data_of(capsys):
    return json.loads(capsys.readouterr().out)


def drawn(picture: Picture, width: int = 100, height: int = 40, symbols: bool = True) -> list[str]:
    lines = draw(picture, NOW, Screen(width, height, symbols)).renderables
    return [line.plain.rstrip() for line in lines]


SHOP = TeamSight(team="shop", supervisors=VIEWS, agents=ROWS)


# Looking.


def test_the_tree_shows_states_restarts_tasks_and_errors(records, capsys):
    assert execute(["team", "tree", "shop"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].startswith("shop  ▶ running  one_for_one, restarts: 2 of 3 left in 5.0s")
    assert lines[1] == "4 agents: 1 backing off, 1 held, 2 running"
    assert "restarts 2  works on: Sell the red lamp" in lines[2]
    assert lines[4].startswith("│  ├─ ▶ running")
    assert "! held" in lines[6]
    assert "model 'x:y' is unknown" in lines[6]
    assert "no Temporal server answers" in told.err
    assert "`mainstay up`" in told.err


def test_a_part_of_the_tree_is_shown_by_its_path(records, capsys):
    assert execute(["team", "tree", "shop/desk", "--json"]) == 0
    data = data_of(capsys)
    assert data["supervisor"]["path"] == "desk"
    assert [one["name"] for one in data["supervisor"]["children"]] == ["writer", "critic"]
    assert execute(["team", "tree", "shop/dsk"]) == 4
    assert "has no supervisor 'dsk'" in capsys.readouterr().err


def test_the_tree_as_json_is_nested_and_tells_tasks_and_errors(records, capsys):
    assert execute(["team", "tree", "shop", "--json"]) == 0
    data = data_of(capsys)
    clerk, desk, porter = data["supervisor"]["children"]
    assert (clerk["task"], clerk["pending"], clerk["agent"]) == (
        "Sell the red lamp",
        1,
        "shop/clerk",
    )
    assert (porter["state"], porter["error"]) == ("held", "model 'x:y' is unknown")
    assert [one["state"] for one in desk["supervisor"]["children"]] == ["running", "backing off"]
    assert data["driving"] == "unseen"


def test_status_tells_what_is_held_and_the_latest_events(records, capsys):
    assert execute(["team", "status", "shop"]) == 0
    told = capsys.readouterr()
    assert "4 agents" not in told.out
    assert "2 running" in told.out
    assert "1 waiting" in told.out
    assert "agent restarted      clerk it ?[31mfell over" in told.out
    assert "porter is not restarted, which would not cure it: model 'x:y'" in told.err
    assert "`mainstay supervisor restart shop porter`" in told.err


def test_list_leaves_out_what_has_ended_unless_asked(records, capsys):
    assert execute(["team", "list", "--json"]) == 0
    assert [one["team"] for one in data_of(capsys)] == ["shop"]
    assert execute(["team", "list", "--all"]) == 0
    out = capsys.readouterr().out
    assert "old" in out
    assert "taken down" in out


def test_children_are_listed_and_counted(records, capsys):
    assert execute(["supervisor", "children", "shop"]) == 0
    out = capsys.readouterr().out
    assert "! held" in out
    assert "3 in all, 2 active: 2 agents, 1 supervisors" in out
    assert execute(["supervisor", "children", "shop/desk", "--json"]) == 0
    assert data_of(capsys)["counts"] == {"specs": 2, "active": 1, "supervisors": 0, "workers": 2}


def test_events_are_printed_one_a_line(records, capsys):
    assert execute(["team", "events", "shop", "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["type"] == "AGENT_RESTARTED"


@pytest.mark.parametrize("command", ["status", "tree", "events", "down"])
def test_an_unknown_team_is_not_found(records, capsys, command):
    assert execute(["team", command, "none"]) == 4
    assert "there is no team 'none'" in capsys.readouterr().err


def test_watching_a_team_that_has_ended_shows_it_once(records, capsys):
    assert execute(["team", "tree", "old", "--watch"]) == 0
    assert "old: terminated; no agents" in capsys.readouterr().out


# Drawing.


@pytest.mark.parametrize("width", [20, 40, 100])
@pytest.mark.parametrize("symbols", [True, False])
def test_no_line_is_wider_than_the_screen_and_none_needs_colour(width, symbols):
    lines = drawn(Picture(SHOP, note="no worker serves it, so it rests"), width, 40, symbols)
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "running" in text
    assert symbols or text.isascii()


def test_where_not_all_fit_those_in_trouble_are_shown_and_the_others_counted():
    crowd = [child(f"worker-{number}") for number in range(200)]
    crowd[150] = child("worker-150", ChildPhase.BACKING_OFF)
    sight = TeamSight(team="shop", supervisors=(view("", *crowd),))
    lines = drawn(Picture(sight), height=10)
    assert len(lines) == 10
    assert "backing off" in next(line for line in lines if "worker-150" in line)
    assert lines[-1] == "└─ and 193 running"


def test_a_tree_of_many_supervisors_is_cut_and_says_so():
    names = [f"s{number}" for number in range(50)]
    root = view("", *(lower(name, name) for name in names))
    sight = TeamSight(team="shop", supervisors=(root, *(view(name) for name in names)))
    lines = drawn(Picture(sight), height=12)
    assert len(lines) == 12
    assert lines[-1] == "and 41 more lines"


def test_a_paused_agent_is_shown_as_paused_and_a_starting_one_as_starting():
    sight = TeamSight(
        team="shop",
        supervisors=(view("", child("clerk"), child("writer", ChildPhase.STARTING)),),
        agents=(row("clerk", state=LifeState.PAUSED, detail="out of budget"),),
    )
    lines = drawn(Picture(sight))
    assert "paused" in lines[2]
    assert "out of budget" in lines[2]
    assert "starting" in lines[3]


# Files.


@pytest.fixture
def team_file(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "teams"
    (folder / "agents").mkdir(parents=True)
    (folder / "agents" / "reader.md").write_text(READER)
    (folder / "small.yaml").write_text(TEAM)
    (folder / "talk.yaml").write_text("turns: [{say: hi}]\n")
    (folder / "think.py").write_text("def think(prompt, entries): return prompt\n")
    return folder / "small.yaml"


def test_a_team_file_is_validated_with_the_agents_beside_it(team_file, capsys):
    assert execute(["team", "validate", str(team_file)]) == 0
    assert capsys.readouterr().out == f"{team_file}: ok, 3 agents\n"


def test_everything_wrong_with_team_files_is_told_with_its_place(team_file, capsys):
    broken = team_file.with_name("broken.yaml")
    broken.write_text("team: b\nstrtegy: one_for_one\nchildren:\n  - agent: raeder\n")
    assert execute(["team", "validate", str(team_file), str(broken)]) == 3
    told = capsys.readouterr()
    assert f"{broken}:2:1: error:" in told.out
    assert f"{broken}:4:12: error:" in told.out
    assert "did you mean `reader`?" in told.out
    assert "2 problems in 2 files" in told.err
    assert execute(["team", "validate", str(broken), "--json"]) == 3
    assert len(data_of(capsys)["problems"]) == 2


def test_a_team_that_can_never_fit_is_refused_by_its_limit(team_file, capsys, monkeypatch):
    monkeypatch.setenv("MAINSTAY_LIMITS__AGENTS", "2")
    assert execute(["team", "validate", str(team_file)]) == 3
    assert "MAINSTAY_LIMITS__AGENTS" in capsys.readouterr().out


def test_the_schema_is_published(capsys):
    assert execute(["team", "schema"]) == 0
    assert data_of(capsys)["title"]


def test_models_in_files_are_found_beside_the_file_that_names_them(team_file):
    found = load_team(team_file)
    folder = team_file.parent.resolve()
    assert found.spec.agents["worker"].model == f"script:{folder}/talk.yaml"
    assert found.spec.children[1].supervisor is not None
    [pool] = found.spec.children[1].supervisor.children
    assert pool.model == f"code:{folder}/think.py:think"
    assert [spec.name for spec in found.catalogue] == ["reader"]
    assert located("openai:gpt-5", folder) == "openai:gpt-5"
    assert located("code:package.module:think", folder) == "code:package.module:think"


def test_name_and_model_of_the_command_go_before_those_of_the_file(team_file):
    found = load_team(team_file, name="other", model="openai:gpt-5")
    assert found.spec.team == "other"
    assert {spec.model for spec in (*found.spec.agents.values(), *found.catalogue)} == {
        "openai:gpt-5"
    }


def test_a_wrong_name_and_a_missing_file_are_told(team_file, capsys):
    assert execute(["team", "up", str(team_file), "--name", "a/b"]) == 3
    assert execute(["team", "up", "none.yaml"]) == 4
    assert "there is no team file 'none.yaml'" in capsys.readouterr().err


def test_an_agent_without_a_model_is_told_before_anything_starts(team_file, records, capsys):
    team_file.write_text("team: t\nagents: {w: {prompt: x}}\nchildren: [w]\n")
    assert execute(["team", "up", str(team_file)]) == 3
    assert "there is no default: w" in capsys.readouterr().err


# Steering without a server.


@pytest.mark.parametrize(
    "words",
    [
        ["supervisor", "remove", "shop", "clerk"],
        ["supervisor", "restart", "shop", "clerk"],
        ["supervisor", "add", "shop", "--name", "x"],
        ["agent", "pause", "--team", "shop", "--yes"],
        ["agent", "stop", "--under", "shop/desk", "--yes"],
        ["team", "down", "shop", "--yes"],
    ],
)
def test_what_needs_a_server_says_so(records, capsys, words):
    assert execute(words) == 7
    assert "hint:" in capsys.readouterr().err


def test_nothing_is_done_to_many_without_a_yes(records, capsys):
    assert execute(["team", "down", "shop"]) == 3
    told = capsys.readouterr().err
    assert "End team 'shop' with its 2 agents?" in told
    assert "--yes" in told


def test_agents_are_named_or_chosen_and_not_both(records, capsys):
    assert execute(["agent", "stop"]) == 3
    assert "no agent is named" in capsys.readouterr().err


def test_lists_choose_agents_by_team_supervisor_and_age(records, capsys):
    def names(*words: str) -> set[str]:
        assert execute(["agent", "list", "--json", *words]) == 0
        return {one["name"] for one in data_of(capsys)}

    everyone = {"shop/clerk", "shop/porter", "shop/writer", "shop/critic"}
    assert names("--team", "shop") == everyone
    assert names("--under", "shop/desk") == {"shop/writer", "shop/critic"}
    assert names("--under", "shop/desk", "--limit", "2") == {"shop/writer", "shop/critic"}
    assert len(names("--under", "shop/desk", "--limit", "1")) == 1
    assert execute(["agent", "list", "--team", "old", "--under", "shop/desk"]) == 3
    capsys.readouterr()
    assert names("--team", "shop", "--role", "critic") == {"shop/critic"}
    assert names("--capability", "selling") == {"shop/clerk"}
    assert names("--team", "shop", "--state", "error") == {"shop/porter"}
    assert names("--older-than", "30d") == everyone
    assert names("--older-than", "3600d") == set()


def test_places_are_read_as_teams_and_paths():
    assert split_place("shop") == ("shop", "")
    assert split_place("shop/desk/inner") == ("shop", "desk/inner")
    assert split_place("supervisor/shop/desk") == ("shop", "desk")


# Many at once.


async def test_many_are_done_a_few_at_a_time_and_each_is_reported():
    running, most, told = 0, 0, []

    async def act(number: int) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if number == 3:
            raise Refused("not this one")
        if number == 4:
            raise ZeroDivisionError("oh")
        return f"did {number}"

    outcomes = await do_to_each(
        range(20), act, str, at_once=4, progress=lambda done, total: told.append((done, total))
    )
    assert most == 4
    assert [outcome.name for outcome in outcomes] == [str(number) for number in range(20)]
    assert [outcome.name for outcome in outcomes if outcome.error] == ["3", "4"]
    assert "ZeroDivisionError" in str(outcomes[4].error)
    assert told[-1] == (20, 20)


def test_progress_on_a_pipe_ends_with_the_last_word(capsys):
    with ProgressLine() as line:
        for number in range(100):
            line.show(f"{number} of 99")
    assert capsys.readouterr().err.splitlines() == ["0 of 99", "99 of 99"]


# Completion.


def test_completion_offers_teams_supervisors_and_children(records):
    assert complete_team("") == [("shop", "running")]
    assert complete_team("o") == [("old", "terminated")]
    assert {name for name, _ in complete_supervisor("shop")} == {"shop", "shop/desk"}
    assert [name for name, _ in complete_supervisor("shop/d")] == ["shop/desk"]
    assert ("critic", "shop/desk, backing_off") in complete_child("cr")


def test_completion_without_a_database_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path / "none"))
    assert complete_team("") == []
    assert complete_child("") == []


def test_a_role_that_nobody_can_have_is_refused(capsys):
    assert execute(["agent", "list", "--role", "critc"]) == 3
    said = capsys.readouterr().err
    assert "there is no role 'critc'" in said
    assert "did you mean `critic`?" in said
