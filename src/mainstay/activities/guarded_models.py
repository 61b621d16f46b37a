"""Asking a model behind its breaker and its rate limit, within its time.

A model that fails is the agent's business: its decisions say whether and when it is asked again.
A store that fails is the machine's, and is left to Temporal. Both are Unavailable, so they are
told apart here.
"""

from __future__ import annotations

import asyncio

from mainstay.activities.agent_ports import Models
from mainstay.activities.answers import with_unique_ids
from mainstay.activities.failures import as_application_error, failure_from
from mainstay.activities.protection import LeftAlone, Protection
from mainstay.decisions.agents.window import estimate_tokens
from mainstay.schemas.conversation import ModelAnswer
from mainstay.schemas.errors import Unavailable
from mainstay.schemas.model_calls import ModelCall

LOCAL = ("script:", "code:")
"""Models that run in the worker itself: they need neither breaker nor rate limit."""


class Asking:
    """The one way in which activities ask models."""

    def __init__(self, models: Models, protection: Protection) -> None:
        self._models = models
        self._protection = protection

    async def ask(self, call: ModelCall) -> ModelAnswer:
        """Ask once.

        Raises:
            ApplicationError: the model did not answer, or is left alone; decisions see to it.
            MainstayError: the model refuses, or will never answer this request.
        """
        try:
            return with_unique_ids(await self._guarded(call))
        except (_NoAnswer, LeftAlone) as error:
            failure = failure_from(error).model_copy(update={"type": Unavailable.__name__})
            raise as_application_error(failure) from None

    async def _guarded(self, call: ModelCall) -> ModelAnswer:
        if call.model.startswith(LOCAL):
            return await self._timed(call)
        provider = self._models.provider(call.model)
        tokens = sum(entry.tokens for entry in call.entries) + estimate_tokens(call.instructions)
        async with self._protection.guard(f"model/{provider}"):
            await self._protection.wait_for_turn(provider, tokens)
            return await self._timed(call)

    async def _timed(self, call: ModelCall) -> ModelAnswer:
        try:
            async with asyncio.timeout(call.timeout.total_seconds()) as limit:
                return await self._models.ask(call)
        except Unavailable as error:
            raise _NoAnswer.of(error) from error
        except TimeoutError:
            if not limit.expired():
                raise
            raise _NoAnswer(
                f"model {call.model!r} did not answer within its model_timeout",
                hint="give the agent a longer limits.model_timeout",
            ) from None


class _NoAnswer(Unavailable):
    """A model is unavailable, and not the store."""

    @classmethod
    def of(cls, error: Unavailable) -> _NoAnswer:
        made = cls(error.message, hint=error.hint)
        made.retry_after = error.retry_after
        return made
