"""Asking a provider, through the model layer of pydantic-ai."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainstay.models.live_answer import LiveAnswer
from mainstay.models.model_string import ModelString
from mainstay.models.prices import Prices, estimated_tokens, in_picodollars, prices_in
from mainstay.models.wire_names import WireNames
from mainstay.schemas.conversation import ModelAnswer, Usage
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import InvalidInput, Unavailable
from mainstay.schemas.model_calls import ModelCall

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model

    from mainstay.models.provider_clients import ProviderClients

SILENCE_SECONDS = 120.0
"""Longest silence of a provider; ``settings.timeout`` changes it."""

OWN_SETTINGS = frozenset({"prices", "timeout", "max_retries", "request_timeout"})


@dataclass(frozen=True, slots=True)
class Asking:
    """One request on its way."""

    model: Model
    call: ModelCall
    names: WireNames


class ProvidedModels:
    """The models of providers. Import costs are paid when the first one is checked or asked."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._clients: ProviderClients | None = None

    def check(self, name: ModelString) -> None:
        """See that a model's provider is known, its library is there, and its key is set.

        Raises:
            InvalidInput: it cannot be used.
        """
        self._loaded(name).model(name)

    async def ask(self, name: ModelString, call: ModelCall) -> ModelAnswer:
        """Ask a provider once; see :class:`mainstay.activities.agent_ports.Models`."""
        # Loading the libraries and making a connection take long enough to starve a heartbeat.
        await asyncio.to_thread(self.check, name)
        from mainstay.models.provider_errors import explain

        clients = self._loaded(name)
        seconds = call.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                model = await clients.enter(name)
                names = WireNames(tool.name for tool in call.tools)
                return await _ask(Asking(model, call, names))
        except TimeoutError:
            raise Unavailable(
                f"model {call.model!r} did not finish within {format_duration(call.timeout)}",
                hint="raise limits.model_timeout, or ask for less",
            ) from None
        except Exception as error:
            known = explain(error, call.model)
            if known is None:
                raise
            raise known from None

    async def close(self) -> None:
        """Close the connections."""
        if self._clients is not None:
            await self._clients.close()

    def _loaded(self, name: ModelString) -> ProviderClients:
        if self._clients is None:
            if importlib.util.find_spec("pydantic_ai") is None:
                raise InvalidInput(
                    f"model {name.text!r} needs libraries that are not installed",
                    hint="pip install 'mainstay[models]'",
                )
            from mainstay.models.provider_clients import ProviderClients

            self._clients = ProviderClients(self._environment)
        return self._clients


async def _ask(asking: Asking) -> ModelAnswer:
    from mainstay.models.translation import answer_of

    call = asking.call
    prices = prices_in(call.settings)
    live = LiveAnswer(call.model, call.answer_bytes, call.watch)
    response = await _stream(asking, live)
    live.show()
    answer = answer_of(response, asking.names, call.model)
    usage = _charged(_counted(answer.usage, response, call), response, prices)
    return answer.model_copy(update={"usage": usage})


async def _stream(asking: Asking, live: LiveAnswer) -> ModelResponse:
    from pydantic_ai.direct import model_request_stream

    from mainstay.models.translation import messages_of, parameters_of

    call = asking.call
    stream = model_request_stream(
        asking.model,
        messages_of(call, asking.names),
        model_settings=_settings(asking),
        model_request_parameters=parameters_of(call, asking.names, asking.model.profile),
        instrument=False,
    )
    async with stream as events:
        async for event in events:
            _take(event, live)
        return events.get()


def _settings(asking: Asking) -> Any:  # Any: a TypedDict whose keys each provider extends
    call = asking.call
    given = {key: value for key, value in call.settings.items() if key not in OWN_SETTINGS}
    silence = call.settings.get("timeout", SILENCE_SECONDS)
    if not isinstance(silence, int | float) or not silence > 0:
        raise InvalidInput(
            f"settings.timeout is {silence!r}", hint="write the longest silence in seconds"
        )
    client = getattr(asking.model.provider, "client", None)
    if getattr(client, "max_retries", None) != 0:
        given["max_retries"] = 0  # a library whose client could not be told once and for all
    return {**given, "timeout": min(silence, call.timeout.total_seconds())}


def _take(event: object, live: LiveAnswer) -> None:
    """Take from an event what it adds to the answer."""
    from pydantic_ai import messages as said

    if isinstance(event, said.PartStartEvent):
        part: object = event.part
    elif isinstance(event, said.PartDeltaEvent):
        part = event.delta
    else:
        return
    if isinstance(part, said.TextPart):
        live.say(part.content)
    elif isinstance(part, said.TextPartDelta):
        live.say(part.content_delta)
    elif isinstance(part, said.ThinkingPart):
        live.count(part.content)
    elif isinstance(part, said.ThinkingPartDelta):
        live.count(part.content_delta or "")
    elif isinstance(part, said.ToolCallPart):
        live.count(str(part.args or ""))
    elif isinstance(part, said.ToolCallPartDelta):
        live.count(str(part.args_delta or ""))


def _counted(usage: Usage, response: ModelResponse, call: ModelCall) -> Usage:
    """Estimate where the provider counted nothing, so that no budget is blind to it."""
    if usage.tokens:
        return usage
    asked = len(call.instructions) + sum(len(entry.text) for entry in call.entries)
    said = sum(len(str(getattr(part, "content", part))) for part in response.parts)
    return usage.model_copy(
        update={"input_tokens": estimated_tokens(asked), "output_tokens": estimated_tokens(said)}
    )


def _charged(usage: Usage, response: ModelResponse, prices: Prices | None) -> Usage:
    """Add the price, as the settings have it or else as it is publicly known."""
    if prices is not None:
        return usage.model_copy(update={"picodollars": prices.picodollars(usage)})
    try:
        total = response.cost().total_price
    except (LookupError, ValueError, AssertionError, ImportError):
        return usage.model_copy(update={"unpriced_calls": 1})
    return usage.model_copy(update={"picodollars": in_picodollars(total)})
