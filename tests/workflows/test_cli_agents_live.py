"""The commands about agents, against agents that really live."""

from __future__ import annotations

import asyncio
import io
import json
import time
import uuid
from pathlib import Path

import pytest
import pytest_asyncio

from mainstay.cli.main import execute
from mainstay.client import Mainstay
from mainstay.connection import ensure_search_attributes
from mainstay.schemas.lifecycle import LifeState
from mainstay.settings import Settings
from mainstay.worker import running_worker

AGENT = """\
---
name: helper
description: Helps.
model: script:helper.yaml
tools: [fs.read, ask_human]
---
You help.
"""

SCRIPT = """\
prices: {input: 3, output: 15}
loop: true
turns:
  - when: {text: human, from: user}
    tools:
      - ask_human: {question: "Which colour?"}
  - when: {from: tool}
    say: "You chose ${{ last }}."
  - when: {text: fail, from: user}
    error: {message: "no such thing", kind: permanent, attempts: 99}
    say: never
  - say: "You said ${{ user }}."
"""


@pytest_asyncio.fixture
async def configured(temporal_server, tmp_path, monkeypatch) -> Settings:
    """A catalogue with one agent, and settings that the command line reads."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MAINSTAY_TASK_QUEUE", uuid.uuid4().hex)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "helper.md").write_text(AGENT)
    (folder / "helper.yaml").write_text(SCRIPT)
    return Settings()


@pytest_asyncio.fixture
async def mainstay(configured):
    async with (
        await Mainstay.connect(configured) as client,
        running_worker(client.temporal, configured),
    ):
        yield client


@pytest.fixture
def command(capsys):
    """Run a command as the console script does; returns its exit code and what it printed."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(execute, arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


async def until_asked(mainstay: Mainstay) -> None:
    give_up = time.monotonic() + 20
    agent = await mainstay.agent("helper")
    while not (await agent.info()).questions:
        assert time.monotonic() < give_up, await agent.info()
        await asyncio.sleep(0.02)


async def test_an_agent_of_the_catalogue_is_spawned_asked_and_paid_for(mainstay, command):
    assert (await command("agent", "spawn", "helper"))[:2] == (0, "main/helper\n")
    assert (await command("agent", "ask", "helper", "hi", "there"))[1] == "You said hi there.\n"
    code, out, _ = await command("agent", "list", "--json")
    row = json.loads(out)[0]
    assert (code, row["state"], row["activity"], row["driving"]) == (0, "RUNNING", "idle", "driven")
    assert Path(row["model"].removeprefix("script:")).is_absolute()
    total = json.loads((await command("cost", "helper", "--json"))[1])["total"]
    assert total["picodollars"] == row["spent"]["picodollars"] > 0


async def test_an_agent_with_a_parent_is_paid_for_by_it_and_ends_with_it(mainstay, command):
    text = AGENT.replace("model:", "on_parent_end: cascade\nmodel:", 1)
    (Path("agents") / "child.md").write_text(text.replace("name: helper", "name: child"))
    assert (await command("agent", "spawn", "helper"))[0] == 0
    code, _, said = await command("agent", "spawn", "child", "--parent", "helper")
    assert (code, "chat main/child" in said) == (0, True)
    assert (await command("agent", "ask", "child", "hello"))[1] == "You said hello.\n"
    costs = json.loads((await command("cost", "helper", "--json"))[1])
    assert "main/child" in json.dumps(costs)
    assert (await command("agent", "stop", "helper", "--yes"))[0] == 0
    child = await mainstay.agent("child")
    assert (await child.result()).state is LifeState.TERMINATED
    assert (await command("agent", "spawn", "child", "--name", "c", "--parent", "nobody"))[0] == 4


async def test_what_was_sent_can_be_waited_for_later(mainstay, command):
    await command("agent", "spawn", "helper")
    code, sent, _ = await command("agent", "send", "helper", "hi")
    assert (await command("agent", "wait", sent.strip()))[:2] == (0, "You said hi.\n")
    message = json.loads((await command("agent", "wait", sent.strip(), "--json"))[1])
    assert (code, message["status"], message["answer"]) == (0, "PROCESSED", "You said hi.")


