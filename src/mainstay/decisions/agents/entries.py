"""How large entries of a conversation are, how results are cut, and what belongs together.

Rules:
    1. A text takes a token for every four characters, an entry a few more for its frame.
    2. A result that is too long is cut at its end. The note in its place says how long the whole
       is and how to read on; a text that was cut before keeps the length of the first whole.
    3. All entries of a turn stay together. Turns that overlap, because two agents share a thread,
       stay together as well; entries without a turn begin one with each USER entry.
    4. Providers refuse a tool call that is not directly followed by its result, and a result
       without its call. So results follow their call, a missing one is made up, and a stray one
       is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from mainstay.schemas.conversation import Entry, EntryKind, ToolUse

CHARS_PER_TOKEN = 4
"""Source: the usual rule of thumb of the providers for English text."""

FRAME_TOKENS = 4
"""What an entry takes beside its text: role, separators, ids."""

NO_RESULT = "[no result: the turn ended before this call did]"

_NOTE = re.compile(r"\n?\[cut: ([\d,]+) characters[^\]]*\]\Z")


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a text takes, at least 1.

    Example:
        9 characters take 3 tokens.
    """
    return max(1, -(-len(text) // CHARS_PER_TOKEN))


def entry_tokens(entry: Entry) -> int:
    """Return how many tokens an entry takes; its own count, or else an estimate with its frame."""
    return entry.tokens or measure_entry(entry)


def measure_entry(entry: Entry) -> int:
    """Estimate how many tokens an entry takes, whatever it says of itself."""
    calls = sum(
        estimate_tokens(use.name) + estimate_tokens(write_arguments(use)) for use in entry.uses
    )
    return FRAME_TOKENS + estimate_tokens(entry.text) + calls


def write_arguments(use: ToolUse) -> str:
    """Write the arguments of a tool call as JSON, or as the text they came as."""
    if isinstance(use.arguments, str):
        return use.arguments
    return json.dumps(use.arguments, ensure_ascii=False)


def cut_text(text: str, tokens: int, ref: str = "") -> str:
    """Cut a text to a number of tokens, its note included, where that makes it shorter.

    Args:
        text: the text; it may have been cut before.
        tokens: how many it may take.
        ref: the document that holds the whole; ``start`` in the note counts its characters.
    """
    room = tokens * CHARS_PER_TOKEN
    if len(text) <= room:
        return text
    earlier = _NOTE.search(text)
    body = text[: earlier.start()] if earlier else text
    whole = int(earlier[1].replace(",", "")) if earlier else len(text)
    head = body[: max(0, room - len(_note(whole, ref, whole)))]
    shorter = head + _note(whole, ref, len(head))
    return shorter if len(shorter) < len(text) else text


def cut_result(entry: Entry, tokens: int) -> Entry:
    """Cut the text of a TOOL entry to a number of tokens; any other entry stays as it is."""
    if entry.kind is not EntryKind.TOOL:
        return entry
    text = cut_text(entry.text, tokens, entry.ref)
    if text == entry.text:
        return entry
    shorter = entry.model_copy(update={"text": text})
    return shorter.model_copy(update={"tokens": measure_entry(shorter)})


def split_turns(entries: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    """Split a conversation into the runs of entries that must stay together."""
    names = list(_turn_names(entries))
    last = {name: place for place, name in enumerate(names)}
    turns, start, end = [], 0, 0
    for place, name in enumerate(names):
        end = max(end, last[name])
        if place == end:
            turns.append(tuple(entries[start : end + 1]))
            start = end = place + 1
    return turns


def pair_results(entries: Sequence[Entry]) -> list[Entry]:
    """Put each result behind its call, make up those that are missing, leave out stray ones."""
    asked: dict[str, int] = {}
    results: dict[tuple[int, str], Entry] = {}
    for place, entry in enumerate(entries):
        asked.update({use.id: place for use in entry.uses})
        if entry.kind is EntryKind.TOOL and entry.use_id in asked:
            results.setdefault((asked[entry.use_id], entry.use_id), entry)
    paired = []
    for place, entry in enumerate(entries):
        if entry.kind is EntryKind.TOOL:
            continue
        paired.append(entry)
        paired += [
            results.get((place, use.id)) or _missing_result(entry, use) for use in entry.uses
        ]
    return paired


def _turn_names(entries: Sequence[Entry]) -> Iterator[str]:
    nameless = 0
    for entry in entries:
        nameless += not entry.turn and entry.kind is EntryKind.USER
        yield entry.turn or f"#{nameless}"


def _note(whole: int, ref: str, start: int) -> str:
    how = f'; read the rest with read_result(ref="{ref}", start={start})' if ref else ""
    return f"\n[cut: {whole:,} characters{how}]"


def _missing_result(entry: Entry, use: ToolUse) -> Entry:
    missing = Entry(
        position=entry.position,
        key=f"{entry.key}/no-result/{use.id}",
        kind=EntryKind.TOOL,
        text=NO_RESULT,
        use_id=use.id,
        tool=use.name,
        is_error=True,
        turn=entry.turn,
        at=entry.at,
    )
    return missing.model_copy(update={"tokens": measure_entry(missing)})
