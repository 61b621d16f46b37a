"""What is done with a task's output: it is verified, and named outputs are made of it."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from mainstay.activities.calling import OpenTask
from mainstay.activities.failures import as_application_error, failure_from, shorten
from mainstay.activities.scope import OUTPUTS
from mainstay.decisions.agents.critique import MAX_FEEDBACK_CHARS
from mainstay.decisions.expressions import is_true, render
from mainstay.schemas.calls import Verdict
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.records import OutputChunk
from mainstay.schemas.run import TaskStatus

SUMMARY_CHARS = 120
"""Length of an output's short form, in records and in the Web UI."""

Value = Any  # JSON-like data


async def conclude(opened: OpenTask, output: Value) -> Verdict:
    """Verify an output, and store the named outputs that are made of it.

    Returns:
        SUCCEEDED with a short form of the output, or PENDING with what is wrong with it.
    """
    scope = {**opened.scope, "output": output}
    complaint = await _complaint(opened, scope)
    if complaint is not None:
        told = shorten(complaint, MAX_FEEDBACK_CHARS)
        return Verdict(status=TaskStatus.PENDING, message=told)
    call = opened.call
    if opened.task.outputs:
        named = render(opened.task.outputs, scope)
        await opened.storage.save_chunk(
            OutputChunk(
                plan_id=call.plan_id, task=call.task + OUTPUTS, round=call.round, values=[named]
            )
        )
    return Verdict(done=1, message=summarize(output))


def summarize(output: Value) -> str:
    """Return a short form of an output for people."""
    if isinstance(output, list):
        return f"{len(output)} items"
    if isinstance(output, str):
        return shorten(output.strip().replace("\n", " "), SUMMARY_CHARS)
    if isinstance(output, dict):
        told = ((k, v) for k, v in output.items() if v is not False and v != "")
        plain = {k: v for k, v in told if isinstance(v, int | float | bool | str)}
        parts = (f"{key}={shorten(str(value), 30)}" for key, value in plain.items())
        return shorten(", ".join(parts).replace("\n", " "), SUMMARY_CHARS)
    return shorten(to_json(output).decode(), SUMMARY_CHARS)


async def _complaint(opened: OpenTask, scope: dict[str, Value]) -> str | None:
    """Return why an output does not pass its check; None when it does."""
    verify = opened.task.verify
    if verify is None or verify.agent is not None:
        return None  # a critic judges before the output is looked at here
    if verify.tool is None:
        passes = is_true(verify.check or "true", scope)
        return None if passes else str(render(verify.reason, scope))
    call = opened.tool_call(verify.tool, verify.with_, scope, "verify")
    [outcome] = await opened.toolbox.run_calls(verify.tool, [call], 0)
    if outcome.error is not None:
        raise as_application_error(failure_from(outcome.error))
    answer = outcome.value
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        raise InvalidInput(
            f"tool {verify.tool!r} cannot verify task {opened.call.task!r}: it returned no `ok`",
            hint='a checking tool returns {"ok": true or false, "reason": "..."}',
        )
    return None if answer["ok"] else str(answer.get("reason") or verify.reason)
