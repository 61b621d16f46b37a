"""The activities that ask a model: for the next answer of a turn, and for a summary."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic_core import from_json
from temporalio import activity

from mainstay.activities.agent_files import AgentFiles
from mainstay.activities.agent_ports import AgentStorage, Models
from mainstay.activities.answers import find_problem
from mainstay.activities.calling import reporting
from mainstay.activities.failures import shorten
from mainstay.activities.guarded_models import Asking
from mainstay.activities.live_text import live_display
from mainstay.activities.protection import Protection
from mainstay.activities.pulse import pulse
from mainstay.activities.spending import Spending
from mainstay.activities.transcripts import Transcripts
from mainstay.activities.turn_inputs import input_entries
from mainstay.decisions.agents.budgets import Step
from mainstay.decisions.agents.window import (
    Window,
    choose,
    cut_summary,
    estimate_tokens,
    summary_request,
)
from mainstay.schemas import names
from mainstay.schemas.agent import AgentSpec
from mainstay.schemas.agent_calls import (
    AgentEvent,
    AgentEventKind,
    SummarizeCall,
    ThinkCall,
    Thought,
    UseHeader,
)
from mainstay.schemas.conversation import Entry, EntryKind, ModelAnswer, Summary, Usage
from mainstay.schemas.model_calls import ModelCall


@dataclass(frozen=True)
class Context:
    """What the model is about to be sent."""

    spec: AgentSpec
    window: Window
    answers_before: int
    schema: dict[str, object] | None


class Thinking:
    """Asking models on behalf of agents."""

    def __init__(
        self, storage: AgentStorage, models: Models, files: AgentFiles, protection: Protection
    ) -> None:
        self._storage = storage
        self._files = files
        self._asking = Asking(models, protection)
        self._transcripts = Transcripts(storage)
        self._spending = Spending(storage)

    @activity.defn(name=names.AGENT_THINK)
    async def think(self, call: ThinkCall) -> Thought:
        """Add what is new to the thread, ask the model, and keep and charge its answer once."""
        with reporting():
            async with pulse():
                spec = await self._files.spec(call.spec_ref)
                schema = await self._schema(spec, call)
                kept, inputs = await asyncio.gather(
                    self._storage.find_entry(call.thread, answer_key(call)),
                    input_entries(self._storage, call),
                )
                if kept is not None:
                    return await self._said_before(call, spec, schema, kept)
                began = datetime.now(UTC)
                step = Step.TURN if call.model_call == 1 else Step.MODEL_CALL
                before, summary = await asyncio.gather(
                    self._spending.check(call.accounts, step),
                    self._storage.latest_summary(call.thread),
                )
                entries = await self._transcripts.extend(call.thread, inputs)
                context = _context(spec, schema, entries, summary)
                answer = await self._ask(call, context)
                entry = _answer_entry(call, answer)
                usage = answer.usage + Usage(turns=int(call.model_call == 1))
                kept = await self._storage.keep_answer(
                    call.thread,
                    entry,
                    f"{call.agent_id}/{entry.key}",
                    call.accounts,
                    usage,
                    [_answered(call, answer)],
                    model=answer.model,
                )
                self._transcripts.note(call.thread, [kept])
                thought = _thought(kept, usage, schema)
                return thought.model_copy(
                    update={
                        "warnings": self._spending.warnings(before, usage, began),
                        "summarize": context.window.wants_summary,
                    }
                )

    @activity.defn(name=names.AGENT_SUMMARIZE)
    async def summarize(self, call: SummarizeCall) -> None:
        """Summarise the older part of a thread with the agent's own model, at its cost."""
        with reporting():
            async with pulse():
                spec = await self._files.spec(call.spec_ref)
                entries = await self._transcripts.entries(call.thread)
                latest = await self._storage.latest_summary(call.thread)
                window = choose(entries, latest, spec.context)
                if not window.wants_summary:
                    return
                await self._spending.check(call.accounts, Step.MODEL_CALL)
                first = latest.upto if latest else 0
                older = entries[first : window.summarize_upto]
                request = Entry(
                    key=call.key,
                    kind=EntryKind.USER,
                    text=summary_request(older, latest),
                    at=datetime.now(UTC),
                )
                answer = await self._asking.ask(
                    ModelCall(
                        model=spec.model or "",
                        instructions="You summarise conversations faithfully.",
                        entries=[request],
                        settings=spec.settings,
                        timeout=spec.limits.model_timeout,
                        key=call.key,
                        purpose="summary",
                    )
                )
                text = cut_summary(answer.text, spec.context)
                summary = Summary(
                    upto=window.summarize_upto, text=text, tokens=estimate_tokens(text)
                )
                await self._storage.keep_summary(
                    call.thread,
                    summary,
                    f"{call.agent_id}/{call.key}",
                    call.accounts,
                    answer.usage,
                    model=answer.model,
                )

    async def _said_before(
        self, call: ThinkCall, spec: AgentSpec, schema: dict[str, object] | None, kept: Entry
    ) -> Thought:
        """Return an answer that an earlier attempt kept, as it would have returned it."""
        usage = await self._storage.charged(f"{call.agent_id}/{kept.key}")
        entries = await self._transcripts.entries(call.thread)
        summary = await self._storage.latest_summary(call.thread)
        context = _context(spec, schema, entries[: kept.position], summary)
        thought = _thought(kept, usage, schema)
        return thought.model_copy(update={"summarize": context.window.wants_summary})

    async def _schema(self, spec: AgentSpec, call: ThinkCall) -> dict[str, object] | None:
        if not call.output_schema_ref:
            return spec.output
        schema: dict[str, object] = from_json(
            await self._storage.get_document(call.output_schema_ref)
        )
        return schema

    async def _ask(self, call: ThinkCall, context: Context) -> ModelAnswer:
        spec = context.spec
        attempt = call.attempt * 1000 + activity.info().attempt
        async with live_display(self._storage, call.thread, call.key, attempt) as live:
            return await self._asking.ask(
                ModelCall(
                    model=spec.model or "",
                    instructions=instructions(spec, context.window),
                    entries=context.window.entries,
                    tools=list(self._files.tools_of(spec).values()),
                    output_schema=context.schema,
                    settings=spec.settings,
                    timeout=spec.limits.model_timeout,
                    watch=live.show,
                    key=call.key,
                    attempt=call.attempt,
                    answers_before=context.answers_before,
                    answer_bytes=spec.limits.answer_bytes,
                )
            )


