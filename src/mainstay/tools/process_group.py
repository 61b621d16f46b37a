"""Running a command in a process group of its own, within limits, and ending all of it.

- The command leads a new session. Whatever it starts and does not move to another session ends
  with it, also what it left in the background.
- It is asked to end (SIGTERM), and after :data:`GRACE_SECONDS` the whole group is killed. The
  leader is not waited for before that, so its number cannot belong to somebody else yet.
- Pipes that a process outside the group holds open are not waited for.
- On Linux the command is killed when the worker dies. That is tied to the thread that started
  it, so that thread must stay until the end; :func:`run_group` therefore blocks.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import IO

from mainstay.tools.child import prepare_child
from mainstay.tools.lines import LineReader

GRACE_SECONDS = 1.0
"""From SIGTERM to SIGKILL."""

DRAIN_SECONDS = 0.3
"""How long pipes may stay open after the command ended: a full one is read in a moment."""

POLL_SECONDS = 0.05
"""How often to look for the command's end where the system cannot tell."""

CHUNK_BYTES = 65536


class Ending(Enum):
    """Why a command ended."""

    ITSELF = "itself"
    STOPPED = "stopped"
    TIMEOUT = "timeout"
    OUTPUT = "output"


@dataclass(frozen=True)
class Command:
    """What to run, and its limits. Sizes in bytes, each output stream by itself."""

    arguments: list[str] | str
    shell: bool = False
    folder: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    timeout_seconds: float | None = None
    max_output_bytes: int = 10 * 1024 * 1024
    truncate: bool = False
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How it ended. ``exit_code`` is minus the signal's number when a signal ended it."""

    exit_code: int
    ending: Ending
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool
    stderr_truncated: bool
    seconds: float


class StopSignal:
    """Tells a running :func:`run_group` from another thread that it is to end."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._is_open = True
        self._lock = threading.Lock()

    def set(self) -> None:
        """Ask for the end; harmless when it has come already."""
        with self._lock:
            if self._is_open:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._writer, b"x")

    def close(self) -> None:
        """Give the pipe back; nobody may be waiting on it any more."""
        with self._lock:
            self._is_open = False
            os.close(self.reader)
            os.close(self._writer)


def run_group(command: Command, stop: StopSignal, on_line: Callable[[str], None]) -> Outcome:
    """Run a command to its end, whatever that is, and leave no process of its group behind.

    Args:
        command: what to run.
        stop: when it is set, the group is ended and the outcome is STOPPED. Closed afterwards.
        on_line: is given the lines of both outputs as they come.

    Raises:
        OSError, ValueError, subprocess.SubprocessError: it could not be started.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  # running what the plan says is its purpose
            command.arguments,
            shell=command.shell,
            cwd=command.folder,
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            preexec_fn=prepare_child(command.memory_bytes),
        )
        with contextlib.closing(_Group(process, command, stop, on_line)) as group:
            return group.run()
    finally:
        stop.close()


class _Group:
    """A started command: its pipes, its clock, and how far its end has come."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        command: Command,
        stop: StopSignal,
        on_line: Callable[[str], None],
    ) -> None:
        self._process = process
        self._command = command
        self._started = time.monotonic()
        self._ending = Ending.ITSELF
        self._kill_at: float | None = None
        self._close_at: float | None = None
        self._selector = selectors.DefaultSelector()
        self._watch_exit()
        self._selector.register(stop.reader, selectors.EVENT_READ, self._on_stop)
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdout = LineReader(command.max_output_bytes, on_line)
        self._stderr = LineReader(command.max_output_bytes, on_line)
        self._watch_output(process.stdout, self._stdout)
        self._watch_output(process.stderr, self._stderr)
        self._unsent = memoryview(command.stdin or b"")
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin, selectors.EVENT_WRITE, self._on_stdin)

    def run(self) -> Outcome:
        while not self._is_over():
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._judge_time()
        self._signal(signal.SIGKILL)
        exit_code = self._process.wait()
        self._stdout.flush()
        self._stderr.flush()
        return Outcome(
            exit_code=exit_code,
            ending=self._ending,
            stdout=bytes(self._stdout.kept),
            stderr=bytes(self._stderr.kept),
            stdout_truncated=self._stdout.is_over,
            stderr_truncated=self._stderr.is_over,
            seconds=time.monotonic() - self._started,
        )

    def close(self) -> None:
        """Make sure that nothing is left, also after an error."""
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._selector.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _watch_exit(self) -> None:
        self._pidfd: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self._process.pid)
                self._selector.register(self._pidfd, selectors.EVENT_READ, self._on_exit)

    def _watch_output(self, pipe: IO[bytes], lines: LineReader) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, selectors.EVENT_READ, lambda: self._on_output(pipe, lines))

    def _is_over(self) -> bool:
        """The leader ended, and nothing more is to come, or is waited for."""
        if self._close_at is None:
            return False
        if self._ending is not Ending.ITSELF or time.monotonic() >= self._close_at:
            return True
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        return self._process.stdout.closed and self._process.stderr.closed

    def _patience(self) -> float | None:
        """Seconds until something has to be done even if nothing happens."""
        moments = [self._kill_at, self._close_at]
        if self._command.timeout_seconds is not None and self._ending is Ending.ITSELF:
            moments.append(self._started + self._command.timeout_seconds)
        known = [moment for moment in moments if moment is not None]
        if self._pidfd is None:
            known.append(time.monotonic() + POLL_SECONDS)
        return max(0.0, min(known) - time.monotonic()) if known else None

    def _judge_time(self) -> None:
        now = time.monotonic()
        limit = self._command.timeout_seconds
        if self._pidfd is None and self._close_at is None and self._process.poll() is not None:
            self._close_at = now + DRAIN_SECONDS
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._signal(signal.SIGKILL)
        elif limit is not None and self._close_at is None and now >= self._started + limit:
            self._end(Ending.TIMEOUT)

    def _end(self, reason: Ending, *, at_once: bool = False) -> None:
        if self._ending is not Ending.ITSELF:
            return
        self._ending = reason
        if at_once:
            self._signal(signal.SIGKILL)
        else:
            self._kill_at = time.monotonic() + GRACE_SECONDS
            self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _on_exit(self) -> None:
        assert self._pidfd is not None
        self._selector.unregister(self._pidfd)
        self._close_at = time.monotonic() + DRAIN_SECONDS

    def _on_stop(self) -> None:
        self._end(Ending.STOPPED)
        for key in list(self._selector.get_map().values()):
            if key.data == self._on_stop:
                self._selector.unregister(key.fileobj)

    def _on_output(self, pipe: IO[bytes], lines: LineReader) -> None:
        try:
            chunk = os.read(pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._selector.unregister(pipe)
            pipe.close()
            return
        lines.feed(chunk)
        if lines.is_over and not self._command.truncate:
            self._end(Ending.OUTPUT, at_once=True)

    def _on_stdin(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            sent = os.write(pipe.fileno(), self._unsent[:CHUNK_BYTES])
            self._unsent = self._unsent[sent:]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = memoryview(b"")  # it does not want to know; that is its right
        if not self._unsent:
            self._selector.unregister(pipe)
            pipe.close()
