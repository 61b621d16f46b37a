"""The activities around an agent that does a task of a plan: it is chosen, asked, and heard.

The agent is a workflow of its own, begun by the plan's workflow. Everything about it follows from
the task, its item and its round, so preparing it twice prepares it once. An agent that ended
without an answer is followed by another one, with a conversation of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic_core import to_json
from temporalio import activity

from mainstay.activities.agent_ports import AgentStorage
from mainstay.activities.answers import read_structured
from mainstay.activities.asking import id_from_key
from mainstay.activities.assignments import Assignment, critics_assignment, work_assignment
from mainstay.activities.calling import OpenTask, reporting
from mainstay.activities.checking import summarize
from mainstay.activities.ports import Storage, Toolbox
from mainstay.activities.pulse import pulse
from mainstay.activities.scope import Reader
from mainstay.decisions.agents.critique import complaint, summary
from mainstay.decisions.agents.routing import Choice, candidates, choose
from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec, BudgetSpec
from mainstay.schemas.agent_calls import AgentRow
from mainstay.schemas.agent_tasks import AgentStart, AgentTaskCall, Critique
from mainstay.schemas.calls import Verdict
from mainstay.schemas.conversation import ThreadRow
from mainstay.schemas.errors import AgentFailed, NotFound
from mainstay.schemas.ids import account_of, agent_id_from, sub_plan_id, task_agent_name
from mainstay.schemas.lifecycle import LifeState
from mainstay.schemas.messages import Message, MessageStatus
from mainstay.schemas.records import EventKind, OutputChunk, PlanEvent
from mainstay.schemas.run import TaskStatus

LIVING = tuple(state for state in LifeState if state is not LifeState.TERMINATED)
MAX_COUNTED = 10_000
"""Agents of one plan that are counted to see which is the least busy."""

Value = Any  # JSON-like data


class TaskAgentStorage(Storage, AgentStorage, Protocol):
    """What agents that do a plan's tasks need from storage."""


