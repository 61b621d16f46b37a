"""`plan validate`, `plan show`, `plan schema` and `init`: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mainstay.cli.main import execute
from mainstay.cli.plan_schema import plan_schema
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.schemas.plan import PlanSpec, TaskSpec

GOOD = """\
name: good
description: Reads a folder
inputs:
  folder: {default: ., description: where}
  depth: {type: integer}
tasks:
  end:
    tool: fs.list
    with: {path: "${{ inputs.folder }}"}
  many:
    needs: end
    for_each: ${{ needs.end.outputs }}
    batch: 20
    tool: fs.stat
    with: {path: "${{ item }}"}
    retry: 5
    timeout: 90s
  ask:
    needs: end
    approval: {message: 'Say "yes"?', deadline: 1h, default: reject}
  inner:
    needs: [many, ask]
    if: inputs.depth > 1
    plan: small
plans:
  small:
    name: small
    tasks:
      only: {tool: json.query, with: {expression: a, data: {}}}
outputs:
  found: ${{ needs.many.outputs }}
"""
BAD = "name: bad\ntasks:\n  a:\n    tool: fs.lst\n  b:\n    nedes: a\n    tool: fs.stat\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    return file


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    return file


def test_validate_says_ok_and_how_many_tasks(good, capsys):
    assert execute(["plan", "validate", str(good)]) == 0
    assert capsys.readouterr().out == f"{good}: ok, 4 tasks\n"


def test_validate_shows_every_problem_in_its_line_with_a_caret(good, bad, capsys):
    assert execute(["plan", "validate", str(bad), str(good)]) == 3
    said = capsys.readouterr()
    lines = said.out.splitlines()
    place = lines.index(f"{bad}:4:11: error: there is no tool `fs.lst`")
    assert lines[place + 1] == "    4 |     tool: fs.lst"
    assert lines[place + 2].index("^") == lines[place + 1].index("fs.lst")
    assert "did you mean `fs.list`?" in lines[place + 3]
    assert any(line.startswith(f"{bad}:6:5: error") and "nedes" in line for line in lines)
    assert f"{good}: ok, 4 tasks" in lines
    assert said.err.startswith("error: ")


def test_validate_prints_problems_as_json(bad, capsys):
    assert execute(["plan", "validate", "--json", str(bad)]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert {"line", "column", "message", "hint"} <= set(report["problems"][0])


def test_a_plan_that_is_not_there_is_not_found(tmp_path, capsys):
    assert execute(["plan", "validate", str(tmp_path / "none.yaml")]) == 4
    assert "none.yaml" in capsys.readouterr().err


def test_show_draws_each_task_below_those_it_needs(good, capsys):
    assert execute(["plan", "show", str(good)]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    order = [
        next(i for i, line in enumerate(lines) if f" {name} " in line and "  " in line[4:])
        for name in ("end", "many", "inner")
    ]
    assert order == sorted(order)
    assert "20 at a time" in out
    assert "depth   integer  required" in out
    assert "at most 5 attempts" in out
    assert "waits 1h 00m, then reject" in out
    assert "Sub-plan small" in out


def test_show_draws_mermaid_whose_ids_are_no_reserved_words(good, capsys):
    assert execute(["plan", "show", "--mermaid", str(good)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "flowchart TD"
    assert '  t0["end<br/>fs.list"]' in lines
    assert "  t0 --> t1" in lines
    assert "  t2 -. if .-> t3" in lines


def test_show_prints_levels_as_json(good, capsys):
    assert execute(["plan", "show", "--json", str(good)]) == 0
    drawn = json.loads(capsys.readouterr().out)
    assert drawn["levels"] == [["end"], ["many", "ask"], ["inner"]]
    assert drawn["inputs"]["depth"]["required"] is True


def test_show_refuses_a_broken_plan(bad, capsys):
    assert execute(["plan", "show", str(bad)]) == 3
    assert "there is no tool `fs.lst`" in capsys.readouterr().err


AGENTS = """\
name: team
agents:
  reader: {prompt: You read., capabilities: [reading], description: reads, tools: 'fs.read'}
  critic: agents/critic.md
tasks:
  read: {agent: reader, prompt: Read it., verify: {agent: critic, criteria: [short]}}
  any: {capability: reading, prompt: {what: data}}
