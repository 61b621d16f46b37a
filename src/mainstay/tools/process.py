"""The tool that runs other programs, and what the other tools need of it."""

from __future__ import annotations

import shlex
import signal
import subprocess
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from mainstay.schemas.durations import Duration, format_duration
from mainstay.schemas.errors import (
    InvalidInput,
    LimitReached,
    MainstayError,
    NotFound,
    Refused,
    ToolFailed,
)
from mainstay.schemas.limits import MAX_OUTPUT_BYTES
from mainstay.tools.context import context
from mainstay.tools.paths import decode
from mainstay.tools.process_group import Command, Ending, Outcome, StopSignal, run_group
from mainstay.tools.threads import run_in_thread
from mainstay.tools.tool import tool

MIN_MEMORY_BYTES = 16 * 1024 * 1024

OutputBytes = Annotated[int, Field(ge=0, le=MAX_OUTPUT_BYTES // 2)]
MemoryBytes = Annotated[int, Field(ge=MIN_MEMORY_BYTES)]

_LAST_LINES = 5
_LAST_CHARS = 400


@tool(
    name="process.run",
    idempotent=False,
    timeout="10m",
    heartbeats=True,
    touches=("process.run",),
)
async def run(
    command: list[str] | str,
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
    shell: bool = False,
    check: bool = True,
    timeout: Duration | None = None,
    max_output_bytes: OutputBytes = 10 * 1024 * 1024,
    overflow: Literal["fail", "truncate"] = "fail",
    memory_bytes: MemoryBytes | None = None,
) -> dict[str, Any]:  # Any: JSON-like data
    """Run a program; returns exit_code, stdout, stderr and duration_seconds.

    Also returns stdout_truncated and stderr_truncated. Output is read as UTF-8; other bytes
    become U+FFFD. Whatever the program started and left running ends with it.

    Args:
        command: the program and its arguments, as a list; no shell looks at them.
        cwd: the folder to run it in.
        env: environment variables, on top of the plan's and the worker's.
        stdin: what it reads from its standard input, which is otherwise empty.
        shell: take the command as one text for the shell; never put untrusted text into it.
        check: fail when its exit code is not 0.
        timeout: end it after this long, in place of the task's own limit.
        max_output_bytes: most it may print to stdout, and to stderr.
        overflow: when it prints more, end it and fail, or let it run and keep the beginning.
        memory_bytes: most address space for it and for each program it starts.
    """
    _refuse_mismatch(command, shell)
    name = _name_of(command)
    outcome = await run_command(
        Command(
            arguments=command,
            shell=shell,
            folder=None if cwd is None else decode(cwd),
            env={**context().env, **(env or {})},
            stdin=None if stdin is None else stdin.encode("utf-8"),
            timeout_seconds=None if timeout is None else timeout.total_seconds(),
            max_output_bytes=max_output_bytes,
            truncate=overflow == "truncate",
            memory_bytes=memory_bytes,
        ),
        name,
    )
    if check and outcome.exit_code != 0:
        raise failed(name, outcome)
    return {
        "exit_code": outcome.exit_code,
        "stdout": outcome.stdout.decode("utf-8", "replace"),
        "stderr": outcome.stderr.decode("utf-8", "replace"),
        "stdout_truncated": outcome.stdout_truncated,
        "stderr_truncated": outcome.stderr_truncated,
        "duration_seconds": round(outcome.seconds, 3),
    }


async def run_command(command: Command, name: str) -> Outcome:
    """Run a command for the current call; its group is gone when this returns or is cancelled.

    Args:
        command: what to run, and its limits.
        name: what to call it in messages.

    Raises:
        NotFound, Refused, InvalidInput: it cannot be started.
        ToolFailed: its time was up.
        LimitReached: it printed too much.
    """
    call = context()
    stop = StopSignal()
    try:
        outcome = await run_in_thread(lambda: run_group(command, stop, call.log), stop=stop.set)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _explain_start(error, command, name) from None
    if outcome.ending is Ending.TIMEOUT:
        raise _timed_out(command, name, outcome)
    if outcome.ending is Ending.OUTPUT:
        raise LimitReached(
            f"{name!r} printed more than {command.max_output_bytes} bytes and was ended",
            hint="raise max_output_bytes, set overflow to truncate, or send it to a file",
        )
    return outcome


def failed(name: str, outcome: Outcome) -> ToolFailed:
    """Say that a command ended with an exit code that means failure, and what it said last."""
    code = outcome.exit_code
    how = f"ended with exit code {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"
    return ToolFailed(
        f"{name!r} {how}{_last_lines(outcome)}",
        hint="set check to false to get the exit code as a result",
    )


def _refuse_mismatch(command: list[str] | str, shell: bool) -> None:
    if isinstance(command, str) and not shell:
        try:
            parts = shlex.split(command)
        except ValueError:
            parts = [command]
        raise InvalidInput(
            "process.run: command is one text, and there is no shell to read it",
            hint=f"write a list: {parts!r}; or set shell to true",
        )
    if isinstance(command, list) and shell:
        raise InvalidInput(
            "process.run: a shell reads one text, not a list", hint="remove shell, or join it"
        )
    if not command or not command[0]:
        raise InvalidInput("process.run: the command is empty", hint="give at least a program")


def _name_of(command: list[str] | str) -> str:
    return (command if isinstance(command, str) else command[0])[:100]


def _explain_start(error: Exception, command: Command, name: str) -> MainstayError:
    message = f"cannot run {name!r}: "
    filename = getattr(error, "filename", None)
    if isinstance(error, OSError) and command.folder is not None and filename == command.folder:
        message = f"cannot run {name!r} in {command.folder!r}: "
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFound(message + "there is no such file or program", hint="check PATH and cwd")
    if isinstance(error, PermissionError):
        return Refused(message + "no permission", hint="check that it is executable")
    hint = "raise memory_bytes" if isinstance(error, subprocess.SubprocessError) else ""
    return InvalidInput(f"{message}{error}", hint=hint)


def _timed_out(command: Command, name: str, outcome: Outcome) -> ToolFailed:
    limit = command.timeout_seconds
    assert limit is not None
    allowed = format_duration(timedelta(seconds=limit))
    return ToolFailed(
        f"{name!r} did not end within {allowed}{_last_lines(outcome)}",
        hint="raise its timeout",
    )


def _last_lines(outcome: Outcome) -> str:
    text = (outcome.stderr.strip() or outcome.stdout.strip()).decode("utf-8", "replace")
    last = "\n".join(text.splitlines()[-_LAST_LINES:])[-_LAST_CHARS:]
    return f": {last}" if last else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
