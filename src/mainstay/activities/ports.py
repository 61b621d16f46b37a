"""What activities need from storage, as Protocols: ``worker.py`` plugs the real one in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mainstay.schemas.records import OutputChunk, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.tools import CallOutcome, ToolCall, ToolSpec


class Documents(Protocol):
    """Immutable texts by key: plans, inputs, outputs of plans."""

    async def put_document(self, key: str, body: bytes) -> None:
        """Store a document; a no-op when the key is known. At most 64 MiB."""

    async def get_document(self, key: str) -> bytes:
        """Return a document.

        Raises:
            NotFound: no document has that key.
        """


class Outputs(Protocol):
    """What tasks returned, in chunks of consecutive items."""

    async def save_chunk(self, chunk: OutputChunk, events: Sequence[PlanEvent] = ()) -> None:
        """Store a chunk and append events, in one transaction.

        Items that are kept already stay as they are and are not counted again. A no-op for known
        events.
        """

    async def load_chunks(
        self, plan_id: str, task: str, round_: int, start: int = 0, stop: int | None = None
    ) -> list[OutputChunk]:
        """Return the chunks that overlap ``[start, stop)``, in the order of their items."""

    async def mark_started(self, key: str) -> bool:
        """Note that an effect that cannot be repeated begins; False when it had begun before."""

    async def clear_started(self, key: str) -> None:
        """Forget such a note, because a person allowed another attempt."""


class Records(Protocol):
    """Projections for people: rows about plans and tasks, and the events that made them."""

    async def create_plan(self, plan: PlanRow, tasks: Sequence[TaskRow]) -> None:
        """Insert a plan and its tasks; a no-op for those already known."""

    async def append_events(self, events: Sequence[PlanEvent]) -> None:
        """Append events and bring the rows up to date; known events change nothing."""


class Storage(Documents, Outputs, Records, Protocol):
    """All of it: what the plan activities are given."""


class Toolbox(Protocol):
    """The tools a worker has, and how to call them."""

    def spec(self, name: str) -> ToolSpec:
        """Return what a tool says of itself.

        Raises:
            NotFound: no tool has that name.
        """

    def specs(self) -> dict[str, ToolSpec]:
        """Return what each tool says of itself, by name."""

    def check_arguments(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Compare arguments with a tool's signature, without calling it.

        Raises:
            InvalidInput: naming everything that is wrong.
        """

    async def run_calls(
        self, tool: str, calls: Sequence[ToolCall], seconds: float
    ) -> list[CallOutcome]:
        """Make calls one after another until all are made or the time is over.

        Returns:
            The outcomes of the calls that were made, in order: at least one, perhaps not all.
        """
