"""Ctrl-C and SIGTERM as something that can be waited for, and a question that does not block."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mainstay.cli.messages import say

LONGEST_ANSWER_BYTES = 1024


class Interrupts:
    """Signals that asked this command to stop, in order."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[signal.Signals] = asyncio.Queue()

    def note(self, number: signal.Signals) -> None:
        """Take note of a signal."""
        self._came.put_nowait(number)

    async def next(self) -> signal.Signals:
        """Wait for the next one."""
        return await self._came.get()


@contextmanager
def catching() -> Iterator[Interrupts]:
    """Catch Ctrl-C and SIGTERM for as long as the block lasts."""
    loop, interrupts = asyncio.get_running_loop(), Interrupts()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupts.note, number)
    try:
        yield interrupts
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def ask(question: str) -> str:
    """Ask the person at the terminal; empty when there is none, or at the end of input.

    The loop goes on meanwhile: a worker in this process has work to do.
    """
    if not (sys.stdin and sys.stdin.isatty()):
        return ""
    say(question)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not answer.done():
            typed = os.read(sys.stdin.fileno(), LONGEST_ANSWER_BYTES)
            answer.set_result(typed.decode(errors="replace").strip())

    loop.add_reader(sys.stdin.fileno(), read)
    try:
        return await answer
    finally:
        loop.remove_reader(sys.stdin.fileno())
