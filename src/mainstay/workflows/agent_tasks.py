"""An agent that does one task of a plan, or judges it: a child workflow between two activities."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import Priority

from mainstay.activities.failures import as_application_error
from mainstay.decisions.agents.task_result import failure_of_task
from mainstay.schemas import names
from mainstay.schemas.agent_calls import AgentResult
from mainstay.schemas.agent_run import AgentOptions, AgentRequest
from mainstay.schemas.agent_tasks import AgentStart, AgentTaskCall
from mainstay.schemas.calls import PlanRequest, TaskCall, Verdict
from mainstay.schemas.outline import TaskOutline
from mainstay.workflows.agent_attributes import agent_attributes
from mainstay.workflows.options import MACHINE_RETRY, PREPARE_TIMEOUT, turn_timeout


class AgentTask:
    """One piece of a plan's work that an agent does; for a critic, the judgement of a task."""

    def __init__(
        self, request: PlanRequest, outline: TaskOutline, call: TaskCall, *, is_critic: bool = False
    ) -> None:
        self._request = request
        self._outline = outline
        self._asked = AgentTaskCall(call=call, accounts=request.accounts, is_critic=is_critic)

    async def run(self) -> Verdict:
        """Have it done.

        Returns:
            The verdict of the activity that took the answer.

        Raises:
            ApplicationError: the agent did not answer; its detail is the failure, as it was.
        """
        who = "critic of " if self._asked.is_critic else "agent for "
        start: AgentStart = await self._activity(
            names.AGENT_TASK_PREPARE, self._asked, AgentStart, f"{who}{self._outline.name}"
        )
        if not start.is_done:
            await self._live(start)
        heard = self._asked.model_copy(update={"message_id": start.message_id})
        verdict: Verdict = await self._activity(
            names.AGENT_TASK_ADOPT, heard, Verdict, f"answer of {start.name}"
        )
        return verdict

    async def _live(self, start: AgentStart) -> None:
        silence = self._request.options.heartbeat_timeout
        result: AgentResult = await workflow.execute_child_workflow(
            names.AGENT,
            AgentRequest(
                agent_id=start.agent_id,
                name=start.name,
                spec_ref=start.spec_ref,
                thread=start.thread,
                parent_id=self._request.plan_id,
                accounts=start.accounts,
                options=AgentOptions(is_once=True, heartbeat_timeout=silence),
                first_message=start.message_id,
            ),
            id=start.agent_id,
            result_type=AgentResult,
            task_timeout=turn_timeout(silence),
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            static_summary=f"{start.name} for {self._outline.name} of {self._request.plan_id}",
            search_attributes=agent_attributes(start.name, start.role, start.capabilities),
            priority=Priority(priority_key=self._outline.priority.temporal_key),
        )
        failure = failure_of_task(start.name, result)
        if failure is not None:
            raise as_application_error(failure)

    async def _activity(
        self,
        name: str,
        asked: AgentTaskCall,
        result: type[Any],  # Any: each activity's own model
        summary: str,
    ) -> Any:  # Any: see above
        return await workflow.execute_activity(
            name,
            asked,
            result_type=result,
            start_to_close_timeout=PREPARE_TIMEOUT,
            heartbeat_timeout=self._request.options.heartbeat_timeout,
            retry_policy=MACHINE_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
            priority=Priority(priority_key=self._outline.priority.temporal_key),
        )
