"""The embeddable client: start plans, agents and teams, find them again, follow and steer them.

    async with await Mainstay.connect() as mainstay:
        run = await mainstay.start(plan, {"path": "."})
        async for event in run.events():
            print(event.task, event.status)
        print(await run.outputs())
        agent = await mainstay.spawn(AgentSpec(name="helper", model="openai:gpt-5-mini"))
        print(await agent.ask("What is 6 times 7?"))
        team = await mainstay.team_up(TeamSpec(team="shop", agents={...}, children=[...]))
        print((await team.sight()).progress())

The command line uses nothing else.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from pydantic_core import to_json
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from mainstay.activities.plans import times_ended
from mainstay.connection import connect
from mainstay.decisions.plan_files.plan_inputs import check_inputs
from mainstay.decisions.plan_files.plan_models import with_default_model
from mainstay.handle import PlanHandle
from mainstay.schemas.calls import PlanOptions, PlanRequest
from mainstay.schemas.errors import InvalidInput, NotFound, Refused
from mainstay.schemas.ids import plan_id as make_plan_id
from mainstay.schemas.plan import PlanSpec
from mainstay.schemas.records import PlanRow
from mainstay.schemas.run import PLAN_ENDS, PlanStatus
from mainstay.schemas.search import STATE
from mainstay.settings import Settings
from mainstay.storage.store import Store, open_store
from mainstay.team_client import TeamClient
from mainstay.workflows.options import turn_timeout
from mainstay.workflows.plan import Plan


class Mainstay(TeamClient):
    """A connection to a Temporal server and to Mainstay's own database."""

    def __init__(self, temporal: Client, store: Store, settings: Settings) -> None:
        self.temporal = temporal
        self.store = store
        self.settings = settings

    @classmethod
    async def connect(
        cls, settings: Settings | None = None, *, address: str | None = None, lazy: bool = False
    ) -> Mainstay:
        """Connect to the configured server, or to the one at ``address``.

        With ``lazy`` only when the server is first needed: records can be read without one.

        Raises:
            Unavailable: nothing answers there, or the database cannot be opened.
        """
        settings = settings or Settings()
        temporal = await connect(settings, address=address, lazy=lazy)
        store = await open_store(
            settings.resolved_database_url,
            durability=settings.durability,
            messages_per_second=settings.messages_per_second,
        )
        return cls(temporal, store, settings)

    async def close(self) -> None:
        """Close the database; the connection to Temporal closes by itself."""
        await self.store.close()

    async def __aenter__(self) -> Mainstay:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(
        self,
        plan: PlanSpec,
        inputs: Mapping[str, Any] | None = None,  # Any: JSON-like data
        *,
        run: str | None = None,
        options: PlanOptions | None = None,
    ) -> PlanHandle:
        """Start a plan and return at once.

        Args:
            plan: a valid plan (see :mod:`mainstay.plan_source` for files).
            inputs: values for its inputs.
            run: names the run, so that starting it again is refused; by default a short random
                name.
            options: how the run is driven.

        Raises:
            InvalidInput: an input is missing, unknown or of the wrong type; or a task is for an
                agent, and no model is configured.
            Refused: a run of that name is there already.
        """
        values, problems = check_inputs(plan, inputs or {})
        if problems:
            raise InvalidInput(
                "; ".join(problem.message for problem in problems), hint=problems[0].hint
            )
        plan = with_default_model(plan, self.settings.model)
        plan_id = make_plan_id(plan.name, run or uuid.uuid4().hex[:8])
        body = plan.model_dump_json(by_alias=True, exclude_unset=True).encode()
        request = PlanRequest(
            plan_id=plan_id,
            name=plan.name,
            plan_ref=f"plan/{hashlib.sha256(body).hexdigest()}",
            inputs_ref=f"inputs/{plan_id}",
            options=options or PlanOptions(heartbeat_timeout=self.settings.heartbeat_timeout),
        )
        await self.store.put_document(request.plan_ref, body)
        await self.store.put_document(request.inputs_ref, to_json(values))
        return await self._start(request, plan)

    def plan(self, plan_id: str) -> PlanHandle:
        """Return a handle on a run by its id; it need not exist."""
        return PlanHandle(self.temporal, self.store, plan_id)

    async def list(
        self, *, statuses: Sequence[PlanStatus] = (), name: str = "", limit: int = 50
    ) -> list[PlanRow]:
        """Return runs, the newest first."""
        return await self.store.list_plans(statuses=statuses, name=name, limit=limit)

    async def find(self, text: str) -> str:
        """Return the id of the one run that a text means: an id, its end, or a plan's name.

        Raises:
            NotFound: no run fits.
            InvalidInput: several do, and none is the plain meaning.
        """
        if await self.store.get_plan(text) is not None:
            return text
        rows = await self.store.list_plans(limit=1000)
        fitting = [row.plan_id for row in rows if row.plan_id.endswith(f"/{text}")]
        fitting = fitting or [row.plan_id for row in rows if row.name == text and not row.parent_id]
        if not fitting:
            raise NotFound(f"there is no plan {text!r}", hint="`mainstay list` shows them")
        return fitting[0]

    async def take_up(self, plan_id: str) -> PlanHandle:
        """Let a plan that failed or was cancelled go on: what succeeded stays done.

        Raises:
            NotFound: there is no such plan.
            Refused: it still runs, or it succeeded.
        """
        row = await PlanHandle(self.temporal, self.store, plan_id).row()
        if row.status is PlanStatus.SUCCEEDED:
            raise Refused(f"plan {plan_id!r} has succeeded", hint="start it again with a new run")
        if row.status not in PLAN_ENDS:
            raise Refused(f"plan {plan_id!r} is {row.status}", hint="name the task to retry")
        plan = PlanSpec.model_validate_json(await self.store.get_document(row.plan_ref))
        request = PlanRequest(
            plan_id=plan_id,
            name=row.name,
            plan_ref=row.plan_ref,
            inputs_ref=row.inputs_ref,
            parent_id=row.parent_id,
            options=PlanOptions(heartbeat_timeout=self.settings.heartbeat_timeout),
            resumed=await times_ended(self.store, plan_id),
            accounts=await self._plans_above(row),
        )
        return await self._start(request, plan)

    async def _plans_above(self, row: PlanRow) -> tuple[str, ...]:
        """Return the plans that a plan is a part of, the nearest first: they pay for its agents."""
        found: list[str] = []
        above: PlanRow | None = row
        while above is not None and above.parent_id:
            found.append(above.parent_id)
            above = await self.store.get_plan(above.parent_id)
        return tuple(found)

    async def _start(self, request: PlanRequest, plan: PlanSpec) -> PlanHandle:
        state = SearchAttributePair(SearchAttributeKey.for_keyword(STATE), "RUNNING")
        resumes = request.resumed > 0
        try:
            await self.temporal.start_workflow(
                Plan.run,
                request,
                id=request.plan_id,
                task_queue=self.settings.task_queue,
                task_timeout=turn_timeout(request.options.heartbeat_timeout),
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE
                if resumes
                else WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                static_summary=plan.description or plan.name,
                search_attributes=TypedSearchAttributes([state]),
                priority=Priority(priority_key=plan.priority.temporal_key),
            )
        except WorkflowAlreadyStartedError:
            raise Refused(
                f"plan {request.plan_id!r} exists already", hint="name the run differently"
            ) from None
        return PlanHandle(self.temporal, self.store, request.plan_id)
