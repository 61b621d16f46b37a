"""Snapshots are whole or refused, and older ones are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mainstay.decisions.agents.snapshots import (
    MIGRATIONS,
    checksum_of,
    copy_thread,
    messages_for,
    missing_tools,
    read_snapshot,
    seal,
    see_tools,
    state_for,
)
from mainstay.schemas.agent import AgentSpec, BudgetSpec, LimitsSpec
from mainstay.schemas.agent_run import AgentCounts, AgentOptions
from mainstay.schemas.conversation import Entry, EntryKind, Summary, ThreadRow, Usage
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.snapshots import SNAPSHOT_VERSION, Memory, Snapshot, ThreadCopy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD = json.loads((Path(__file__).parent / "samples" / "snapshot-version-0.json").read_text())
AGENT = "agent-3f1c2a4e-8d56-4b7a-9c01-2e3d4f5a6b7c"


def entry(position: int, turn: str = "", **more: Any) -> Entry:
    given = {"key": f"k{position}", "kind": EntryKind.USER, "text": f"t{position}", **more}
    return Entry(position=position, turn=turn, at=NOW, **given)


def message(number: int, **more: Any) -> Message:
    given = {"id": f"m{number}", "receiver": AGENT, "text": "hello", "created_at": NOW, **more}
    return Message(number=number, **given)


def snapshot(**changes: Any) -> Snapshot:
    given: dict[str, Any] = {
        "taken_at": NOW,
        "agent_id": AGENT,
        "name": "main/a",
        "spec": AgentSpec(
            name="a",
            model="script:a.yaml",
            tools=["fs.*"],
            budget=BudgetSpec(usd="0.5", time=timedelta(minutes=5)),  # type: ignore[arg-type]
            limits=LimitsSpec(initialize=timedelta(seconds=7)),
        ),
        "options": AgentOptions(),
        "state": LifeState.RUNNING,
        "thread": "t",
        "threads": (ThreadCopy(thread_id="t", length=2, entries=(entry(0), entry(1))),),
        "spent": Usage(input_tokens=5, picodollars=7),
        "waiting": (message(1),),
        "memories": (Memory(key="k", text="lone half: \ud83d"),),
        "batch": 4,
    }
    return Snapshot.model_validate({**given, **changes})


def as_read(data: Any) -> Snapshot:
    return read_snapshot(json.loads(json.dumps(data)), "file.json")


def test_what_was_sealed_is_read_as_it_was():
    assert as_read(seal(snapshot())) == snapshot()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["threads"][0]["entries"][0].update(text="other"),
        lambda data: data["threads"][0]["entries"].pop(),
        lambda data: data.update(spent={}),
        lambda data: data.update(more=1),
        lambda data: data.pop("memories"),
        lambda data: data.pop("checksum"),
        lambda data: data.update(checksum="sha256:0"),
    ],
)
def test_whatever_was_changed_afterwards_is_noticed(damage: Any):
    data = seal(snapshot())
    damage(data)
    with pytest.raises(InvalidInput, match=r"'file.json' is damaged.*checksum"):
        as_read(data)


@pytest.mark.parametrize("data", [None, [], "x", {}, {"format": "else", "version": 1}])
def test_other_json_is_no_snapshot(data: Any):
    with pytest.raises(InvalidInput, match="no snapshot of an agent"):
        as_read(data)


@pytest.mark.parametrize("version", [None, "1", True, -1])
def test_a_version_that_is_none_is_refused(version: Any):
    with pytest.raises(InvalidInput, match="which is none"):
        as_read({**seal(snapshot()), "version": version})


def test_a_snapshot_of_a_newer_version_is_refused():
    data = {**seal(snapshot()), "version": SNAPSHOT_VERSION + 1}
    data["checksum"] = checksum_of(data)
    with pytest.raises(InvalidInput, match="reads up to") as refused:
        as_read(data)
    assert "newer Mainstay" in refused.value.hint


def test_every_older_version_can_be_migrated():
    assert sorted(MIGRATIONS) == list(range(SNAPSHOT_VERSION))


def test_a_snapshot_of_version_0_is_read_whole():
    found = as_read(OLD)
    assert found.version == SNAPSHOT_VERSION
    [thread] = found.threads
    assert [one.text for one in thread.entries] == [
        "What grows here?",
        "Beans.",
        "The soil is sandy.",
    ]
    assert thread.summaries == (Summary(upto=2, text="Beans grow here."),)
    assert (found.spent.tokens, found.restarts) == (42, 2)
    assert [one.text for one in found.waiting] == ["And tomatoes?"]
    assert found.memories == (Memory(key="soil", text="sandy"),)


def test_a_snapshot_of_version_0_may_have_had_neither_summary_nor_mail_nor_memories():
    left_out = {"summary", "mailbox", "memories"}
    found = as_read({name: value for name, value in OLD.items() if name not in left_out})
    assert (found.threads[0].summaries, found.waiting, found.memories) == ((), (), ())


@pytest.mark.parametrize("name", ["entries", "entries_count", "usage", "thread", "name", "spec"])
def test_a_snapshot_of_version_0_that_lacks_something_is_refused(name: str):
    with pytest.raises(InvalidInput, match="not complete"):
        as_read({key: value for key, value in OLD.items() if key != name})


def test_a_snapshot_of_version_0_with_too_few_entries_is_refused():
    with pytest.raises(InvalidInput, match="entries 2 of conversation 'thread/garden' are missing"):
        as_read({**OLD, "entries": OLD["entries"][:2]})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"thread": "gone"}, "own conversation 'gone' is missing"),
        ({"threads": ()}, "own conversation 't' is missing"),
        (
            {"threads": (ThreadCopy(thread_id="t", length=3, entries=(entry(0), entry(2))),)},
            r"entries 1 of conversation 't' are missing \(2 of 3",
        ),
        (
            {"threads": (ThreadCopy(thread_id="t", length=2, entries=(entry(1), entry(0))),)},
            "not in order",
        ),
        (
            {
                "threads": (
                    ThreadCopy(thread_id="t", length=2, entries=(entry(0), entry(1, key="k0"))),
                )
            },
            "an entry of conversation 't' is there twice",
        ),
        (
            {
                "threads": (
                    ThreadCopy(thread_id="t", length=0, summaries=(Summary(upto=1, text=""),)),
                )
            },
            "a summary of conversation 't' reaches to 1",
        ),
        (
            {"threads": (ThreadCopy(thread_id="t", length=0), ThreadCopy(thread_id="t", length=0))},
            "a conversation is there twice",
        ),
        ({"waiting": (message(1, thread="else"),)}, "'else' of message 'm1' is missing"),
        (
            {"waiting": tuple(message(n, thread="else") for n in range(14))},
            "; and 4 more$",
        ),
    ],
)
def test_what_is_not_whole_is_refused_with_what_is_missing(changes: dict[str, Any], told: str):
    with pytest.raises(InvalidInput, match=f"not complete.*{told}"):
        as_read(seal(snapshot(**changes)))


def test_a_field_of_the_wrong_shape_is_named():
    data = {**seal(snapshot()), "taken_at": "yesterday"}
    data["checksum"] = checksum_of(data)
    with pytest.raises(InvalidInput, match="taken_at: "):
        as_read(data)


def test_a_tool_that_nobody_has_refuses_the_restore():
    see_tools(snapshot(), ["fs.read"], "s")
    with pytest.raises(InvalidInput, match=r"there is no tool 'fs.\*'"):
        see_tools(snapshot(), ["http.get"], "s")
    assert missing_tools(["fs.*", "fs.read", "remember", "fs"], ["fs.read"]) == ["fs"]


def test_a_turn_that_is_not_finished_is_left_out_of_the_copy():
    row = ThreadRow(thread_id="t", title="a", created_at=NOW, updated_at=NOW)
    entries = [entry(0, "m1"), entry(1, "m2"), entry(2), entry(3, "m2"), entry(4, "m3")]
    summaries = [Summary(upto=upto, text="") for upto in (1, 2, 4)]
    made = copy_thread(row, entries, summaries, {"m2", "m9"})
    assert [(one.position, one.key) for one in made.entries] == [(0, "k0"), (1, "k2"), (2, "k4")]
    assert (made.length, [one.upto for one in made.summaries]) == (3, [1])
    whole = copy_thread(row, entries, summaries, {""})
    assert (whole.length, len(whole.summaries)) == (5, 3)


def test_messages_of_a_restored_agent_concern_nobody_else():
    first = message(
        7,
        sender="agent-x",
        reply_workflow="agent-x",
        accounts=("agent/x",),
        thread="t",
        status=MessageStatus.DELIVERED,
        delivered_at=NOW,
    )
    second = message(3, sender="agent-y", sender_name="main/y")
    made = messages_for(
        snapshot(waiting=(first, second)), "agent-new", {"t": "t2"}, {"m7": "n7", "m3": "n3"}
    )
    assert [(one.id, one.sender_name, one.thread) for one in made] == [
        ("n3", "main/y", ""),
        ("n7", "agent-x", "t2"),
    ]
    for one in made:
        assert (one.receiver, one.sender, one.reply_workflow) == ("agent-new", "", "")
        assert (one.accounts, one.status, one.delivered_at) == ((), MessageStatus.PENDING, None)


def test_a_restored_agent_goes_on_counting():
    counts = AgentCounts(messages=9, failed=1, usage=Usage(turns=9), since_rollover=5)
    state = state_for(snapshot(counts=counts, restarts=3), NOW)
    assert (state.batch, state.rings, state.life.restarts) == (4, True, 3)
    assert state.counts == counts.model_copy(update={"since_rollover": 0})
    assert state.life.state is LifeState.INITIALIZING
    assert state.life.until == NOW + timedelta(seconds=7)
