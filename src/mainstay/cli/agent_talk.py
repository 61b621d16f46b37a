"""``agent send``, ``agent ask`` and ``agent wait``: messages to an agent, and its answers."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.agent_arguments import (
    LivingAgentArgument,
    MessageIdOption,
    OutputSchemaOption,
    PriorityOption,
    TextArgument,
    ThreadOption,
    TimeoutOption,
    TypeOption,
)
from mainstay.cli.arguments import JsonOption
from mainstay.cli.messages import hint, say
from mainstay.cli.options import option
from mainstay.cli.people import user_name
from mainstay.cli.printing import print_json

if TYPE_CHECKING:
    from mainstay.agent_handle import AgentHandle
    from mainstay.cli.agent_live import Asked
    from mainstay.client import Mainstay
    from mainstay.schemas.messages import Message

TtlOption = Annotated[
    str | None,
    option(
        "--ttl",
        metavar="DURATION",
        help="How long it is good for; then it expires. Without it, for ever.",
        show_default=False,
    ),
]
MessageArgument = Annotated[
    str, typer.Argument(metavar="MESSAGE", help="The message's id.", show_default=False)
]


def send(
    agent: LivingAgentArgument,
    text: TextArgument = None,
    type: TypeOption = "chat",
    priority: PriorityOption = "normal",
    ttl: TtlOption = None,
    thread: ThreadOption = "",
    output_schema: OutputSchemaOption = "",
    message_id: MessageIdOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put a message into an agent's mailbox; prints the message's id and leaves."""
    from mainstay.cli.amounts import read_duration

    letter = _letter(text, type, priority, thread, output_schema, message_id)
    letter["ttl"] = timedelta(0) if ttl is None else read_duration("--ttl", ttl)
    asyncio.run(_send(agent, letter, as_json))


def ask(
    agent: LivingAgentArgument,
    text: TextArgument = None,
    type: TypeOption = "chat",
    priority: PriorityOption = "normal",
    timeout: TimeoutOption = None,
    thread: ThreadOption = "",
    output_schema: OutputSchemaOption = "",
    message_id: MessageIdOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send a message and print the answer; Ctrl-C stops waiting, and the agent goes on."""
    letter = _letter(text, type, priority, thread, output_schema, message_id)
    asyncio.run(_ask(agent, letter, _timeout(timeout), as_json))


def wait(
    message: MessageArgument, timeout: TimeoutOption = None, as_json: JsonOption = False
) -> None:
    """Wait for the answer to a message that was sent before, and print it."""
    asyncio.run(_wait(message, _timeout(timeout), as_json))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (send, ask, wait):
        app.command()(command)


def _letter(
    words: list[str] | None,
    type: str,
    priority: str,
    thread: str,
    schema_file: str,
    message_id: str,
) -> dict[str, Any]:  # Any: the arguments of AgentHandle.send
    from mainstay.cli.running import read_priority

    return {
        "text": _text(words or []),
        "type": type,
        "priority": read_priority(priority),
        "thread": thread,
        "output": _schema(schema_file) if schema_file else None,
        "message_id": message_id or None,
        "sender_name": user_name(),
    }


def _text(words: list[str]) -> str:
    """Return what to say.

    Raises:
        InvalidInput: nothing was given.
    """
    from mainstay.schemas.errors import InvalidInput

    if words and words != ["-"]:
        return " ".join(words)
    if not words and (sys.stdin is None or sys.stdin.isatty()):
        raise InvalidInput("there is nothing to say", hint="write it behind the agent's name")
    return sys.stdin.read().rstrip("\n")


def _schema(file: str) -> dict[str, Any]:  # Any: a JSON Schema
    """Read a JSON Schema.

    Raises:
        InvalidInput: the file cannot be read, or holds no JSON object.
    """
    from mainstay.schemas.errors import InvalidInput

    try:
        schema = json.loads(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the schema {file!r} cannot be read: {error}") from None
    if not isinstance(schema, dict):
        raise InvalidInput(f"the schema {file!r} is no JSON object", hint='begin with {"type": ...')
    return schema


def _timeout(text: str | None) -> timedelta | None:
    from mainstay.cli.amounts import read_duration

    return None if text is None else read_duration("--timeout", text)


async def _send(name: str, letter: dict[str, Any], as_json: bool) -> None:  # Any: as above
    from mainstay.cli.agent_reading import agents_online
    from mainstay.connection import has_worker

    async with agents_online() as mainstay:
        agent = await mainstay.agent(name)
        sent = await agent.send(**letter)
        print_json(await mainstay.store.get_message(sent)) if as_json else print(sent)
        if not await has_worker(mainstay.temporal, mainstay.settings.task_queue):
            say("it is kept until a worker runs; none does now")
            hint("`mainstay up`, or `mainstay worker`, runs one")
        else:
            hint(f"`mainstay agent wait {sent}` prints the answer")


async def _ask(
    name: str,
    letter: dict[str, Any],  # Any: as above
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    from mainstay.cli.agent_reading import agents_online

    async with agents_online() as mainstay:
        agent = await mainstay.agent(name)
        sent = await agent.send(**letter)
        await _print_answer(mainstay, agent, sent, timeout, as_json)


async def _wait(message_id: str, timeout: timedelta | None, as_json: bool) -> None:
    from mainstay.cli.agent_reading import agents_online

    async with agents_online() as mainstay:
        message = await mainstay.store.get_message(message_id)
        agent = mainstay.agent_handle(message.receiver)
        await _print_answer(mainstay, agent, message_id, timeout, as_json)


async def _print_answer(
    mainstay: Mainstay,
    agent: AgentHandle,
    message_id: str,
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    from mainstay.agent_answers import answer_of, failure_of
    from mainstay.cli.thread_words import printable
    from mainstay.schemas.messages import MESSAGE_ENDS

    if (await mainstay.store.get_message(message_id)).status not in MESSAGE_ENDS:
        await agent.see_driven()
    try:
        message = await _ended(mainstay, agent, message_id, timeout)
    except asyncio.CancelledError:
        say("the agent goes on with it")
        hint(f"`mainstay agent wait {message_id}` prints the answer")
        raise
    if as_json:
        print_json(message)
        if message.status != "PROCESSED":
            raise failure_of(message)
        return
    answer = answer_of(message)
    print(printable(answer) if sys.stdout.isatty() else answer)


async def _ended(
    mainstay: Mainstay, agent: AgentHandle, message_id: str, timeout: timedelta | None
) -> Message:
    """Wait for the message; questions of the agent's are told, once each, for another to answer."""
    from rich.console import Console

    from mainstay.cli.agent_live import Asked, about, wait_shown, wait_unseen

    console = Console(stderr=True, highlight=False)
    is_shown = console.is_terminal and not console.is_dumb_terminal
    told: list[str] = []
    awaited = await about(mainstay, agent, message_id)
    while True:
        try:
            if not is_shown:
                return await wait_unseen(awaited, timeout, told)
            return await wait_shown(mainstay, awaited, console, timeout, told)
        except Asked as asked:
            told.append(asked.question.use_id)
            _tell_question(agent, asked)


def _tell_question(agent: AgentHandle, asked: Asked) -> None:
    from mainstay.cli.thread_words import printable

    say(f"it asks: {printable(asked.question.question)}")
    hint(f"`mainstay agent answer {agent.id} TEXT` in another terminal lets it go on")
