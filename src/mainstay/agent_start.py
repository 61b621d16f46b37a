"""Starting an agent's workflow from the request that is stored with it.

The request is stored before the workflow is started, so that a process that dies between the two
loses nothing: whoever sweeps starts the agent later, and starting it twice starts it once.
"""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import (
    Priority,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_run import AgentRequest
from mainstay.schemas.ids import account_of as account_of
from mainstay.schemas.ids import spec_ref_of as spec_ref_of
from mainstay.schemas.priority import Level
from mainstay.storage.store import Store
from mainstay.workflows.agent import Agent
from mainstay.workflows.agent_attributes import agent_attributes
from mainstay.workflows.options import turn_timeout


def request_ref(agent_id: str) -> str:
    """Name the document that holds an agent's request."""
    return f"agent-request/{agent_id}"


async def load_request(store: Store, agent_id: str) -> AgentRequest:
    """Return the request that an agent was started with.

    Raises:
        NotFound: it was never stored.
    """
    return AgentRequest.model_validate_json(await store.get_document(request_ref(agent_id)))


async def load_spec(store: Store, spec_ref: str) -> AgentSpec:
    """Return an agent's stored file, with every default as it was when it was spawned.

    Raises:
        NotFound: there is no such document.
    """
    return AgentSpec.model_validate_json(await store.get_document(spec_ref))


async def start_agent(
    temporal: Client,
    store: Store,
    agent_id: str,
    task_queue: str,
    *,
    revives: bool = False,
    known: tuple[AgentRequest, AgentSpec] | None = None,
) -> bool:
    """Start an agent's workflow from what is stored; one that is open goes on undisturbed.

    Args:
        temporal: connected to the server.
        store: where the agent's request and file are.
        agent_id: the agent.
        task_queue: the queue of its workers.
        revives: start it also when it ran before; its conversation and mailbox go on.
        known: the request and the file, if they are known to be what is stored.

    Returns:
        False when it ran before and is not to be revived.

    Raises:
        NotFound: the request or the file is not stored.
    """
    if known is None:
        request = await load_request(store, agent_id)
        known = request, await load_spec(store, request.spec_ref)
    request, spec = known
    try:
        await temporal.start_workflow(
            Agent.run,
            request,
            id=agent_id,
            task_queue=task_queue,
            task_timeout=turn_timeout(request.options.heartbeat_timeout),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE
            if revives
            else WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=_summary(request, spec),
            search_attributes=agent_attributes(request.name, spec.role, spec.capabilities),
            priority=Priority(priority_key=Level.NORMAL.temporal_key),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def _summary(request: AgentRequest, spec: AgentSpec) -> str:
    return f"{request.name}: {spec.description}" if spec.description else request.name
