"""Every example runs, on the real server, on a tree that the test makes."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from temporalio.client import Client

from documentation import PAGES, blocks_of, tools_of
from mainstay.client import Mainstay
from mainstay.decisions.plan_files.plan_file import read_plan
from mainstay.decisions.plan_files.validation import validate
from mainstay.handle import PlanHandle
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.run import PlanStatus, TaskStatus
from mainstay.settings import Settings
from mainstay.storage.store import open_store
from mainstay.tools.catalogue import load_catalogue
from mainstay.worker import running_worker

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TOOLS = [str(EXAMPLES / "audit_tools.py")]
TIMEOUT_SECONDS = 60
KEY = "k" + "9f3Qz7LmX2vB8nTc4RwY6pHd"
"""Looks like a key, and is none."""


@asynccontextmanager
async def connected(
    temporal: Client, settings: Settings, tools: list[str]
) -> AsyncIterator[Mainstay]:
    """A client beside a worker with some tools."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with running_worker(temporal, settings, tools):
        store = await open_store(settings.resolved_database_url)
        async with Mainstay(temporal, store, settings) as client:
            yield client


@pytest.fixture
async def mainstay(temporal_client: Client, settings: Settings) -> AsyncIterator[Mainstay]:
    """A client beside a worker with the tools of the examples."""
    settings = settings.model_copy(update={"task_queue": "examples"})
    async with connected(temporal_client, settings, TOOLS) as client:
        yield client


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project with something for every part of the report."""
    root = tmp_path / "project"
    files: dict[str, str | bytes] = {
        "pyproject.toml": "[project]\nname = 'small'\ndependencies = ['rich>=14']\n",
        "app.py": "# The app\nimport os\n\n\ndef run():\n" + "    x = 1\n" * 70,
        "web/main.js": "// " + "TODO: write it\nlet x;\n",
        "conf/café.yaml": f"password: '{KEY}'\n",
        "empty.txt": "",
        "latin.txt": "caf\xe9\n".encode("latin-1"),
        "picture.dat": b"\0\1\2",
        ".github/ci.yml": "on: push\n",
        "node_modules/left/index.js": "ignored();\n",
    }
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def load(name: str) -> PlanSpec:
    path = EXAMPLES / name
    return check(path.read_text(), str(path), TOOLS)


def check(text: str, source: str, tools: list[str]) -> PlanSpec:
    found = validate(read_plan(text, source), load_catalogue(tools).specs())
    assert found.plan is not None, [str(problem) for problem in found.problems]
    assert not found.problems, [str(problem) for problem in found.problems]
    return found.plan


async def finish(handle: PlanHandle, approve: bool = True) -> PlanStatus:
    """Answer whatever the plan asks, and return how it ended."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in handle.events():
            if event.status is TaskStatus.ASKING:
                await handle.answer(event.task, approve, by="the test")
        return (await handle.result()).status


async def audit(mainstay: Mainstay, tree: Path, report: Path) -> dict[str, Any]:
    inputs = {"path": str(tree), "report": str(report)}
    handle = await mainstay.start(load("repository-audit.yaml"), inputs)
    assert await finish(handle) is PlanStatus.SUCCEEDED, (await handle.result()).failure
    outputs: dict[str, Any] = await handle.outputs()
    return outputs


def git(folder: Path, *arguments: str) -> None:
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    names = ("AUTHOR", "COMMITTER")
    identity |= {f"GIT_{one}_NAME": "Test" for one in names}
    identity |= {f"GIT_{one}_EMAIL": "test@example.org" for one in names}
    subprocess.run(
        ["git", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, **identity},
    )


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


async def test_hello_greets(mainstay: Mainstay):
    handle = await mainstay.start(load("hello.yaml"), {"name": "Ada"})
    assert await finish(handle) is PlanStatus.SUCCEEDED
    assert await handle.outputs() == {"greeting": "HELLO, ADA!", "letters": 8}


@needs_git
async def test_the_audit_reports_what_is_in_the_tree(
    mainstay: Mainstay, tree: Path, tmp_path: Path
):
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "first")
    (tree / "conf/café.yaml").write_text(f"password: '{KEY}'\n\n")
    git(tree, "commit", "-q", "-a", "-m", "second")

    outputs = await audit(mainstay, tree, tmp_path / "report")

    text = Path(outputs["report"]).read_text()
    assert (outputs["files"], outputs["lines"], outputs["possible_secrets"]) == (8, 84, 1)
    assert outputs["hot_spots"] == "app.py, web/main.js"
    assert "churn from the last 2 commits" in text
    assert "| `app.py` | 72 | 1 | 72 |" in text
    assert "| `app.py:5` | `run` | 71 |" in text
    assert "| `web/main.js:1` | TODO | write it |" in text
    assert "| `conf/café.yaml:1` | assigned secret | k9f3… (25 characters) |" in text
    assert KEY not in text
    assert "| `pyproject.toml` |  | `rich` \\>=14 |" in text
    assert "node_modules" not in text
    assert "](repository-audit.svg)" in text
    ElementTree.parse(outputs["chart"])


