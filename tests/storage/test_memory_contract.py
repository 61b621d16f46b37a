"""What memories do, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest

from mainstay.schemas.errors import InvalidInput, LimitReached
from mainstay.storage.memories import MAX_MEMORY_BYTES
from mainstay.storage.store import Store


async def keys(store: Store, query: str, limit: int = 5, scope: str = "a") -> list[str]:
    return [key for key, _ in await store.recall(scope, query, limit)]


async def test_memories_with_more_of_the_words_come_first_then_the_newest(store: Store) -> None:
    for key, text in (
        ("one", "The quick brown fox"),
        ("two", "a brown dog, and a quick one"),
        ("three", "brown"),
        ("four", "nothing of it"),
    ):
        await store.remember("a", key, text)
    assert await keys(store, "QUICK brown fox?") == ["one", "two", "three"]
    assert await keys(store, "brown") == ["three", "two", "one"]
    assert await keys(store, "brown", limit=1) == ["three"]
    assert await keys(store, "cat") == []


async def test_words_are_found_whole_in_any_case_and_language_and_in_keys(store: Store) -> None:
    await store.remember("a", "größe", "ÄPFEL und_birnen 東京")
    for query in ("äpfel", "Äpfel", "GRÖSSE", "東京", "und_birnen"):
        assert await keys(store, query) == ["größe"]
    for query in ("äpfe", "birnen", "%"):
        assert await keys(store, query) == ([] if query != "%" else ["größe"])


async def test_a_text_takes_the_place_of_the_one_under_the_same_key(store: Store) -> None:
    await store.remember("a", "k", "old words")
    await store.remember("a", "k", "new words words")
    assert await store.recall("a", "words") == [("k", "new words words")]
    assert await keys(store, "old") == []


async def test_scopes_are_apart(store: Store) -> None:
    await store.remember("a", "k", "word")
    await store.remember("b", "k", "word of b")
    assert await store.recall("a", "word") == [("k", "word")]
    assert await store.recall("b", "word") == [("k", "word of b")]
    assert await keys(store, "word", scope="c") == []
    assert await keys(store, "of") == []


async def test_a_query_without_words_returns_the_newest(store: Store) -> None:
    for key in ("one", "two", "three"):
        await store.remember("a", key, key)
    assert await keys(store, "", limit=2) == ["three", "two"]


async def test_remembering_the_same_key_many_times_at_once_keeps_one(store: Store) -> None:
    await asyncio.gather(*(store.remember("a", "k", f"word {n}") for n in range(30)))
    assert len(await store.recall("a", "word", 50)) == 1


async def test_what_cannot_be_kept_is_refused_or_made_storable(store: Store) -> None:
    with pytest.raises(LimitReached, match="'k'"):
        await store.remember("a", "k", "x" * (MAX_MEMORY_BYTES + 1))
    with pytest.raises(InvalidInput):
        await store.remember("a", "k\0", "x")
    await store.remember("a", "k", "nul \0 " + "w" * 9_000 + " word")
    assert await keys(store, "word") == ["k"]
    assert await keys(store, "w" * 9_000) == ["k"]
