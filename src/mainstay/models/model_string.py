"""How people name a model, and what that name says.

===========================================  =====================================================
``PROVIDER:NAME``                            a provider that pydantic-ai knows: ``openai:gpt-5``,
                                             ``anthropic:claude-haiku-4-5``, ``ollama:qwen3``
``PROVIDER:NAME@http://host:port/v1``        the same, at another address; any server that speaks
                                             like OpenAI's is ``openai:NAME@URL``
``script:FILE``                              a written conversation
``code:MODULE:FUNCTION``                     a Python function; MODULE may be a path to a .py file
===========================================  =====================================================

At an address of its own, ``openai`` speaks the Chat Completions API, which every such server
understands, and ``openai-responses`` the Responses API. ``anthropic`` and ``ollama`` may be given
an address too. A key is sent to such an address only when it was set for that very host, as
``MAINSTAY_KEY_<HOST>`` (``MAINSTAY_KEY_GATEWAY_EXAMPLE_COM``), or when the provider's own variable
(``OPENAI_BASE_URL``, ...) names the same address: an agent's file must not be able to send a key
to whoever wrote it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from mainstay.schemas.errors import InvalidInput

FORMS = (
    "write provider:name (openai:gpt-5, anthropic:claude-haiku-4-5, ollama:qwen3), "
    "openai:name@http://host/v1, script:FILE or code:MODULE:FUNCTION"
)
WITH_ADDRESS = ("openai", "openai-chat", "openai-responses", "anthropic", "ollama")

_ADDRESS = re.compile(r"(?P<name>.+?)@(?P<url>https?://.*)")
_SAME_ACCOUNT = {"openai-chat": "openai", "openai-responses": "openai"}


class Source(StrEnum):
    """Where answers come from."""

    PROVIDER = "provider"
    SCRIPT = "script"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class ModelString:
    """A model's name, taken apart.

    Attributes:
        text: as it was written.
        provider: for PROVIDER, which one.
        name: the model at that provider; for SCRIPT the file, for CODE ``MODULE:FUNCTION``.
        url: an address of its own; else empty.
    """

    text: str
    source: Source
    provider: str
    name: str
    url: str = ""

    @property
    def account(self) -> str:
        """Under which name limits and breakers are kept: the provider, and the host if given."""
        known = _SAME_ACCOUNT.get(self.provider, self.provider)
        return f"{known}@{urlsplit(self.url).netloc}" if self.url else known


def parse_model(text: str) -> ModelString:
    """Take a model's name apart.

    Raises:
        InvalidInput: it has none of the known forms.
    """
    provider, colon, name = text.strip().partition(":")
    if not (provider and colon and name):
        raise InvalidInput(f"{text!r} does not name a model", hint=FORMS)
    if provider == Source.SCRIPT:
        return ModelString(text, Source.SCRIPT, provider, name)
    if provider == Source.CODE:
        module, colon, function = name.rpartition(":")
        if not (module and function.isidentifier()):
            raise InvalidInput(
                f"{text!r} does not name a function", hint="write code:MODULE:FUNCTION"
            )
        return ModelString(text, Source.CODE, provider, name)
    found = _ADDRESS.fullmatch(name)
    if found is None:
        return ModelString(text, Source.PROVIDER, provider, name)
    _check_address(text, provider, found["url"])
    return ModelString(text, Source.PROVIDER, provider, found["name"], found["url"].rstrip("/"))


def _check_address(text: str, provider: str, url: str) -> None:
    if provider not in WITH_ADDRESS:
        raise InvalidInput(
            f"{text!r}: {provider} cannot be given an address",
            hint=f"these can: {', '.join(WITH_ADDRESS)}; most servers speak like openai",
        )
    try:
        parts = urlsplit(url)
        is_good = bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or any(char.isspace() for char in url):
        raise InvalidInput(
            f"{text!r}: {url!r} is no address", hint="write http://host:port/v1, without a password"
        )
