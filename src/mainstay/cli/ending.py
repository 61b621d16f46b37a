"""What a command prints and reports when the plan it followed has ended."""

from __future__ import annotations

from typing import Any

from mainstay.cli.messages import say
from mainstay.cli.printing import print_json_line, to_json_text
from mainstay.client import Mainstay
from mainstay.schemas.calls import PlanResult
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import LimitReached, MainstayError, NotFound, PlanFailed, Refused
from mainstay.schemas.run import PlanStatus

_KINDS: dict[str, type[MainstayError]] = {"Refused": Refused, "LimitReached": LimitReached}
"""Failures of a plan that are told apart by the exit code; any other is that a plan failed."""


async def conclude(mainstay: Mainstay, result: PlanResult, *, as_json: bool) -> None:
    """Print what the plan gives back, or raise why it gives nothing.

    Raises:
        PlanFailed: it failed or was cancelled.
        Refused: it failed because somebody said no.
        LimitReached: it failed because it ran into a limit.
    """
    outputs = await _outputs(mainstay, result)
    if as_json:
        print_json_line(_as_data(result, outputs))
    if result.status is not PlanStatus.SUCCEEDED:
        raise _failure(result)
    if as_json:
        return
    say(f"plan {result.plan_id} succeeded{await _duration(mainstay, result)}")
    for name, value in (outputs or {}).items():
        print(f"{name}: {value if isinstance(value, str) else to_json_text(value, indent=2)}")


async def _outputs(mainstay: Mainstay, result: PlanResult) -> Any:  # Any: JSON-like data
    from pydantic_core import from_json

    if not result.outputs_ref:
        return None
    return from_json(await mainstay.store.get_document(result.outputs_ref))


async def _duration(mainstay: Mainstay, result: PlanResult) -> str:
    try:
        row = await mainstay.plan(result.plan_id).row()
    except NotFound:
        return ""
    if row.started_at is None or row.ended_at is None:
        return ""
    return f" in {format_duration(row.ended_at - row.started_at)}"


def _as_data(result: PlanResult, outputs: Any) -> dict[str, Any]:  # Any: JSON-like data
    """The last line of ``--json``: like an event, of a kind of its own."""
    failure = result.failure
    return {
        "kind": "result",
        "plan_id": result.plan_id,
        "status": result.status.value,
        "outputs": outputs,
        "message": failure.message if failure else "",
        "counts": {status.value: count for status, count in result.counts.items()},
    }


def _failure(result: PlanResult) -> MainstayError:
    failure = result.failure
    kind = _KINDS.get(failure.type if failure else "", PlanFailed)
    what = "was cancelled" if result.status is PlanStatus.CANCELLED else "failed"
    why = f": {failure.message}" if failure and failure.message else ""
    return kind(
        f"plan {result.plan_id!r} {what}{why}",
        hint=f"`mainstay status {result.plan_id}` shows its tasks; "
        f"`mainstay retry {result.plan_id}` lets it go on",
    )