def _context(
    spec: AgentSpec,
    schema: dict[str, object] | None,
    entries: Sequence[Entry],
    summary: Summary | None,
) -> Context:
    window = choose(entries, summary, spec.context)
    answers = sum(entry.kind is EntryKind.ASSISTANT for entry in entries)
    return Context(spec, window, answers, schema)


def answer_key(call: ThinkCall) -> str:
    """Name the entry that holds the answer."""
    return f"answer/{call.key}"


def instructions(spec: AgentSpec, window: Window) -> str:
    """Put together what stands above the conversation: the prompt, the pins, the summary."""
    parts = [spec.prompt]
    if window.pins:
        parts.append("Facts to keep in mind:\n" + "\n".join(f"- {pin}" for pin in window.pins))
    if window.summary:
        parts.append(f"What was said before, in short:\n{window.summary}")
    return "\n\n".join(part for part in parts if part)


def _answer_entry(call: ThinkCall, answer: ModelAnswer) -> Entry:
    return Entry(
        key=answer_key(call),
        kind=EntryKind.ASSISTANT,
        text=answer.text,
        author=call.agent_name,
        uses=answer.uses,
        raw=answer.raw,
        finish=answer.finish,
        tokens=answer.usage.output_tokens or estimate_tokens(answer.text),
        turn=call.turn,
        at=datetime.now(UTC),
    )


def _answered(call: ThinkCall, answer: ModelAnswer) -> AgentEvent:
    usage = answer.usage
    calls = ", ".join(use.name for use in answer.uses)
    return AgentEvent(
        agent_id=call.agent_id,
        key=answer_key(call),
        kind=AgentEventKind.MODEL_ANSWERED,
        at=datetime.now(UTC),
        message_id=call.turn,
        thread=call.thread,
        message=shorten(f"calls {calls}" if calls else answer.text, 200),
        data={
            "model": answer.model,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "picodollars": usage.picodollars,
        },
    )


def _thought(entry: Entry, usage: Usage, schema: dict[str, object] | None) -> Thought:
    return Thought(
        position=entry.position,
        text=shorten(entry.text),
        uses=tuple(UseHeader(id=use.id, name=use.name) for use in entry.uses),
        finish=entry.finish,
        usage=usage,
        problem=shorten(find_problem(entry, schema), 2_000),
    )
