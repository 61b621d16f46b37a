"""The end of a plan: its outputs are made, its last records written, its result is told."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from mainstay.decisions.draft import Shape
from mainstay.decisions.failed_tasks import tell_failures
from mainstay.decisions.rollover import lighten
from mainstay.schemas import names
from mainstay.schemas.calls import FinishCall, PlanRequest, PlanResult, Verdict
from mainstay.schemas.run import PlanState, PlanStatus, TaskStatus
from mainstay.workflows.options import MACHINE_RETRY, PREPARE_TIMEOUT
from mainstay.workflows.work import failure_of


async def close_records(
    request: PlanRequest, state: PlanState, status: PlanStatus, counts: Mapping[TaskStatus, int]
) -> PlanResult:
    """Make the plan's outputs and put its end on record; without outputs it has failed."""
    result = PlanResult(
        plan_id=request.plan_id, status=status, failure=state.failure, counts=dict(counts)
    )
    try:
        verdict = await _finish(request, state, result)
    except Exception as error:  # the plan's outputs could not be made
        failed = {"status": PlanStatus.FAILED, "failure": failure_of(error)}
        result = result.model_copy(update=failed)
        verdict = await _finish(request, state, result)
    return result.model_copy(update={"outputs_ref": verdict.outputs_ref})


def failed_run(
    request: PlanRequest, result: PlanResult, state: PlanState, shape: Shape
) -> ApplicationError:
    """Return the error with which a run ends that did not succeed; the result is its detail.

    A plan that this one is a part of sees nothing but the message, so it names the failed tasks.
    """
    is_failed = result.status is PlanStatus.FAILED
    kind = "PlanFailed" if is_failed else "PlanCancelled"
    told = tell_failures(state, shape) if request.parent_id and is_failed else ""
    message = told or _why(result, state) or kind
    return ApplicationError(message, result, type=kind, non_retryable=True)


async def _finish(request: PlanRequest, state: PlanState, result: PlanResult) -> Verdict:
    verdict: Verdict = await workflow.execute_activity(
        names.PLAN_FINISH,
        FinishCall(
            plan_id=request.plan_id,
            plan_ref=request.plan_ref,
            inputs_ref=request.inputs_ref,
            status=result.status,
            state=lighten(state),
            resumed=request.resumed,
            message=_why(result, state),
        ),
        result_type=Verdict,
        start_to_close_timeout=PREPARE_TIMEOUT,
        heartbeat_timeout=request.options.heartbeat_timeout,
        retry_policy=MACHINE_RETRY,
        summary=f"finish: {result.status}",
    )
    return verdict


def _why(result: PlanResult, state: PlanState) -> str:
    if result.status is PlanStatus.CANCELLED:
        return state.cancel_reason
    return result.failure.message if result.failure else ""
