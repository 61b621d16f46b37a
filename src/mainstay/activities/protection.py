"""Standing between callers and what they call: circuit breakers and rate limits.

Both are rows in storage, shared by all workers. A breaker that was closed a second ago is taken
to be closed still, so that calls that go well cost no write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from mainstay.activities.agent_ports import AgentStorage
from mainstay.decisions.agents.breaker import admit, failed, succeeded
from mainstay.decisions.retries import classify
from mainstay.schemas.budgets import Breaker, BreakerState, RateLimit
from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import LimitReached, Unavailable
from mainstay.schemas.run import FailureKind

FRESH_SECONDS = 1.0
"""How long a breaker that was found closed is not looked at again."""


class LeftAlone(Unavailable):
    """What failed too often lately is not called for a while; ``retry_after`` says how long."""


class Protection:
    """The breakers and rate limits of one worker's calls."""

    def __init__(
        self,
        storage: AgentStorage,
        rate_limits: Mapping[str, RateLimit] | None = None,
        tool_calls_per_minute: int = 0,
    ) -> None:
        self._storage = storage
        self._rate_limits = rate_limits or {}
        self._tool_calls_per_minute = tool_calls_per_minute
        self._seen: dict[str, tuple[float, Breaker]] = {}

    @asynccontextmanager
    async def guard(self, name: str) -> AsyncIterator[None]:
        """Let a call through, and note how it went; only passing failures count.

        Raises:
            LeftAlone: too many calls failed lately; ``retry_after`` is when to try again.
        """
        await self._admit(name)
        try:
            yield
        except Exception as error:
            kind = classify(type(error).__name__)
            if kind is FailureKind.TRANSIENT or not _is_sound(self._seen[name][1]):
                now = datetime.now(UTC)
                await self._change(name, lambda breaker: failed(breaker, now, kind))
            raise
        if not _is_sound(self._seen[name][1]):
            await self._change(name, succeeded)

    async def count_tool_call(self, agent_id: str) -> None:
        """See that an agent may make another tool call now.

        Raises:
            LimitReached: it has made too many in the last minute; the model is told.
        """
        most = self._tool_calls_per_minute
        if not most:
            return
        wait = await self._storage.check_rate(
            f"tools/{agent_id}", timedelta(minutes=1), most, datetime.now(UTC)
        )
        if wait is not None:
            raise LimitReached(
                f"an agent may make {most} tool calls a minute; the next one in "
                f"{format_duration(wait)}",
                hint="the limit is MAINSTAY_TOOL_CALLS_PER_MINUTE",
            )

    async def wait_for_turn(self, provider: str, tokens: int) -> None:
        """Wait until a provider may be asked, as its rate limit says.

        Args:
            provider: whose limit it is.
            tokens: about how many the request has.
        """
        limit = self._rate_limits.get(provider)
        if limit is None:
            return
        wait = await self._storage.reserve(
            provider,
            limit.requests_per_minute,
            limit.tokens_per_minute,
            tokens,
            datetime.now(UTC),
        )
        await asyncio.sleep(wait.total_seconds())

    async def _admit(self, name: str) -> None:
        at, breaker = self._seen.get(name, (-FRESH_SECONDS, Breaker(name=name)))
        if _is_sound(breaker) and time.monotonic() - at < FRESH_SECONDS:
            return
        now = datetime.now(UTC)
        old, _ = await self._change(name, lambda breaker: admit(breaker, now)[0])
        wait = admit(old, now)[1]
        if wait is not None:
            error = LeftAlone(
                f"{name!r} failed {old.failures} times in a row and is left alone for a while",
                hint="it is tried again by itself; `mainstay doctor` shows the breakers",
            )
            error.retry_after = wait
            raise error

    async def _change(
        self, name: str, change: Callable[[Breaker], Breaker]
    ) -> tuple[Breaker, Breaker]:
        old, new = await self._storage.change_breaker(name, change)
        self._seen[name] = (time.monotonic(), new)
        return old, new


def _is_sound(breaker: Breaker) -> bool:
    return breaker.state is BreakerState.CLOSED and breaker.failures == 0
