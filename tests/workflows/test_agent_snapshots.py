"""Agents are kept whole, come back whole, or are refused; on the real server."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from agent_talk import PATIENCE, spawn_scripted, until_info
from plan_stage import PLAN_TOOLS, Stage, until

from mainstay.agent_copies import pack_snapshot, unpack_snapshot
from mainstay.agent_handle import AgentHandle
from mainstay.cli.main import execute
from mainstay.client import Mainstay
from mainstay.schemas.agent import BudgetSpec
from mainstay.schemas.conversation import Entry, EntryKind, Summary, Usage
from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound, Refused, Unavailable
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MessageStatus
from mainstay.schemas.snapshots import Snapshot
from mainstay.settings import Settings
from mainstay.storage.store import open_store
from mainstay.worker import running_worker

ANSWERS = [{"say": f"answer {number}"} for number in range(1, 9)]


def without_place(entries: list[Entry]) -> list[tuple[Any, ...]]:
    return [(one.position, one.key, one.kind, one.text, one.ref, one.raw) for one in entries]


async def talked_to(stage: Stage, **spec: Any) -> AgentHandle:
    """An agent that has answered, used a tool, pinned and remembered something."""
    agent = await spawn_scripted(
        stage,
        {"tools": [{"test.echo": {"value": "echoed"}}, {"remember": {"key": "k", "text": "v"}}]},
        *ANSWERS,
        tools=["test.*", "remember"],
        **spec,
    )
    assert await agent.ask("Do something", timeout=PATIENCE) == "answer 1"
    await agent.pin("It is Tuesday")
    thread = (await agent.row()).thread
    summary = Summary(upto=2, text="They began.")
    await stage.mainstay.store.keep_summary(thread, summary, f"s/{agent.id}", (), Usage())
    return agent


async def test_a_restored_agent_goes_on_where_the_first_one_stood(stage: Stage):
    agent = await talked_to(stage, budget={"usd": "3"})
    mainstay = stage.mainstay
    body = pack_snapshot(await mainstay.snapshot(agent.id), is_zipped=True)
    await agent.ask("This is not in the snapshot", timeout=PATIENCE)
    made = await mainstay.restore(unpack_snapshot(body, "s.gz"), "again")
    assert made.id != agent.id
    first, copied = await agent.entries(stop=6), await made.entries()
    assert without_place(copied) == without_place(first)
    assert [entry.kind for entry in copied].count(EntryKind.TOOL) == 2
    thread = (await made.row()).thread
    assert await mainstay.store.latest_summary(thread) == Summary(upto=2, text="They began.")
    account, origin = await made.account(), await mainstay.snapshot(agent.id)
    assert account.limits == BudgetSpec(usd="3")  # type: ignore[arg-type]
    assert account.spent.turns == 1
    assert account.spent.tokens < origin.spent.tokens
    assert await made.ask("Go on", timeout=PATIENCE) == "answer 2"
    info = await until_info(made, activity="idle")
    assert (info.messages, info.usage.tool_calls) == (2, 2)
    assert (await made.account()).spent.turns == 2


async def test_messages_that_wait_are_restored_and_the_one_at_work_begins_again(stage: Stage):
    agent = await spawn_scripted(
        stage,
        {"say": "first"},
        {"tools": [{"test.gate": {"path": stage.file("log"), "opened": stage.file("gate")}}]},
        *ANSWERS,
        tools=["test.*"],
    )
    assert await agent.ask("one", timeout=PATIENCE) == "first"
    await agent.send("two")
    await stage.until_lines("log", 1)
    await agent.send("three", sender_name="Ada")
    taken = await stage.mainstay.snapshot(agent.id)
    assert [message.text for message in taken.waiting] == ["two", "three"]
    assert taken.taken[0] == taken.waiting[0].id
    assert [entry.text for entry in taken.threads[0].entries] == ["one", "first"]
    (stage.folder / "gate").touch()
    made = await stage.mainstay.restore(taken, "again")

    async def has_worked() -> list[Any]:
        found = await stage.mainstay.store.messages_of(made.id, [MessageStatus.PROCESSED])
        return found if len(found) == 2 else []

    messages = await until(has_worked)
    assert {message.text: message.sender_name for message in messages} == {
        "two": "",
        "three": "Ada",
    }
    said = [entry.text for entry in await made.entries() if entry.kind is EntryKind.USER]
    assert said == ["one", "two", "three"]


async def test_restoring_twice_with_one_id_restores_once(stage: Stage):
    agent = await talked_to(stage)
    await agent.pause("so that its message waits")
    await agent.send("later")
    taken = await stage.mainstay.snapshot(agent.id)
    made_id = f"agent-{uuid.uuid4()}"
    one = await stage.mainstay.restore(taken, "again", agent_id=made_id)
    two = await stage.mainstay.restore(taken, "again", agent_id=made_id)
    assert one.id == two.id
    [message] = await stage.mainstay.store.messages_of(one.id)
    assert (await one.wait(message.id, PATIENCE)).answer == "answer 2"
    assert (await one.account()).spent.turns == 2


async def test_a_restored_agent_has_no_more_to_spend_than_the_first(stage: Stage):
    agent = await talked_to(stage, budget={"turns": 1})
    made = await stage.mainstay.restore(await stage.mainstay.snapshot(agent.id), "again")
    await made.send("Go on")
    info = await until_info(made, state=LifeState.PAUSED)
    assert "turns" in info.detail


async def test_an_agent_that_has_ended_can_be_brought_back_under_its_name(stage: Stage):
    agent = await talked_to(stage, name="phoenix")
    with pytest.raises(Refused, match="main/phoenix"):
        await stage.mainstay.restore(await stage.mainstay.snapshot("phoenix"))
    await agent.stop()
    await agent.result()
    made = await stage.mainstay.restore(await stage.mainstay.snapshot("phoenix"))
    assert await made.ask("Are you there?", timeout=PATIENCE) == "answer 2"
    assert (await stage.mainstay.find_agent("phoenix")).agent_id == made.id


async def test_a_snapshot_is_restored_into_another_database(stage: Stage, tmp_path: Path):
    agent = await talked_to(stage)
    body = pack_snapshot(await stage.mainstay.snapshot(agent.id))
    client = stage.mainstay.temporal
    settings = Settings(data_dir=tmp_path / "elsewhere", task_queue=f"q-{uuid.uuid4().hex[:8]}")
    store = await open_store(settings.resolved_database_url)
    async with (
        Mainstay(client, store, settings) as other,
        running_worker(client, settings, [PLAN_TOOLS]),
    ):
        made = await other.restore(unpack_snapshot(body, "s"), tools=None)
        assert await made.ask("Go on", timeout=PATIENCE) == "answer 2"
        assert await store.recall("main", "k") == [("k", "v")]
        [result, _] = [one for one in await made.entries() if one.kind is EntryKind.TOOL]
        assert json.loads(await store.get_document(result.ref))["text"] == "echoed"


async def test_what_a_team_remembers_by_now_is_not_overwritten(stage: Stage):
    agent = await talked_to(stage)
    taken = await stage.mainstay.snapshot(agent.id)
    await stage.mainstay.store.remember("main", "k", "newer")
    await stage.mainstay.restore(taken, "again")
    assert await stage.mainstay.store.recall("main", "k") == [("k", "newer")]


async def test_a_missing_tool_refuses_the_restore_and_nothing_is_left_of_it(stage: Stage):
    agent = await talked_to(stage)
    taken = await stage.mainstay.snapshot(agent.id)
    with pytest.raises(InvalidInput, match=r"no tool 'test\.\*'"):
        await stage.mainstay.restore(taken, "again", tools=["fs.read"])
    with pytest.raises(NotFound):
        await stage.mainstay.find_agent("again")
    assert len(await stage.mainstay.store.list_threads()) == 1


async def test_a_tool_that_only_the_worker_lacks_shows_as_an_error_not_as_a_fresh_start(
    stage: Stage,
):
    agent = await talked_to(stage)
    taken = await stage.mainstay.snapshot(agent.id)
    spec = taken.spec.model_copy(update={"tools": ["rocket.launch"]})
    made = await stage.mainstay.restore(taken.model_copy(update={"spec": spec}), "again")
    info = await until_info(made, state=LifeState.ERROR)
    assert "rocket.launch" in info.detail


async def test_an_agent_whose_conversation_is_gone_cannot_be_kept(stage: Stage):
    agent = await talked_to(stage)

    def forget(connection: Any) -> None:
        connection.exec_driver_sql("DELETE FROM threads")

    await stage.mainstay.store._write(forget)
    with pytest.raises(InvalidInput, match="is gone"):
        await stage.mainstay.snapshot(agent.id)


async def test_a_fork_goes_its_own_way_from_a_position(stage: Stage):
    agent = await spawn_scripted(stage, *ANSWERS, name="tree", budget={"turns": 3})
    for number in (1, 2):
        assert await agent.ask(f"question {number}", timeout=PATIENCE) == f"answer {number}"
    made = await stage.mainstay.fork("tree", position=2)
    assert (await made.row()).name == "main/tree-fork"
    assert [entry.text for entry in await made.entries()] == ["question 1", "answer 1"]
    assert await made.ask("something else", timeout=PATIENCE) == "answer 2"
    assert len(await agent.entries()) == 4
    assert (await made.account()).spent.turns == 1
    whole = await stage.mainstay.fork("tree", "branch", team="other")
    assert ((await whole.row()).name, len(await whole.entries())) == ("other/branch", 4)
    with pytest.raises(InvalidInput, match="no position 5"):
        await stage.mainstay.fork("tree", "third", position=5)


@pytest.fixture
def command(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command as the console script does; returns its exit code and what it printed."""
    address = stage.mainstay.temporal.service_client.config.target_host
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("MAINSTAY_DATA_DIR", str(stage.settings.data_dir))
    monkeypatch.setenv("MAINSTAY_TASK_QUEUE", stage.settings.task_queue)

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(execute, ("agent", *arguments))
        said = capsys.readouterr()
        return code, said.out.strip(), said.err

    return run


