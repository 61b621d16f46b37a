"""Starting a team's root supervisor, now or again, from the request that is stored with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from mainstay.schemas import names
from mainstay.schemas.agent import Role
from mainstay.schemas.errors import Refused
from mainstay.schemas.ids import supervisor_name
from mainstay.schemas.supervision import ShutDown, SupervisorRequest, SupervisorView
from mainstay.storage.store import Store
from mainstay.workflows.agent_attributes import agent_attributes
from mainstay.workflows.options import turn_timeout


def team_request_ref(row_id: str) -> str:
    """Name the document that holds the request of a root supervisor, by its row's id."""
    return f"supervisor-request/{row_id}"


async def start_root(
    temporal: Client,
    request: SupervisorRequest,
    task_queue: str,
    *,
    summary: str = "",
    order: ShutDown | None = None,
) -> None:
    """Start a root supervisor.

    Args:
        temporal: connected to the server.
        request: what it is started with.
        task_queue: the queue of its workers.
        summary: what the team is for, for the Web UI.
        order: let it end at once, and whatever it finds with it.

    Raises:
        Refused: one is running.
    """
    more: dict[str, Any] = {"id_conflict_policy": WorkflowIDConflictPolicy.FAIL}  # Any: keywords
    if order is not None:
        # Both at once, and to one that is running after all: the server knows no other way.
        more = {
            "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
            "start_signal": names.SHUT_DOWN,
            "start_signal_args": [order],
        }
    try:
        await temporal.start_workflow(
            names.SUPERVISOR,
            request,
            id=request.supervisor_id,
            task_queue=task_queue,
            task_timeout=turn_timeout(request.options.heartbeat_timeout),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=_one_line(f"team {request.team}", summary),
            search_attributes=agent_attributes(
                supervisor_name(request.team), Role.SUPERVISOR.value, ()
            ),
            **more,
        )
    except WorkflowAlreadyStartedError:
        raise is_up(request.team) from None


async def start_team(
    temporal: Client,
    store: Store,
    view: SupervisorView,
    task_queue: str,
    order: ShutDown | None = None,
) -> None:
    """Start a root that is lost again, in the same life of its team.

    Raises:
        NotFound: its request was never stored.
        Refused: it is not lost.
    """
    body = await store.get_document(team_request_ref(view.row_id))
    request = SupervisorRequest.model_validate_json(body)
    await start_root(temporal, request, task_queue, order=order)


def is_up(team: str) -> Refused:
    """Say that a team is up already."""
    return Refused(
        f"team {team!r} is up already",
        hint=f"`mainstay team tree {team}` shows it, `mainstay team down {team}` ends it",
    )


def _one_line(*parts: str) -> str:
    said: Sequence[str] = [part for part in parts if part]
    return " ".join(": ".join(said).split())
