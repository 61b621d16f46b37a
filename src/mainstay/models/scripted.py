"""Playing a script in the place of a language model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from mainstay.models.live_answer import LiveAnswer
from mainstay.models.model_string import ModelString
from mainstay.models.prices import estimated_tokens, prices_in
from mainstay.models.script_choice import RAW_KEY, choose, spoken, uses_of
from mainstay.models.script_file import Counted, Fault, ScriptSpec, Turn, read_script
from mainstay.models.script_summary import extract
from mainstay.schemas.conversation import Finish, ModelAnswer, ToolUse, Usage
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import (
    InvalidInput,
    LimitReached,
    MainstayError,
    Refused,
    Unavailable,
)
from mainstay.schemas.model_calls import ModelCall

PIECES = 20
"""In how many pieces a text is typed."""

_KINDS: dict[str, type[MainstayError]] = {
    "transient": Unavailable,
    "permanent": InvalidInput,
    "refused": Refused,
    "too_large": LimitReached,
}


@dataclass(frozen=True, slots=True)
class _Read:
    """A script as it was read, and the state of its file then."""

    stamp: tuple[int, int]
    script: ScriptSpec


class ScriptedModels:
    """Plays scripts. What it keeps is only what it has read: the place is in the conversation."""

    def __init__(self) -> None:
        self._read: dict[str, _Read] = {}

    def check(self, name: ModelString) -> None:
        """See that a script can be played.

        Raises:
            InvalidInput: it cannot be read, or is wrong; each problem with its line.
        """
        self._script(name)

    async def ask(self, name: ModelString, call: ModelCall) -> ModelAnswer:
        """Play the turn that answers; see :class:`mainstay.activities.agent_ports.Models`."""
        script = self._script(name)
        if call.purpose == "summary":
            return _summary(script, call)
        choice = choose(script, call)
        try:
            async with asyncio.timeout(call.timeout.total_seconds()):
                text = await _play(choice.turn, call)
        except TimeoutError:
            raise Unavailable(
                f"model {call.model!r} did not finish within {format_duration(call.timeout)}",
                hint="raise limits.model_timeout, or shorten the script's delay",
            ) from None
        uses = uses_of(choice.turn, call)
        usage = _priced(_usage(choice.turn.usage, call, text, uses), script, call)
        return ModelAnswer(
            text=text,
            uses=uses,
            finish=choice.turn.finish or (Finish.TOOLS if uses else Finish.ANSWER),
            usage=usage,
            raw={RAW_KEY: {"model": call.model, "next": choice.following}},
            model=call.model,
        )

    def _script(self, name: ModelString) -> ScriptSpec:
        path = Path(name.name).expanduser()
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
        except OSError:
            return read_script(path)  # which says what is wrong
        known = self._read.get(name.name)
        if known is None or known.stamp != stamp:
            known = self._read[name.name] = _Read(stamp, read_script(path))
        return known.script


async def _play(turn: Turn, call: ModelCall) -> str:
    """Wait, fail or speak, as the turn says; returns what was said."""
    live = LiveAnswer(call.model, call.answer_bytes, call.watch)
    if turn.delay:
        await asyncio.sleep(turn.delay.total_seconds())
    if turn.error is not None and call.attempt <= turn.error.attempts:
        live.say(turn.error.after)
        live.show()
        raise _failure(turn.error, call)
    text = spoken(turn, call)
    pieces = _pieces(text) if turn.typing else [text]
    for piece in pieces:
        if turn.typing:
            await asyncio.sleep(turn.typing.total_seconds() / len(pieces))
        live.say(piece)
    for use in uses_of(turn, call):
        live.count(str(use.arguments))
    live.show()
    return text


def _pieces(text: str) -> list[str]:
    size = max(-(-len(text) // PIECES), 1)
    return [text[start : start + size] for start in range(0, len(text), size)] or [text]


def _failure(fault: Fault, call: ModelCall) -> MainstayError:
    error = _KINDS[fault.kind](
        f"model {call.model!r}: {fault.message}", hint="the script says so; nothing is wrong"
    )
    if isinstance(error, Unavailable):
        error.retry_after = fault.retry_after
    return error


def _summary(script: ScriptSpec, call: ModelCall) -> ModelAnswer:
    """Sum a conversation up: as it is written, or by the beginnings of its lines."""
    text = extract(call) if script.summary is None else script.summary
    usage = _priced(_usage(Counted(), call, text, ()), script, call)
    return ModelAnswer(text=text, usage=usage, model=call.model)


def _priced(usage: Usage, script: ScriptSpec, call: ModelCall) -> Usage:
    prices = prices_in(call.settings) or script.prices
    if prices is None:
        return usage
    return usage.model_copy(update={"picodollars": prices.picodollars(usage)})


def _usage(counted: Counted, call: ModelCall, text: str, uses: tuple[ToolUse, ...]) -> Usage:
    """Return the tokens as the turn has them, or else about as many as a model would take."""
    heard = len(call.instructions) + sum(
        len(entry.text) + sum(len(str(use.arguments)) for use in entry.uses)
        for entry in call.entries
    )
    said = len(text) + sum(len(str(use.arguments)) for use in uses)
    return Usage(
        input_tokens=estimated_tokens(heard) if counted.input is None else counted.input,
        output_tokens=estimated_tokens(said) if counted.output is None else counted.output,
        cached_tokens=counted.cached,
        model_calls=1,
    )
