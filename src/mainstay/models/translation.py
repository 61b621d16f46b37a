"""From entries of a thread to the messages of pydantic-ai, and from its response to an answer.

Loaded only when a provider is asked: importing pydantic-ai takes most of a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    repair_messages,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.tools import ToolDefinition

from mainstay.models.wire_names import WireNames
from mainstay.schemas.conversation import Entry, EntryKind, Finish, ModelAnswer, ToolUse, Usage
from mainstay.schemas.errors import InvalidInput, Unavailable
from mainstay.schemas.model_calls import ModelCall

ANSWER_NAME = "answer"
"""What structured output is called on the wire."""


def messages_of(call: ModelCall, names: WireNames) -> list[ModelMessage]:
    """Return the conversation as messages; what a window cut in two is mended.

    Raises:
        InvalidInput: there is nothing to answer.
    """
    messages: list[ModelMessage] = []
    for entry in call.entries:
        if entry.kind is EntryKind.ASSISTANT:
            messages.append(_response(entry, names))
        elif entry.kind is not EntryKind.PIN:
            messages.append(ModelRequest(parts=[_request_part(entry, names)]))
    messages = repair_messages(messages)
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if isinstance(message, ModelRequest):
            messages[index] = replace(message, instructions=call.instructions or None)
            return messages
    raise InvalidInput(
        f"model {call.model!r} was given nothing to answer", hint="send the agent a message"
    )


def _request_part(entry: Entry, names: WireNames) -> ModelRequestPart:
    if entry.kind is EntryKind.TOOL:
        return ToolReturnPart(
            tool_name=names.to_wire(entry.tool),
            content=entry.text,
            tool_call_id=entry.use_id,
            outcome="failed" if entry.is_error else "success",
            timestamp=entry.at,
        )
    return UserPromptPart(content=entry.text, timestamp=entry.at)


def _response(entry: Entry, names: WireNames) -> ModelResponse:
    """Return what the model said, as its provider sent it where that was kept."""
    if entry.raw is not None and entry.raw.get("kind") == "response":
        try:
            kept = ModelMessagesTypeAdapter.validate_python([entry.raw])[0]
        except ValidationError:
            kept = None  # written by another version of the library: say it in our own words
        if isinstance(kept, ModelResponse):
            return kept
    parts: list[ModelResponsePart] = [TextPart(content=entry.text)] if entry.text else []
    parts += [
        ToolCallPart(
            tool_name=names.to_wire(use.name), args=use.arguments, tool_call_id=use.id or "use"
        )
        for use in entry.uses
    ]
    return ModelResponse(parts=parts or [TextPart(content="(no answer)")], timestamp=entry.at)


def parameters_of(
    call: ModelCall, names: WireNames, profile: ModelProfile
) -> ModelRequestParameters:
    """Return the tools, and the form of the answer where one is wanted."""
    tools = [
        ToolDefinition(
            name=names.to_wire(tool.name),
            description=tool.description,
            parameters_json_schema=tool.parameters or {"type": "object", "properties": {}},
            strict=False,
        )
        for tool in call.tools
    ]
    if call.output_schema is None:
        return ModelRequestParameters(function_tools=tools)
    is_native = profile.get("supports_json_schema_output", False)
    return ModelRequestParameters(
        function_tools=tools,
        output_mode="native" if is_native else "prompted",
        output_object=OutputObjectDefinition(
            json_schema=dict(call.output_schema), name=ANSWER_NAME
        ),
    )


def answer_of(response: ModelResponse, names: WireNames, model: str) -> ModelAnswer:
    """Return a response as an answer, without its price.

    Raises:
        Unavailable: the response is not complete.
    """
    details = response.provider_details or {}
    reason = response.finish_reason
    if reason is None and not details.get("finish_reason"):
        raise Unavailable(
            f"the answer of model {model!r} ended before it was complete", hint="it is tried again"
        )
    if reason == "error":
        raise Unavailable(f"model {model!r} broke off its answer", hint="it is tried again")
    uses = _uses(response, names)
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    raw: dict[str, Any] | None  # Any: JSON-like data
    raw = ModelMessagesTypeAdapter.dump_python([response], mode="json")[0]
    if reason == "length" and uses:
        uses, raw = (), None  # the last call is cut in two, and what it says is not meant
    if len({use.id for use in uses}) < len(uses):
        uses, raw = _with_own_ids(uses), None
    if reason == "content_filter":
        text = text or str(details.get("refusal") or "")
    return ModelAnswer(
        text=text,
        uses=uses,
        finish=_finish(reason, uses),
        usage=usage_of(response),
        raw=raw,
        model=response.model_name or model,
    )


def usage_of(response: ModelResponse) -> Usage:
    """Return what a response took, as the provider counted it."""
    return Usage(
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
        cached_tokens=response.usage.cache_read_tokens,
        model_calls=1,
    )


def _uses(response: ModelResponse, names: WireNames) -> tuple[ToolUse, ...]:
    return tuple(
        ToolUse(
            id=part.tool_call_id,
            name=names.from_wire(part.tool_name),
            arguments=_arguments(part.args),
        )
        for part in response.parts
        if isinstance(part, ToolCallPart)
    )


def _arguments(given: str | Mapping[str, Any] | None) -> dict[str, Any] | str:
    """Return a call's arguments; the text that was sent where it is no JSON object."""
    if not isinstance(given, str):
        return dict(given or {})
    if not given.strip():
        return {}
    try:
        value = json.loads(given)
    except (ValueError, RecursionError):
        return given
    return value if isinstance(value, dict) else given


def _with_own_ids(uses: Sequence[ToolUse]) -> tuple[ToolUse, ...]:
    """Give each call an id of its own, where the provider used one twice."""
    return tuple(
        use.model_copy(update={"id": f"{use.id}-{index}"}) for index, use in enumerate(uses)
    )


def _finish(reason: str | None, uses: Sequence[ToolUse]) -> Finish:
    if reason == "length":
        return Finish.LENGTH
    if reason == "content_filter":
        return Finish.REFUSED
    return Finish.TOOLS if uses else Finish.ANSWER
