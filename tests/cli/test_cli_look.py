"""`status`, `list`, `result`, `history`, `tools`, `doctor`, `replay` where no server answers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainstay.cli.main import execute
from mainstay.schemas.records import EventKind, OutputChunk, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.storage.store import open_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FAILED, ASKING, DONE = "plan/p/failed", "plan/p/asking", "plan/q/done"


@pytest.fixture
def records(tmp_path: Path, monkeypatch) -> Path:
    """A database with three plans, and no Temporal server."""
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    asyncio.run(_fill(f"sqlite:///{tmp_path}/mainstay.db"))
    return tmp_path


async def _fill(url: str) -> None:
    store = await open_store(url)
    await _plan(store, FAILED, PlanStatus.FAILED, TaskStatus.FAILED, "it broke")
    await _plan(store, ASKING, None, TaskStatus.ASKING, "Go on?")
    await _plan(store, DONE, PlanStatus.SUCCEEDED, TaskStatus.SUCCEEDED, "")
    await store.put_document("outputs/done", b'{"answer": [42, "\xc3\xa4"]}')
    await store.save_chunk(OutputChunk(plan_id=DONE, task="many", start=0, stop=2, values=[1, "b"]))
    await store.save_chunk(OutputChunk(plan_id=DONE, task="many", start=2, stop=3, values=[None]))
    await store.save_chunk(OutputChunk(plan_id=DONE, task="one", values=["text\n"]))
    await store.close()


async def _plan(store, plan_id, end, status, message) -> None:
    tasks = [
        TaskRow(plan_id=plan_id, name="one", position=0, tool="fs.list"),
        TaskRow(plan_id=plan_id, name="many", position=1, tool="fs.stat", items_total=3),
        TaskRow(plan_id=plan_id, name="none", position=2, tool="fs.stat"),
    ]
    row = PlanRow(
        plan_id=plan_id,
        name=plan_id.split("/")[1],
        status=PlanStatus.RUNNING,
        created_at=NOW,
        started_at=NOW,
        tasks_total=3,
    )
    await store.create_plan(row, tasks)
    events = [
        PlanEvent(
            plan_id=plan_id,
            key="1",
            kind=EventKind.TASK_STATUS,
            at=NOW + timedelta(seconds=1),
            task="one",
            status=status,
            message=message,
        )
    ]
    if end:
        events.append(
            PlanEvent(
                plan_id=plan_id,
                key="2",
                kind=EventKind.PLAN_ENDED,
                at=NOW + timedelta(seconds=90),
                status=end,
                message=message,
                ref="outputs/done",
            )
        )
    await store.append_events(events)


def test_status_says_what_a_plan_waits_for_and_what_to_type(records, capsys):
    assert execute(["status", "asking"]) == 0
    said = capsys.readouterr()
    assert "waits for an answer to one: Go on?" in said.out
    assert f"`mainstay approve {ASKING} one`" in said.err
    assert "from the records: no Temporal server answers" in said.err


def test_status_of_an_ended_plan_asks_nobody(records, capsys):
    assert execute(["status", FAILED]) == 0
    said = capsys.readouterr()
    assert "failed: it broke" in said.out
    assert "1m 30s" in said.out
    assert f"`mainstay retry {FAILED}`" in said.err
    assert "from the records" not in said.err


def test_status_as_json_has_the_rows_and_says_where_they_are_from(records, capsys):
    assert execute(["status", ASKING, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["plan"]["plan_id"] == ASKING
    assert [task["name"] for task in data["tasks"]] == ["one", "many", "none"]
    assert data["source"] == "records"


def test_status_without_id_counts_plans_and_lists_those_that_go_on(records, capsys):
    assert execute(["status"]) == 0
    out = capsys.readouterr().out
    assert "1  " in out
    assert ASKING in out
    assert FAILED not in out


def test_status_of_an_unknown_plan_is_not_found(records, capsys):
    assert execute(["status", "nobody"]) == 4
    assert capsys.readouterr().err.startswith("error: there is no plan 'nobody'\nhint: ")


def test_list_filters_by_state_and_name(records, capsys):
    assert execute(["list", "--status", "failed", "--json"]) == 0
    assert [row["plan_id"] for row in json.loads(capsys.readouterr().out)] == [FAILED]
    assert execute(["list", "--name", "p", "--limit", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert execute(["list", "--status", "tired"]) == 3
    assert "the states are running" in capsys.readouterr().err


def test_list_prints_whole_ids_on_a_pipe(records, capsys):
    assert execute(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(any(plan_id in line for line in lines) for plan_id in (FAILED, ASKING, DONE)) == 3


def test_an_option_also_reads_the_environment(records, capsys, monkeypatch):
    monkeypatch.setenv("MAINSTAY_LIMIT", "1")
    assert execute(["list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_result_prints_a_plans_outputs(records, capsys):
    assert execute(["result", "done"]) == 0
    assert json.loads(capsys.readouterr().out) == {"answer": [42, "ä"]}


def test_result_of_a_list_is_one_item_a_line_and_valid_json(records, capsys, tmp_path):
    file = tmp_path / "out.json"
    assert execute(["result", DONE, "many", "-o", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(file.read_text()) == [1, "b", None]
    assert len(file.read_text().splitlines()) == 5


def test_result_prints_a_text_as_it_is_when_asked(records, capsys):
    assert execute(["result", DONE, "one", "--raw"]) == 0
    assert capsys.readouterr().out == "text\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([ASKING], 4, "nothing back yet: it is running"),
        ([FAILED], 1, "failed: it broke"),
        ([DONE, "mny"], 4, "has no task 'mny'"),
        ([DONE, "none"], 4, "'none' has given nothing back"),
    ],
)
def test_result_that_is_not_there_says_why(records, capsys, arguments, code, message):
    assert execute(["result", *arguments]) == code
    assert message in capsys.readouterr().err


def test_history_prints_the_events_in_order(records, capsys):
    assert execute(["history", FAILED, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["kind"] for event in events] == ["task_status", "plan_ended"]
    assert execute(["history", FAILED]) == 0
    assert "it broke" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        ["approve", ASKING],
        ["pause", ASKING],
        ["retry", FAILED],
        ["history", ASKING, "--temporal"],
        ["records", "rebuild"],
    ],
    ids=lambda command: command[0],
)
def test_what_needs_a_server_says_that_none_answers(records, capsys, command):
    assert execute(command) == 7
    assert "127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.slow
def test_tools_lists_them_and_shows_one_with_an_example(capsys):
    assert execute(["tools"]) == 0
    assert "fs.list" in capsys.readouterr().out
    assert execute(["tools", "fs.read"]) == 0
    out = capsys.readouterr().out
    assert "  tool: fs.read" in out
    assert "    path: " in out
    assert execute(["tools", "fs.raed"]) == 4
    assert "did you mean `fs.read`?" in capsys.readouterr().err


def test_tools_as_json_are_their_specs(capsys):
    assert execute(["tools", "fs.read", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["required"] == ["path"]


def test_doctor_fails_when_the_configured_server_does_not_answer(records, capsys):
    assert execute(["doctor", "--json"]) == 7
    checks = {c["what"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["Temporal server"]["health"] == "error"
    assert checks["database"]["health"] == "ok"
    assert checks["tools"]["health"] == "ok"


def test_doctor_is_content_without_a_server_that_a_run_would_start(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path / "new"))
    monkeypatch.setattr("mainstay.connection.DEFAULT_ADDRESS", "127.0.0.1:1")
    assert execute(["doctor", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "Temporal server" in out
    assert "Python" not in out
    assert not (tmp_path / "new").exists()


def test_doctor_never_shows_a_password(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MAINSTAY_DATABASE_URL", "postgresql://me:s3cret@127.0.0.1:1/db")
    assert execute(["doctor"]) == 7
    said = capsys.readouterr()
    assert "database 'db' on 127.0.0.1:1" in said.out
    assert "s3cret" not in said.out + said.err


def test_doctor_names_tools_that_do_not_load(records, capsys, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    assert execute(["doctor", "--tools", str(broken)]) == 7
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{}", '{"events": []}', '{"events": [{"eventId": "1"}]}'])
def test_replay_of_a_file_that_is_no_history_says_so(tmp_path, capsys, text):
    file = tmp_path / "h.json"
    file.write_text(text)
    assert execute(["replay", str(file)]) == 3
    assert "is no history" in capsys.readouterr().err


def test_replay_of_a_file_that_is_not_there_is_not_found(tmp_path, capsys):
    assert execute(["replay", str(tmp_path / "h.json")]) == 4
    assert "h.json" in capsys.readouterr().err


def test_what_a_tool_said_cannot_steer_the_terminal():
    from mainstay.cli.printing import one_line

    assert one_line("red \x1b[31m\nalert\x9b \udcff") == "red ?[31m alert? ?"


def test_a_column_of_states_has_words_beside_symbols_and_no_colour_on_a_pipe(records, capsys):
    assert execute(["list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "failed" in out


def test_steering_without_any_server_says_how_plans_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("mainstay.connection.DEFAULT_ADDRESS", "127.0.0.1:1")
    assert execute(["pause", "some"]) == 7
    assert "`mainstay watch ID`" in capsys.readouterr().err