async def test_the_command_line_keeps_restores_and_forks(stage: Stage, command: Any):
    await talked_to(stage, name="kept")
    file = stage.file("kept.json.gz")
    assert (await command("snapshot", "kept", file))[:2] == (0, file)
    code, _, told = await command("snapshot", "kept", file)
    assert (code, "--force" in told) == (6, True)
    code, key, _ = await command("snapshot", "kept")
    assert (code, key.startswith("snapshot/main/kept/")) == (0, True)
    assert (await command("snapshots", "kept"))[:2] == (0, key)
    tools = ("--tools", PLAN_TOOLS)
    assert (await command("restore", file, "--name", "one", *tools))[:2] == (0, "main/one")
    assert (await command("restore", key, "--name", "two", *tools))[:2] == (0, "main/two")
    assert (await command("fork", "kept", "--at", "1"))[:2] == (0, "main/kept-fork")
    code, _, told = await command("restore", file, *tools)
    assert (code, "has the name 'main/kept'" in told) == (6, True)
    code, _, told = await command("restore", file, "--name", "three")
    assert (code, "there is no tool" in told) == (3, True)


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (None, 4, "there is no file"),
        (b"", 3, "cannot be read"),
        (b"\x1f\x8bnot zipped", 3, "cannot be read"),
        (b"[" * 100_000, 3, "cannot be read"),
        (b"{}", 3, "is no snapshot"),
        (b'{"format": "mainstay-agent", "version": 99}', 3, "reads up to"),
        (b'{"format": "mainstay-agent", "version": 1}', 3, "checksum"),
    ],
)
async def test_the_command_line_refuses_what_is_no_snapshot(
    stage: Stage, command: Any, body: bytes | None, code: int, told: str
):
    file = stage.folder / "file"
    if body is not None:
        file.write_bytes(body)
    ended, _, said = await command("restore", str(file))
    assert (ended, told in said) == (code, True), said
    assert "Traceback" not in said
    assert await stage.mainstay.agents() == []


