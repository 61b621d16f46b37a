"""Memories: texts that are found again by their words. A simple store behind a port."""

from __future__ import annotations

import re

from sqlalchemy import Connection, desc, func, select

from mainstay.schemas.errors import LimitReached
from mainstay.storage import tables
from mainstay.storage.access import Access
from mainstay.storage.changes import IN_LIMIT
from mainstay.storage.columns import utc_now
from mainstay.storage.rows import exact, storable_text

MAX_MEMORY_BYTES = 256 * 1024
"""Largest text of one memory; larger things are kept as documents or files."""

MAX_WORD_CHARS = 100
"""What a word is cut to, so that it fits into an index beside its scope and its key."""

_WORD = re.compile(r"\w+")
_m, _w = tables.memories.c, tables.memory_words.c


class MemoryStore(Access):
    """What agents keep beyond a conversation."""

    async def remember(self, scope: str, key: str, text: str) -> None:
        """Keep a text under a key, in place of the one that was there.

        Raises:
            LimitReached: it is too large.
            InvalidInput: the scope or the key cannot be stored as it is.
        """
        place = {"scope": exact(scope, "the scope"), "key": exact(key, "the key of a memory")}
        text = storable_text(text)
        size = len(text.encode())
        if size > MAX_MEMORY_BYTES:
            raise LimitReached(
                f"memory {key!r} has {size:,} bytes, and {MAX_MEMORY_BYTES:,} are allowed",
                hint="write it to a file, and remember the file's name and what it is about",
            )
        words = [{**place, "word": word} for word in sorted(words_of(f"{key} {text}"))]
        row = {**place, "text": text, "updated_at": utc_now()}
        there = (_m.scope == scope) & (_m.key == key)

        def keep(connection: Connection) -> None:
            # Its words go with it.
            connection.execute(tables.memories.delete().where(there))
            connection.execute(tables.memories.insert(), row)
            if words:
                connection.execute(tables.memory_words.insert(), words)

        await self._write(keep, (f"memory {scope}\n{key}",), size + 50 * len(words))

    async def recall(self, scope: str, query: str, limit: int = 5) -> list[tuple[str, str]]:
        """Return keys and texts that fit a query, the best first.

        The best hold the most of the query's words, whatever their case; of equals the newest
        comes first. A query without words returns the newest.
        """
        return await self._read(_recall, scope, sorted(words_of(query))[:IN_LIMIT], limit)


def words_of(text: str) -> set[str]:
    """Return the different words of a text, in lower case."""
    return {word[:MAX_WORD_CHARS] for word in _WORD.findall(text.casefold())}


def _recall(
    connection: Connection, scope: str, words: list[str], limit: int
) -> list[tuple[str, str]]:
    query = select(_m.key, _m.text).where(_m.scope == scope)
    if words:
        hits = (
            select(_w.key, func.count().label("score"))
            .where(_w.scope == scope, _w.word.in_(words))
            .group_by(_w.key)
            .subquery()
        )
        query = query.join(hits, hits.c.key == _m.key).order_by(desc(hits.c.score))
    query = query.order_by(_m.updated_at.desc(), _m.key).limit(limit)
    return [(key, text) for key, text in connection.execute(query)]
