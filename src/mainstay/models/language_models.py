"""The way to every model: what implements the port ``Models`` of an agent's activities."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Protocol

from mainstay.models.coded import CodedModels
from mainstay.models.model_string import ModelString, Source, parse_model
from mainstay.models.provided import ProvidedModels
from mainstay.models.scripted import ScriptedModels
from mainstay.schemas.conversation import ModelAnswer
from mainstay.schemas.model_calls import ModelCall


class _Asked(Protocol):
    """One source of answers."""

    def check(self, name: ModelString) -> None: ...

    async def ask(self, name: ModelString, call: ModelCall) -> ModelAnswer: ...


class LanguageModels:
    """Every model there is, by its name; :mod:`.model_string` has the forms.

    It keeps connections open, so it belongs to one event loop; :meth:`close` it at the end.

    Args:
        load: imports the modules of ``code:`` models; Python's own import by default, which
            knows no paths to files.
        environment: where the keys for addresses are looked up.
    """

    def __init__(
        self,
        load: Callable[[str], ModuleType] = importlib.import_module,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._provided = ProvidedModels(environment)
        self._sources: dict[Source, _Asked] = {
            Source.PROVIDER: self._provided,
            Source.SCRIPT: ScriptedModels(),
            Source.CODE: CodedModels(load),
        }

    def check(self, model: str) -> None:
        """See that a model can be used: its form, its library, its key, its file.

        Raises:
            InvalidInput: it cannot, with what to set or install as the hint.
        """
        name = parse_model(model)
        self._sources[name.source].check(name)

    def provider(self, model: str) -> str:
        """Return the name under which limits and a breaker are kept.

        ``openai:gpt-5`` is ``openai``, ``openai:x@http://gpu:8000/v1`` is ``openai@gpu:8000``,
        and scripts and code are ``script`` and ``code``.

        Raises:
            InvalidInput: the text does not name a model.
        """
        return parse_model(model).account

    def describe(self, model: str) -> str:
        """Say what answers, for people: a script says that it is one.

        Raises:
            InvalidInput: the text does not name a model.
        """
        name = parse_model(model)
        if name.source is Source.SCRIPT:
            return f"scripted by {name.name}"
        return f"function {name.name}" if name.source is Source.CODE else name.text

    async def ask(self, call: ModelCall) -> ModelAnswer:
        """Ask once; nothing is retried here.

        Raises:
            Unavailable: a passing failure; ``retry_after`` is set when the provider named it.
            InvalidInput: the provider will not take the request, however often it is asked.
            Refused: it does not let us in, or refuses to answer.
            LimitReached: the answer is larger than is allowed.
        """
        name = parse_model(call.model)
        return await self._sources[name.source].ask(name, call)

    async def close(self) -> None:
        """Close the connections to providers."""
        await self._provided.close()
