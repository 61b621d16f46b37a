"""Records to store, as small as they can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mainstay.schemas.records import EventKind, PlanEvent, PlanRow, TaskRow
from mainstay.schemas.run import PlanStatus, TaskStatus

NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=UTC)
PLAN = "plan/audit/1"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def plan_row(plan_id: str = PLAN, **fields: Any) -> PlanRow:
    fields = {"name": "audit", "status": PlanStatus.RUNNING, "created_at": NOON, **fields}
    return PlanRow(plan_id=plan_id, **fields)


def task_row(name: str = "list", plan_id: str = PLAN, **fields: Any) -> TaskRow:
    return TaskRow(plan_id=plan_id, name=name, **{"position": 0, **fields})


def task_event(
    key: str, status: TaskStatus | None = None, task: str = "list", **fields: Any
) -> PlanEvent:
    fields = {"plan_id": PLAN, "kind": EventKind.TASK_STATUS, "at": NOON, **fields}
    return PlanEvent(key=key, task=task, status=status, **fields)


def plan_event(key: str, status: PlanStatus | None = None, **fields: Any) -> PlanEvent:
    fields = {"plan_id": PLAN, "kind": EventKind.PLAN_STATUS, "at": NOON, **fields}
    return PlanEvent(key=key, status=status, **fields)
