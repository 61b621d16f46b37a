"""Entries and threads to store, as small as they can be."""

from __future__ import annotations

from typing import Any

from record_examples import NOON

from mainstay.schemas.conversation import Entry, EntryKind, LiveText, ThreadRow, Usage

THREAD = "thread/1"
AGENT = "agent-7d0c8a52-9a3e-4c1b-8f2d-0123456789ab"
ACCOUNT = f"agent/{AGENT}"
ONE_CALL = Usage(input_tokens=10, output_tokens=5, model_calls=1, picodollars=7)


def thread_row(thread_id: str = THREAD, **fields: Any) -> ThreadRow:
    return ThreadRow(thread_id=thread_id, **{"created_at": NOON, "updated_at": NOON, **fields})


def entry(key: str, text: str = "", **fields: Any) -> Entry:
    return Entry(key=key, text=text, **{"kind": EntryKind.USER, "at": NOON, **fields})


def answer(key: str, text: str = "yes") -> Entry:
    return entry(key, text, kind=EntryKind.ASSISTANT)


def live(text: str, attempt: int = 1, key: str = "a", **fields: Any) -> LiveText:
    return LiveText(thread_id=THREAD, key=key, attempt=attempt, text=text, **{"at": NOON, **fields})
