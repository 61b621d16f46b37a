"""The tool that calls a Python function in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainstay.schemas.durations import Duration
from mainstay.schemas.errors import InvalidInput, MainstayError, NotFound, ToolFailed
from mainstay.tools import callee
from mainstay.tools.context import context
from mainstay.tools.paths import decode
from mainstay.tools.process import MemoryBytes, OutputBytes, failed, run_command
from mainstay.tools.process_group import Command
from mainstay.tools.tool import tool

Value = Any  # JSON-like data


@tool(
    name="python.call",
    idempotent=False,
    timeout="10m",
    heartbeats=True,
    touches=("process.run",),
)
async def call(
    function: str,
    args: dict[str, Value] | None = None,
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    timeout: Duration | None = None,
    max_output_bytes: OutputBytes = 10 * 1024 * 1024,
    memory_bytes: MemoryBytes | None = None,
) -> Value:
    """Call a Python function in a process of its own; returns what it returns.

    Arguments and result are JSON. What the function prints is shown to whoever watches. An async
    function is awaited.

    Args:
        function: "package.module:function", or "path/to/file.py:function".
        args: its arguments, by name.
        cwd: the folder to run it in; modules are looked for there first.
        env: environment variables, on top of the plan's and the worker's.
        timeout: end it after this long, in place of the task's own limit.
        max_output_bytes: largest result, as JSON, and most it may print.
        memory_bytes: most address space for it and for each program it starts.
    """
    module, name = _split(function)
    request = {"module": decode(module), "function": name, "arguments": args or {}}
    command = Command(
        arguments=[sys.executable, "-P", callee.__file__],
        folder=None if cwd is None else decode(cwd),
        env={**context().env, **(env or {})},
        stdin=json.dumps(request).encode("ascii"),
        timeout_seconds=None if timeout is None else timeout.total_seconds(),
        max_output_bytes=max_output_bytes,
        memory_bytes=memory_bytes,
    )
    outcome = await run_command(command, function)
    if outcome.exit_code != 0 or not outcome.stdout:
        raise failed(function, outcome)
    answer = json.loads(outcome.stdout)
    if "result" in answer:
        return answer["result"]
    raise _explain(function, answer)


def _split(function: str) -> tuple[str, str]:
    module, colon, name = function.rpartition(":")
    if not colon or not module or not name:
        raise InvalidInput(
            f"python.call: {function!r} names no function",
            hint='write "package.module:function", or "path/to/file.py:function"',
        )
    return module, name


def _explain(function: str, answer: Mapping[str, str]) -> MainstayError:
    what = f"{answer['type']}: {answer['message']}"
    match answer["stage"]:
        case "import" if answer["type"] in ("ModuleNotFoundError", "FileNotFoundError"):
            return NotFound(
                f"cannot call {function!r}: {what}",
                hint=f"modules are looked for in cwd and in {Path(sys.executable).name}'s own path",
            )
        case "import" if answer["type"] == "AttributeError":
            return NotFound(f"cannot call {function!r}: {answer['message']}")
        case "import":
            return InvalidInput(f"cannot import {function!r}: {what}")
        case "arguments":
            return InvalidInput(f"{function!r}: {answer['message']}", hint="correct args")
        case "result":
            return InvalidInput(
                f"{function!r} returned something that is not JSON: {what}",
                hint="return texts, finite numbers, lists and mappings",
            )
    return ToolFailed(f"{function!r} raised {what}")
