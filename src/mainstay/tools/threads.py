"""Running blocking code beside an event loop, and getting it to end when it is cancelled.

Every call has a thread of its own: a thread that lingers after its call was given up then takes
no place from another call, and no worker waits for it when it leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import logging
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Generic, TypeVar, cast

T = TypeVar("T")

STOP_SECONDS = 3.0
"""Longest wait for a function that was told to stop; stopping a process takes one second."""


SHORTEST_WAIT_SECONDS = 0.001
LONGEST_WAIT_SECONDS = 0.5
"""Between attempts to interrupt a function, the next twice as long as the last."""

DELICATE_FILES = frozenset({threading.__file__, logging.__file__, contextlib.__file__})
DELICATE_NAMES = frozenset({"__enter__", "__exit__", "__del__", "acquire", "release"})
"""Where a thread may hold a lock that nothing would release: it is not interrupted there."""


class Interrupted(BaseException):
    """Raised inside a sync tool whose call was cancelled, wherever it is at that moment.

    No subclass of Exception, so that a tool's own error handling lets it pass.
    """


class _Call(Generic[T]):
    """One function in one thread, and the future that waits for it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self._function = function
        self._copy = contextvars.copy_context()
        self._lock = threading.Lock()
        self._is_running = False
        self._is_given_up = False
        self._thread = threading.Thread(target=self._guarded, name="mainstay-tool", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def interrupt(self, again_seconds: float = SHORTEST_WAIT_SECONDS) -> None:
        """Raise :class:`Interrupted` in the function; if it has not begun, it never will.

        While the function takes or releases a lock, that waits, for it might keep the lock.
        """
        with self._lock:
            self._is_given_up = True
            if not self._is_running or self._thread.ident is None:
                return
            if _is_delicate(sys._current_frames().get(self._thread.ident)):
                longer = min(again_seconds * 2, LONGEST_WAIT_SECONDS)
                self.loop.call_later(again_seconds, self.interrupt, longer)
                return
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(Interrupted)
            )

    def _guarded(self) -> None:
        try:
            self._run()
            # An interrupt that came at the last moment is pending still: let it arrive in here.
            for _ in range(2):
                pass
        except Interrupted:
            pass

    def _run(self) -> None:
        with self._lock:
            if self._is_given_up:
                return
            self._is_running = True
        result: T | None = None
        error: BaseException | None = None
        try:
            result = self._copy.run(self._function)
        except BaseException as raised:
            error = raised
        with self._lock:
            self._is_running = False
        try:
            self.loop.call_soon_threadsafe(self._settle, cast(T, result), error)
        except RuntimeError:
            pass  # the loop was closed: nobody waits any more
        finally:
            # A frame that an exception refers to must not refer to the exception.
            del error

    def _settle(self, result: T, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        elif isinstance(error, Interrupted | StopIteration):
            # A future refuses a StopIteration, and an Interrupted means nothing to an event loop.
            self.future.set_exception(RuntimeError(f"the tool raised {type(error).__name__}"))
        else:
            self.future.set_exception(error)


def _is_delicate(frame: FrameType | None) -> bool:
    if frame is None:
        return False
    code = frame.f_code
    return (
        code.co_filename in DELICATE_FILES
        or code.co_filename.startswith("<frozen importlib")
        or code.co_name in DELICATE_NAMES
    )


async def run_in_thread(function: Callable[[], T], stop: Callable[[], None] | None = None) -> T:
    """Run a blocking function in a thread of its own, within the caller's context variables.

    When the caller is cancelled and there is no ``stop``, :class:`Interrupted` is raised in the
    function and the caller goes on at once, even if the thread lingers. With ``stop``, that is
    called instead and the function is given :data:`STOP_SECONDS` to end by itself.
    """
    call = _Call(function)
    call.start()
    try:
        await asyncio.wait([call.future])
    except asyncio.CancelledError:
        if stop is None:
            call.future.cancel()
            call.interrupt()
        else:
            stop()
            await asyncio.wait([call.future], timeout=STOP_SECONDS)
            if call.future.done() and not call.future.cancelled():
                call.future.exception()  # looked at, so that nobody complains that it was not
        raise
    return call.future.result()
