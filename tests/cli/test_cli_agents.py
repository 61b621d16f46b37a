"""`agent`, `thread` and `cost` where no server answers: what is on record can still be read."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agent_fakes import FakeTemporal, answer_all

from mainstay.agent_start import load_request
from mainstay.cli.agent_completion import complete_agent, complete_living_agent
from mainstay.cli.agent_watch import event_line
from mainstay.cli.amounts import format_money
from mainstay.cli.main import execute
from mainstay.client import Mainstay
from mainstay.schemas.agent import AgentSpec, BudgetSpec, Role
from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind
from mainstay.schemas.conversation import Entry, EntryKind, ToolUse, Usage
from mainstay.schemas.lifecycle import LifeState
from mainstay.settings import Settings
from mainstay.storage.store import open_store

# Each opens a database of its own.
pytestmark = pytest.mark.slow

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MONEY = 1_250_000_000_000


@pytest.fixture
def records(tmp_path: Path, monkeypatch) -> Path:
    """A database with agents, one of them ended, and no Temporal server."""
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    asyncio.run(_fill(tmp_path))
    return tmp_path


async def _fill(folder: Path) -> None:
    store = await open_store(f"sqlite:///{folder}/mainstay.db")
    async with Mainstay(FakeTemporal(), store, Settings(data_dir=folder)) as mainstay:
        spec = AgentSpec(
            name="helper",
            model="openai:gpt",
            description="It helps.",
            budget=BudgetSpec(tokens=1000),
        )
        helper = await mainstay.spawn(spec)
        await mainstay.spawn(spec.model_copy(update={"role": Role.CRITIC}), "critic", team="two")
        gone = await mainstay.spawn(spec, "gone")
        await _end(store, gone.id)
        await helper.send("What is 6 times 7?", sender_name="ann")
        await answer_all(store, helper.id, "It is \x1b[31m42.")
        await helper.pin("The answer is 42.")
        use = ToolUse(id="1", name="fs.read", arguments={"path": "a.txt"})
        entry = Entry(key="t", kind=EntryKind.ASSISTANT, uses=(use,), author="helper", at=NOW)
        await store.append_entries((await helper.row()).thread, [entry])
        await helper.send("And 6 times 8?", sender_name="ann")
        accounts = (await load_request(store, helper.id)).accounts
        usage = Usage(input_tokens=400, output_tokens=100, model_calls=2, picodollars=MONEY)
        await store.charge("c1", accounts, usage, model="gpt-5")
        await store.charge("c2", accounts, Usage(model_calls=1, unpriced_calls=1), model="odd")


async def _end(store, agent_id: str) -> None:
    event = AgentEvent(
        agent_id=agent_id,
        key="end",
        kind=AgentEventKind.STATE,
        at=NOW,
        from_state=LifeState.RUNNING,
        to_state=LifeState.TERMINATED,
        message="told to stop",
        trigger="stop",
    )
    await store.append_agent_events([event])


def data_of(capsys):
    return json.loads(capsys.readouterr().out)


def test_list_shows_the_living_and_says_that_they_rest(records, capsys):
    assert execute(["agent", "list"]) == 0
    said = capsys.readouterr()
    assert "main/helper" in said.out
    assert "two/critic" in said.out
    assert "gone" not in said.out
    assert "no server answers" in said.out
    assert "$1.25" in said.out
    assert "`mainstay up`" in said.err


def test_list_filters_by_state_role_and_team(records, capsys):
    assert execute(["agent", "list", "--json", "--state", "terminated"]) == 0
    assert [row["name"] for row in data_of(capsys)] == ["main/gone"]
    assert execute(["agent", "list", "--json", "--role", "critic"]) == 0
    assert [row["name"] for row in data_of(capsys)] == ["two/critic"]
    assert execute(["agent", "list", "--json", "--team", "main", "--all"]) == 0
    assert {row["name"] for row in data_of(capsys)} == {"main/helper", "main/gone"}


def test_list_refuses_a_state_that_no_agent_has(records, capsys):
    assert execute(["agent", "list", "--state", "happy"]) == 3
    assert "lost" in capsys.readouterr().err


def test_info_shows_the_mailbox_and_what_was_spent_of_what(records, capsys):
    assert execute(["agent", "info", "helper"]) == 0
    out = capsys.readouterr().out
    assert "1 waiting" in out
    assert "tokens: 500 of 1,000" in out
    assert "And 6 times 8?" in out
    assert "processed" in out


def test_info_as_json_tells_the_record_from_the_truth(records, capsys):
    assert execute(["agent", "info", "main/helper", "--json"]) == 0
    data = data_of(capsys)
    assert data["driving"] == "unseen"
    assert data["info"] is None
    assert data["limits"]["tokens"] == 1000
    assert len(data["messages"]) == 2


def test_an_unknown_agent_is_not_found_and_the_likely_one_is_offered(records, capsys):
    assert execute(["agent", "info", "helpr"]) == 4
    assert "did you mean `helper`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["send", "helper", "hello"],
        ["ask", "helper", "hello"],
        ["chat", "helper"],
        ["watch", "helper"],
        ["pause", "helper"],
        ["resume", "helper"],
        ["stop", "helper"],
        ["restart", "helper"],
        ["answer", "helper", "yes"],
    ],
)
def test_what_needs_a_server_says_so(records, capsys, command):
    assert execute(["agent", *command]) == 7
    assert "`mainstay up`" in capsys.readouterr().err


def test_a_message_without_words_is_refused(records, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    assert execute(["agent", "send", "helper"]) == 3
    assert "nothing to say" in capsys.readouterr().err


def test_budget_shows_the_limits_and_changes_those_that_are_named(records, capsys):
    assert execute(["agent", "budget", "helper"]) == 0
    assert "tokens: 500 of 1,000" in capsys.readouterr().out
    assert execute(["agent", "budget", "helper", "--usd", "2.50", "--json"]) == 0
    limits = data_of(capsys)["limits"]
    assert (limits["tokens"], limits["usd"]) == (1000, "2.50")
    assert execute(["agent", "budget", "helper", "--usd", "much"]) == 3


def test_cost_shows_who_spent_what_with_which_model(records, capsys):
    assert execute(["cost", "helper"]) == 0
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines()]
    assert ["main/helper", "gpt-5", "2", "400", "100", "-", "-", "$1.25"] in lines
    assert ["total", "3", "400", "100", "-", "-", "$1.25+?"] in lines
    assert "no known price" in said.err


def test_cost_as_json_is_exact(records, capsys):
    assert execute(["cost", "helper", "--json"]) == 0
    data = data_of(capsys)
    assert data["total"]["picodollars"] == MONEY == data["account"]["spent"]["picodollars"]
    assert {share["model"] for share in data["shares"]} == {"gpt-5", "odd"}


def test_cost_of_nobody_is_not_found(records, capsys):
    assert execute(["cost", "nobody"]) == 4
    assert "no agent and no plan 'nobody'" in capsys.readouterr().err


def test_a_thread_is_shown_without_what_would_steer_the_terminal(records, capsys):
    assert execute(["thread", "show", "helper"]) == 0
    out = capsys.readouterr().out
    assert "It is ?[31m42." in out
    assert "fs.read(path='a.txt')" in out
    assert "pinned" in out


def test_a_thread_is_exported_whole(records, capsys, tmp_path):
    assert execute(["thread", "export", "helper", "--json"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["position"] for entry in entries] == [0, 1, 2]
    file = tmp_path / "talk.md"
    assert execute(["thread", "export", "helper", "-o", str(file)]) == 0
    assert "# main/helper" in file.read_text()


def test_a_thread_is_forked_at_a_position(records, capsys):
    assert execute(["thread", "fork", "helper", "--at", "1"]) == 0
    forked = capsys.readouterr().out.strip()
    assert execute(["thread", "show", forked, "--json"]) == 0
    data = data_of(capsys)
    assert len(data["entries"]) == 1
    assert data["thread"]["forked_at"] == 1
    assert execute(["thread", "list"]) == 0
    assert forked in capsys.readouterr().out


def test_names_of_agents_complete(records):
    assert {name for name, _ in complete_agent("")} == {"helper", "two/critic"}
    assert complete_living_agent("hel") == [("helper", "worker, initializing")]
    assert complete_agent("main/h") == [("main/helper", "worker, initializing")]
    assert [name for name, _ in complete_agent("go")] == ["gone"]
    assert complete_living_agent("go") == []


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (Usage(), "-"),
        (Usage(model_calls=1), "$0"),
        (Usage(model_calls=1, picodollars=1_234_000_000), "$0.001234"),
        (Usage(model_calls=1, picodollars=2_500 * 10**12), "$2,500.00"),
        (Usage(model_calls=1, unpriced_calls=1), "$+?"),
    ],
)
def test_money_is_written_so_that_small_amounts_are_seen(usage, text):
    assert format_money(usage) == text


def test_an_event_is_one_line_with_the_change_of_state():
    event = AgentEvent(
        agent_id="a",
        key="k",
        kind=AgentEventKind.STATE,
        at=NOW + timedelta(hours=1),
        from_state=LifeState.RUNNING,
        to_state=LifeState.PAUSED,
        message="no\nmoney",
        trigger="budget",
    )
    line = event_line(event)
    assert "running -> " in line
    assert line.endswith("no money (budget)")


def test_the_catalogue_lists_agents_and_fails_for_broken_ones(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "good.md").write_text("---\nname: good\ndescription: It is.\n---\nBe good.\n")
    assert execute(["agent", "catalogue"]) == 0
    assert "good" in capsys.readouterr().out
    (folder / "bad.md").write_text("---\nname: bad\nrole: clown\n---\nBe bad.\n")
    assert execute(["agent", "catalogue"]) == 3
    said = capsys.readouterr()
    assert "broken" in said.out
    assert "clown" in said.err


def test_spawning_what_is_not_there_is_not_found(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert execute(["agent", "spawn", "nobody"]) == 4
    assert execute(["agent", "spawn", "nobody.md"]) == 4
