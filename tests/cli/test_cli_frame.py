"""The frame of the command line: help, errors, exit codes, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mainstay.cli import main as program
from mainstay.cli.completion import complete_plan_file, complete_plan_id
from mainstay.cli.main import build_app, execute
from mainstay.cli.running import prepare_run
from mainstay.schemas.errors import ERRORS, InvalidInput, LimitReached, NotFound, PlanFailed
from mainstay.schemas.priority import Level
from mainstay.settings import Settings

HEAVY = ("temporalio", "sqlmodel", "sqlalchemy", "pydantic", "jinja2", "httpx", "yaml")
PLAN = """\
name: greet
inputs:
  who: {type: string}
  times: {type: integer, default: 1}
tasks:
  say:
    tool: text.render
    with: {template: "hello {{ who }}", variables: {who: "${{ inputs.who }}"}}
"""


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    file = tmp_path / "greet.yaml"
    file.write_text(PLAN)
    return file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch):
    """Let the program be one command that raises an error."""

    def let(error: BaseException) -> None:
        import typer

        def build() -> typer.Typer:
            app = typer.Typer(pretty_exceptions_enable=False)

            @app.command()
            def broken() -> None:
                raise error

            return app

        monkeypatch.setattr(program, "build_app", build)

    return let


def run_program(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mainstay.cli.main", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )


def test_help_lists_every_panel_in_its_order_and_loads_nothing_heavy():
    script = (
        "import sys\nfrom mainstay.cli.main import execute\n"
        "code = execute(['--help'])\nprint(code, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *shown, loaded = done.stdout.splitlines()
    panels = [line.split()[1] for line in shown if line.startswith("╭─") and "Options" not in line]
    assert panels == ["Run", "Agents", "Steer", "Look", "Set"]
    code, *modules = loaded.split()
    assert code == "0"
    assert not {name.partition(".")[0] for name in modules} & set(HEAVY)


def test_every_option_also_reads_the_environment():
    own_way = {"--help", "--version", "--install-completion", "--show-completion", "--tools"}
    own_way.add("--model")  # MAINSTAY_MODEL is the default of agents that name none, no more
    from typer.main import get_command

    without = []
    pending = [get_command(build_app())]
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        without += [
            f"{command.name} {option.name}"
            for option in command.params
            if option.param_type_name == "option"
            and not own_way & set(option.opts)
            and not str(option.envvar or "").startswith("MAINSTAY_")
        ]
    assert not without


def test_version_is_told(capsys):
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mainstay ")


def test_unknown_command_is_a_usage_error(capsys):
    assert execute(["rnu"]) == 2
    assert "run" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ERRORS.values(), ids=lambda kind: kind.__name__)
def test_error_of_ours_is_told_with_its_hint_and_its_exit_code(raising, capsys, kind):
    raising(kind("it broke", hint="mend it"))
    assert execute([]) == kind.exit_code
    told = capsys.readouterr()
    assert told.err == "error: it broke\nhint: mend it\n"
    assert told.out == ""


def test_interrupt_ends_with_what_a_shell_expects(raising, monkeypatch):
    raising(KeyboardInterrupt())
    assert execute([]) == 130

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "build_app", interrupted)
    assert execute([]) == 130


def test_unforeseen_error_is_told_without_a_traceback_and_written_to_the_log(raising, capsys, home):
    raising(ZeroDivisionError("by zero"))
    assert execute([]) == 1
    told = capsys.readouterr().err
    assert "error: unexpected ZeroDivisionError: by zero; please report it" in told
    assert "Traceback" not in told
    log = (home / "mainstay.log").read_text()
    assert "Traceback" in log
    assert str(home / "mainstay.log") in told


def test_unforeseen_error_shows_where_with_debug(raising, capsys, monkeypatch, home):
    monkeypatch.setenv("MAINSTAY_DEBUG", "1")
    raising(ZeroDivisionError("by zero"))
    assert execute([]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_wrong_setting_is_named(capsys, monkeypatch, plan_file):
    monkeypatch.setenv("MAINSTAY_DURABILITY", "sometimes")
    assert execute(["run", str(plan_file)]) == 3
    told = capsys.readouterr().err
    assert "MAINSTAY_DURABILITY cannot be 'sometimes'" in told


@pytest.mark.slow
def test_whole_program_leaves_with_the_exit_code_of_its_error(tmp_path):
    done = run_program("run", str(tmp_path / "none.yaml"), MAINSTAY_DATA_DIR=str(tmp_path))
    assert done.returncode == NotFound.exit_code
    assert done.stdout == ""
    assert done.stderr.startswith("error: there is no plan file ")
    assert "Traceback" not in done.stderr


def test_broken_plan_is_told_with_every_place_before_anything_starts(tmp_path, home, capsys):
    file = tmp_path / "broken.yaml"
    file.write_text("name: b\ntasks:\n  a:\n    tol: text.render\n  c:\n    tool: nope.nope\n")
    assert execute(["run", str(file)]) == InvalidInput.exit_code
    told = capsys.readouterr().err
    assert f"{file}:4:5: error: " in told
    assert f"{file}:6:11: error: " in told
    assert not (home / "temporal.db").exists()


def test_sub_plan_file_is_read_from_beside_the_plan(tmp_path):
    (tmp_path / "inner.yaml").write_text(PLAN.replace("{type: string}", "{default: you}"))
    outer = tmp_path / "outer.yaml"
    outer.write_text("name: outer\ntasks:\n  a:\n    plan: ./inner.yaml\n")
    request = prepare_run(Settings(), str(outer))
    assert [plan.name for plan in request.plan.plans.values()] == ["greet"]
    (tmp_path / "inner.yaml").write_text("name: greet\ntasks: 3\n")
    with pytest.raises(InvalidInput, match=r"inner\.yaml:2:8: error"):
        prepare_run(Settings(), str(outer))


def test_inputs_are_read_by_their_types_and_the_command_line_has_precedence(plan_file, tmp_path):
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"who": "file", "times": 7}))
    request = prepare_run(
        Settings(), str(plan_file), texts=["who=a=b"], inputs_file=str(values), priority="high"
    )
    assert request.inputs == {"who": "a=b", "times": 7}
    assert request.plan.priority is Level.HIGH


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "the input `who` is missing"),
        (["-i", "who"], "'who' gives no input a value"),
        (["-i", "whom=x"], "has no input 'whom'"),
        (["-i", "who=x", "-i", "times=many"], "'many' is not a whole number"),
        (["-i", "who=x", "--priority", "soon"], "'soon' is no priority"),
        (["-i", "who=x", "--inputs", "none.yaml"], "there is no file 'none.yaml'"),
        (["-i", "who=x", "--tools", "no_such_module"], "there is no module 'no_such_module'"),
    ],
)
def test_wrong_input_is_told_before_anything_starts(plan_file, home, capsys, words, expected):
    assert execute(["run", str(plan_file), *words]) in (InvalidInput.exit_code, NotFound.exit_code)
    told = capsys.readouterr().err
    assert expected in told
    assert "Traceback" not in told
    assert not (home / "temporal.db").exists()


@pytest.mark.slow
def test_detach_is_refused_when_the_server_would_end_with_the_command(plan_file, home):
    done = run_program("run", str(plan_file), "-i", "who=x", "--detach")
    assert done.returncode == 6
    assert "--detach needs a Temporal server" in done.stderr
    assert "mainstay up" in done.stderr


def test_completion_without_a_database_is_empty(home):
    assert complete_plan_id("") == []


def test_completion_of_a_damaged_database_is_empty(home):
    home.mkdir()
    (home / "mainstay.db").write_bytes(b"no database" * 100)
    assert complete_plan_id("") == []


async def test_completion_offers_running_plans_by_id_and_by_name(home):
    from datetime import UTC, datetime

    from mainstay.schemas.records import PlanRow
    from mainstay.schemas.run import PlanStatus
    from mainstay.storage.store import open_store

    store = await open_store(Settings().resolved_database_url)
    for name, status in (("demo", PlanStatus.RUNNING), ("old", PlanStatus.FAILED)):
        row = PlanRow(
            plan_id=f"plan/{name}/1", name=name, status=status, created_at=datetime.now(UTC)
        )
        await store.create_plan(row, [])
    await store.close()
    assert complete_plan_id("") == [("plan/demo/1", "demo, running")]
    assert complete_plan_id("de") == [("plan/demo/1", "demo, running")]
    assert complete_plan_id("plan/ol") == [("plan/old/1", "old, failed")]


def test_completion_offers_plan_files_and_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.yaml", "b.yml", "c.txt", ".hidden.yaml"):
        Path(name).touch()
    Path("plans").mkdir()
    assert complete_plan_file("") == ["a.yaml", "b.yml", "plans/"]
    assert complete_plan_file("a") == ["a.yaml"]


def test_failures_of_plans_are_told_apart_by_exit_code():
    from mainstay.cli.ending import _failure
    from mainstay.schemas.calls import PlanResult
    from mainstay.schemas.run import Failure, PlanStatus

    def code(kind: str) -> int:
        failure = Failure(type=kind, message="m")
        return _failure(
            PlanResult(plan_id="plan/a/1", status=PlanStatus.FAILED, failure=failure)
        ).exit_code

    assert code("ToolFailed") == PlanFailed.exit_code == 1
    assert code("Refused") == 6
    assert code("LimitReached") == LimitReached.exit_code == 5
