"""Conversations, written down entry by entry."""

from __future__ import annotations

from datetime import UTC, datetime

from mainstay.schemas.conversation import Entry, EntryKind, ToolUse

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Talk:
    """A conversation that is written down entry by entry."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, kind: EntryKind, turn: str, text: str = "", **values) -> Talk:
        place = len(self.entries)
        self.entries.append(
            Entry(
                position=place, key=f"k{place}", kind=kind, turn=turn, text=text, at=START
            ).model_copy(update=values)
        )
        return self

    def user(self, turn: str, text: str = "hello", **values) -> Talk:
        return self.add(EntryKind.USER, turn, text, **values)

    def says(self, turn: str, text: str = "yes", *calls: str, **values) -> Talk:
        uses = tuple(ToolUse(id=call, name="fs.read", arguments={"path": call}) for call in calls)
        return self.add(EntryKind.ASSISTANT, turn, text, uses=uses, **values)

    def result(self, turn: str, call: str, text: str = "done", **values) -> Talk:
        return self.add(EntryKind.TOOL, turn, text, use_id=call, tool="fs.read", **values)

    def pin(self, text: str) -> Talk:
        return self.add(EntryKind.PIN, "", text)

    def sized(self, *turns: int) -> Talk:
        """Add turns of two entries, each turn of that many tokens in all."""
        for tokens in turns:
            name = f"t{len(self.entries)}"
            self.user(name, tokens=tokens - tokens // 2).says(name, tokens=tokens // 2)
        return self
