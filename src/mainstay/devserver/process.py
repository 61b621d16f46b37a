"""A child process that lives no longer than we do, and whose end can be awaited."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from mainstay.devserver import launch
from mainstay.schemas.errors import Unavailable

_KEPT = {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"}
"""What of the environment a child is given: no secrets, and nothing that configures Temporal."""


class ChildProcess:
    """One child, in a session of its own: the terminal's Ctrl-C does not reach it.

    A thread of its own starts the child and waits for it. It must live as long as the child,
    because the kernel ties "die with the parent" to the thread that forked.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: IO[bytes],
        keep_open: Sequence[int],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.pid = 0
        self.exit_code: int | None = None
        self._command = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command]
        self._log = log
        self._keep_open = tuple(keep_open)
        kept = {key: value for key, value in os.environ.items() if key in _KEPT}
        self._environment = {**kept, **(environment or {})}
        self._started = threading.Event()
        self._error: OSError | None = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()

    async def start(self) -> None:
        """Start the child.

        Raises:
            Unavailable: the system refused to.
        """
        threading.Thread(target=self._run, name="temporal-server", daemon=True).start()
        await asyncio.to_thread(self._started.wait)
        if self._error is not None:
            raise Unavailable(
                f"cannot start {Path(self._command[5]).name!r}: {self._error.strerror}",
                hint="look at the machine's limits on processes and memory",
            )

    async def wait(self) -> int:
        """Wait for the end; return the exit code, or the negative number of the signal."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_seconds: float) -> int:
        """Ask the child to end, and kill its whole group when the grace is over.

        Also right when :meth:`start` was cancelled half-way.
        """
        await asyncio.to_thread(self._started.wait)
        if self._error is not None:
            return 0
        if self.exit_code is None:
            self._signal(signal.SIGINT)
            try:
                return await asyncio.wait_for(self.wait(), grace_seconds)
            except TimeoutError:
                self._signal(signal.SIGKILL)
        return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it ended by itself in between
            os.killpg(self.pid, number)

    def _run(self) -> None:
        try:
            child = subprocess.Popen(  # noqa: S603 - an argument list, and the program is found by us
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=self._environment,
                pass_fds=self._keep_open,
                start_new_session=True,
            )
        except OSError as error:
            self._error = error
            self._started.set()
            return
        self.pid = child.pid
        self._started.set()
        code = child.wait()
        self.exit_code = code
        with suppress(RuntimeError):  # the loop was closed first, so nobody waits
            self._loop.call_soon_threadsafe(self._tell, code)

    def _tell(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)
