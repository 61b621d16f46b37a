"""Making the records of plans again from Temporal's history, when a database was lost or is wrong.

The rows and events about plans are projections: everything in them that matters is in history
(see :mod:`mainstay.decisions.history_records` for what is not). Documents and outputs are no
projections; they stay as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution, WorkflowHistory
from temporalio.converter import DataConverter

from mainstay.decisions.history_records import (
    PastActivity,
    PastEnd,
    PastItem,
    PlanRecords,
    derive_records,
)
from mainstay.schemas import names
from mainstay.schemas.calls import FinishCall, OutlineCall, RecordCall, TaskCall, Verdict
from mainstay.schemas.errors import NotFound
from mainstay.schemas.model import Model
from mainstay.schemas.outline import OutlinePage
from mainstay.schemas.run import PlanStatus
from mainstay.storage.store import Store

SIGNATURES: Mapping[str, tuple[type[Model], type[Model] | None]] = {
    names.PLAN_OUTLINE: (OutlineCall, OutlinePage),
    names.PLAN_FINISH: (FinishCall, Verdict),
    names.RECORD: (RecordCall, None),
    names.TASK_PREPARE: (TaskCall, Verdict),
    names.TASK_RUN: (TaskCall, Verdict),
    names.SUB_PLAN_ADOPT: (TaskCall, Verdict),
}
"""What the activities that leave records are asked, and what they answer."""

_CLOSES: Mapping[EventType.ValueType, tuple[PlanStatus, str]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: (
        PlanStatus.FAILED,
        "it was terminated from outside",
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: (PlanStatus.FAILED, "it ran out of time"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: (PlanStatus.CANCELLED, "it was cancelled"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: (PlanStatus.FAILED, "its run failed"),
}
_ENDS_OF_ACTIVITIES: Mapping[EventType.ValueType, str] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of one plan's records.

    Attributes:
        problem: why the records were left as they are; empty when they were made again.
        is_running: the plan goes on; what it does meanwhile may have to be rebuilt once more.
    """

    plan_id: str
    tasks: int = 0
    events: int = 0
    problem: str = ""
    is_running: bool = False


async def rebuild(client: Client, store: Store, plan_id: str = "") -> AsyncIterator[Rebuilt]:
    """Write the records of plans again, one plan after another.

    Args:
        client: connected to the server that ran the plans.
        store: where the records are.
        plan_id: only this plan; all that the server still knows when it is empty.

    Raises:
        NotFound: the server does not know ``plan_id``.
    """
    query = f"WorkflowType = '{names.PLAN}'"
    if plan_id:
        query += f" AND WorkflowId = {_quoted(plan_id)}"
    chains = await _find_chains(client, query)
    if plan_id and not chains:
        raise _unknown(plan_id)
    for found, runs in chains.items():
        yield await _rebuild_one(client, store, found, runs)


