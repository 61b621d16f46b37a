"""Asking before something is done that cannot be taken back."""

from __future__ import annotations

import sys

from mainstay.cli.interrupts import ask
from mainstay.schemas.errors import InvalidInput, Refused

YES = frozenset({"y", "yes"})


async def confirm(question: str, yes: bool) -> None:
    """Return if it may be done.

    Args:
        question: what is to be done, and to how many, as a question.
        yes: it was allowed beforehand.

    Raises:
        Refused: the person said no.
        InvalidInput: there is nobody to ask.
    """
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):
        raise InvalidInput(f"{question} There is nobody here to say yes", hint="add --yes")
    said = await ask(f"{question} [y/N]")
    if said.lower() not in YES:
        raise Refused("nothing was done")