class AgentTaskActivities:
    """An agent's part in a plan."""

    def __init__(self, storage: TaskAgentStorage, toolbox: Toolbox, reader: Reader) -> None:
        self._storage = storage
        self._toolbox = toolbox
        self._reader = reader
        # One after another, so that each sees whom the one before has chosen.
        self._choosing = asyncio.Lock()

    @activity.defn(name=names.AGENT_TASK_PREPARE)
    async def prepare(self, asked: AgentTaskCall) -> AgentStart:
        """Choose an agent for a task, write it down, and put the task into its mailbox."""
        with reporting():
            async with pulse():
                opened = await OpenTask.open(self._storage, self._toolbox, self._reader, asked.call)
                assign = critics_assignment if asked.is_critic else work_assignment
                assignment = await assign(opened)
                async with self._choosing:
                    row, reason = await self._agent(asked, opened, assignment)
                start = await self._start(asked, opened, assignment, row)
                if asked.is_critic or not opened.is_list:
                    await self._tell(asked, f"{row.name} ({row.model}), {reason}")
                return start

    @activity.defn(name=names.AGENT_TASK_ADOPT)
    async def adopt(self, asked: AgentTaskCall) -> Verdict:
        """Make the agent's answer the output of the task; or let a critic's answer judge it."""
        with reporting():
            async with pulse():
                value = await self._answer(asked.message_id)
                if asked.is_critic:
                    return await self._judge(asked, Critique.model_validate(value))
                call = asked.call
                chunk = OutputChunk(
                    plan_id=call.plan_id,
                    task=call.task,
                    round=call.round,
                    start=call.start,
                    stop=call.start + 1,
                    values=[value],
                )
                event = PlanEvent(
                    plan_id=call.plan_id,
                    key=f"{call.task}/{call.round}/{call.start}/done",
                    kind=EventKind.TASK_PROGRESS,
                    at=datetime.now(UTC),
                    task=call.task,
                    count=1,
                )
                await self._storage.save_chunk(chunk, [event])
                return Verdict(done=1, message=summarize(value))

    async def _agent(
        self, asked: AgentTaskCall, opened: OpenTask, assignment: Assignment
    ) -> tuple[AgentRow, str]:
        """Return the agent that does the task, made now if need be, and why it was chosen."""
        place = _place(asked, opened.is_list)
        ended = 0
        while True:
            here = f"{place}~{ended + 1}" if ended else place
            agent_id = agent_id_from(here)
            row = await self._storage.get_agent(agent_id)
            if row is None:
                break
            if row.state is not LifeState.TERMINATED or await self._has_answered(agent_id):
                return row, "goes on"
            ended += 1
        choice, key = await self._choose(opened, assignment)
        spec = assignment.spec_of(opened.plan, key)
        return await self._create(asked, here, agent_id, spec), choice.reason

    async def _choose(self, opened: OpenTask, assignment: Assignment) -> tuple[Choice, str]:
        if not assignment.capability:
            return Choice(assignment.agent, "as the plan says"), assignment.agent
        call = opened.call
        rows = await self._storage.list_agents(LIVING, parent=call.plan_id, limit=MAX_COUNTED)
        team = call.plan_id.split("/", 2)[1]
        known = candidates(opened.plan.agents, [row.name for row in rows], team)
        choice = choose(list(known.values()), assignment.capability)
        return choice, next(key for key, one in known.items() if one.name == choice.name)

    async def _create(
        self, asked: AgentTaskCall, place: str, agent_id: str, spec: AgentSpec
    ) -> AgentRow:
        body = spec.model_dump_json().encode()
        spec_ref = f"agent-spec/{hashlib.sha256(body).hexdigest()}"
        await self._storage.put_document(spec_ref, body)
        now = datetime.now(UTC)
        name = task_agent_name(spec.name, place)
        return await self._storage.create_agent(
            AgentRow(
                agent_id=agent_id,
                name=name,
                role=spec.role.value,
                state=LifeState.INITIALIZING,
                model=spec.model or "",
                description=spec.description,
                thread=f"thread/{agent_id}",
                spec_ref=spec_ref,
                parent_id=asked.call.plan_id,
                capabilities=tuple(spec.capabilities),
                created_at=now,
                updated_at=now,
            )
        )

    async def _start(
        self, asked: AgentTaskCall, opened: OpenTask, assignment: Assignment, row: AgentRow
    ) -> AgentStart:
        accounts = await self._open_accounts(asked, opened, row)
        thread = ThreadRow(
            thread_id=row.thread,
            title=row.name,
            agent_id=row.agent_id,
            created_at=row.created_at,
            updated_at=row.created_at,
        )
        await self._storage.create_thread(thread)
        message_id = _message_id(row.agent_id)
        is_done = await self._has_answered(row.agent_id)
        if not is_done:
            message = await self._message(asked, assignment, row)
            await self._storage.send_messages([message])
        return AgentStart(
            agent_id=row.agent_id,
            name=row.name,
            spec_ref=row.spec_ref,
            thread=row.thread,
            message_id=message_id,
            accounts=accounts,
            role=row.role,
            capabilities=row.capabilities,
            summary=row.description,
            is_done=is_done,
        )

    async def _open_accounts(
        self, asked: AgentTaskCall, opened: OpenTask, row: AgentRow
    ) -> tuple[str, ...]:
        call = asked.call
        spec = AgentSpec.model_validate_json(await self._storage.get_document(row.spec_ref))
        own, task = account_of(row.agent_id), f"{call.plan_id}/{call.task}"
        await self._storage.open_account(own, spec.budget, row.name)
        await self._storage.open_account(task, opened.task.budget or BudgetSpec())
        await self._storage.open_account(call.plan_id, opened.plan.budget or BudgetSpec())
        return tuple(dict.fromkeys((own, task, call.plan_id, *asked.accounts)))

    async def _message(
        self, asked: AgentTaskCall, assignment: Assignment, row: AgentRow
    ) -> Message:
        spec = AgentSpec.model_validate_json(await self._storage.get_document(row.spec_ref))
        schema, ref = assignment.schema or spec.output, ""
        if schema is not None:
            body = to_json(schema)
            ref = f"schema/{hashlib.sha256(body).hexdigest()}"
            await self._storage.put_document(ref, body)
        return Message(
            id=_message_id(row.agent_id),
            receiver=row.agent_id,
            type="task",
            text=assignment.prompt,
            sender_name=f"{asked.call.plan_id}/{asked.call.task}",
            output_schema_ref=ref,
            created_at=datetime.now(UTC),
        )

    async def _has_answered(self, agent_id: str) -> bool:
        try:
            message = await self._storage.get_message(_message_id(agent_id))
        except NotFound:
            return False
        return message.status is MessageStatus.PROCESSED

    async def _answer(self, message_id: str) -> Value:
        message = await self._storage.get_message(message_id)
        if message.status is not MessageStatus.PROCESSED:
            raise AgentFailed(f"agent {message.receiver!r} ended without an answer")
        return read_structured(message.answer) if message.output_schema_ref else message.answer

    async def _judge(self, asked: AgentTaskCall, critique: Critique) -> Verdict:
        plan = await self._reader.plan(asked.call.plan_ref)
        verify = plan.tasks[asked.call.task].verify
        assert verify is not None
        wrong = complaint(critique, verify.threshold)
        await self._tell(asked, summary(critique))
        if wrong is None:
            return Verdict(message=summary(critique))
        return Verdict(status=TaskStatus.PENDING, message=wrong)

    async def _tell(self, asked: AgentTaskCall, message: str) -> None:
        """Put on record who works on the task, or what a critic thinks of it."""
        info, call = activity.info(), asked.call
        event = PlanEvent(
            plan_id=call.plan_id,
            key=f"{info.workflow_run_id}/{info.activity_id}/agent",
            kind=EventKind.TASK_STATUS,
            at=datetime.now(UTC),
            task=call.task,
            status=TaskStatus.GATHERING if asked.is_critic else TaskStatus.RUNNING,
            attempt=call.attempt,
            message=message,
        )
        await self._storage.append_events([event])


def _place(asked: AgentTaskCall, is_list: bool) -> str:
    """Name what an agent is asked to do, in the form of a sub-plan's id."""
    call = asked.call
    if asked.is_critic:
        return f"{sub_plan_id(call.plan_id, call.task, None, call.round)}/critic"
    return sub_plan_id(call.plan_id, call.task, call.start if is_list else None, call.round)


def _message_id(agent_id: str) -> str:
    """Name the one message of an agent that does a task."""
    return id_from_key(f"{agent_id}/task")
