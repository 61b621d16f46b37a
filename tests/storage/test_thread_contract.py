"""What threads do, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from record_examples import NOON, at
from sqlalchemy import Connection, delete, func, select
from thread_examples import ACCOUNT, AGENT, ONE_CALL, THREAD, answer, entry, live, thread_row

from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind
from mainstay.schemas.conversation import EntryKind, Summary, ToolUse, Usage
from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound
from mainstay.storage import rows, tables
from mainstay.storage import threads as threads_module
from mainstay.storage.store import Store, open_store

ANSWERED = AgentEvent(
    agent_id=AGENT, key="think/1/answered", kind=AgentEventKind.MODEL_ANSWERED, at=NOON
)


@pytest.fixture
async def chat(store: Store) -> Store:
    """A store that has one empty thread."""
    await store.create_thread(thread_row(agent_id=AGENT))
    return store


@pytest.fixture
async def other(chat: Store, url: str) -> AsyncIterator[Store]:
    """Another store on the same database, as another worker has it."""
    opened = await open_store(url)
    yield opened
    await opened.close()


async def keys_of(store: Store, thread_id: str = THREAD) -> list[str]:
    found = await store.load_entries(thread_id)
    assert [one.position for one in found] == list(range(len(found)))
    return [one.key for one in found]


async def test_entries_are_kept_as_they_are_at_dense_positions(chat: Store) -> None:
    given = [
        entry("q", "what?", author="person", turn="m1", tokens=3),
        entry(
            "a",
            kind=EntryKind.ASSISTANT,
            uses=(ToolUse(id="1", name="fs.read", arguments={"path": "é"}),),
            raw={"parts": [1, None, "x"]},
        ),
        entry("t", "no", kind=EntryKind.TOOL, use_id="1", tool="fs.read", is_error=True, ref="d"),
    ]
    stored = await chat.append_entries(THREAD, given)
    assert stored == [one.model_copy(update={"position": n}) for n, one in enumerate(given)]
    assert await chat.load_entries(THREAD) == stored
    assert await chat.load_entries(THREAD, 1, 2) == stored[1:2]
    assert await chat.find_entry(THREAD, "a") == stored[1]
    assert await chat.find_entry(THREAD, "b") is None
    row = await chat.get_thread(THREAD)
    assert row is not None
    assert (row.entries, row.updated_at > NOON) == (3, True)


async def test_a_known_key_changes_nothing_and_returns_what_is_stored(chat: Store) -> None:
    (first,) = await chat.append_entries(THREAD, [entry("q", "first")])
    again = await chat.append_entries(
        THREAD, [entry("new", "n"), entry("q", "second"), entry("new", "twice")]
    )
    assert [(one.key, one.text, one.position) for one in again] == [
        ("new", "n", 1),
        ("q", "first", 0),
        ("new", "n", 1),
    ]
    assert await chat.load_entries(THREAD) == [first, again[0]]


@pytest.mark.parametrize("text", ["nul \0 inside", "half \ud800 pair", "\U0001f40d" * 9])
async def test_strange_texts_are_kept_without_loss(chat: Store, text: str) -> None:
    given = entry("k", text, raw={"text": text}, author=text)
    (stored,) = await chat.append_entries(THREAD, [given])
    assert stored == given.model_copy(update={"position": 0})
    assert await chat.load_entries(THREAD) == [stored]


async def test_an_entry_of_some_megabytes_is_kept_whole(chat: Store) -> None:
    text = "0123456789" * 500_000
    await chat.append_entries(THREAD, [entry("big", text)])
    (found,) = await chat.load_entries(THREAD)
    assert found.text == text


async def test_an_entry_that_cannot_be_kept_is_refused_and_named(
    chat: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="'k' is not JSON"):
        await chat.append_entries(THREAD, [entry("k", raw={"x": b"bytes"})])
    with pytest.raises(InvalidInput):
        await chat.append_entries(THREAD, [entry("k\0")])
    with pytest.raises(InvalidInput, match="no time zone"):
        await chat.append_entries(THREAD, [entry("k", at=NOON.replace(tzinfo=None))])
    monkeypatch.setattr(rows, "MAX_OUTPUT_BYTES", 100)
    with pytest.raises(LimitReached, match="'k' has 101 bytes"):
        await chat.append_entries(THREAD, [entry("k", "x" * 101)])
    assert await keys_of(chat) == []


async def test_an_unknown_thread_is_not_found_by_any_write(store: Store) -> None:
    for write in (
        store.append_entries(THREAD, [entry("k")]),
        store.keep_answer(THREAD, answer("k"), "c", [ACCOUNT], ONE_CALL),
        store.keep_summary(THREAD, Summary(upto=1, text="s"), "c", [ACCOUNT], ONE_CALL),
        store.fork_thread(THREAD, 0, "new"),
        store.hand_over_thread(THREAD, AGENT),
    ):
        with pytest.raises(NotFound, match="'thread/1'"):
            await write
    await store.show_live(live("nobody listens"))
    assert await store.get_thread(THREAD) is None
    assert await store.get_accounts([ACCOUNT]) == []
    assert await store.charge("c", [ACCOUNT], ONE_CALL)


async def test_concurrent_appends_give_dense_positions_and_no_duplicates(
    chat: Store, other: Store
) -> None:
    async def write(store: Store, name: str) -> None:
        for n in range(25):
            await store.append_entries(THREAD, [entry(f"{name}/{n}"), entry(f"shared/{n}")])

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(write((chat, other)[number % 2], str(number)))
    found = await keys_of(chat)
    assert len(found) == len(set(found)) == 8 * 25 + 25
    for name in range(8):
        own = [key for key in found if key.startswith(f"{name}/")]
        assert own == [f"{name}/{n}" for n in range(25)]
    row = await chat.get_thread(THREAD)
    assert row is not None
    assert row.entries == len(found)


async def test_an_answer_is_kept_charged_and_told_at_once_and_once(chat: Store) -> None:
    await chat.append_entries(THREAD, [entry("q")])
    await chat.show_live(live("ye"))
    for text in ("yes", "no"):
        kept = await chat.keep_answer(
            THREAD, answer("a", text), "c", [ACCOUNT, "plan/p/1"], ONE_CALL, [ANSWERED], model="m"
        )
        assert (kept.text, kept.position) == ("yes", 1)
    assert await keys_of(chat) == ["q", "a"]
    assert await chat.live_text(THREAD) is None
    assert [one.spent for one in await chat.get_accounts([ACCOUNT, "plan/p/1"])] == [ONE_CALL] * 2
    assert [one.model for one in await chat.charges_of(ACCOUNT)] == ["m"]
    assert [one.key for one in await chat.agent_events_after(AGENT, 0, 10)] == [ANSWERED.key]


async def test_a_known_answer_is_not_charged_under_another_key(chat: Store) -> None:
    for key in ("c1", "c2"):
        await chat.keep_answer(THREAD, answer("a"), key, [ACCOUNT], ONE_CALL)
    (account,) = await chat.get_accounts([ACCOUNT])
    assert account.spent == ONE_CALL


async def test_two_workers_that_keep_the_same_answer_keep_one(chat: Store, other: Store) -> None:
    kept = await asyncio.gather(
        *(
            store.keep_answer(
                THREAD, answer(f"a{n}", f"{who}"), f"c{n}", [ACCOUNT], ONE_CALL, [ANSWERED]
            )
            for n in range(10)
            for who, store in enumerate((chat, other))
        )
    )
    assert all(first == second for first, second in zip(kept[::2], kept[1::2], strict=True))
    assert sorted(await keys_of(chat)) == sorted(f"a{n}" for n in range(10))
    (account,) = await chat.get_accounts([ACCOUNT])
    assert account.spent.model_calls == 10


@pytest.mark.parametrize("step", ["append", "charge", "silence", "insert_agent_events"])
async def test_what_breaks_in_the_middle_leaves_nothing_half_done(
    chat: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    where = threads_module if hasattr(threads_module, step) else threads_module.appending
    works = getattr(where, step)

    def breaks(*args: object) -> None:
        works(*args)
        raise RuntimeError("killed")

    await chat.show_live(live("ye"))
    write = (THREAD, answer("a"), "c", [ACCOUNT], ONE_CALL, [ANSWERED])
    with monkeypatch.context() as patch:
        patch.setattr(where, step, breaks)
        with pytest.raises(RuntimeError, match="killed"):
            await chat.keep_answer(*write)
    assert await keys_of(chat) == []
    assert await chat.live_text(THREAD) == live("ye")
    assert await chat.get_accounts([ACCOUNT]) == []
    assert await chat.charges_of(ACCOUNT) == []
    assert await chat.agent_events_after(AGENT, 0, 10) == []
    assert (await chat.keep_answer(*write)).position == 0
    assert len(await chat.charges_of(ACCOUNT)) == 1


async def test_a_refused_write_does_not_disturb_those_beside_it(chat: Store) -> None:
    outcomes = await asyncio.gather(
        *(chat.append_entries(THREAD, [entry(f"k{n}")]) for n in range(20)),
        chat.append_entries("none", [entry("k")]),
        return_exceptions=True,
    )
    assert [type(one) for one in outcomes if isinstance(one, BaseException)] == [NotFound]
    assert len(await keys_of(chat)) == 20


async def test_the_summary_that_reaches_furthest_is_the_latest(chat: Store) -> None:
    assert await chat.latest_summary(THREAD) is None
    for upto, text, key in ((8, "long", "s8"), (4, "short", "s4"), (8, "other", "s8 again")):
        await chat.keep_summary(
            THREAD, Summary(upto=upto, text=text, tokens=2), key, [ACCOUNT], ONE_CALL
        )
    assert await chat.latest_summary(THREAD) == Summary(upto=8, text="long", tokens=2)
    assert [summary.upto for summary in await chat.summaries_of(THREAD)] == [4, 8]
    assert len(await chat.charges_of(ACCOUNT)) == 3


async def test_a_summary_is_stored_and_charged_once_under_its_key(chat: Store) -> None:
    for upto in (4, 8):
        await chat.keep_summary(THREAD, Summary(upto=upto, text="s"), "s", [ACCOUNT], ONE_CALL)
    assert await chat.latest_summary(THREAD) == Summary(upto=4, text="s")
    (account,) = await chat.get_accounts([ACCOUNT])
    assert account.spent == ONE_CALL


async def test_live_text_of_a_later_attempt_supersedes_an_earlier_one(chat: Store) -> None:
    assert await chat.live_text(THREAD) is None
    await chat.show_live(live("a long beginning", at=at(5)))
    await chat.show_live(live("anew", attempt=2, at=at(1)))
    await chat.show_live(live("a long beginning and more", at=at(9)))
    assert await chat.live_text(THREAD) == live("anew", attempt=2, at=at(1))
    await chat.show_live(live("anew and more", attempt=2, at=at(3)))
    await chat.show_live(live("anew and", attempt=2, at=at(2)))
    shown = await chat.live_text(THREAD)
    assert shown is not None
    assert shown.text == "anew and more"


async def test_live_text_of_the_next_answer_takes_the_place_of_the_last(chat: Store) -> None:
    await chat.show_live(live("first", attempt=3, at=at(5)))
    await chat.show_live(live("next", key="b", at=at(6)))
    await chat.show_live(live("first and more", attempt=3, at=at(5.5)))
    shown = await chat.live_text(THREAD)
    assert shown is not None
    assert (shown.key, shown.text) == ("b", "next")


async def test_nothing_is_shown_of_an_answer_that_is_kept_already(chat: Store) -> None:
    await chat.keep_answer(THREAD, answer("a"), "c", [], Usage())
    await chat.show_live(live("a late worker", attempt=9))
    assert await chat.live_text(THREAD) is None


async def test_a_fork_has_what_stands_before_its_position_and_goes_its_own_way(
    chat: Store,
) -> None:
    given = [
        entry("pin", "fact", kind=EntryKind.PIN),
        entry("q", "nul \0", raw={"a": 1}),
        entry("late pin", kind=EntryKind.PIN),
        answer("a"),
    ]
    stored = await chat.append_entries(THREAD, given)
    for upto in (1, 2, 3):
        await chat.keep_summary(THREAD, Summary(upto=upto, text=f"{upto}"), f"s{upto}", [], Usage())
    fork = await chat.fork_thread(THREAD, 2, "fork", "another way")
    assert (fork.parent, fork.forked_at, fork.entries) == (THREAD, 2, 2)
    assert (fork.title, fork.agent_id) == ("another way", "")
    assert await chat.get_thread("fork") == fork
    assert await chat.load_entries("fork") == stored[:2]
    assert await chat.latest_summary("fork") == Summary(upto=2, text="2")
    await chat.append_entries("fork", [entry("a", "different")])
    assert await keys_of(chat, "fork") == ["pin", "q", "a"]
    assert await chat.load_entries(THREAD) == stored
    assert (await chat.fork_thread(THREAD, 2, "fork", "again")).entries == 3


async def test_a_fork_can_be_empty_or_whole_but_not_longer(chat: Store) -> None:
    await chat.append_entries(THREAD, [entry("q"), answer("a")])
    assert (await chat.fork_thread(THREAD, 0, "empty")).entries == 0
    assert await keys_of(chat, "empty") == []
    await chat.fork_thread(THREAD, 2, "whole")
    assert await keys_of(chat, "whole") == ["q", "a"]
    for position in (3, -1):
        with pytest.raises(InvalidInput, match=f"no position {position}"):
            await chat.fork_thread(THREAD, position, "new")
    for position, taken in ((1, "whole"), (1, THREAD)):
        with pytest.raises(InvalidInput, match="exists already"):
            await chat.fork_thread(THREAD, position, taken)


async def test_a_thread_is_created_once(chat: Store) -> None:
    await chat.append_entries(THREAD, [entry("q")])
    await chat.create_thread(thread_row(title="other", entries=9))
    row = await chat.get_thread(THREAD)
    assert row is not None
    assert (row.title, row.agent_id, row.entries) == ("", AGENT, 1)
    await chat.create_thread(thread_row("new", entries=9))
    assert await chat.append_entries("new", [entry("q")]) == [entry("q", position=0)]


async def test_threads_are_listed_by_agent_and_handed_over(chat: Store) -> None:
    for n in range(3):
        await chat.create_thread(thread_row(f"t{n}", agent_id="agent-b", updated_at=at(n)))
    assert [row.thread_id for row in await chat.list_threads("agent-b")] == ["t2", "t1", "t0"]
    given = await chat.hand_over_thread("t0", AGENT)
    assert (given.thread_id, given.agent_id) == ("t0", AGENT)
    assert [row.thread_id for row in await chat.list_threads("agent-b")] == ["t2", "t1"]
    assert [row.thread_id for row in await chat.list_threads(AGENT)] == ["t0", THREAD]
    assert [row.thread_id for row in await chat.list_threads(limit=2)] == ["t0", "t2"]


async def test_a_thread_that_is_deleted_takes_all_of_its_own_with_it(chat: Store) -> None:
    await chat.append_entries(THREAD, [entry("q")])
    await chat.keep_summary(THREAD, Summary(upto=1, text="s"), "s", [], Usage())
    await chat.show_live(live("ye"))

    def count(connection: Connection) -> list[int]:
        connection.execute(delete(tables.threads))
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.thread_entries, tables.thread_summaries, tables.live_texts)
        ]

    assert await chat._write(count) == [0, 0, 0]
