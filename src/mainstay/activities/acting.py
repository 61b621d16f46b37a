"""The activities that run a model's tool calls, and fetch what another agent answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json
from temporalio import activity

from mainstay.activities.agent_files import AgentFiles
from mainstay.activities.agent_ports import AgentStorage
from mainstay.activities.asking import ask_agent, why_lost
from mainstay.activities.built_in import ASK_PREFIX, BUILT_IN, check_arguments
from mainstay.activities.calling import reporting
from mainstay.activities.failures import failure_from, shorten
from mainstay.activities.ports import Toolbox
from mainstay.activities.protection import Protection
from mainstay.activities.pulse import pulse
from mainstay.activities.spending import Spending
from mainstay.activities.turn_inputs import result_text
from mainstay.schemas import names
from mainstay.schemas.agent_calls import (
    ActCall,
    Acted,
    AgentEvent,
    AgentEventKind,
    CollectCall,
    Collected,
)
from mainstay.schemas.conversation import ToolUse, Usage
from mainstay.schemas.errors import InvalidInput, MainstayError, NotFound, Unavailable
from mainstay.schemas.messages import MESSAGE_ENDS, MessageStatus
from mainstay.schemas.run import FailureKind
from mainstay.schemas.tools import CallOutcome, ToolCall, ToolSpec

READ_CHARS = 4_000
"""How much of a cut result is read at once when the model does not say."""

Arguments = Mapping[str, Any]  # Any: JSON-like, checked against the tool's schema before use


@dataclass(frozen=True)
class Result:
    """What a tool call gave back, as the model will read it."""

    text: str
    is_error: bool = False
    is_invalid: bool = False


class Acting:
    """Running tools on behalf of agents."""

    def __init__(
        self, storage: AgentStorage, toolbox: Toolbox, files: AgentFiles, protection: Protection
    ) -> None:
        self._storage = storage
        self._toolbox = toolbox
        self._files = files
        self._protection = protection
        self._spending = Spending(storage)

    @activity.defn(name=names.AGENT_ACT)
    async def act(self, call: ActCall) -> Acted:
        """Run one tool call, and keep its result as a document; it is charged for once."""
        with reporting():
            async with pulse():
                kept = await self._kept(call)
                if kept is not None:
                    return kept
                await self._protection.count_tool_call(call.agent_id)
                await self._spending.charge_tool_call(f"{call.agent_id}/{call.key}", call.accounts)
                use = await self._use(call)
                found = await self._run(call, use)
                if isinstance(found, Result):
                    return await self._keep(call, use, found)
                return found

    @activity.defn(name=names.AGENT_COLLECT)
    async def collect(self, call: CollectCall) -> Collected:
        """Fetch the answer of another agent, if it is there, or why there will be none."""
        with reporting():
            async with pulse():
                result = await self._answer(call.correlation)
                if result is None:
                    return Collected()
                ref = result_ref(call.key)
                await self._storage.put_document(ref, _body(result))
                text = shorten(result.text)
                return Collected(ref=ref, is_error=result.is_error, text=text)

    async def _answer(self, message_id: str) -> Result | None:
        message = await self._storage.get_message(message_id)
        if message.status is MessageStatus.PROCESSED:
            return Result(message.answer)
        if message.status in MESSAGE_ENDS:
            why = message.failure.message if message.failure else message.status
            return Result(f"the agent did not answer: {why}", is_error=True)
        lost = await why_lost(self._storage, message.receiver)
        return Result(lost, is_error=True) if lost else None

    async def _kept(self, call: ActCall) -> Acted | None:
        """Return the result of an earlier attempt or run that got as far as keeping it."""
        try:
            body = from_json(await self._storage.get_document(result_ref(call.key)))
        except NotFound:
            return None
        return Acted(
            ref=result_ref(call.key),
            is_error=body["is_error"],
            is_invalid=body["is_invalid"],
            text=shorten(body["text"]),
            usage=Usage(tool_calls=1),
        )

    async def _use(self, call: ActCall) -> ToolUse:
        [entry] = await self._storage.load_entries(call.thread, call.position, call.position + 1)
        return next(use for use in entry.uses if use.id == call.use_id)

    async def _run(self, call: ActCall, use: ToolUse) -> Result | Acted:
        tools = self._files.tools_of(await self._files.spec(call.spec_ref))
        tool = tools.get(use.name)
        if tool is None:
            known = ", ".join(tools) or "none"
            return _invalid(f"there is no tool {use.name!r}; you have: {known}")
        if isinstance(use.arguments, str):
            return _invalid(f"the arguments of {use.name!r} are not valid JSON: {use.arguments}")
        try:
            if use.name in BUILT_IN or use.name.startswith(ASK_PREFIX):
                check_arguments(tool, use.arguments)
                return await self._built_in(call, use.name, use.arguments)
            self._toolbox.check_arguments(use.name, use.arguments)
        except InvalidInput as error:
            return _invalid(f"wrong arguments of {use.name!r}: {error.message}")
        return await self._tool(call, tool, use.arguments)

    async def _tool(self, call: ActCall, tool: ToolSpec, arguments: Arguments) -> Result | Acted:
        if not tool.idempotent:
            if call.answer is not None:
                return Result(
                    f"nobody knows whether this happened; a person says: {call.answer}", True
                )
            if not await self._may_begin(call):
                return Acted(
                    is_unknown=True,
                    question=f"{tool.name} was begun and its worker died; it may or may not have "
                    "had its effect. Answer `retry` to do it again, or say what happened",
                )
        try:
            async with self._protection.guard(f"tool/{tool.name}"):
                outcome = await self._call(call, tool, arguments)
        except Unavailable as error:
            outcome = CallOutcome(error=error)
        if outcome.error is not None:
            return Result(_complaint(outcome.error), is_error=True)
        value = outcome.value
        return Result(value if isinstance(value, str) else to_json(value).decode())

    async def _call(self, call: ActCall, tool: ToolSpec, arguments: Arguments) -> CallOutcome:
        made = ToolCall(
            arguments=arguments, key=call.key, attempt=call.attempt, timeout=tool.timeout
        )
        [outcome] = await self._toolbox.run_calls(tool.name, [made], 0)
        if isinstance(outcome.error, Unavailable):
            raise outcome.error
        return outcome

    async def _may_begin(self, call: ActCall) -> bool:
        if call.confirmed and activity.info().attempt == 1:
            await self._storage.clear_started(call.key)
        return await self._storage.mark_started(call.key)

    async def _built_in(self, call: ActCall, name: str, arguments: Arguments) -> Result | Acted:
        scope = call.agent_name.partition("/")[0]
        match name:
            case "ask_human":
                if call.answer is None:
                    return Acted(question=shorten(arguments["question"], 2_000))
                return Result(call.answer)
            case "remember":
                await self._storage.remember(scope, arguments["key"], arguments["text"])
                return Result("kept")
            case "recall":
                found = await self._storage.recall(
                    scope, arguments["query"], arguments.get("limit", 5)
                )
                return Result("\n".join(f"{key}: {text}" for key, text in found) or "nothing")
            case "read_result":
                return await self._read_result(arguments)
            case _:
                spec = await self._files.spec(call.spec_ref)
                return await ask_agent(self._storage, call, spec, name, arguments["prompt"])

    async def _read_result(self, arguments: Arguments) -> Result:
        start = arguments.get("start", 0)
        length = arguments.get("length", READ_CHARS)
        if not arguments["ref"].startswith("result/"):
            return _invalid(f"{arguments['ref']!r} is no result; use the ref of the note")
        try:
            text = await result_text(self._storage, arguments["ref"])
        except NotFound as error:
            return _invalid(error.message)
        return Result(text[start : start + length] or "(nothing there: the text is shorter)")

    async def _keep(self, call: ActCall, use: ToolUse, result: Result) -> Acted:
        ref, usage = result_ref(call.key), Usage(tool_calls=1)
        event = AgentEvent(
            agent_id=call.agent_id,
            key=f"tool/{call.key}",
            kind=AgentEventKind.TOOL_ENDED,
            at=datetime.now(UTC),
            message_id=call.turn,
            thread=call.thread,
            message=shorten(f"{use.name}: {result.text}", 200),
            data={"tool": use.name, "is_error": result.is_error},
        )
        # One after another in the queue of the one writer: they share a transaction.
        await asyncio.gather(
            self._storage.put_document(ref, _body(result)),
            self._storage.append_agent_events([event]),
        )
        return Acted(
            ref=ref,
            is_error=result.is_error,
            is_invalid=result.is_invalid,
            text=shorten(result.text),
            usage=usage,
        )


def result_ref(key: str) -> str:
    """Name the document that holds a tool call's result."""
    return f"result/{key}"


def _body(result: Result) -> bytes:
    body = {"text": result.text, "is_error": result.is_error, "is_invalid": result.is_invalid}
    return to_json(body)


def _invalid(text: str) -> Result:
    return Result(text, is_error=True, is_invalid=True)


def _complaint(error: Exception) -> str:
    failure = failure_from(error)
    hint = f" ({failure.hint})" if failure.hint and isinstance(error, MainstayError) else ""
    passing = " It may work later." if failure.kind is FailureKind.TRANSIENT else ""
    return f"error: {failure.message}{hint}{passing}"