def test_a_snapshot_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mainstay.agent_copies.MAX_SNAPSHOT_BYTES", 1000)
    import gzip

    with pytest.raises(LimitReached):
        unpack_snapshot(gzip.compress(b" " * 100_000), "bomb")


def test_a_snapshot_is_written_the_same_way_twice(snapshot_sample: Snapshot):
    assert pack_snapshot(snapshot_sample, is_zipped=True) == pack_snapshot(
        snapshot_sample, is_zipped=True
    )


@pytest.fixture
def snapshot_sample() -> Snapshot:
    """The sample of an older version, as it is read today."""
    samples = Path(__file__).parents[1] / "decisions" / "samples"
    return unpack_snapshot((samples / "snapshot-version-0.json").read_bytes(), "sample")


async def test_a_snapshot_of_an_older_version_becomes_a_living_agent(
    stage: Stage, snapshot_sample: Snapshot
):
    script = stage.folder / "garden.yaml"
    script.write_text("turns: [{say: Beans.}, {say: 'Tomatoes, too.'}]\n")
    spec = snapshot_sample.spec.model_copy(update={"model": f"script:{script}"})
    made = await stage.mainstay.restore(snapshot_sample.model_copy(update={"spec": spec}))
    [message] = await stage.mainstay.store.messages_of(made.id)
    assert (await made.wait(message.id, PATIENCE)).answer == "Tomatoes, too."
    assert [entry.position for entry in await made.entries()] == [0, 1, 2, 3, 4]