async def test_an_agent_that_cannot_answer_says_why(mainstay, command):
    await command("agent", "spawn", "helper")
    code, out, err = await command("agent", "ask", "helper", "fail")
    assert (code, out) == (3, "")
    assert "no such thing" in err


async def test_who_waits_gets_the_answer_once_a_person_has_helped(mainstay, command):
    await command("agent", "spawn", "helper")
    asking = asyncio.create_task(command("agent", "ask", "helper", "a human"))
    await until_asked(mainstay)
    await (await mainstay.agent("helper")).answer("blue")
    assert (await asking)[:2] == (0, "You chose blue.\n")


async def test_an_answer_names_its_question_and_there_must_be_one(mainstay, command):
    await command("agent", "spawn", "helper")
    code, _, err = await command("agent", "answer", "helper", "blue")
    assert code in (4, 6), err
    _, sent, _ = await command("agent", "send", "helper", "a human")
    await until_asked(mainstay)
    assert "it asks: Which colour?" in (await command("agent", "info", "helper"))[2]
    assert (await command("agent", "answer", "helper", "dark", "blue"))[0] == 0
    assert (await command("agent", "wait", sent.strip()))[1] == "You chose dark blue.\n"


async def test_pause_resume_and_stop_are_refused_where_they_make_no_sense(mainstay, command):
    await command("agent", "spawn", "helper")
    await command("agent", "ask", "helper", "hi")
    assert (await command("agent", "pause", "helper"))[0] == 0
    code, _, err = await command("agent", "pause", "helper")
    assert (code, "PAUSED" in err) == (6, True)
    assert (await command("agent", "resume", "helper"))[0] == 0
    assert (await command("agent", "stop", "helper", "--reason", "done"))[0] == 0
    code, out, _ = await command("agent", "watch", "helper", "--all", "--json")
    assert json.loads(out.splitlines()[-1])["to_state"] == "TERMINATED"
    assert (await command("agent", "send", "helper", "hi"))[0] == 6
    assert (await command("agent", "resume", "helper"))[0] == 6


async def test_an_agent_that_was_killed_is_shown_lost_and_taken_up_again(mainstay, command):
    await command("agent", "spawn", "helper")
    await command("agent", "ask", "helper", "one")
    agent = await mainstay.agent("helper")
    await mainstay.temporal.get_workflow_handle(agent.id).terminate("test")
    code, out, err = await command("agent", "list")
    assert (code, "lost" in out, "agent restart" in err) == (0, True, True)
    code, _, err = await command("agent", "ask", "helper", "two")
    assert (code, "is lost" in err) == (7, True)
    assert (await command("agent", "restart", "helper"))[0] == 0
    assert (await command("agent", "ask", "helper", "three"))[1] == "You said three.\n"
    said = json.loads((await command("thread", "show", "helper", "--json"))[1])["entries"]
    assert [entry["text"] for entry in said if entry["kind"] == "user"] == ["one", "two", "three"]


async def test_a_chat_on_a_pipe_answers_line_by_line(mainstay, command, monkeypatch):
    await command("agent", "spawn", "helper")
    lines = "hi\n/info\n/pin Ann is here\na human\nred\n/nonsense\n/cost\n/quit\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, out, err = await command("agent", "chat", "helper")
    assert code == 0
    assert "You said hi.\n" in out
    assert "main/helper: running" in out
    assert "You chose red.\n" in out
    assert "there is no /nonsense" in err
    assert "turns: 2" in out


async def test_without_a_worker_it_is_said_and_the_message_is_kept(configured, command):
    async with await Mainstay.connect(configured) as mainstay:
        await ensure_search_attributes(mainstay.temporal)
        assert (await command("agent", "spawn", "helper"))[0] == 0
        code, _, err = await command("agent", "ask", "helper", "hi")
        assert (code, "`mainstay up`" in err) == (7, True)
        code, _, err = await command("agent", "pause", "helper")
        assert (code, "no worker" in err) == (7, True)
        row = json.loads((await command("agent", "info", "helper", "--json"))[1])
        assert (row["driving"], row["pending"]) == ("no worker", 1)
        async with running_worker(mainstay.temporal, configured):
            sent = row["messages"][0]["id"]
            assert (await command("agent", "wait", sent))[1] == "You said hi.\n"
