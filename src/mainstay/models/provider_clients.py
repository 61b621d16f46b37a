"""Connections to providers: made when first needed, kept open, closed together.

Loaded only when a provider is asked, as :mod:`.translation` is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers import Provider, infer_provider, infer_provider_class

from mainstay.models.model_string import FORMS, ModelString
from mainstay.schemas.errors import InvalidInput

NO_KEY = "not-needed"
"""Sent to an address of its own that no key was set for; local servers ignore it."""

_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")

# A stream that ends without saying why it ends was cut off, not finished.
_WHOLE_STREAMS = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)


class ProviderClients:
    """Makes models of pydantic-ai, and keeps the connections beneath them.

    Args:
        environment: where keys are looked up; providers look into the process's own, too.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._providers: dict[tuple[str, str], Provider[Any]] = {}  # Any: the provider's client
        self._models: dict[str, Model] = {}
        self._open: set[tuple[str, str]] = set()
        self._closing = AsyncExitStack()
        self._lock = threading.Lock()  # models are made in threads: it takes a while

    def model(self, name: ModelString) -> Model:
        """Return the model of a name; nothing is sent yet.

        Raises:
            InvalidInput: there is no such provider, or its key or its library is missing.
        """
        with self._lock:
            if name.text not in self._models:
                self._models[name.text] = self._try_to_make(name)
            return self._models[name.text]

    async def enter(self, name: ModelString) -> Model:
        """Return the model of a name with its connections held open until :meth:`close`."""
        model = self.model(name)
        key = (name.provider, name.url)
        if key not in self._open and key in self._providers:
            self._open.add(key)
            await self._closing.enter_async_context(self._providers[key])
        return model

    async def close(self) -> None:
        """Close every connection."""
        self._open.clear()
        await self._closing.aclose()

    def _try_to_make(self, name: ModelString) -> Model:
        try:
            return self._make(name)
        except (UserError, ValueError) as error:
            raise _explain(error, name) from None
        except ImportError as error:
            raise InvalidInput(
                f"model {name.text!r} needs a library that is not installed: {error}",
                hint="pip install 'mainstay[models]', or what the message names",
            ) from None

    def _make(self, name: ModelString) -> Model:
        if not name.url:
            model = infer_model(f"{name.provider}:{name.name}", lambda _: self._provider(name))
            # The class decides how the model is spoken to; it is made again to add to its profile.
            if isinstance(model, OpenAIChatModel):
                return type(model)(name.name, provider=self._provider(name), profile=_WHOLE_STREAMS)
            return model
        provider = self._provider(name)
        if name.provider == "anthropic":
            from pydantic_ai.models.anthropic import AnthropicModel

            return AnthropicModel(name.name, provider=provider)
        if name.provider == "openai-responses":
            return OpenAIResponsesModel(name.name, provider=provider)
        return OpenAIChatModel(name.name, provider=provider, profile=_WHOLE_STREAMS)

    def _provider(self, name: ModelString) -> Provider[Any]:
        key = (name.provider, name.url)
        if key not in self._providers:
            if name.url:
                provider = self._at_address(name)
                if not is_own_address(name, self._environment):
                    _forget_environment(provider.client)
            else:
                provider = _known(name.provider)
            _never_retry(provider.client)
            self._providers[key] = provider
        return self._providers[key]

    def _at_address(self, name: ModelString) -> Provider[Any]:
        api_key = key_for(name, self._environment)
        if name.provider == "anthropic":
            from pydantic_ai.providers.anthropic import AnthropicProvider

            return AnthropicProvider(base_url=name.url, api_key=api_key)
        if name.provider == "ollama":
            from pydantic_ai.providers.ollama import OllamaProvider

            return OllamaProvider(base_url=name.url, api_key=api_key)
        from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

        return OpenAICompatibleProvider(name.account, base_url=name.url, api_key=api_key)


def _known(provider: str) -> Provider[Any]:
    infer_provider_class(provider)  # raises ValueError for a provider that nobody knows
    return infer_provider(provider)


def key_for(name: ModelString, environment: Mapping[str, str]) -> str:
    """Return the key for an address: the one set for its host, or for this very address."""
    host = urlsplit(name.url).hostname or ""
    own = environment.get("MAINSTAY_KEY_" + re.sub(r"[^A-Z0-9]", "_", host.upper()))
    if own:
        return own
    if is_own_address(name, environment):
        return environment.get(f"{_family(name)}_API_KEY") or NO_KEY
    return NO_KEY


def is_own_address(name: ModelString, environment: Mapping[str, str]) -> bool:
    """Tell whether an address is the one that the provider's own variable names."""
    return environment.get(f"{_family(name)}_BASE_URL", "").rstrip("/") == name.url


def _family(name: ModelString) -> str:
    return name.provider.partition("-")[0].upper()


def _never_retry(client: Any) -> None:  # Any: a provider's client, of whatever library
    """Leave retrying to the caller, who counts the attempts and knows how long to wait.

    Set here and not with each request: for that, the libraries copy their client, and the copy
    reads the environment anew.
    """
    if hasattr(client, "max_retries"):
        client.max_retries = 0


def _forget_environment(client: Any) -> None:  # Any: a client of either library
    """Drop what a library adds to every request from its variables: headers, an organisation.

    They belong to the provider, and may be secret; an agent's file could name any address.
    """
    client._custom_headers = {}
    for attribute in ("organization", "project"):
        if hasattr(client, attribute):
            setattr(client, attribute, None)


def _explain(error: Exception, name: ModelString) -> InvalidInput:
    """Say what is missing; pydantic-ai names the variables to set."""
    said = str(error).partition(" or pass it via")[0].partition(" To try Pydantic AI")[0]
    variables = _VARIABLE.findall(said)
    if variables:
        return InvalidInput(
            f"model {name.text!r} needs {variables[0]}, which is not set",
            hint=f"set {variables[0]} in the environment of the worker",
        )
    return InvalidInput(f"model {name.text!r}: {said}", hint=FORMS)
