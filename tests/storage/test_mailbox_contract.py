"""What every mailbox does, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from agent_examples import (
    ANNA,
    BERT,
    FAILED,
    PROCESSED,
    agent_id,
    agent_row,
    message,
    settled,
    state_event,
)
from record_examples import NOON, at

from mainstay.schemas.agent_calls import AgentEvent, AgentEventKind
from mainstay.schemas.agent_run import message_entry_key
from mainstay.schemas.conversation import Entry, EntryKind, ThreadRow
from mainstay.schemas.errors import InvalidInput, LimitReached, NotFound, Refused
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import MAX_MESSAGE_BYTES, MessageHeader, MessageStatus
from mainstay.schemas.priority import Level
from mainstay.schemas.run import Failure, FailureKind
from mainstay.storage.columns import utc_now
from mainstay.storage.store import Store, open_store

PENDING, DELIVERED, EXPIRED = MessageStatus.PENDING, MessageStatus.DELIVERED, MessageStatus.EXPIRED


@pytest.fixture
async def mail(store: Store) -> Store:
    """A store with two agents that run."""
    await store.create_agent(agent_row(ANNA, name="anna"))
    await store.create_agent(agent_row(BERT, name="bert"))
    return store


async def send(store: Store, *texts: str, **fields: Any) -> list[str]:
    receipts = await store.send_messages([message(text, **fields) for text in texts])
    return [receipt.message_id for receipt in receipts]


async def take(store: Store, batch: int, size: int = 10, **how: Any) -> list[MessageHeader]:
    return await store.take_batch(how.pop("agent", ANNA), batch, size, how.pop("now", NOON), **how)


async def texts(store: Store, headers: list[MessageHeader]) -> list[str]:
    return [(await store.get_message(header.id)).text for header in headers]


async def status_of(store: Store, message_id: str) -> MessageStatus:
    return (await store.get_message(message_id)).status


async def test_a_message_comes_back_as_it_was_sent(mail: Store) -> None:
    sent = message(
        "na\u00efve \U0001f40d",
        type="task",
        sender=BERT,
        sender_name="bert",
        correlation="agent/use/7",
        reply_workflow=BERT,
        thread="thread/1",
        accounts=(f"agent/{BERT}", "plan/p/1"),
        output_schema_ref="schemas/1",
        priority=Level.HIGH,
        ttl=timedelta(seconds=7.5),
        payload={"n": [1, None, {"k": "v"}]},
    )
    await mail.send_messages([sent])
    assert await mail.get_message(sent.id) == sent.model_copy(update={"number": 1})
    (header,) = await take(mail, 1)
    assert header == MessageHeader(
        **{name: getattr(sent, name) for name in {*MessageHeader.model_fields} & {*dict(sent)}},
        bytes=len(sent.text.encode()),
    )
    assert (await mail.get_message(sent.id)).delivered_at == NOON


async def test_a_missing_message_is_not_found_and_named(mail: Store) -> None:
    wanted = str(uuid4())
    with pytest.raises(NotFound, match=wanted):
        await mail.get_message(wanted)


async def test_the_same_id_is_sent_once_and_rings_once(mail: Store) -> None:
    first = message("first")
    again = first.model_copy(update={"text": "second", "priority": Level.CRITICAL})
    (sent,) = await mail.send_messages([first])
    (resent, twice) = await mail.send_messages([again, again])
    assert (sent.is_new, sent.must_ring) == (True, True)
    assert [(r.is_new, r.must_ring) for r in (resent, twice)] == [(False, False)] * 2
    assert await texts(mail, await take(mail, 1)) == ["first"]
    assert (await mail.send_messages([first]))[0].is_new is False
    assert await take(mail, 2) == []


async def test_one_message_of_a_receiver_rings(mail: Store) -> None:
    messages = [message(receiver=who) for who in (ANNA, BERT, ANNA, BERT)]
    receipts = await mail.send_messages([messages[0], *messages])
    assert [receipt.must_ring for receipt in receipts] == [True, False, True, False, False]
    assert [receipt.is_new for receipt in receipts] == [True, False, True, True, True]


async def test_the_bell_rings_once_until_a_take_leaves_nothing(mail: Store) -> None:
    async def rings() -> bool:
        return (await mail.send_messages([message()]))[0].must_ring

    assert [await rings() for _ in range(3)] == [True, False, False]
    assert len(await take(mail, 1, 2)) == 2
    assert await rings() is False
    assert len(await take(mail, 2, 2)) == 2
    assert await rings() is True
    assert len(await take(mail, 3, 2)) == 1
    assert await take(mail, 4, 2) == []
    assert await rings() is True


async def test_taking_one_message_alone_leaves_the_bell_to_the_others(mail: Store) -> None:
    first, wanted = await send(mail, "first", "wanted")
    assert [header.id for header in await take(mail, 1, only=wanted)] == [wanted]
    assert (await mail.send_messages([message()]))[0].must_ring is False
    assert (await take(mail, 2))[0].id == first
    (only,) = await send(mail, "only")
    assert [header.id for header in await take(mail, 3, only=only)] == [only]
    assert (await mail.send_messages([message()]))[0].must_ring is True


async def test_the_most_urgent_come_first_and_then_the_oldest(mail: Store) -> None:
    levels = [2, 4, 0, 2, 1, 0, 3, 4]
    await mail.send_messages([message(f"{n}", priority=p) for n, p in enumerate(levels[:5])])
    for n, p in enumerate(levels[5:], 5):
        await mail.send_messages([message(f"{n}", priority=p, created_at=at(-100))])
    first, second = await take(mail, 1, 3), await take(mail, 2, 9)
    assert await texts(mail, first + second) == ["2", "5", "4", "0", "3", "6", "1", "7"]


async def test_a_batch_comes_again_whatever_came_meanwhile(mail: Store) -> None:
    await send(mail, "a", "b", "c")
    first = await take(mail, 1, 2)
    await send(mail, "urgent", priority=Level.CRITICAL)
    assert await take(mail, 1, 2) == first
    second = await take(mail, 2, 2)
    assert await texts(mail, second) == ["urgent", "c"]
    assert await take(mail, 1, 2) == first
    assert await take(mail, 2, 9) == second


async def test_an_empty_batch_stays_empty(mail: Store) -> None:
    assert await take(mail, 1) == []
    (sent,) = await mail.send_messages([message()])
    assert sent.must_ring
    assert await take(mail, 1) == []
    assert len(await take(mail, 2)) == 1


async def test_a_batch_that_comes_late_takes_nothing(mail: Store) -> None:
    await take(mail, 5)
    await send(mail, "a")
    assert await take(mail, 4) == []
    assert len(await take(mail, 6)) == 1


async def test_settling_ends_a_message_once(mail: Store) -> None:
    good, bad = await send(mail, "good", "bad")
    await take(mail, 1)
    refused = Failure(kind=FailureKind.REFUSED, message="no", retry_after=timedelta(seconds=2))
    ends = [settled(good, thread="t", position=3), settled(bad, FAILED, failure=refused)]
    assert await mail.settle_and_take(ANNA, ends, [], 2, 10, at(5)) == []
    late = [settled(good, FAILED, failure=refused), settled(bad)]
    await mail.settle_and_take(ANNA, late, [], 3, 10, at(9))
    first, second = await mail.get_message(good), await mail.get_message(bad)
    assert (first.status, first.answer, first.failure) == (PROCESSED, "", None)
    assert (first.processed_at, first.answer_thread, first.answer_position) == (at(5), "t", 3)
    assert (second.status, second.answer, second.failure) == (FAILED, "no", refused)


async def test_the_answer_is_copied_from_the_thread(mail: Store) -> None:
    (asked,) = await send(mail, "how many?")
    await take(mail, 1)
    await mail.create_thread(ThreadRow(thread_id="t", created_at=NOON, updated_at=NOON))
    entries = [
        Entry(key=f"{n}", kind=EntryKind.ASSISTANT, text=f"answer {n}", at=NOON) for n in range(3)
    ]
    await mail.append_entries("t", entries)
    ends = [settled(asked, thread="t", position=1)]
    await mail.settle_and_take(ANNA, ends, [], 2, 10, NOON)
    assert (await mail.get_message(asked)).answer == "answer 1"


async def test_what_is_put_back_comes_again_in_its_place(mail: Store) -> None:
    first, second = await send(mail, "first", "second")
    await take(mail, 1)
    await send(mail, "third")
    ends = [settled(first, PENDING), settled(second, PENDING)]
    for _ in range(2):
        again = await mail.settle_and_take(ANNA, ends, [], 2, 2, NOON)
        assert [header.id for header in again] == [first, second]
    assert await status_of(mail, first) is DELIVERED


async def test_what_a_lost_run_had_taken_is_taken_again_once(mail: Store) -> None:
    lost = await send(mail, "a", "b", "c")
    await take(mail, 1, 1)
    await take(mail, 2)
    for _ in range(2):
        again = await mail.settle_and_take(
            ANNA, [settled(lost[0], PROCESSED)], [], 3, 9, NOON, reclaims=True
        )
        assert [header.id for header in again] == lost[1:]
    assert await take(mail, 4) == []


async def test_only_delivered_messages_of_the_same_agent_are_settled(mail: Store) -> None:
    (waiting,) = await send(mail, "waiting")
    (foreign,) = await send(mail, "foreign", receiver=BERT)
    await take(mail, 1, agent=BERT)
    ends = [settled(waiting, FAILED), settled(foreign)]
    taken = await mail.settle_and_take(ANNA, ends, [], 1, 10, NOON)
    assert [header.id for header in taken] == [waiting]
    assert await status_of(mail, foreign) is DELIVERED


async def test_events_are_appended_with_a_take_once(mail: Store) -> None:
    event = AgentEvent(agent_id=ANNA, key="k", kind=AgentEventKind.MESSAGE_TAKEN, at=NOON)
    for _ in range(2):
        await mail.settle_and_take(ANNA, [], [event, event], 1, 10, NOON)
    found = await mail.agent_events_after(ANNA, 0)
    assert [one.model_copy(update={"number": 0}) for one in found] == [event]


@pytest.mark.parametrize("seconds", [10, 9.999999])
async def test_a_message_expires_exactly_when_its_time_is_over(mail: Store, seconds) -> None:
    expires = seconds >= 10
    (sent,) = await send(mail, "late", ttl=timedelta(seconds=10))
    taken = await take(mail, 1, now=at(seconds))
    assert [header.id for header in taken] == ([] if expires else [sent])
    found = await mail.get_message(sent)
    assert found.status is (EXPIRED if expires else DELIVERED)
    assert bool(found.answer) is expires
    (again,) = await mail.send_messages([message()])
    assert again.must_ring


async def test_a_time_to_live_of_zero_never_ends(mail: Store) -> None:
    (sent,) = await send(mail, "patient", ttl=timedelta(0))
    taken = await take(mail, 1, now=NOON.replace(year=9998))
    assert [header.id for header in taken] == [sent]
    assert (await mail.get_message(sent)).ttl == timedelta(0)


async def test_expired_messages_make_room_for_the_living_ones(mail: Store) -> None:
    await send(mail, *(["old"] * 1200), ttl=timedelta(seconds=1), priority=Level.HIGH)
    await send(mail, "a", "b", "c")
    assert await texts(mail, await take(mail, 1, 2, now=at(2))) == ["a", "b"]
    assert len(await mail.messages_of(ANNA, [EXPIRED], 2000)) == 1200
    assert await texts(mail, await take(mail, 2, 2, now=at(2))) == ["c"]


async def test_an_agent_that_is_not_there_gets_nothing(mail: Store) -> None:
    nobody = agent_id(99)
    sent, lost = message(), message(receiver=nobody)
    with pytest.raises(NotFound, match=nobody):
        await mail.send_messages([sent, lost])
    with pytest.raises(NotFound, match=sent.id):
        await mail.get_message(sent.id)
    with pytest.raises(NotFound, match=nobody):
        await take(mail, 1, agent=nobody)


@pytest.mark.parametrize("state", [LifeState.STOPPING, LifeState.TERMINATED])
async def test_an_agent_that_ends_is_sent_nothing_new(mail: Store, state: LifeState) -> None:
    sent = message()
    await mail.send_messages([sent])
    await mail.append_agent_events([state_event("s", LifeState.RUNNING, state)])
    with pytest.raises(Refused, match="'anna' takes no more messages"):
        await mail.send_messages([sent, message()])
    (receipt,) = await mail.send_messages([sent])
    assert receipt.is_new is False


async def test_closing_fails_what_is_left_and_refuses_what_comes(mail: Store) -> None:
    done, held, expired, waiting = [
        *await send(mail, "done", "held", reply_workflow="asker", thread="t"),
        *await send(mail, "old", ttl=timedelta(seconds=1)),
        *await send(mail, "waiting", priority=Level.HIGH),
    ]
    (other,) = await send(mail, "other", receiver=BERT)
    await take(mail, 1, only=done)
    await take(mail, 2, only=held)
    ended = state_event("end", LifeState.STOPPING, LifeState.TERMINATED)

    async def close() -> list[tuple[str, MessageStatus, str]]:
        left = await mail.close_mailbox(ANNA, [settled(done)], [ended], "it was stopped", at(5))
        return [(one.message_id, one.status, one.reply_workflow) for one in left]

    first = await close()
    assert first == [(waiting, FAILED, ""), (held, FAILED, "asker"), (expired, EXPIRED, "")]
    assert await close() == first
    found = await mail.get_message(held)
    assert found.failure is not None
    assert (found.answer, found.failure.message) == ("it was stopped", "it was stopped")
    assert await status_of(mail, done) is PROCESSED
    assert await status_of(mail, other) is PENDING
    with pytest.raises(Refused):
        await send(mail, "too late")
    assert await take(mail, 3) == []


async def test_bells_that_nobody_answered_are_found(mail: Store) -> None:
    assert await mail.unanswered_bells(utc_now()) == []
    before = utc_now()
    await send(mail, "a")
    await send(mail, "b", receiver=BERT)
    assert await mail.unanswered_bells(before) == []
    assert await mail.unanswered_bells(utc_now() + timedelta(seconds=1)) == [ANNA, BERT]
    assert await mail.unanswered_bells(utc_now() + timedelta(seconds=1), 1) == [ANNA]
    await take(mail, 1)
    await mail.close_mailbox(BERT, [], [], "stopped", NOON)
    assert await mail.unanswered_bells(utc_now() + timedelta(seconds=1)) == []


async def test_messages_are_listed_latest_first(mail: Store) -> None:
    ids = await send(mail, "a", "b", "c")
    await take(mail, 1, 1)
    assert [one.id for one in await mail.messages_of(ANNA)] == ids[::-1]
    assert [one.id for one in await mail.messages_of(ANNA, [PENDING], 1)] == [ids[2]]
    assert await mail.messages_of(BERT) == []


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "an id that is no UUID": ({"id": "1"}, InvalidInput, "'1' is not a UUID"),
    "a sender that is no agent": ({"sender": agent_id(9)}, InvalidInput, agent_id(9)),
    "a time without a zone": ({"created_at": NOON.replace(tzinfo=None)}, InvalidInput, "zone"),
    "a long type": ({"type": "x" * 51}, InvalidInput, "longer than 50"),
    "a text too large": ({"text": "x" * (MAX_MESSAGE_BYTES + 1)}, LimitReached, "1,048,577"),
}


@pytest.mark.parametrize(("fields", "error", "words"), BAD.values(), ids=BAD)
async def test_a_message_is_refused_for(mail: Store, fields, error, words) -> None:
    with pytest.raises(error, match=words):
        await mail.send_messages([message(**fields)])
    assert await mail.messages_of(ANNA) == []


async def test_strange_texts_become_storable(mail: Store) -> None:
    (sent,) = await send(mail, "a\0b \ud800", payload={"k\0": ["\udfff"]}, sender_name="\0")
    found = await mail.get_message(sent)
    assert (found.text, found.sender_name) == ("a\u2400b \ufffd", "\u2400")
    assert found.payload == {"k\u2400": ["\ufffd"]}


async def test_one_refused_send_does_not_take_the_others_with_it(mail: Store) -> None:
    good = [mail.send_messages([message(f"{n}")]) for n in range(20)]
    bad = mail.send_messages([message(receiver=agent_id(99))])
    outcomes = await asyncio.gather(*good, bad, return_exceptions=True)
    assert isinstance(outcomes[20], NotFound)
    assert sum(receipts[0].must_ring for receipts in outcomes[:20]) == 1  # type: ignore[index]
    assert len(await mail.messages_of(ANNA)) == 20


async def test_nothing_is_lost_or_taken_twice_whoever_sends_and_takes(url: str) -> None:
    stores = [await open_store(url) for _ in range(2)]
    agents = [agent_id(n) for n in range(1, 5)]
    for which in agents:
        await stores[0].create_agent(agent_row(which))
    bells = {which: asyncio.Event() for which in agents}

    async def sender(number: int) -> None:
        for part in range(25):
            sent = [
                message(f"{number}-{part}", agents[(number + n) % 4], priority=(part + n) % 5)
                for n in range(2)
            ]
            both = [store.send_messages(sent) for store in stores]
            receipts = [one for some in await asyncio.gather(*both) for one in some]
            assert sum(receipt.is_new for receipt in receipts) == len(sent)
            ringing = {receipt.message_id for receipt in receipts if receipt.must_ring}
            for one in sent:
                if one.id in ringing:
                    bells[one.receiver].set()

    async def taker(number: int) -> list[str]:
        which, seen, batch, ends = agents[number], [], 0, []
        while len(seen) < 100:
            await asyncio.wait_for(bells[which].wait(), 30)
            bells[which].clear()
            is_empty = False
            while not is_empty:
                batch += 1
                both = [store.settle_and_take(which, ends, [], batch, 7, NOON) for store in stores]
                first, second = await asyncio.gather(*both)
                assert first == second
                seen += [header.id for header in first]
                ends = [settled(header.id) for header in first]
                is_empty = not first
        return seen

    results = await asyncio.gather(*(taker(n) for n in range(4)), *(sender(n) for n in range(8)))
    for which, seen in zip(agents, results[:4], strict=True):
        ended = await stores[0].messages_of(which, [PROCESSED], 1000)
        assert len(seen) == len(set(seen)) == len(ended) == 100
        assert sorted(one.number for one in ended) == sorted({one.number for one in ended})
    for store in stores:
        await store.close()


async def test_whoever_sends_and_takes_at_once_no_bell_is_lost_or_rung_twice(url: str) -> None:
    one, two = [await open_store(url) for _ in range(2)]
    await one.create_agent(agent_row())
    for batch in range(1, 40):
        sent = [message(), message()]
        both = await asyncio.gather(one.send_messages(sent[:1]), two.send_messages(sent[1:]))
        assert [receipts[0].must_ring for receipts in both].count(True) == 1
        late = message()
        taken, _ = await asyncio.gather(take(one, 2 * batch, 2), two.send_messages([late]))
        assert {header.id for header in taken} == {sent[0].id, sent[1].id}
        waiting = await one.messages_of(ANNA, [PENDING])
        assert [message.id for message in waiting] == [late.id]
        # Either the take saw that something was left, or the bell rang again.
        assert await one.unanswered_bells(utc_now() + timedelta(seconds=1)) == [ANNA]
        assert len(await take(two, 2 * batch + 1)) == 1
    numbers = [message.number for message in await one.messages_of(ANNA, limit=1000)]
    assert len(numbers) == len(set(numbers)) == 3 * 39
    for store in (one, two):
        await store.close()


async def begin(store: Store, message_id: str, second: int, thread: str = "own") -> None:
    """Begin to work on a message, as an agent does: its text goes to its thread."""
    await store.create_thread(ThreadRow(thread_id=thread, created_at=NOON, updated_at=NOON))
    key = message_entry_key(message_id)
    told = Entry(key=key, kind=EntryKind.USER, text="x", at=at(second))
    await store.append_entries(thread, [told])


@pytest.fixture
async def own_mail(store: Store) -> Store:
    """A store with an agent that has a conversation of its own."""
    await store.create_agent(agent_row(ANNA, name="anna", thread="own"))
    return store


async def lose_run(store: Store, batch: int) -> dict[str, int]:
    """Take again what a lost run had; return how many runs were lost with each message."""
    taken = await store.settle_and_take(ANNA, [], [], batch, 9, NOON, reclaims=True)
    return {header.id: header.losses for header in taken}


async def test_loss_of_a_run_counts_for_the_message_it_had_begun_last_and_no_other(
    own_mail: Store,
) -> None:
    first, urgent, waiting = await send(own_mail, "first", "urgent", "waiting")
    (apart,) = await send(own_mail, "apart", thread="other")
    await take(own_mail, 1)
    assert await lose_run(own_mail, 2) == {first: 0, urgent: 0, waiting: 0, apart: 0}
    await begin(own_mail, first, 1)
    assert await lose_run(own_mail, 3) == {first: 1, urgent: 0, waiting: 0, apart: 0}
    await begin(own_mail, urgent, 2)
    assert await lose_run(own_mail, 4) == {first: 1, urgent: 1, waiting: 0, apart: 0}
    await begin(own_mail, apart, 3, "other")
    assert await lose_run(own_mail, 5) == {first: 1, urgent: 1, waiting: 0, apart: 1}
    assert await lose_run(own_mail, 5) == {first: 1, urgent: 1, waiting: 0, apart: 1}


async def test_what_an_orderly_end_puts_back_is_no_loss(own_mail: Store) -> None:
    (held,) = await send(own_mail, "held")
    await take(own_mail, 1)
    await begin(own_mail, held, 1)
    await own_mail.settle_and_take(ANNA, [settled(held, PENDING)], [], 2, 0, NOON)
    assert await lose_run(own_mail, 3) == {held: 0}
