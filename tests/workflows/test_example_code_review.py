"""The example with several agents: offline, and the same plan against a provider's own client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from mainstay.agent_source import load_agent
from mainstay.client import Mainstay
from mainstay.handle import PlanHandle
from mainstay.plan_source import require_plan
from mainstay.schemas.run import PlanStatus
from mainstay.settings import Settings
from mainstay.storage.store import open_store
from mainstay.tools.catalogue import load_catalogue
from mainstay.worker import running_worker
from model_stubs import Body, Reply, Say, model_stub

ROOT = Path(__file__).resolve().parents[2]
PLAN = Path("examples/code-review/plan.yaml")
OFFLINE = "script:examples/code-review/offline.yaml"

Connect = Callable[[str], AbstractAsyncContextManager[Mainstay]]


@pytest.fixture
def connect(temporal_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make a client beside a worker, with a default model, in the project's own folder."""
    monkeypatch.chdir(ROOT)

    @asynccontextmanager
    async def connected(model: str) -> AsyncIterator[Mainstay]:
        settings = Settings(data_dir=tmp_path / "data", task_queue="code-review", model=model)
        async with running_worker(temporal_client, settings):
            store = await open_store(settings.resolved_database_url)
            async with Mainstay(temporal_client, store, settings) as client:
                yield client

    return connected


async def review(mainstay: Mainstay, report: Path) -> PlanHandle:
    """Run the plan to its end."""
    plan = require_plan(PLAN, load_catalogue([]).specs())
    run = await mainstay.start(plan, {"report": str(report)})
    async with asyncio.timeout(60):
        result = await run.result()
    assert result.status is PlanStatus.SUCCEEDED, result.failure
    return run


def lines_of(report: str) -> set[str]:
    return {line for line in report.splitlines() if line.startswith("- ")}


async def test_the_team_reviews_real_files_offline(connect: Connect, tmp_path: Path):
    async with connect(OFFLINE) as mainstay:
        run = await review(mainstay, tmp_path / "report.md")
        outputs: Any = await run.outputs()
        agents = await mainstay.agents()
    assert (outputs["files"], outputs["findings"]) == (2, 4)
    text = (tmp_path / "report.md").read_text()
    assert text.index("ledger.py:18") < text.index("dates.py:13"), "the critic sent it back once"
    assert len(agents) == 6, "two reviewers, and the editor and its critic twice"


async def test_every_finding_of_the_script_is_in_the_file_at_its_line():
    said = (ROOT / "examples/code-review/offline.yaml").read_text()
    found = {line.removeprefix("      - ") for line in said.splitlines() if ".py:" in line}
    marks = {
        "ledger.py:17": "float(line)",
        "ledger.py:18": "except Exception",
        "ledger.py:21": "history=[]",
        "dates.py:13": "year % 4",
    }
    for finding in found:
        place = finding.partition(": ")[0]
        name, _, line = place.partition(":")
        source = (ROOT / "examples/code-review/sample" / name).read_text().splitlines()
        assert marks[place] in source[int(line) - 1]


async def test_the_same_plan_runs_against_a_provider(connect: Connect, tmp_path: Path):
    with model_stub(answer=_provider) as stub:
        async with connect(stub.openai) as mainstay:
            run = await review(mainstay, tmp_path / "report.md")
            outputs: Any = await run.outputs()
            [account] = await mainstay.store.get_accounts([run.id])
        asked = len(stub.requests)
    assert outputs["files"] == 2
    assert lines_of((tmp_path / "report.md").read_text()) == {
        "- ledger.py:18 swallowed",
        "- dates.py:13 leap years",
    }
    assert asked == 6, "two calls for each reviewer, one for the editor, one for the critic"
    assert account.spent.model_calls == 6
    assert account.spent.tokens == 6 * 18
    assert account.spent.picodollars > 0


def _provider(body: Body) -> Reply:
    """Answer as a model might that was given these instructions."""
    system, told = json.dumps(body["messages"][0]), json.dumps(body["messages"][-1])
    if "You judge reports" in system:
        return Say([json.dumps({"score": 1, "confidence": 1, "issues": [], "suggestions": []})])
    if "You write the report" in system:
        return Say(["# Review\n\n", "- ledger.py:18 swallowed\n", "- dates.py:13 leap years\n"])
    if "class Ledger" in told:
        return Say([_finding("ledger.py", 18, "swallowed")])
    if "def is_leap_year" in told:
        return Say([_finding("dates.py", 13, "leap years")])
    path = body["messages"][-1]["content"]
    return Say(tools=[("c1", "fs_read", json.dumps({"path": path}))])


def _finding(file: str, line: int, problem: str) -> str:
    finding = {"line": line, "severity": "major", "problem": problem}
    return json.dumps({"file": file, "findings": [finding]})


async def test_the_example_runs_as_its_comment_says(temporal_server: Any, tmp_path: Path):
    report = tmp_path / "report.md"
    made = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("mainstay"),
        *("run", str(PLAN), "-i", f"report={report}"),
        cwd=ROOT,
        env={
            **os.environ,
            "TEMPORAL_ADDRESS": temporal_server.address,
            "MAINSTAY_DATA_DIR": str(tmp_path / "data"),
            "MAINSTAY_TASK_QUEUE": "code-review-command",
            "MAINSTAY_MODEL": OFFLINE,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await made.communicate()
    assert made.returncode == 0, err.decode()
    assert str(report) in out.decode()
    assert len(lines_of(report.read_text())) == 4


async def test_a_living_reviewer_asks_the_living_critic(connect: Connect, tmp_path: Path):
    script = tmp_path / "talk.yaml"
    script.write_text(
        """
        turns:
          - when: { instructions: You judge reports }
            say: "0.9: begin with ledger.py:18"
          - tools:
              - fs.read: { path: "${{ user }}" }
          - tools:
              - ask_agent_critic: { prompt: "ledger.py:18 swallows every error" }
          - say: "The critic says ${{ last }}"
        """
    )
    tools = load_catalogue([]).specs()
    async with connect(f"script:{script}") as mainstay:
        specs = {
            name: load_agent(PLAN.parent / f"agents/{name}.md", tools)
            for name in ("reviewer", "critic")
        }
        critic = await mainstay.spawn(specs["critic"])
        change = {"agents": ["critic"], "output": None}
        reviewer = await mainstay.spawn(specs["reviewer"].model_copy(update=change))
        file = "examples/code-review/sample/ledger.py"
        answer = await reviewer.ask(file, timeout=timedelta(seconds=30))
        results = [entry for entry in await reviewer.entries() if entry.tool == "fs.read"]
        spent = [(await one.account()).spent for one in (reviewer, critic)]
        for one in (reviewer, critic):
            await one.stop()
    assert answer == "The critic says 0.9: begin with ledger.py:18"
    assert "class Ledger" in results[0].text
    assert [one.model_calls for one in spent] == [4, 1], "the asker pays for the answer, too"