"""


@pytest.fixture
def team(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "critic.md").write_text("---\nname: critic\n---\nYou judge.\n")
    file = tmp_path / "team.yaml"
    file.write_text(AGENTS)
    return file


@pytest.mark.slow
def test_show_names_the_agents_and_what_they_are_told(team, capsys):
    assert execute(["plan", "show", str(team)]) == 0
    out = capsys.readouterr().out
    assert "agent reader" in out
    assert "agent with reading" in out
    assert 'told "Read it."; verified by critic, at most 3 rounds' in out
    assert "default model  for reading  reads" in out
    assert execute(["plan", "show", "--json", str(team)]) == 0
    drawn = json.loads(capsys.readouterr().out)
    assert drawn["tasks"]["read"]["agent"] == "reader"
    assert set(drawn["agents"]) == {"reader", "critic"}


def test_a_plan_whose_agents_have_no_model_is_refused_before_anything_starts(team, capsys):
    assert execute(["run", str(team)]) == 3
    said = capsys.readouterr().err
    assert "names no model for the tasks 'read', 'any'" in said
    assert "MAINSTAY_MODEL" in said


@pytest.mark.slow
def test_a_folder_of_agents_is_read_beside_the_plan(team, capsys):
    text = AGENTS.replace("agents:\n", "agents: agents\n").split("  reader")[0]
    team.write_text(text + "tasks: {a: {agent: critic, prompt: x}}\n")
    assert execute(["plan", "validate", str(team)]) == 0
    team.write_text(team.read_text().replace("agents: agents", "agents: none"))
    assert execute(["plan", "validate", str(team)]) == 3
    assert "there is no folder" in capsys.readouterr().out


def test_schema_takes_agents_by_file_by_folder_and_written_out(team):
    validator = Draft202012Validator(plan_schema(["fs.read"]))
    for agents in ("agents/", {"a": "a.md"}, {"a": {"prompt": "x", "context": "full"}}):
        plan = {"name": "p", "agents": agents, "tasks": {"t": {"agent": "a", "prompt": "x"}}}
        assert list(validator.iter_errors(plan)) == []
    for agents in (5, {"a": 5}, {"a": {"promt": "x"}}):
        plan = {"name": "p", "agents": agents, "tasks": {"t": {"tool": "fs.read"}}}
        assert list(validator.iter_errors(plan))


def test_schema_is_one_document_and_its_use_is_a_hint(capsys):
    assert execute(["plan", "schema"]) == 0
    said = capsys.readouterr()
    schema = json.loads(said.out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "# yaml-language-server: $schema=" in said.err


def test_schema_knows_every_key_of_a_plan_by_the_name_that_people_write():
    definitions = plan_schema()["$defs"]
    for model, extra in ((PlanSpec, {"$schema"}), (TaskSpec, set())):
        names = {field.alias or name for name, field in model.model_fields.items()}
        assert set(definitions[model.__name__]["properties"]) == names | extra
        assert definitions[model.__name__]["additionalProperties"] is False
    assert {"with", "if"} <= set(definitions["TaskSpec"]["properties"])


def test_schema_allows_the_short_forms():
    task = plan_schema(["fs.list"])["$defs"]["TaskSpec"]["properties"]
    assert {"type": "string"} in task["needs"]["anyOf"]
    assert {"type": "integer", "minimum": 1} in task["retry"]["anyOf"]
    assert {"const": True} in task["approval"]["anyOf"]
    assert {"enum": ["fs.list"]} in task["tool"]["anyOf"]
    assert {"type": "string"} in task["tool"]["anyOf"]


def test_a_plan_may_name_its_schema_only_in_a_comment():
    text = f"# yaml-language-server: $schema=plan.schema.json\n{GOOD}"
    assert read_plan(text, "x").data == yaml.safe_load(GOOD)


@pytest.mark.slow
def test_init_writes_a_plan_that_is_valid_and_a_tool_that_loads(tmp_path, capsys):
    folder = tmp_path / "new"
    assert execute(["init", str(folder)]) == 0
    plan, tools = str(folder / "plan.yaml"), str(folder / "my_tools.py")
    assert capsys.readouterr().out.split() == [plan, tools]
    assert execute(["plan", "validate", plan, "--tools", tools]) == 0
    assert execute(["tools", "--tools", tools]) == 0
    assert "my_tools.count_words" in capsys.readouterr().out


@pytest.mark.slow
def test_init_never_overwrites(tmp_path, capsys):
    plan = tmp_path / "plan.yaml"
    plan.write_text("mine")
    assert execute(["init", str(tmp_path)]) == 0
    assert plan.read_text() == "mine"
    assert "left alone" in capsys.readouterr().err


def test_init_into_a_file_is_an_error_without_a_traceback(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    assert execute(["init", str(file)]) == 3
    assert capsys.readouterr().err.startswith("error: cannot write")