async def fetch_histories(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """Return Temporal's histories of all runs of a plan or an agent, the oldest first.

    Raises:
        NotFound: the server does not know it.
    """
    chains = await _find_chains(client, f"WorkflowId = {_quoted(workflow_id)}")
    if not chains:
        raise _unknown(workflow_id)
    return [
        await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        for run in chains[workflow_id]
    ]


def _unknown(plan_id: str) -> NotFound:
    return NotFound(
        f"the Temporal server knows no {_kind(plan_id)} {plan_id!r}",
        hint="it forgets closed plans after the namespace's retention time",
    )


def _kind(workflow_id: str) -> str:
    return "agent" if workflow_id.startswith("agent-") else "plan"


async def _rebuild_one(
    client: Client, store: Store, plan_id: str, runs: Sequence[WorkflowExecution]
) -> Rebuilt:
    history: list[PastItem] = []
    is_whole = True
    for number, run in enumerate(runs):
        handle = client.get_workflow_handle(plan_id, run_id=run.run_id)
        fetched = await handle.fetch_history()
        if number == 0:
            is_whole = not _continues_another(fetched.events)
        history += await decode_history(fetched.events, run.run_id, client.data_converter)
    records = derive_records(history)
    is_running = runs[-1].close_time is None
    if records is None:
        return Rebuilt(plan_id, problem="it has not begun", is_running=is_running)
    if not is_whole and await store.get_plan(plan_id) is not None:
        problem = "the server has forgotten how it began, so its records were kept"
        return Rebuilt(plan_id, problem=problem, is_running=is_running)
    await _write(store, records)
    return Rebuilt(plan_id, len(records.tasks), len(records.events), is_running=is_running)


async def _write(store: Store, records: PlanRecords) -> None:
    await store.replace_plan(records.plan, records.tasks, records.events)


async def _find_chains(client: Client, query: str) -> dict[str, list[WorkflowExecution]]:
    """Return the runs of each workflow: first those it continued from, last the newest."""
    chains: dict[str, list[WorkflowExecution]] = {}
    async for run in client.list_workflows(query):
        chains.setdefault(run.id, []).append(run)
    for runs in chains.values():
        runs.sort(key=lambda run: run.start_time)
    return dict(sorted(chains.items()))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _continues_another(events: Sequence[HistoryEvent]) -> bool:
    return bool(events[0].workflow_execution_started_event_attributes.continued_execution_run_id)


@dataclass
class _Asked:
    """An activity that was asked for, and what is known of it so far."""

    name: str
    key: str
    call: Model
    began_at: datetime
    answer: Model | None = None
    ended_at: datetime | None = None

    def past(self) -> PastActivity:
        return PastActivity(
            self.name, self.key, self.call, self.began_at, self.answer, self.ended_at
        )


@dataclass
class _Decoder:
    """Reads the events of one run, in order."""

    run_id: str
    converter: DataConverter
    asked: dict[int, _Asked] = field(default_factory=dict)
    end: PastEnd | None = None

    async def take(self, event: HistoryEvent) -> None:
        at = event.event_time.ToDatetime(tzinfo=UTC)
        kind = event.event_type
        if kind == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            await self._scheduled(event, at)
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            if started.scheduled_event_id in self.asked:
                self.asked[started.scheduled_event_id].began_at = at
        elif kind in _ENDS_OF_ACTIVITIES:
            await self._ended(event, at)
        elif kind in _CLOSES:
            status, message = _CLOSES[kind]
            self.end = PastEnd(self.run_id, at, status, message)

    async def _scheduled(self, event: HistoryEvent, at: datetime) -> None:
        attributes = event.activity_task_scheduled_event_attributes
        name = attributes.activity_type.name
        if name not in SIGNATURES:
            return
        call = await self._decode(attributes.input, SIGNATURES[name][0])
        if call is not None:
            key = f"{self.run_id}/{attributes.activity_id}"
            self.asked[event.event_id] = _Asked(name, key, call, at)

    async def _ended(self, event: HistoryEvent, at: datetime) -> None:
        attributes = getattr(event, _ENDS_OF_ACTIVITIES[event.event_type])
        asked = self.asked.get(attributes.scheduled_event_id)
        if asked is None:
            return
        asked.ended_at = at
        answers = SIGNATURES[asked.name][1]
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED and answers:
            asked.answer = await self._decode(attributes.result, answers)

    async def _decode(self, payloads: Payloads, kind: type[Model]) -> Model | None:
        if not payloads.payloads:
            return None
        [value] = await self.converter.decode(payloads.payloads[:1], [kind])
        return value if isinstance(value, Model) else None


async def decode_history(
    events: Sequence[HistoryEvent], run_id: str, converter: DataConverter
) -> list[PastItem]:
    """Read from one run's events what its activities were asked and answered, and its end."""
    decoder = _Decoder(run_id, converter)
    for event in events:
        await decoder.take(event)
    items: list[PastItem] = [asked.past() for asked in decoder.asked.values()]
    return [*items, decoder.end] if decoder.end else items
