"""What the lines of a chat do: those with a slash are commands, all others go to the agent."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.markdown import Markdown

from mainstay.agent_answers import answer_of
from mainstay.agent_handle import AgentHandle
from mainstay.cli.agent_live import Asked, Awaited, about, wait_shown, wait_unseen
from mainstay.cli.messages import hint, say
from mainstay.cli.people import user_name
from mainstay.cli.printing import one_line
from mainstay.cli.thread_words import entry_text, printable
from mainstay.client import Mainstay
from mainstay.schemas.agent_calls import AgentRow, QuestionView
from mainstay.schemas.errors import InvalidInput
from mainstay.schemas.messages import MESSAGE_ENDS, Message

HISTORY_ENTRIES = 20

HELP = """\
/help             this
/info             how the agent is
/history          what was said last
/pin TEXT         a fact that the model is always sent
/cost             what it has spent
/pause, /resume   let it rest, let it go on
/wait             wait for the last answer again
/fork             copy the conversation into a new one, and print its id
/quit             leave; Ctrl-D does, too
a line that ends in \\ goes on in the next"""


async def open_chat(mainstay: Mainstay, text: str, thread: str) -> Chat:
    """Find the agent to talk with.

    Raises:
        NotFound: there is none.
        Unavailable: nothing drives it.
    """
    row = await mainstay.find_agent(text)
    agent = mainstay.agent_handle(row.agent_id)
    await agent.see_driven()
    return Chat(mainstay, agent, row, thread)


class Chat:
    """A conversation at a terminal.

    Attributes:
        is_over: the person wants to leave.
    """

    def __init__(self, mainstay: Mainstay, agent: AgentHandle, row: AgentRow, thread: str) -> None:
        self.name = row.name or row.agent_id
        self.is_over = False
        self._mainstay = mainstay
        self._agent = agent
        self._own_thread = row.thread
        self._thread = thread
        self._awaited: Awaited | None = None
        self._question: QuestionView | None = None
        self._answered: list[str] = []
        self._console = Console(highlight=False)
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "help": self._help,
            "info": self._info,
            "history": self._history,
            "pin": self._pin,
            "cost": self._cost,
            "pause": self._pause,
            "resume": self._resume,
            "wait": self._wait,
            "fork": self._fork,
            "quit": self._quit,
            "exit": self._quit,
        }

    @property
    def prompt(self) -> str:
        """What stands before the line that is typed next."""
        return "answer> " if self._question else "you> "

    async def act(self, line: str) -> None:
        """Do what a line says.

        Raises:
            MainstayError: it cannot be done; the conversation goes on.
        """
        if not line.strip():
            return
        if line.startswith("/"):
            name, _, rest = line[1:].partition(" ")
            if name not in self._commands:
                raise InvalidInput(f"there is no /{name}", hint="/help shows what there is")
            await self._commands[name](rest.strip())
        elif self._question is not None:
            await self._answer(self._question, line)
        else:
            await self._say(line)

    async def _say(self, text: str) -> None:
        # What is typed while the agent has not answered yet belongs behind what it works on.
        sent = await self._agent.send(
            text, thread=self._thread, sender_name=user_name(), message_id=str(uuid.uuid4())
        )
        self._awaited = await about(self._mainstay, self._agent, sent)
        await self._wait("")

    async def _wait(self, _: str) -> None:
        if self._awaited is None:
            raise InvalidInput("nothing is awaited", hint="say something first")
        try:
            message = await self._ended(self._awaited)
        except Asked as asked:
            self._question = asked.question
            self._console.print(f"{self.name} asks: {printable(asked.question.question)}")
            return
        self._print(answer_of(message))

    async def _ended(self, awaited: Awaited) -> Message:
        if not self._console.is_terminal:
            return await wait_unseen(awaited, answered=self._answered)
        return await wait_shown(self._mainstay, awaited, self._console, answered=self._answered)

    async def _answer(self, question: QuestionView, text: str) -> None:
        await self._agent.answer(text, use_id=question.use_id, by=user_name())
        self._answered.append(question.use_id)
        self._question = None
        if self._awaited is not None:
            await self._wait("")

    def _print(self, answer: str) -> None:
        if self._console.is_terminal:
            self._console.print(Markdown(printable(answer)))
        else:
            print(answer)
            sys.stdout.flush()

    async def _help(self, _: str) -> None:
        self._console.print(HELP, markup=False)

    async def _info(self, _: str) -> None:
        info = await self._agent.info()
        state = f"{info.state.lower()}{f': {one_line(info.detail)}' if info.detail else ''}"
        print(f"{self.name}: {state}; {info.activity}; {info.queue} waiting; {info.model}")

    async def _history(self, _: str) -> None:
        thread = self._thread or self._own_thread
        row = await self._mainstay.store.get_thread(thread)
        first = max(0, (row.entries if row else 0) - HISTORY_ENTRIES)
        for entry in await self._mainstay.store.load_entries(thread, first):
            print(entry_text(entry))

    async def _pin(self, text: str) -> None:
        entry = await self._agent.pin(text, self._thread)
        say(f"pinned, as entry {entry.position}")

    async def _cost(self, _: str) -> None:
        from mainstay.cli.agent_look import spending

        print(spending(await self._agent.account()))

    async def _pause(self, reason: str) -> None:
        say(f"{await self._agent.pause(reason)}; /resume lets it go on")

    async def _resume(self, _: str) -> None:
        say(await self._agent.resume())

    async def _fork(self, title: str) -> None:
        source = self._thread or self._own_thread
        row = await self._mainstay.store.get_thread(source)
        made = await self._mainstay.store.fork_thread(
            source, row.entries if row else 0, f"thread/{uuid.uuid4()}", title
        )
        print(made.thread_id)
        hint("the conversation here goes on in the old one")

    async def _quit(self, _: str) -> None:
        if self._awaited is not None:
            message = await self._mainstay.store.get_message(self._awaited.message_id)
            if message.status not in MESSAGE_ENDS:
                say("the agent goes on with what it was asked")
        self.is_over = True