async def test_two_audits_of_one_tree_give_the_same_bytes_even_into_it(
    mainstay: Mainstay, tree: Path, tmp_path: Path
):
    first = await audit(mainstay, tree, tree)
    bodies = [Path(first[name]).read_bytes() for name in ("report", "chart")]
    second = await audit(mainstay, tree, tmp_path / "report")
    assert [Path(second[name]).read_bytes() for name in ("report", "chart")] == bodies


async def test_outside_of_a_git_repository_hot_spots_are_ranked_by_size(
    mainstay: Mainstay, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    text = Path((await audit(mainstay, tree, tmp_path / "report"))["report"]).read_text()
    assert "without a Git history" in text
    assert "| `app.py` | 72 | 0 | 0 |" in text


async def test_without_git_the_audit_goes_on(
    mainstay: Mainstay, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    text = Path((await audit(mainstay, tree, tmp_path / "report"))["report"]).read_text()
    assert "without a Git history" in text


async def test_an_empty_folder_has_a_report_too(mainstay: Mainstay, tmp_path: Path):
    (tmp_path / "nothing").mkdir()
    outputs = await audit(mainstay, tmp_path / "nothing", tmp_path / "report")
    assert outputs["files"] == 0
    assert "None: there is no code." in Path(outputs["report"]).read_text()


async def test_a_rejected_audit_writes_nothing(mainstay: Mainstay, tree: Path, tmp_path: Path):
    inputs = {"path": str(tree), "report": str(tmp_path / "report")}
    handle = await mainstay.start(load("repository-audit.yaml"), inputs)
    assert await finish(handle, approve=False) is PlanStatus.FAILED
    assert not (tmp_path / "report").exists()


async def test_an_audit_that_cannot_write_its_report_takes_its_chart_away(
    mainstay: Mainstay, tree: Path, tmp_path: Path
):
    report = tmp_path / "report"
    (report / "repository-audit.md").mkdir(parents=True)
    inputs = {"path": str(tree), "report": str(report)}
    handle = await mainstay.start(load("repository-audit.yaml"), inputs)
    assert await finish(handle) is PlanStatus.FAILED
    states = {row.name: row.status for row in await handle.tasks()}
    assert states["save_chart"] is TaskStatus.UNDONE
    assert not (report / "repository-audit.svg").exists()


async def test_a_folder_that_is_not_there_fails_the_audit_by_name(
    mainstay: Mainstay, tmp_path: Path
):
    inputs = {"path": str(tmp_path / "nowhere"), "report": str(tmp_path / "report")}
    handle = await mainstay.start(load("repository-audit.yaml"), inputs)
    assert await finish(handle) is PlanStatus.FAILED
    failure = (await handle.result()).failure
    assert failure is not None
    assert "nowhere" in failure.message


@pytest.mark.parametrize("approve", [True, False])
async def test_a_backup_stays_only_if_somebody_agrees(
    mainstay: Mainstay, tree: Path, tmp_path: Path, approve: bool
):
    target = tmp_path / "copy"
    inputs = {"source": str(tree), "target": str(target)}
    handle = await mainstay.start(load("backup-with-undo.yaml"), inputs)
    status = await finish(handle, approve=approve)
    assert status is (PlanStatus.SUCCEEDED if approve else PlanStatus.FAILED)
    copied = {path.relative_to(target) for path in files_of(target)}
    visible = {path.relative_to(tree) for path in files_of(tree) if ".github" not in path.parts}
    assert copied == (visible if approve else set())


async def test_a_backup_never_writes_over_another(mainstay: Mainstay, tree: Path, tmp_path: Path):
    target = tmp_path / "copy"
    target.mkdir()
    (target / "app.py").write_text("mine")
    inputs = {"source": str(tree), "target": str(target)}
    handle = await mainstay.start(load("backup-with-undo.yaml"), inputs)
    assert await finish(handle) is PlanStatus.FAILED
    assert (target / "app.py").read_text() == "mine"


async def test_a_second_count_that_differs_fails_the_audit_in_the_third_round(
    mainstay: Mainstay, tree: Path, tmp_path: Path
):
    other = tmp_path / "other"
    shutil.copytree(tree, other)
    (other / "app.py").write_text("edited meanwhile\n")
    data = load("repository-audit.yaml").model_dump(by_alias=True, exclude_defaults=True)
    data["tasks"]["measure"]["verify"]["with"]["root"] = str(other)
    inputs = {"path": str(tree), "report": str(tmp_path / "report")}
    handle = await mainstay.start(PlanSpec.model_validate(data), inputs)
    assert await finish(handle) is PlanStatus.FAILED
    failure = (await handle.result()).failure
    assert failure is not None
    assert "'app.py'" in failure.message
    sent_back = [
        event async for event in handle.events() if event.message.startswith("sent back: 'app.py'")
    ]
    assert len(sent_back) == 2
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_every_plan_in_the_documentation_runs(
    temporal_client,
    settings: Settings,
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    tools = tools_of(page, tmp_path)
    settings = settings.model_copy(update={"task_queue": f"docs-{page.stem}"})
    async with connected(temporal_client, settings, tools) as client:
        for line, text in blocks_of(page, "yaml"):
            handle = await client.start(check(text, f"{page.name}:{line}", tools))
            assert await finish(handle) is PlanStatus.SUCCEEDED, (line, await handle.result())


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
