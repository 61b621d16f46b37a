"""Running blocking code beside an event loop, and getting it to end when it is cancelled.

Every call has a thread of its own: a thread that lingers after its call was given up then takes
no place from another call, and no worker waits for it when it leaves.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Callable
from typing import Generic, TypeVar, cast

T = TypeVar("T")

STOP_SECONDS = 3.0
"""Longest wait for a function that was told to stop; stopping a process takes one second."""


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
        self._is_done = False
        self._thread = threading.Thread(target=self._guarded, name="mainstay-tool", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def interrupt(self) -> None:
        """Raise :class:`Interrupted` in the thread, unless the function has already ended."""
        with self._lock:
            if self._is_done or self._thread.ident is None:
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
        result: T | None = None
        error: BaseException | None = None
        try:
            result = self._copy.run(self._function)
        except BaseException as raised:
            error = raised
        with self._lock:
            self._is_done = True
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
