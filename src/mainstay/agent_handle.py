"""One agent, seen from outside: write to it, wait for its answers, follow and steer it."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic_core import to_json
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from mainstay.agent_answers import PATIENCE, answer_of, wait_for_end
from mainstay.agent_driving import Driving, look_at
from mainstay.agent_records import AgentRecords
from mainstay.agent_start import start_agent
from mainstay.schemas.agent_calls import (
    AgentInfo,
    AgentResult,
    AnswerQuestion,
    MailboxView,
    PauseRequest,
    RestartRequest,
    StopRequest,
)
from mainstay.schemas.errors import AgentFailed, InvalidInput, NotFound, Unavailable
from mainstay.schemas.lifecycle import Lifecycle, LifeState
from mainstay.schemas.messages import MAX_MESSAGE_BYTES, Message
from mainstay.schemas.priority import Level
from mainstay.storage.store import Store
from mainstay.temporal_calls import QUERY_TIMEOUT, UPDATE_TIMEOUT, Callee, ask
from mainstay.workflows.agent import Agent

TRUSTED_SECONDS = 5.0
"""After so long it is looked again whether anything drives an agent that needs no ringing."""

T = TypeVar("T")


class AgentHandle(AgentRecords):
    """An agent. Get one from :meth:`mainstay.Mainstay.spawn` or ``await .agent(name)``."""

    def __init__(self, temporal: Client, store: Store, agent_id: str, task_queue: str) -> None:
        super().__init__(store, agent_id)
        self._temporal = temporal
        self._task_queue = task_queue
        self._seen_at = float("-inf")
        self._callee = Callee(
            "agent",
            agent_id,
            f"`mainstay agent info {agent_id}` shows how",
            "`mainstay agent list` shows them",
        )

    def __repr__(self) -> str:
        return f"<AgentHandle {self.id}>"

    # Messages.

    async def send(
        self,
        text: str,
        *,
        type: str = "chat",
        priority: Level = Level.NORMAL,
        ttl: timedelta = timedelta(0),
        sender_name: str = "",
        message_id: str | None = None,
        thread: str = "",
        output: Mapping[str, Any] | None = None,  # Any: a JSON Schema
        payload: Mapping[str, Any] | None = None,  # Any: JSON-like data
    ) -> str:
        """Put a message into its mailbox and wake it; returns at once.

        Args:
            text: at most 1 MiB.
            type: what kind of message it is.
            priority: more urgent ones are worked on first, then those that came first.
            ttl: how long it is good for; zero is for ever.
            sender_name: who writes, in words.
            message_id: a UUID; sending the same id twice sends once. By default a new one.
            thread: the conversation it belongs to; empty for the agent's own.
            output: a JSON Schema that the answer must match.
            payload: data beside the text.

        Returns:
            The message's id.

        Raises:
            InvalidInput: it is empty or too long.
            NotFound: there is no such agent.
            Refused: the agent has ended, or is ending.
            Unavailable: nothing drives the agent. The message is kept all the same.
        """
        _check_text(text)
        message = Message(
            id=message_id or str(uuid.uuid4()),
            receiver=self.id,
            type=type,
            text=text,
            sender_name=sender_name,
            thread=thread,
            priority=priority,
            ttl=ttl,
            payload=dict(payload or {}),
            output_schema_ref=await self._store_schema(output),
            created_at=datetime.now(UTC),
        )
        receipts = await self._store.send_messages([message])
        await self._wake(any(receipt.must_ring for receipt in receipts))
        return message.id

    async def ask(
        self,
        text: str,
        *,
        timeout: timedelta | None = None,
        type: str = "chat",
        priority: Level = Level.NORMAL,
        sender_name: str = "",
        message_id: str | None = None,
        thread: str = "",
        output: Mapping[str, Any] | None = None,  # Any: a JSON Schema
    ) -> str:
        """Send a message and wait for the answer; with ``output`` that is JSON text.

        Raises:
            AgentFailed: the agent could not answer.
            LimitReached: a budget or a limit stopped it.
            Refused: the agent has ended, or it was not allowed to do what it had to.
            Unavailable: nothing drives the agent, or there is no answer in time.
        """
        sent = await self.send(
            text,
            type=type,
            priority=priority,
            sender_name=sender_name,
            message_id=message_id,
            thread=thread,
            output=output,
        )
        return answer_of(await self.wait(sent, timeout))

    async def wait(
        self, message_id: str, timeout: timedelta | None = None, *, patience: timedelta = PATIENCE
    ) -> Message:
        """Wait until a message is answered, has failed or has expired, and return it.

        Args:
            message_id: the message.
            timeout: how long to wait; by default as long as something drives the agent.
            patience: for how long nothing may drive it: a restart takes some seconds.

        Raises:
            NotFound: there is no such message.
            Unavailable: nothing drives the agent, or the time is up; asking again is fine.
        """
        return await wait_for_end(self._store, message_id, self.see_driven, timeout, patience)

    # Its workflow.

    async def driving(self) -> Driving:
        """Tell what drives it just now."""
        return (await look_at(self._temporal, self._task_queue, [await self.row()]))[0]

    async def see_driven(self) -> None:
        """See that something drives it.

        Raises:
            AgentFailed: it has ended.
            Unavailable: its workflow is gone although it has not ended, no worker serves it, or
                it is in an error that only a restart ends.
        """
        row = await self.row()
        driving = (await look_at(self._temporal, self._task_queue, [row]))[0]
        who = row.name or self.id
        if driving is Driving.ENDED:
            raise AgentFailed(f"agent {who!r} has ended: {row.detail or 'it was stopped'}")
        if driving is Driving.LOST:
            raise Unavailable(
                f"agent {who!r} is lost: nothing drives it, though its record says {row.state}",
                hint=f"`mainstay agent restart {who}` takes it up; its messages are kept",
            )
        if driving is Driving.NO_WORKER:
            raise Unavailable(
                f"no worker serves agent {who!r}; its messages are kept until one does",
                hint="start one with `mainstay up` or `mainstay worker`",
            )
        if driving is Driving.UNSEEN:
            raise Unavailable(
                "the Temporal server does not answer",
                hint="start one with `mainstay up`, or set TEMPORAL_ADDRESS",
            )
        if row.state is LifeState.ERROR:
            raise Unavailable(
                f"agent {who!r} works on nothing, because of an error: {row.detail}",
                hint=f"see to that, then `mainstay agent restart {who}`; its messages are kept",
            )
        self._seen_at = time.monotonic()

    async def info(self) -> AgentInfo:
        """Ask the agent itself how it is and what it does.

        Raises:
            NotFound: there is no such agent.
            Unavailable: no worker answers.
        """
        return await self._ask(self._workflow().query(Agent.info, rpc_timeout=QUERY_TIMEOUT))

    async def history(self) -> Lifecycle:
        """Ask the agent for its life so far: its state, and the latest 100 changes of it."""
        return await self._ask(self._workflow().query(Agent.history, rpc_timeout=QUERY_TIMEOUT))

    async def mailbox(self) -> MailboxView:
        """Ask the agent what it holds of its mailbox."""
        return await self._ask(self._workflow().query(Agent.mailbox, rpc_timeout=QUERY_TIMEOUT))

    async def pause(self, reason: str = "") -> str:
        """Let it work on nothing new until it is resumed, an hour at most by default.

        Raises:
            Refused: its state does not allow that; so with the others below.
        """
        request = PauseRequest(reason=reason)
        update = self._workflow().execute_update(Agent.pause, request, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    async def resume(self) -> str:
        """Let it go on."""
        update = self._workflow().execute_update(Agent.resume, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    async def stop(self, reason: str = "", grace: timedelta | None = None) -> str:
        """Let it finish what it does, within the grace, and end; messages that wait fail."""
        request = StopRequest(reason=reason, grace=grace)
        update = self._workflow().execute_update(Agent.stop, request, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    async def restart(self, reason: str = "") -> str:
        """Let it get ready again and go on from the last good state.

        An agent that is lost, because its workflow is gone, is started again: its conversation,
        its mailbox and what it has spent stay.
        """
        if await self.driving() is Driving.LOST:
            await start_agent(self._temporal, self._store, self.id, self._task_queue, revives=True)
            return "taken up again"
        request = RestartRequest(reason=reason)
        update = self._workflow().execute_update(Agent.restart, request, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    async def answer(self, text: str, *, use_id: str = "", by: str = "") -> str:
        """Answer a question of the agent's; which one may be left out when there is only one.

        Raises:
            NotFound: it does not ask that.
            Refused: it asks nothing, or several things.
        """
        request = AnswerQuestion(use_id=use_id, answer=text, by=by)
        update = self._workflow().execute_update(Agent.answer, request, rpc_timeout=UPDATE_TIMEOUT)
        return await self._ask(update)

    async def result(self) -> AgentResult:
        """Wait for it to end and return how it did.

        Raises:
            AgentFailed: it ended in a way that was not its own: it was terminated, say.
        """
        try:
            return await self._ask(self._workflow().result())
        except WorkflowFailureError as error:
            raise AgentFailed(f"agent {self.id!r} has ended: {error.cause}") from None

    async def _wake(self, must_ring: bool) -> None:
        """Ring if need be; and never let a sender believe that a dead agent has its message."""
        if not must_ring:
            if time.monotonic() - self._seen_at > TRUSTED_SECONDS:
                await self._refuse_to_lose()
            return
        try:
            await self._ask(self._workflow().signal(Agent.ring))
        except NotFound:
            await self.see_driven()
            raise
        self._seen_at = time.monotonic()

    async def _refuse_to_lose(self) -> None:
        if await self.driving() in (Driving.LOST, Driving.UNSEEN):
            await self.see_driven()
        self._seen_at = time.monotonic()

    async def _store_schema(self, schema: Mapping[str, Any] | None) -> str:  # Any: as in send
        if schema is None:
            return ""
        body = to_json(dict(schema))
        ref = f"schema/{hashlib.sha256(body).hexdigest()}"
        await self._store.put_document(ref, body)
        return ref

    def _workflow(self) -> WorkflowHandle[Agent, AgentResult]:
        return self._temporal.get_workflow_handle_for(Agent.run, self.id)

    async def _ask(self, asked: Awaitable[T]) -> T:
        return await ask(asked, self._callee)


def _check_text(text: str) -> None:
    if not text.strip():
        raise InvalidInput("a message needs a text", hint="write what the agent should do")
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_MESSAGE_BYTES:
        raise InvalidInput(
            f"the message has {size:,} bytes; at most {MAX_MESSAGE_BYTES:,} are allowed",
            hint="put the data into a file and name it in the message",
        )
