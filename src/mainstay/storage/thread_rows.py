"""Entries and threads as rows, and back.

A text is kept without loss: its column holds it for readers and searches, with a sign in place of
what the databases cannot hold, and where that differs, ``body`` holds the text itself.
"""

from __future__ import annotations

import json

from sqlalchemy import RowMapping

from mainstay.schemas.conversation import Entry, LiveText, Summary, ThreadRow
from mainstay.schemas.errors import InvalidInput
from mainstay.storage.rows import Values, exact, moment, shown, storable_text, within_limit

COLUMNS = ("key", "kind", "text", "tokens", "turn", "at")
"""What of an entry has a column of its own, beside its position."""


def entry_values(thread_id: str, entry: Entry) -> Values:
    """Return an entry's row, without its position.

    Raises:
        InvalidInput: its key cannot be kept exactly, or something in it is not JSON.
        LimitReached: it is too large.
    """
    which = f"entry {entry.key!r}"
    text = storable_text(entry.text)
    rest = entry.model_dump(exclude={*COLUMNS, "position"}, exclude_defaults=True)
    if text != entry.text:
        rest["text"] = entry.text
    try:
        body = json.dumps(rest, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{which} is not JSON: {error}") from None
    within_limit(text.encode(), which)
    return {
        "thread_id": thread_id,
        "key": exact(entry.key, "the entry key"),
        "kind": entry.kind,
        "text": text,
        "tokens": entry.tokens,
        "turn": exact(entry.turn, "turn"),
        "at": moment(entry.at, which),
        "body": within_limit(body, which),
    }


def entry_from(row: RowMapping | Values) -> Entry:
    """Return the entry that a row keeps."""
    values = {name: row[name] for name in (*COLUMNS, "position")}
    return Entry(**{**values, **json.loads(row["body"])})


def thread_values(thread: ThreadRow) -> Values:
    """Return a new thread's row; how many entries it has is not for the caller to say."""
    for text, what in (
        (thread.thread_id, "thread"),
        (thread.agent_id, "agent"),
        (thread.parent, "thread"),
    ):
        exact(text, what)
    moment(thread.created_at, f"thread {thread.thread_id!r}")
    moment(thread.updated_at, f"thread {thread.thread_id!r}")
    return {**dict(thread), "title": shown(thread.title), "entries": 0}


def summary_values(thread_id: str, summary: Summary) -> Values:
    """Return a summary's row."""
    return {**dict(summary), "thread_id": thread_id, "text": storable_text(summary.text)}


def live_values(live: LiveText) -> Values:
    """Return a live text's row."""
    exact(live.thread_id, "thread")
    exact(live.key, "the entry key")
    moment(live.at, f"live text {live.key!r}")
    return {**dict(live), "text": storable_text(live.text)}
