"""The client's methods about agents: spawn them, find them again, see which are alive."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError
from temporalio.client import Client

from mainstay.agent_driving import Driving, look_at
from mainstay.agent_handle import AgentHandle
from mainstay.agent_start import account_of, load_request, request_ref, spec_ref_of, start_agent
from mainstay.decisions.suggestions import did_you_mean
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.agent_run import AgentOptions, AgentRequest
from mainstay.schemas.conversation import ThreadRow
from mainstay.schemas.errors import InvalidInput, NotFound
from mainstay.schemas.ids import AGENT_ID_PATTERN, Name
from mainstay.schemas.lifecycle import LifeState
from mainstay.settings import Settings
from mainstay.storage.store import Store

DEFAULT_TEAM = "main"
_NAME: TypeAdapter[str] = TypeAdapter(Name)


class AgentClient:
    """What :class:`mainstay.Mainstay` offers about agents."""

    temporal: Client
    store: Store
    settings: Settings

    async def spawn(
        self,
        spec: AgentSpec,
        name: str | None = None,
        *,
        team: str = "",
        thread: str | None = None,
        parent: str | None = None,
        options: AgentOptions | None = None,
        agent_id: str | None = None,
    ) -> AgentHandle:
        """Make an agent and let it begin; returns at once.

        Its file is stored with every default resolved, so that a changed default never changes
        it. A process that dies in here leaves an agent that starts later, or none.

        Args:
            spec: the agent (see :mod:`mainstay.agent_source` for files).
            name: by default the one in its file; unique among the living of its team.
            team: by default ``main``; ``team/name`` as the name does as well.
            thread: the conversation it goes on with; by default a new one.
            parent: the id of an agent that pays for it, too.
            options: how it is driven.
            agent_id: makes spawning repeatable: the same id again changes nothing.

        Raises:
            InvalidInput: the file names no model and there is no default, or the name is wrong.
            NotFound: there is no such parent or thread.
            Refused: an agent of that name is alive.
        """
        stored = self._with_model(spec)
        full_name = full_agent_name(name or spec.name, team)
        made = agent_id or f"agent-{uuid.uuid4()}"
        body = stored.model_dump_json().encode()
        request = AgentRequest(
            agent_id=made,
            name=full_name,
            spec_ref=spec_ref_of(body),
            thread=thread or _own_thread(made),
            parent_id=parent or "",
            accounts=(account_of(made), *await self._accounts_of(parent)),
            options=options or AgentOptions(heartbeat_timeout=self.settings.heartbeat_timeout),
        )
        await self._put_on_record(request, stored, body)
        # What is stored counts, and only under an id of its own it is known to be this.
        known = None if agent_id else (request, stored)
        await start_agent(self.temporal, self.store, made, self.settings.task_queue, known=known)
        return self.agent_handle(made)

    async def agent(self, text: str) -> AgentHandle:
        """Return a handle on the agent of an id or a name; see :meth:`find_agent`."""
        return self.agent_handle((await self.find_agent(text)).agent_id)

    async def find_agent(self, text: str) -> AgentRow:
        """Return the one agent that a text means: an id, ``team/name``, or a name.

        A name means the living agent of that name, or else the last one that had it.

        Raises:
            NotFound: no agent fits.
            InvalidInput: agents of several teams have that name, and none of them is ``main``.
        """
        places = [text] if "/" in text or _is_id(text) else [f"{DEFAULT_TEAM}/{text}", text]
        for place in places:
            row = await self.store.get_agent(place)
            if row is not None:
                return row
        rows = await self.store.list_agents()
        fitting = [row for row in rows if row.name.partition("/")[2] == text]
        fitting = fitting or [row for row in rows if row.agent_id.startswith(text) and _is_id(text)]
        names = sorted({row.name for row in fitting})
        if len(names) > 1:
            raise InvalidInput(f"several agents fit {text!r}", hint=f"name one of {names}")
        if fitting:
            return max(fitting, key=lambda row: row.created_at)
        known = [row.name.removeprefix(f"{DEFAULT_TEAM}/") for row in rows]
        raise NotFound(
            f"there is no agent {text!r}",
            hint=did_you_mean(text, known) or "`mainstay agent list` shows them",
        )

    async def agents(
        self,
        *,
        states: Sequence[LifeState] = (),
        role: str = "",
        capability: str = "",
        name_prefix: str = "",
        parent: str = "",
        limit: int = 1000,
    ) -> list[AgentRow]:
        """Return what is on record about agents."""
        return await self.store.list_agents(
            states=states,
            role=role,
            capability=capability,
            name_prefix=name_prefix,
            parent=parent,
            limit=limit,
        )

    async def look_at_agents(self, rows: Sequence[AgentRow]) -> list[Driving]:
        """Tell what drives each of these agents just now, in their order."""
        return await look_at(self.temporal, self.settings.task_queue, rows)

    def agent_handle(self, agent_id: str) -> AgentHandle:
        """Return a handle on an agent by its id; it need not exist."""
        return AgentHandle(self.temporal, self.store, agent_id, self.settings.task_queue)

    def _with_model(self, spec: AgentSpec) -> AgentSpec:
        model = spec.model or self.settings.model
        if not model:
            raise InvalidInput(
                f"agent {spec.name!r} names no model, and there is no default",
                hint="write `model: provider:name` in its file, or set MAINSTAY_MODEL; "
                "script:FILE plays a written conversation without any provider",
            )
        return spec.model_copy(update={"model": model})

    async def _accounts_of(self, parent: str | None) -> tuple[str, ...]:
        if parent is None:
            return ()
        try:
            return (await load_request(self.store, parent)).accounts
        except NotFound:
            row = await self.store.get_agent(parent)
            if row is None or not row.supervisor_id:
                raise
            return (account_of(row.agent_id),)  # a team's agents pay for themselves alone

    async def _put_on_record(self, request: AgentRequest, spec: AgentSpec, body: bytes) -> None:
        """Claim the name before anything is opened: who is refused has opened nothing yet.

        What is written side by side is written in this order, and shares a transaction.
        """
        now = datetime.now(UTC)
        row = AgentRow(
            agent_id=request.agent_id,
            name=request.name,
            role=spec.role.value,
            state=LifeState.INITIALIZING,
            model=spec.model or "",
            description=spec.description,
            thread=request.thread,
            spec_ref=request.spec_ref,
            parent_id=request.parent_id,
            capabilities=tuple(spec.capabilities),
            created_at=now,
            updated_at=now,
        )
        if request.thread != _own_thread(request.agent_id):
            await self._see_thread(request.thread)
        await asyncio.gather(
            self.store.put_document(request.spec_ref, body),
            self.store.put_document(request_ref(row.agent_id), request.model_dump_json().encode()),
            self.store.create_agent(row, self.settings.limits),
        )
        thread = ThreadRow(
            thread_id=row.thread,
            title=row.name,
            agent_id=row.agent_id,
            created_at=now,
            updated_at=now,
        )
        await asyncio.gather(
            self.store.open_account(account_of(row.agent_id), spec.budget, row.name),
            self.store.create_thread(thread),
            self.store.hand_over_thread(row.thread, row.agent_id),
        )

    async def _see_thread(self, thread_id: str) -> None:
        if await self.store.get_thread(thread_id) is None:
            raise NotFound(
                f"there is no thread {thread_id!r}", hint="`mainstay thread list` shows them"
            )


def full_agent_name(name: str, team: str = "") -> str:
    """Write an agent's name with its team: ``team/name``.

    Raises:
        InvalidInput: one of them is no name, or two teams are given.
    """
    before, slash, last = name.rpartition("/")
    if slash and team and before != team:
        raise InvalidInput(f"the name {name!r} is not of the team {team!r}", hint="give one team")
    parts = {"team": before or team or DEFAULT_TEAM, "name": last}
    for what, text in parts.items():
        try:
            _NAME.validate_python(text)
        except ValidationError:
            raise InvalidInput(
                f"{text!r} is no name for an agent's {what}"
                if what == "team"
                else f"{text!r} is no name for an agent",
                hint="letters, digits, _ and -, at most 100, no digit first",
            ) from None
    return f"{parts['team']}/{parts['name']}"


def _own_thread(agent_id: str) -> str:
    return f"thread/{agent_id}"


def _is_id(text: str) -> bool:
    return re.fullmatch(AGENT_ID_PATTERN, text) is not None
