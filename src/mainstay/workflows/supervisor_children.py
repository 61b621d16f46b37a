"""How a child workflow of a supervisor is started, and what its end means."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)

from mainstay.schemas import names
from mainstay.schemas.agent import Role
from mainstay.schemas.agent_calls import AgentResult
from mainstay.schemas.agent_run import AgentOptions, AgentRequest, Supervised
from mainstay.schemas.ids import (
    account_of,
    supervisor_id,
    supervisor_name,
    supervisor_row_id,
    team_agent_id,
)
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.run import Failure, FailureKind
from mainstay.schemas.search import INCARNATION
from mainstay.schemas.supervision import (
    ChildExit,
    ChildKind,
    ChildPlan,
    ExitKind,
    SupervisorEnd,
    SupervisorRequest,
    SupervisorResult,
    SupervisorState,
)
from mainstay.workflows.agent_attributes import agent_attributes
from mainstay.workflows.options import turn_timeout
from mainstay.workflows.work import failure_of

Child = workflow.ChildWorkflowHandle[Any, Any]  # Any: an agent's result, or a supervisor's

MAX_SUMMARY_CHARS = 160
"""The Web UI shows at most 200 bytes of a workflow's summary."""


class Children:
    """The children of one supervisor, as Temporal and the records know them."""

    def __init__(self, request: SupervisorRequest) -> None:
        self._request = request
        self._kinds: dict[str, ChildKind] = {}

    def learn(self, state: SupervisorState) -> None:
        """Learn what the children are; those that are forgotten are still known."""
        self._kinds |= {child.name: state.plans[child.place].kind for child in state.children}

    def is_supervisor(self, name: str) -> bool:
        """Tell whether a child is a supervisor."""
        return self._kinds.get(name) is ChildKind.SUPERVISOR

    def path(self, name: str) -> str:
        """Return the place of a lower supervisor in the tree."""
        return f"{self._request.path}/{name}" if self._request.path else name

    def workflow_id(self, name: str) -> str:
        """Return a child's workflow id."""
        if self.is_supervisor(name):
            return supervisor_id(self._request.team, self.path(name))
        return team_agent_id(self._request.team, self._request.run, name)

    def row_id(self, name: str) -> str:
        """Return the id under which a child stands among the agents."""
        if self.is_supervisor(name):
            return supervisor_row_id(self._request.team, self._request.run, self.path(name))
        return team_agent_id(self._request.team, self._request.run, name)

    async def start(self, name: str, plan: ChildPlan, incarnation: int) -> Child:
        """Start a child's workflow.

        Raises:
            WorkflowAlreadyStartedError: it is open already.
        """
        is_agent = plan.kind is ChildKind.AGENT
        team, own_id = self._request.team, self.workflow_id(name)
        full_name = f"{team}/{name}" if is_agent else supervisor_name(team, self.path(name))
        role = plan.role if is_agent else Role.SUPERVISOR.value
        return await workflow.start_child_workflow(
            names.AGENT if is_agent else names.SUPERVISOR,
            self._agent(own_id, full_name, name, plan, incarnation)
            if is_agent
            else self._supervisor(own_id, name, incarnation),
            id=own_id,
            result_type=AgentResult if is_agent else SupervisorResult,
            task_timeout=turn_timeout(self._request.options.heartbeat_timeout),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            # A supervisor's end is no end of its children; see the stop protocol.
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            memo={INCARNATION: incarnation},
            static_summary=_summary(full_name, plan.description),
            search_attributes=agent_attributes(full_name, role, plan.capabilities),
        )

    def _agent(
        self, own_id: str, full_name: str, name: str, plan: ChildPlan, incarnation: int
    ) -> AgentRequest:
        return AgentRequest(
            agent_id=own_id,
            name=full_name,
            spec_ref=plan.spec_ref,
            thread=f"thread/{own_id}",
            accounts=(account_of(own_id),),
            options=AgentOptions(heartbeat_timeout=self._request.options.heartbeat_timeout),
            supervised=Supervised(
                supervisor_id=self._request.supervisor_id,
                row_id=self._request.row_id,
                name=name,
                incarnation=incarnation,
                on_failure=plan.on_failure,
                errors=plan.errors,
                is_brief=True,
                limits=self._request.limits,
            ),
        )

    def _supervisor(self, own_id: str, name: str, incarnation: int) -> SupervisorRequest:
        mine = self._request
        return SupervisorRequest(
            supervisor_id=own_id,
            row_id=self.row_id(name),
            team=mine.team,
            run=mine.run,
            path=self.path(name),
            team_ref=mine.team_ref,
            parent=mine.supervisor_id,
            parent_row=mine.row_id,
            incarnation=incarnation,
            limits=mine.limits,
            options=mine.options,
        )


def exit_of(result: AgentResult | SupervisorResult) -> ChildExit:
    """Say how a child ended whose workflow returned."""
    if isinstance(result, SupervisorResult):
        return supervisor_exit(result)
    match result.state:
        case LifeState.ERROR:
            kind = ExitKind.FAILED
        case LifeState.RESTARTING:
            kind = ExitKind.SHUTDOWN
        case _:
            kind = ExitKind.NORMAL
    return ChildExit(kind=kind, failure=result.failure, message=result.reason)


def supervisor_exit(result: SupervisorResult) -> ChildExit:
    """Say how a supervisor ended; a failure of one is its parent's business."""
    if result.end is not SupervisorEnd.FAILED:
        return ChildExit(kind=ExitKind.SHUTDOWN, message=result.reason)
    failure = Failure(
        kind=FailureKind.TRANSIENT, type="SupervisorFailed", message=result.reason or "it failed"
    )
    return ChildExit(kind=ExitKind.FAILED, failure=failure, message=failure.message)


def exit_of_error(error: BaseException) -> ChildExit:
    """Say how a child ended that did not return, or could not be started."""
    cause: BaseException = error
    while isinstance(cause, ChildWorkflowError) and cause.cause is not None:
        cause = cause.cause
    match cause:
        case ApplicationError():
            failure = failure_of(cause)
        case WorkflowAlreadyStartedError():
            failure = _passing("AlreadyRunning", "another workflow has its id")
        case TerminatedError():
            failure = _passing("Terminated", f"it was terminated: {cause}")
        case CancelledError():
            failure = _passing("Cancelled", "it was cancelled from outside")
        case TimeoutError():
            failure = _passing("Timeout", "it took too long")
        case _:
            failure = failure_of(cause)
    return ChildExit(kind=ExitKind.FAILED, failure=failure, message=failure.message)


def is_gone(message: str) -> ChildExit:
    """Say that a child ended without anybody seeing how."""
    return ChildExit(kind=ExitKind.FAILED, failure=_passing("Lost", message), message=message)


def _passing(kind: str, message: str) -> Failure:
    return Failure(kind=FailureKind.TRANSIENT, type=kind, message=message)


def _summary(full_name: str, description: str) -> str:
    text = f"{full_name}: {description}" if description else full_name
    return " ".join(text.split())[:MAX_SUMMARY_CHARS]
