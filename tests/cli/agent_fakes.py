"""A Temporal server for clients of agents: it keeps workflows open, and remembers its calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from mainstay.schemas.conversation import Entry, EntryKind
from mainstay.schemas.messages import MessageStatus, Settlement
from mainstay.schemas.run import Failure


@dataclass
class FakeTemporal:
    """What a client of agents calls. ``answers`` are given to queries and updates by name."""

    serves: bool = True
    looks: int = 0
    opened: dict[str, Any] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    signals: list[tuple[str, str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    on_ring: Callable[[str], Awaitable[None]] | None = None
    namespace: str = "default"

    @property
    def workflow_service(self) -> FakeTemporal:
        return self

    async def describe_task_queue(self, request: Any, timeout: Any = None) -> Any:
        self.looks += 1
        seen = Timestamp()
        seen.FromDatetime(datetime.now(UTC).replace(tzinfo=None))
        return SimpleNamespace(pollers=[SimpleNamespace(last_access_time=seen)] * self.serves)

    async def start_workflow(self, workflow: str, request: Any, **options: Any) -> None:
        name = options["id"]
        refuses = options["id_reuse_policy"] is WorkflowIDReusePolicy.REJECT_DUPLICATE
        if name in self.closed and refuses:
            raise WorkflowAlreadyStartedError(name, workflow)
        self.closed.discard(name)
        self.opened.setdefault(name, request)

    def kill(self, name: str) -> None:
        """Let a workflow be gone, without a word in the records."""
        self.opened.pop(name)
        self.closed.add(name)

    def get_workflow_handle(self, name: str) -> FakeHandle:
        return FakeHandle(self, name)

    def get_workflow_handle_for(self, workflow: Any, name: str) -> FakeHandle:
        return FakeHandle(self, name)


@dataclass
class FakeHandle:
    """A handle on one of the fake's workflows."""

    temporal: FakeTemporal
    name: str

    def _check(self) -> None:
        if self.name in self.temporal.closed:
            raise RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")
        if self.name not in self.temporal.opened:
            raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")

    async def describe(self, **_: Any) -> Any:
        if self.name in self.temporal.closed:
            return SimpleNamespace(status=WorkflowExecutionStatus.TERMINATED)
        self._check()
        return SimpleNamespace(status=WorkflowExecutionStatus.RUNNING)

    async def signal(self, signal: Any, argument: Any = None) -> None:
        self._check()
        name = signal.__name__
        self.temporal.signals.append((self.name, name, argument))
        if name == "ring" and self.temporal.on_ring:
            await self.temporal.on_ring(self.name)

    async def query(self, query: Any, **_: Any) -> Any:
        self._check()
        return self.temporal.answers[query.__name__]

    async def execute_update(self, update: Any, argument: Any = None, **_: Any) -> Any:
        self._check()
        name = update._defn.name
        self.temporal.signals.append((self.name, name, argument))
        return self.temporal.answers[name]


async def answer_all(store: Any, agent_id: str, text: str = "", failure: Failure | None = None):
    """Take what is in a mailbox and settle it, as an agent's workflow would."""
    now = datetime.now(UTC)
    thread = (await store.get_agent(agent_id)).thread
    settled = []
    for header in await store.settle_and_take(agent_id, [], [], 1, 10, now):
        entry = Entry(key=header.id, kind=EntryKind.ASSISTANT, text=text, at=now)
        kept = (await store.append_entries(thread, [entry]))[0]
        settled.append(
            Settlement(
                message_id=header.id,
                status=MessageStatus.FAILED if failure else MessageStatus.PROCESSED,
                thread=thread,
                position=-1 if failure else kept.position,
                failure=failure,
            )
        )
    await store.settle_and_take(agent_id, settled, [], 2, 10, now)
