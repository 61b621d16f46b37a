"""Waiting for what becomes of a message, and what it means when it is no answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from mainstay.schemas.durations import format_duration
from mainstay.schemas.errors import (
    ERRORS,
    AgentFailed,
    LimitReached,
    MainstayError,
    Refused,
    Unavailable,
    UnknownOutcome,
    restore,
)
from mainstay.schemas.messages import MESSAGE_ENDS, Message, MessageStatus
from mainstay.schemas.run import Failure, FailureKind
from mainstay.storage.store import Store

FIRST_POLL_SECONDS = 0.01
LONGEST_POLL_SECONDS = 0.25
SLOWER = 1.3
"""Each look at a message comes so many times later than the one before."""

FIRST_LOOK_SECONDS = 1.0
LOOK_SECONDS = 3.0
"""How often it is looked whether anything drives the agent that is waited for."""

PATIENCE = timedelta(seconds=10)
"""For how long nothing may drive it: a server or a worker that is started again takes seconds."""

_KINDS: dict[FailureKind, type[MainstayError]] = {
    FailureKind.TRANSIENT: Unavailable,
    FailureKind.PERMANENT: AgentFailed,
    FailureKind.REFUSED: Refused,
    FailureKind.UNKNOWN: UnknownOutcome,
}


async def wait_for_end(
    store: Store,
    message_id: str,
    see_driven: Callable[[], Awaitable[None]],
    timeout: timedelta | None = None,
    patience: timedelta = PATIENCE,
) -> Message:
    """Wait until a message is answered, has failed or has expired.

    Args:
        store: where messages are.
        message_id: the message.
        see_driven: raises when nothing can work on the message.
        timeout: how long to wait; None is for as long as something drives the agent.
        patience: for how long nothing may drive it before that is raised.

    Raises:
        NotFound: there is no such message.
        Unavailable: the time is up.
        MainstayError: what ``see_driven`` raised, unless the message has ended meanwhile.
    """
    began = time.monotonic()
    pause, next_look, driven_at = FIRST_POLL_SECONDS, began + FIRST_LOOK_SECONDS, began
    while True:
        message = await store.get_message(message_id)
        if message.status in MESSAGE_ENDS:
            return message
        now = time.monotonic()
        if timeout is not None and now - began >= timeout.total_seconds():
            raise Unavailable(
                f"no answer within {format_duration(timeout)}; the agent still has the message",
                hint=f"`mainstay agent wait {message_id}` goes on waiting",
            )
        if now >= next_look:
            problem = await _problem(see_driven)
            if problem is None:
                driven_at = now
            elif await _is_final(store, message_id, problem, now - driven_at, patience):
                raise problem
            next_look = time.monotonic() + LOOK_SECONDS
        await asyncio.sleep(pause)
        pause = min(pause * SLOWER, LONGEST_POLL_SECONDS)


def answer_of(message: Message) -> str:
    """Return the answer to a message that has ended.

    Raises:
        MainstayError: it was not answered, of the class that says why.
    """
    if message.status is MessageStatus.PROCESSED:
        return message.answer
    raise failure_of(message)


def failure_of(message: Message) -> MainstayError:
    """Say why a message that has ended was not answered."""
    if message.status is MessageStatus.EXPIRED:
        return LimitReached(
            f"message {message.id!r} expired before it was worked on",
            hint="send it again, with a longer ttl or a higher priority",
        )
    failure = message.failure or Failure(message=message.answer or "the agent did not say why")
    if failure.type in ERRORS and failure.type != MainstayError.__name__:
        return restore(failure.type, failure.message, failure.hint)
    return _KINDS[failure.kind](failure.message, hint=failure.hint)


async def _problem(see_driven: Callable[[], Awaitable[None]]) -> MainstayError | None:
    try:
        await see_driven()
    except MainstayError as error:
        return error
    return None


async def _is_final(
    store: Store, message_id: str, problem: MainstayError, seconds: float, patience: timedelta
) -> bool:
    """Tell whether waiting is in vain."""
    if isinstance(problem, Unavailable) and seconds < patience.total_seconds():
        return False
    # It may have been answered, and the agent ended, between the two looks.
    return (await store.get_message(message_id)).status not in MESSAGE_ENDS