async def test_an_agent_that_never_holds_still_is_not_kept_by_halves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    agent = await talked_to(stage)
    await agent.pause()
    store, load = stage.mainstay.store, stage.mainstay.store.load_entries
    disturbances = 3

    async def disturbed(*arguments: Any) -> list[Entry]:
        nonlocal disturbances
        if disturbances > 0:
            disturbances -= 1
            await agent.send("one more")
        return await load(*arguments)

    monkeypatch.setattr(store, "load_entries", disturbed)
    assert len((await stage.mainstay.snapshot(agent.id)).waiting) == 3
    disturbances = 1_000
    with pytest.raises(Unavailable, match="too busy"):
        await stage.mainstay.snapshot(agent.id)


async def test_a_mailbox_that_is_too_full_is_not_kept_by_halves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    agent = await talked_to(stage)
    await agent.pause()
    for number in range(3):
        await agent.send(f"{number}")
    monkeypatch.setattr("mainstay.agent_snapshots.MAX_WAITING", 2)
    with pytest.raises(LimitReached, match="more than 2 messages wait"):
        await stage.mainstay.snapshot(agent.id)


async def test_other_conversations_of_an_agent_are_restored_too(stage: Stage):
    agent = await talked_to(stage)
    side = await stage.mainstay.store.fork_thread((await agent.row()).thread, 1, "thread/side")
    await stage.mainstay.store.hand_over_thread(side.thread_id, agent.id)
    await agent.pause()
    await agent.send("go on over there", thread=side.thread_id)
    made = await stage.mainstay.restore(await stage.mainstay.snapshot(agent.id), "again")
    [message] = await stage.mainstay.store.messages_of(made.id)
    answered = await made.wait(message.id, PATIENCE)
    assert answered.status is MessageStatus.PROCESSED
    assert message.thread not in ("", side.thread_id)
    said = [entry.text for entry in await stage.mainstay.store.load_entries(message.thread)]
    assert said[:2] == ["Do something", "go on over there"]
    assert len(await stage.mainstay.store.load_entries(side.thread_id)) == 1
