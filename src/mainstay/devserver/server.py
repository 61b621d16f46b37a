"""A running embedded Temporal server: where it is, when it ends, how to stop it."""

from __future__ import annotations

from dataclasses import dataclass

from mainstay.devserver.lock import DatabaseLock
from mainstay.devserver.options import ServerOptions
from mainstay.devserver.output import ServerLog
from mainstay.devserver.process import ChildProcess

GRACE_SECONDS = 5.0
"""How long a server that was asked to stop may take before it is killed."""


@dataclass(frozen=True)
class ServerEnd:
    """How a server ended. ``exit_code`` is negative when a signal ended it."""

    exit_code: int
    reason: str


class DevServer:
    """A running embedded server. Made by :func:`mainstay.devserver.start.start_server`.

    Attributes:
        address: where clients connect to.
        ui_url: the Web UI's address; empty when it has none.
    """

    def __init__(
        self, options: ServerOptions, child: ChildProcess, log: ServerLog, lock: DatabaseLock | None
    ) -> None:
        self.address = options.address
        self.ui_url = options.ui_url
        self._child = child
        self._log = log
        self._lock = lock
        self._is_stopping = False

    @property
    def pid(self) -> int:
        """The server's own process."""
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._child.exit_code is not None

    async def wait_ended(self) -> ServerEnd:
        """Wait for the end of the process, and say why it ended."""
        code = await self._child.wait()
        if self._is_stopping:
            return ServerEnd(code, "the Temporal server was stopped")
        return ServerEnd(code, f"the Temporal server {describe_end(code)}{self._log.quote_tail()}")

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Stop the server and give its database back. A second call changes nothing."""
        self._is_stopping = True
        await self._child.stop(grace_seconds)
        self._log.close()
        if self._lock is not None:
            self._lock.release()


def describe_end(code: int) -> str:
    """Say how a process ended, from its exit code."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
